"""Split: one tensor cut into several along an axis; integers move and are never rounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array
from .base import Example
from .layout import Layout
from .lowering import Builder
from .view import Decline, Match, View


class Split(Layout):
    """The attributes starts and ends list where each output begins and ends along `axis`; an output that nobody names is left out."""

    type = "Split"
    sources = ("Split",)

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        kind = view.type(raw.inputs[0])
        if kind is None or kind.dtype != "float32":
            return Decline("the type or shape of its input is not known")
        axis = int(raw.attrs.get("axis", 0)) % len(kind.shape)
        try:
            given = view.argument(raw, 1, "split")
        except LookupError:
            return Decline("its sizes are computed at run time")
        size, count = kind.shape[axis], len(raw.outputs)
        each = -(-size // count)
        sizes = [min(each, size - i * each) for i in range(count)] if given is None else [int(v) for v in given.reshape(-1)]
        if len(sizes) != count or min(sizes) < 0 or sum(sizes) != size:
            return Decline("its sizes are not those of its input")
        ends = list(accumulate(sizes))
        parts = [(t, end - n, end) for t, n, end in zip(raw.outputs, sizes, ends, strict=True) if t]
        outputs, starts, stops = zip(*parts, strict=True)
        node = Node(self.type, outputs[0], raw.inputs[:1], outputs, {"axis": axis, "starts": starts, "ends": stops})
        return Match(node, (raw,))

    def _lower(self, layer: Node | QNode, b: Builder) -> None:
        axis = b.const([layer.attrs["axis"]], np.int64)
        for out, start, end in zip(layer.outputs, layer.attrs["starts"], layer.attrs["ends"], strict=True):
            b.finish(b.op("Slice", layer.inputs[0], b.const([start], np.int64), b.const([end], np.int64), axis), out)

    def _move(self, x: Array, q: QNode) -> Array:
        return self.outputs(q, (x,))[0]

    def outputs(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, ...]:
        axis = q.attrs["axis"]
        cuts = zip(q.attrs["starts"], q.attrs["ends"], strict=True)
        return tuple(np.take(inputs[0], range(start, end), axis) for start, end in cuts)

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape = [1, *(int(v) for v in rng.integers(1, 5, 3))]
        axis = int(rng.integers(1, 4))
        sizes = [int(v) for v in rng.integers(1, 4, int(rng.integers(1, 4)))]
        shape[axis] = sum(sizes)
        ends = tuple(accumulate(sizes))
        attrs = {"axis": axis, "starts": tuple(end - n for n, end in zip(sizes, ends, strict=True)), "ends": ends}
        made = [tuple(n if a == axis else d for a, d in enumerate(shape)) for n in sizes]
        case = self._example(rng, bits, shape, made[0], attrs)
        names = ("y", "z", "w")[: len(sizes)]
        types = {**case.types, **{t: TensorType(s) for t, s in zip(names, made, strict=True)}}
        return replace(case, node=replace(case.node, outputs=names), types=types)
