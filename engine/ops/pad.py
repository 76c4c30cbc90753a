"""Pad: a border around a tensor, of a constant or of its own values.

Zeros, the zero point, and copies of the tensor itself (reflect, edge, wrap) leave its quantization as it is. Another constant has a level
of the output's own range, to which the tensor is requantized: rint((q - z) * m) + zy, m = s / sy. A negative pad cuts away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array, level_of, multiplier, requantize
from .base import Example, Operator, Origin, Own, Parameters, Shared, qnode, quantization, random_levels, random_params
from .lowering import Builder
from .view import Decline, Match, View

COPIES = ("reflect", "edge", "wrap")


class Pad(Operator):
    """`pads` lists what comes before every axis, then what comes after; `shape` is that of the input."""

    type = "Pad"
    sources = ("Pad",)
    priority = -1

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        kind, mode = view.type(raw.inputs[0]), str(raw.attrs.get("mode", "constant"))
        if kind is None or kind.dtype != "float32":
            return Decline("the type or shape of its input is not known")
        try:
            pads, value, axes = view.argument(raw, 1, "pads"), view.argument(raw, 2, "value"), view.argument(raw, 3, "axes")
        except LookupError:
            return Decline("its width or its constant is computed at run time")
        if pads is None or mode not in ("constant", *COPIES):
            return Decline(f"its width or its mode {mode} is not known")
        rank, amounts = len(kind.shape), [int(v) for v in pads.reshape(-1)]
        where = range(rank) if axes is None else [int(a) % rank for a in axes.reshape(-1)]
        full = [0] * (2 * rank)
        for i, axis in enumerate(where):
            full[axis], full[axis + rank] = amounts[i], amounts[i + len(where)]
        border = float(value.reshape(-1)[0]) if mode == "constant" and value is not None and value.size else 0.0
        if not np.isfinite(border) or abs(border) >= 1e30:
            return Decline(f"no level stands for its constant {border:g}")
        if mode != "constant" and min(full) < 0:
            return Decline(f"it pads by {mode} and cuts away at once")
        attrs = {"mode": mode, "pads": tuple(full), "value": border, "shape": kind.shape}
        return Match(Node(self.type, raw.outputs[0], raw.inputs[:1], raw.outputs, attrs), (raw,))

    def origin(self, node: Node) -> Origin:
        return Own() if node.attrs["value"] else Shared()

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        a = node.attrs
        if a["mode"] == "constant":
            out = b.op("Pad", node.inputs[0], b.const(a["pads"], np.int64), b.const(a["value"], np.float32))
        else:
            out = _copied(node.inputs[0], a, b)
        b.finish(out, node.outputs[0])

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        level = level_of(node.attrs["value"], p.out)
        return qnode(self.type, node, p, {**node.attrs, "level": level}, m=multiplier(p.features()[0].scale, p.out.scale))

    def lower_int(self, q: QNode, b: Builder) -> None:
        (source,), target = quantization(q)
        value = q.inputs[0]
        if source != target:
            value = b.settle(b.times(value, source, float(q.arrays["m"])), target)
        if q.attrs["mode"] != "constant":
            b.finish(_copied(value, q.attrs, b), q.outputs[0])
            return
        pads = b.const(q.attrs["pads"], np.int64)
        if target.dtype == np.uint8:
            b.finish(b.op("Pad", value, pads, b.const(q.attrs["level"], np.uint8)), q.outputs[0])
            return
        # onnxruntime has no Pad for uint16
        wide = b.op("Pad", b.op("Cast", value, to=6), pads, b.const(q.attrs["level"], np.int32))
        b.finish(b.op("Cast", wide, to=4), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        (source,), target = quantization(q)
        acc = inputs[0].astype(np.int64) - source.zero
        out = inputs[0] if source == target else requantize(acc, q.arrays["m"], target)
        a, rank = q.attrs, inputs[0].ndim
        before, after = a["pads"][:rank], a["pads"][rank:]
        out = out[tuple(slice(max(-lo, 0), n - max(-hi, 0)) for n, lo, hi in zip(out.shape, before, after, strict=True))]
        widths = [(max(lo, 0), max(hi, 0)) for lo, hi in zip(before, after, strict=True)]
        if a["mode"] == "constant":
            return acc, np.pad(out, widths, constant_values=target.dtype.type(a["level"]))
        return acc, np.pad(out, widths, mode=a["mode"])

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape = (1, *(int(v) for v in rng.integers(3, 6, int(rng.integers(1, 4)))))
        mode = str(rng.choice(["constant", "constant", *COPIES]))
        low = -1 if mode == "constant" else 0
        pads = tuple(int(v) if axis % len(shape) else 0 for axis, v in enumerate(rng.integers(low, 3, 2 * len(shape))))
        value = float(rng.choice([0.0, 1.5, -0.3])) if mode == "constant" else 0.0
        source = random_params(rng, bits)
        target = random_params(rng, bits, source.scale * float(rng.choice([1.0, 0.5, 1.3]))) if value else source
        made = tuple(n + pads[i] + pads[i + len(shape)] for i, n in enumerate(shape))
        node = Node(self.type, "y", ("x",), ("y",), {"mode": mode, "pads": pads, "value": value, "shape": shape})
        types = {"x": TensorType(shape), "y": TensorType(made)}
        return Example(node, types, (source,), target, (random_levels(rng, source, shape),))


def _copied(value: str, attrs: Mapping[str, Any], b: Builder) -> str:
    """Append one gather per axis that grows: each position of the border is a copy of a position inside."""
    rank = len(attrs["shape"])
    for axis in reversed(range(rank)):
        width = attrs["pads"][axis], attrs["pads"][axis + rank]
        if any(width):
            places = np.pad(np.arange(attrs["shape"][axis]), width, mode=attrs["mode"])
            value = b.op("Gather", value, b.const(places, np.int64), axis=axis)
    return value
