"""Gather with constant indices: rows are picked along one axis, integers move and are never rounded."""

from __future__ import annotations

import numpy as np

from ..ir import Node, QNode, RawNode
from ..numerics import Array
from .base import Example, Parameters, qnode
from .layout import Layout
from .lowering import Builder
from .view import Decline, Match, View


class Gather(Layout):
    """The parameter `indices`, of any shape, takes the place of the axis; none is negative."""

    type = "Gather"
    sources = ("Gather",)

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        if view.const(raw.inputs[0]) is not None:
            return Decline("it looks rows up in a table of constants, at places known at run time only")
        kind, indices = view.type(raw.inputs[0]), view.const(raw.inputs[1])
        if kind is None or kind.dtype != "float32":
            return Decline("the type or shape of its input is not known")
        if indices is None:
            return Decline("its indices are computed at run time")
        axis = int(raw.attrs.get("axis", 0)) % len(kind.shape)
        size = kind.shape[axis]
        if indices.min(initial=0) < -size or indices.max(initial=0) >= size:
            return Decline("its indices lie outside of its input")
        params = {"indices": np.where(indices < 0, indices + size, indices).astype(np.int32)}
        return Match(Node(self.type, raw.outputs[0], raw.inputs[:1], raw.outputs, {"axis": axis}, params), (raw,))

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        return qnode(self.type, node, p, node.attrs, **node.params)

    def _lower(self, layer: Node | QNode, b: Builder) -> None:
        indices = (layer.params if isinstance(layer, Node) else layer.arrays)["indices"]
        b.finish(b.op("Gather", layer.inputs[0], b.const(indices, np.int64), axis=layer.attrs["axis"]), layer.outputs[0])

    def _move(self, x: Array, q: QNode) -> Array:
        return np.take(x, q.arrays["indices"], q.attrs["axis"])

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape = (1, *(int(v) for v in rng.integers(1, 6, int(rng.integers(1, 4)))))
        axis = int(rng.integers(len(shape)))
        places: tuple[int, ...] = [(), (3,), (2, 2), (1,)][int(rng.integers(4))]
        indices = rng.integers(0, shape[axis], places).astype(np.int32)
        made = (*shape[:axis], *places, *shape[axis + 1 :])
        return self._example(rng, bits, shape, made, {"axis": axis}, {"indices": indices})
