"""Flatten, Reshape, Squeeze, Unsqueeze, Transpose, Slice: integers move and are never rounded.

The batch is 1 and every dimension is known, so what only renames dimensions is a reshape to the static shape of its output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array
from .base import Example, Operator, Origin, Parameters, Shared, qnode, random_levels, random_params
from .lowering import Builder
from .view import Decline, Match, View


class Layout(Operator):
    """What they share: one input, one output, the same quantization, the same steps in float and in integers."""

    def origin(self, node: Node) -> Origin:
        return Shared()

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        self._lower(node, b)

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        return qnode(self.type, node, p, node.attrs)

    def lower_int(self, q: QNode, b: Builder) -> None:
        self._lower(q, b)

    def _lower(self, layer: Node | QNode, b: Builder) -> None:
        raise NotImplementedError

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        out = self._move(inputs[0], q)
        return out.astype(np.int64), out

    def _move(self, x: Array, q: QNode) -> Array:
        raise NotImplementedError

    def _example(
        self,
        rng: np.random.Generator,
        bits: int,
        shape: Sequence[int],
        made: Sequence[int],
        attrs: Mapping[str, Any],
        params: Mapping[str, Array] | None = None,
    ) -> Example:
        source = random_params(rng, bits)
        types = {"x": TensorType(tuple(shape)), "y": TensorType(tuple(made))}
        node = Node(self.type, "y", ("x",), ("y",), attrs, params or {})
        return Example(node, types, (source,), source, (random_levels(rng, source, shape),))


class Reshape(Layout):
    type = "Reshape"
    sources = ("Reshape",)

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        kind = view.type(raw.outputs[0])
        if kind is None or not view.is_float(raw.inputs[0]):
            return Decline("the type or shape of its input or output is not known")
        if view.reads_computed(raw, 1):
            return Decline("its target is computed at run time")
        node = Node(self.type, raw.outputs[0], raw.inputs[:1], raw.outputs[:1], {"shape": kind.shape})
        return Match(node, (raw,))

    def _lower(self, layer: Node | QNode, b: Builder) -> None:
        b.finish(b.op("Reshape", layer.inputs[0], b.const(layer.attrs["shape"], np.int64)), layer.outputs[0])

    def _move(self, x: Array, q: QNode) -> Array:
        return x.reshape(q.attrs["shape"])

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shapes = [(1, 3, 5, 7), (1, 105), (1, 15, 7), (1, 7, 1, 15), (105,)]
        before, after = (shapes[i] for i in rng.integers(0, len(shapes), 2))
        return self._example(rng, bits, before, after, {"shape": after})


class Flatten(Reshape):
    type = "Flatten"
    sources = ("Flatten",)


class Squeeze(Reshape):
    type = "Squeeze"
    sources = ("Squeeze",)


class Unsqueeze(Reshape):
    type = "Unsqueeze"
    sources = ("Unsqueeze",)


class Transpose(Layout):
    type = "Transpose"
    sources = ("Transpose",)

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        if not view.is_float(raw.inputs[0]):
            return Decline("the type or shape of its input is not known")
        perm = raw.attrs.get("perm") or range(view.rank(raw.inputs[0]))[::-1]
        node = Node(self.type, raw.outputs[0], raw.inputs, raw.outputs, {"perm": tuple(int(p) for p in perm)})
        return Match(node, (raw,))

    def _lower(self, layer: Node | QNode, b: Builder) -> None:
        b.finish(b.op("Transpose", layer.inputs[0], perm=layer.attrs["perm"]), layer.outputs[0])

    def _move(self, x: Array, q: QNode) -> Array:
        return x.transpose(q.attrs["perm"])

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape = tuple(int(v) for v in rng.integers(1, 6, int(rng.integers(1, 6))))
        perm = tuple(int(v) for v in rng.permutation(len(shape)))
        return self._example(rng, bits, shape, [shape[p] for p in perm], {"perm": perm})


class Slice(Layout):
    """The attributes starts, ends, axes, steps are ONNX's; their ends and signs mean what they mean in a Python slice."""

    type = "Slice"
    sources = ("Slice",)

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        rank = view.rank(raw.inputs[0])
        if rank < 0 or not view.is_float(raw.inputs[0]):
            return Decline("the type or shape of its input is not known")
        try:
            given = [view.argument(raw, i, name) for i, name in enumerate(("starts", "ends", "axes", "steps"), start=1)]
        except LookupError:
            return Decline("its ends are computed at run time")
        starts, ends, axes, steps = (None if v is None else tuple(int(x) for x in v.reshape(-1)) for v in given)
        if starts is None or ends is None:
            return Decline("it has no ends")
        axes = tuple(a % rank for a in axes) if axes else tuple(range(len(starts)))
        attrs = {"starts": starts, "ends": ends, "axes": axes, "steps": steps or (1,) * len(starts)}
        return Match(Node(self.type, raw.outputs[0], raw.inputs[:1], raw.outputs, attrs), (raw,))

    def _lower(self, layer: Node | QNode, b: Builder) -> None:
        ends = [b.const(layer.attrs[k], np.int64) for k in ("starts", "ends", "axes", "steps")]
        b.finish(b.op("Slice", layer.inputs[0], *ends), layer.outputs[0])

    def _move(self, x: Array, q: QNode) -> Array:
        return x[_slices(x.ndim, q.attrs)]

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape = (1, *(int(v) for v in rng.integers(3, 8, 3)))
        kinds = [(0, 2**63 - 1, 1), (1, -1, 1), (0, 5, 2), (-1, -(2**31), -1), (2**31 - 1, -(2**63), -2), (-2, 100, 1)]
        axes = tuple(int(a) for a in rng.permutation([1, 2, 3])[: int(rng.integers(1, 4))])
        starts, ends, steps = zip(*(kinds[int(rng.integers(len(kinds)))] for _ in axes), strict=True)
        attrs = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
        made = np.empty(shape)[_slices(4, attrs)].shape
        return self._example(rng, bits, shape, made, attrs)


def _slices(rank: int, attrs: Mapping[str, Sequence[int]]) -> tuple[slice, ...]:
    """Return the same cut for a numpy array."""
    cut = [slice(None)] * rank
    for axis, start, end, step in zip(attrs["axes"], attrs["starts"], attrs["ends"], attrs["steps"], strict=True):
        cut[axis] = slice(start, end, step)
    return tuple(cut)
