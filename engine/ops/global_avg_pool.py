"""GlobalAvgPool: the mean of every channel over all its pixels, as an exact integer sum and one requantization.

y = rint(float32(acc) * m) + zy, m = sx / (pixels * sy). A ReduceMean over height and width is the same layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import FLOAT_EXACT, Array, multiplier, requantize
from .base import Example, Operator, Parameters, qnode, quantization, random_levels, random_params
from .linear import carried_sum, reach
from .lowering import Builder
from .view import Decline, Match, View

AXES = (2, 3)


class GlobalAvgPool(Operator):
    type = "GlobalAvgPool"
    sources = ("GlobalAveragePool", "ReduceMean")

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        source = raw.inputs[0]
        if view.rank(source) != 4 or not view.is_float(source):
            return Decline("the type or size of its input is not known, or it is no picture")
        keep = 1
        if raw.op == "ReduceMean":
            keep = int(raw.attrs.get("keepdims", 1))
            try:
                axes = view.argument(raw, 1, "axes")
            except LookupError:
                return Decline("its axes are computed at run time")
            if axes is None or sorted(int(a) % 4 for a in axes.reshape(-1)) != list(AXES):
                return Decline("it is no mean over height and width")
        node = Node(self.type, raw.outputs[0], (source,), raw.outputs[:1], {"keepdims": keep})
        return Match(node, (raw,))

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        if node.attrs["keepdims"]:
            value = b.op("GlobalAveragePool", node.inputs[0])
        else:
            value = b.op("ReduceMean", node.inputs[0], b.const(AXES, np.int64), keepdims=0)
        b.finish(value, node.outputs[0])

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        height, width = p.types[node.inputs[0]].shape[2:]
        if height * width >= FLOAT_EXACT:
            return Decline("its input is too large for exact sums")
        m = multiplier(p.features()[0].scale, height * width * np.float64(p.out.scale))
        return qnode(self.type, node, p, {**node.attrs, "pixels": height * width}, m=m)

    def lower_int(self, q: QNode, b: Builder) -> None:
        (source,), target = quantization(q)
        axes, keep, pixels = b.const(AXES, np.int64), q.attrs["keepdims"], q.attrs["pixels"]
        none = np.zeros(1, np.int32)
        acc = carried_sum(b, q.inputs[0], source, pixels, pixels * reach(source), none, lambda x: b.op("ReduceSum", x, axes, keepdims=keep))
        b.finish(b.requantize(acc, q.arrays["m"], target), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        (source,), target = quantization(q)
        acc = (inputs[0].astype(np.int64) - source.zero).sum(axis=AXES, keepdims=bool(q.attrs["keepdims"]))
        return acc, requantize(acc, q.arrays["m"], target)

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape = (1, int(rng.integers(1, 5)), *(int(v) for v in rng.choice([1, 3, 7, 8, 20], 2)))
        keep = int(rng.integers(2))
        source = random_params(rng, bits)
        target = random_params(rng, bits, source.scale * float(rng.choice([1.0, 0.5, 0.37])))
        types = {"x": TensorType(shape), "y": TensorType((*shape[:2], 1, 1) if keep else shape[:2])}
        node = Node(self.type, "y", ("x",), ("y",), {"keepdims": keep})
        return Example(node, types, (source,), target, (random_levels(rng, source, shape),))
