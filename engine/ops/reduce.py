"""ReduceMean, ReduceSum, ReduceMax, ReduceMin over any axes.

Mean and sum:  y = rint(float32(acc) * m) + zy, acc = sum (q - z) exact, m = s / (count * sy), without the count for a sum.
Max and min:   one of the levels is chosen, so nothing is rounded and the quantization stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import FLOAT_EXACT, Array, multiplier, requantize
from .base import Example, Operator, Origin, Parameters, Shared, qnode, quantization, random_levels, random_params
from .linear import carried_sum, reach
from .lowering import Builder
from .view import Decline, Match, View


class Reduce(Operator):
    """What all share: the attributes `axes` (ascending, not negative) and `keepdims`."""

    priority = -1

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        kind = view.type(raw.inputs[0])
        if kind is None or kind.dtype != "float32":
            return Decline("the type or shape of its input is not known")
        rank = len(kind.shape)
        try:
            given = view.argument(raw, 1, "axes")
        except LookupError:
            return Decline("its axes are computed at run time")
        axes = tuple(range(rank)) if given is None or not given.size else tuple(sorted({int(a) % rank for a in given.reshape(-1)}))
        if (given is None or not given.size) and raw.attrs.get("noop_with_empty_axes"):
            return Decline("it reduces nothing")
        if raw.op.startswith("Global"):
            axes = tuple(range(2, rank))
        attrs = {"axes": axes, "keepdims": int(raw.attrs.get("keepdims", 1))}
        return Match(Node(self.type, raw.outputs[0], raw.inputs[:1], raw.outputs, attrs), (raw,))

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        axes = b.const(node.attrs["axes"], np.int64)
        b.finish(b.op(self.type, node.inputs[0], axes, keepdims=node.attrs["keepdims"]), node.outputs[0])

    def _drawn(self, rng: np.random.Generator) -> tuple[tuple[int, ...], dict[str, TensorType], Node]:
        """Draw a shape, the types and the layer of an example."""
        shape = (1, *(int(v) for v in rng.choice([1, 2, 5, 7, 40], int(rng.integers(1, 4)))))
        axes = tuple(sorted(int(a) for a in rng.permutation(len(shape))[: int(rng.integers(1, len(shape) + 1))]))
        keep = int(rng.integers(2))
        made = np.zeros(shape).sum(axis=axes, keepdims=bool(keep)).shape
        node = Node(self.type, "y", ("x",), ("y",), {"axes": axes, "keepdims": keep})
        return shape, {"x": TensorType(shape), "y": TensorType(made)}, node


class Total(Reduce):
    """Mean and sum; the attribute `count` is the number of summands."""

    mean: ClassVar[bool]

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        shape = p.types[node.inputs[0]].shape
        count = int(np.prod([shape[a] for a in node.attrs["axes"]], dtype=np.int64))
        if count >= FLOAT_EXACT:
            return Decline("its input is too large for exact sums")
        m = multiplier(p.features()[0].scale, (count if self.mean else 1) * np.float64(p.out.scale))
        return qnode(self.type, node, p, {**node.attrs, "count": count}, m=m)

    def lower_int(self, q: QNode, b: Builder) -> None:
        (source,), target = quantization(q)
        axes, keep, count = b.const(q.attrs["axes"], np.int64), q.attrs["keepdims"], q.attrs["count"]
        none = np.zeros(1, np.int32)
        acc = carried_sum(b, q.inputs[0], source, count, count * reach(source), none, lambda x: b.op("ReduceSum", x, axes, keepdims=keep))
        b.finish(b.requantize(acc, q.arrays["m"], target), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        (source,), target = quantization(q)
        centred = inputs[0].astype(np.int64) - source.zero
        acc = np.asarray(centred.sum(axis=q.attrs["axes"], keepdims=bool(q.attrs["keepdims"])))
        return acc, requantize(acc, q.arrays["m"], target)

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape, types, node = self._drawn(rng)
        source = random_params(rng, bits)
        count = 1 if self.mean else types["x"].size // types["y"].size
        target = random_params(rng, bits, source.scale * count * float(rng.choice([1.0, 0.5, 0.37])))
        return Example(node, types, (source,), target, (random_levels(rng, source, shape),))


class ReduceMean(Total):
    """Also a global average pool over another number of axes than two."""

    type = "ReduceMean"
    sources = ("ReduceMean", "GlobalAveragePool")
    mean = True


class ReduceSum(Total):
    type = "ReduceSum"
    sources = ("ReduceSum",)
    mean = False


class Extremum(Reduce):
    """Max and min."""

    def origin(self, node: Node) -> Origin:
        return Shared()

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        return qnode(self.type, node, p, node.attrs)

    def lower_int(self, q: QNode, b: Builder) -> None:
        # onnxruntime compares uint8 slowly and uint16 not at all
        (source,), target = quantization(q)
        axes = b.const(q.attrs["axes"], np.int64)
        found = b.op(self.type, b.centre(q.inputs[0], source), axes, keepdims=q.attrs["keepdims"])
        b.finish(b.settle(found, target), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        choose = np.max if self.type == "ReduceMax" else np.min
        out = np.asarray(choose(inputs[0], axis=q.attrs["axes"], keepdims=bool(q.attrs["keepdims"])))
        return out.astype(np.int64), out

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape, types, node = self._drawn(rng)
        source = random_params(rng, bits)
        return Example(node, types, (source,), source, (random_levels(rng, source, shape),))


class ReduceMax(Extremum):
    type = "ReduceMax"
    sources = ("ReduceMax",)


class ReduceMin(Extremum):
    type = "ReduceMin"
    sources = ("ReduceMin",)
