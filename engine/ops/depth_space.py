"""DepthToSpace and SpaceToDepth: channels become blocks of pixels and back; integers move and are never rounded.

Both are a reshape to six axes, a transposition and a reshape. Source: ONNX operators of these names (modes DCR and CRD).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..ir import Node, QNode, RawNode
from ..numerics import Array
from .base import Example
from .layout import Layout
from .lowering import Builder
from .view import Decline, Match, View

PERMUTATIONS = {"DCR": (0, 3, 4, 1, 5, 2), "CRD": (0, 1, 4, 2, 5, 3), "": (0, 3, 5, 1, 2, 4)}
"""Order of the six axes by mode; "" is that of SpaceToDepth."""


class Blocks(Layout):
    """What both share; the attributes are `block`, `mode` and the `parts`, `perm` and `shape` of the three moves."""

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        kind = view.type(raw.inputs[0])
        if kind is None or kind.dtype != "float32" or len(kind.shape) != 4:
            return Decline("the type or size of its input is not known, or it is no picture")
        mode = "" if self.type == "SpaceToDepth" else str(raw.attrs.get("mode", "DCR"))
        if mode not in PERMUTATIONS:
            return Decline(f"its mode {mode} is not known")
        attrs = moves(mode, int(raw.attrs["blocksize"]), kind.shape)
        if np.prod(attrs["parts"]) != kind.size:
            return Decline("its blocks do not fit its input")
        return Match(Node(self.type, raw.outputs[0], raw.inputs, raw.outputs, attrs), (raw,))

    def _lower(self, layer: Node | QNode, b: Builder) -> None:
        parts = b.op("Reshape", layer.inputs[0], b.const(layer.attrs["parts"], np.int64))
        moved = b.op("Transpose", parts, perm=layer.attrs["perm"])
        b.finish(b.op("Reshape", moved, b.const(layer.attrs["shape"], np.int64)), layer.outputs[0])

    def _move(self, x: Array, q: QNode) -> Array:
        block, mode = q.attrs["block"], q.attrs["mode"]
        out = np.empty(q.attrs["shape"], x.dtype)
        small, large = (out, x) if mode == "" else (x, out)
        channels = large.shape[1]
        for i in range(block):
            for j in range(block):
                for c in range(channels):
                    s = (c * block + i) * block + j if mode == "CRD" else (i * block + j) * channels + c
                    if mode == "":
                        small[:, s] = large[:, c, i::block, j::block]
                    else:
                        large[:, c, i::block, j::block] = small[:, s]
        return out

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        block, c, h, w = (int(v) for v in rng.integers(1, 4, 4))
        mode = "" if self.type == "SpaceToDepth" else str(rng.choice(["DCR", "CRD"]))
        shape = (1, c, h * block, w * block) if mode == "" else (1, c * block * block, h, w)
        attrs = moves(mode, block, shape)
        return self._example(rng, bits, shape, attrs["shape"], attrs)


def moves(mode: str, block: int, shape: tuple[int, ...]) -> Mapping[str, Any]:
    """Return the attributes of the layer for an input of `shape` (1, C, H, W)."""
    n, c, h, w = shape
    perm, s = PERMUTATIONS[mode], block
    if mode == "":
        parts: tuple[int, ...] = (n, c, h // s, s, w // s, s)
        made = (n, c * s * s, h // s, w // s)
    else:
        deep = c // (s * s)
        parts = (n, s, s, deep, h, w) if mode == "DCR" else (n, deep, s, s, h, w)
        made = (n, deep, h * s, w * s)
    return {"block": s, "mode": mode, "parts": parts, "perm": perm, "shape": made}


class DepthToSpace(Blocks):
    type = "DepthToSpace"
    sources = ("DepthToSpace",)


class SpaceToDepth(Blocks):
    type = "SpaceToDepth"
    sources = ("SpaceToDepth",)
