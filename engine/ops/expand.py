"""Expand and Tile: a tensor is repeated along its axes; integers move and are never rounded."""

from __future__ import annotations

import numpy as np

from ..ir import Node, QNode, RawNode
from ..numerics import Array
from .base import Example
from .layout import Layout
from .lowering import Builder
from .view import Decline, Match, View


class Expand(Layout):
    """The attribute `shape` is that of the output: axes of size 1, or missing in front, are repeated."""

    type = "Expand"
    sources = ("Expand",)

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        kind = view.type(raw.outputs[0])
        if kind is None or not view.is_float(raw.inputs[0]):
            return Decline("the type or shape of its input or output is not known")
        if view.reads_computed(raw, 1):
            return Decline("its target is computed at run time")
        return Match(Node(self.type, raw.outputs[0], raw.inputs[:1], raw.outputs, {"shape": kind.shape}), (raw,))

    def _lower(self, layer: Node | QNode, b: Builder) -> None:
        b.finish(b.op("Expand", layer.inputs[0], b.const(layer.attrs["shape"], np.int64)), layer.outputs[0])

    def _move(self, x: Array, q: QNode) -> Array:
        return np.broadcast_to(x, q.attrs["shape"])

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        made = tuple(int(v) for v in rng.integers(1, 5, 4))
        shape = [d if rng.integers(2) else 1 for d in made][int(rng.integers(3)) :]
        return self._example(rng, bits, shape, made, {"shape": made})


class Tile(Layout):
    """The attribute `repeats` tells how often the whole tensor follows itself along each axis."""

    type = "Tile"
    sources = ("Tile",)

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        repeats = view.const(raw.inputs[1])
        if not view.is_float(raw.inputs[0]):
            return Decline("the type or shape of its input is not known")
        if repeats is None:
            return Decline("its repeats are computed at run time")
        attrs = {"repeats": tuple(int(v) for v in repeats.reshape(-1))}
        return Match(Node(self.type, raw.outputs[0], raw.inputs[:1], raw.outputs, attrs), (raw,))

    def _lower(self, layer: Node | QNode, b: Builder) -> None:
        b.finish(b.op("Tile", layer.inputs[0], b.const(layer.attrs["repeats"], np.int64)), layer.outputs[0])

    def _move(self, x: Array, q: QNode) -> Array:
        return np.tile(x, q.attrs["repeats"])

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape, repeats = (tuple(int(v) for v in rng.integers(1, 4, 4)) for _ in range(2))
        return self._example(rng, bits, shape, [n * r for n, r in zip(shape, repeats, strict=True)], {"repeats": repeats})
