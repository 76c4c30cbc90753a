"""Exact sums of a convolution by matrix products of integers: for features or results of more than 8 bits, which QLinearConv cannot have.

With rows of what lies under each window, y = rows @ w. Features wider than 8 bits are two limbs, x - z = (l - z_l) + 256 * (h - z_h), each
multiplied apart. `ort/selftest.py` tells whether the machine's kernel of uint8 * int8 is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..numerics import INT32_MAX, Array, QParams
from .lowering import Builder

KERNEL = "MatMulInteger"
FEWEST = 16
"""Channels below which copying windows, a few bytes at a time, costs more than the product saves."""
WIDEST = 16
"""Bytes of rows per byte of features, at most."""
_UINT8 = 2
_END = np.iinfo(np.int64).max


def fits(b: Builder, attrs: Mapping[str, Any], weight: Array) -> bool:
    """Tell whether a convolution is worth it, and its sums fit: `attrs` are those of Conv with the layer's `bound` and `weight_sum`."""
    area, steps = int(np.prod(weight.shape[2:])), int(np.prod(attrs["strides"]))
    worth = attrs["group"] == 1 and weight.shape[1] >= FEWEST and area <= WIDEST * steps
    return KERNEL in b.fast and worth and attrs["bound"] + 255 * attrs["weight_sum"] <= INT32_MAX


def integer_sum(b: Builder, x: str, source: QParams, weight: Array, bias: Array, attrs: Mapping[str, Any]) -> str:
    """Append the exact sums of levels x (1, C, H, W) with int8 weights (O, C, kh, kw) and an int32 bias (O,); int32 (1, O, H', W')."""
    kernel = b.const(weight.transpose(2, 3, 1, 0).reshape(-1, weight.shape[0]))
    levels = b.op("Transpose", x, perm=(0, 2, 3, 1))
    total = ""
    for part, zero, factor in _limbs(b, levels, source):
        rows = _rows(b, part, zero, weight.shape[2:], attrs)
        made = b.op(KERNEL, rows, kernel, b.const(zero, np.uint8))
        if factor > 1:
            made = b.op("Mul", made, b.const(factor, np.int32))
        total = b.op("Add", total, made) if total else made
    if bias.any():
        total = b.op("Add", total, b.const(bias, np.int32))
    return b.accumulator(b.op("Transpose", total, perm=(0, 3, 1, 2)))


def _limbs(b: Builder, levels: str, q: QParams) -> list[tuple[str, int, int]]:
    """Return (limb, its zero point, its weight): uint8 each."""
    if q.bits <= 8:
        return [(levels, q.zero, 1)]
    low = b.op("Cast", levels, to=_UINT8)  # by the standard: higher bits are discarded
    high = b.op("DequantizeLinear", levels, b.const(1 / 256, np.float32), b.const(0, np.uint16))
    return [(low, q.zero & 255, 1), (b.op("Cast", high, to=_UINT8), q.zero >> 8, 256)]


def _rows(b: Builder, x: str, zero: int, kernel: tuple[int, ...], attrs: Mapping[str, Any]) -> str:
    """Return, for each place of the result, what lies under its window: (1, H', W', kh * kw * C), the padding being the zero point."""
    top, left, bottom, right = attrs["pads"]
    (sy, sx), (dy, dx), (kh, kw) = attrs["strides"], attrs["dilations"], kernel
    if any(attrs["pads"]):
        x = b.op("Pad", x, b.const([0, top, left, 0, 0, bottom, right, 0], np.int64), b.const(zero, np.uint8))
    if (kh, kw, sy, sx) == (1, 1, 1, 1):
        return x
    axes, steps = b.const([1, 2], np.int64), b.const([sy, sx], np.int64)
    cells = []
    for i in range(kh):
        for j in range(kw):
            behind = ((i - kh + 1) * dy, (j - kw + 1) * dx)  # rows and columns that later cells begin with: this one ends before them
            ends = [end if end else _END for end in behind]
            cells.append(b.op("Slice", x, b.const([i * dy, j * dx], np.int64), b.const(ends, np.int64), axes, steps))
    return b.op("Concat", *cells, axis=3) if len(cells) > 1 else cells[0]
