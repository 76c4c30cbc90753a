"""Concat: tensors side by side, each brought to the quantization of the output.

A part with the output's scale, zero point and bits is copied; another is requantized: rint((q - z) * m) + zy, m = s / sy.
A constant part is quantized at conversion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array, multiplier, requantize
from ..numerics import quantize as to_levels
from .base import Example, Operator, Parameters, qnode, quantization, random_levels, random_params
from .lowering import Builder
from .view import Decline, Match, View


class Concat(Operator):
    """The attribute `parts` lists, in order, the index of an input, or -1 - i for the constant `c<i>`."""

    type = "Concat"
    sources = ("Concat",)

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        features = view.features(raw)
        if not features or not view.is_float(*raw.inputs):
            return Decline("the types of its inputs are not known to be float32")
        params: dict[str, Array] = {}
        parts: list[int] = []
        for tensor in raw.inputs:
            value = view.const(tensor)
            if value is None:
                parts.append(len([p for p in parts if p >= 0]))
                continue
            if not np.isfinite(value).all():
                return Decline("one of its constants is not finite everywhere")
            parts.append(-1 - len(params))
            params[f"c{len(params)}"] = np.asarray(value, np.float32)
        # `axis` has no default since opset 4, and the default before was 1
        axis = int(raw.attrs.get("axis", 1)) % view.rank(features[0])
        node = Node(self.type, raw.outputs[0], features, raw.outputs, {"axis": axis, "parts": tuple(parts)}, params)
        return Match(node, (raw,))

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        parts = [node.inputs[i] if i >= 0 else b.const(node.params[f"c{-1 - i}"]) for i in node.attrs["parts"]]
        b.finish(b.op("Concat", *parts, axis=node.attrs["axis"]), node.outputs[0])

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        arrays = {name: to_levels(value, p.out) for name, value in node.params.items()}
        m = multiplier(np.array([q.scale for q in p.features()]), p.out.scale)
        return qnode(self.type, node, p, node.attrs, m=m, **arrays)

    def lower_int(self, q: QNode, b: Builder) -> None:
        ins, target = quantization(q)
        parts = []
        for i in q.attrs["parts"]:
            if i < 0:
                parts.append(b.const(q.arrays[f"c{-1 - i}"]))
            elif ins[i] == target:
                parts.append(q.inputs[i])
            else:
                parts.append(b.settle(b.times(q.inputs[i], ins[i], float(q.arrays["m"][i])), target))
        b.finish(b.op("Concat", *parts, axis=q.attrs["axis"]), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        ins, target = quantization(q)
        centred, levels = [], []
        for i in q.attrs["parts"]:
            source = target if i < 0 else ins[i]
            part = q.arrays[f"c{-1 - i}"] if i < 0 else inputs[i]
            acc = part.astype(np.int64) - source.zero
            centred.append(acc)
            levels.append(part if source == target else requantize(acc, q.arrays["m"][i], target))
        axis = q.attrs["axis"]
        return np.concatenate(centred, axis), np.concatenate(levels, axis)

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        target = random_params(rng, bits)
        axis = int(rng.integers(1, 4))
        names = [("a",), ("a", "b"), ("a", "a"), ("a", "b", "a", "c")][int(rng.integers(4))]
        types, params, data = {}, {}, {}
        for name in dict.fromkeys(names):
            shape = [1, 3, 5, 2]
            shape[axis] = int(rng.integers(1, 4))
            types[name] = TensorType(tuple(shape))
            wider = int(rng.integers(2, 17))
            params[name] = [target, random_params(rng, bits), random_params(rng, wider, target.scale)][int(rng.integers(3))]
            data[name] = random_levels(rng, params[name], shape)
        parts, constants = list(range(len(names))), {}
        if rng.integers(3) == 0:
            constants["c0"] = rng.normal(0, 1, types["a"].shape).astype(np.float32)
            parts.insert(int(rng.integers(len(parts) + 1)), -1)
        shape = list(types["a"].shape)
        shape[axis] = sum(types[n].shape[axis] for n in names) + (types["a"].shape[axis] if constants else 0)
        types["y"] = TensorType(tuple(shape))
        node = Node(self.type, "y", names, ("y",), {"axis": axis, "parts": tuple(parts)}, constants)
        return Example(node, types, tuple(params[n] for n in names), target, tuple(data[n] for n in names))
