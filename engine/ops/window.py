"""Padding and windows of convolutions and pools, in one form: (top, left, bottom, right)."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import RawNode
from .view import View


def pads_of(raw: RawNode, view: View, kernel: Sequence[int]) -> tuple[int, int, int, int] | None:
    """Return the explicit pads of a two-dimensional window operator, resolving auto_pad; None when the input's size is unknown."""
    auto = raw.attrs.get("auto_pad", "NOTSET")
    if auto in ("NOTSET", ""):
        pads = tuple(int(p) for p in raw.attrs.get("pads") or (0, 0, 0, 0))
        return pads if len(pads) == 4 else None
    if auto == "VALID":
        return 0, 0, 0, 0
    kind = view.type(raw.inputs[0])
    if kind is None or len(kind.shape) != 4:
        return None
    strides = raw.attrs.get("strides") or (1, 1)
    dilations = raw.attrs.get("dilations") or (1, 1)
    begin, end = [], []
    for size, k, stride, dilation in zip(kind.shape[2:], kernel, strides, dilations, strict=True):
        out = -(-size // stride)
        total = max(0, (out - 1) * stride + dilation * (k - 1) + 1 - size)
        small = total // 2
        begin.append(small if auto == "SAME_UPPER" else total - small)
        end.append(total - small if auto == "SAME_UPPER" else small)
    return begin[0], begin[1], end[0], end[1]


def zero_pads(raw: RawNode, view: View) -> list[int] | None:
    """Return the pads of a Pad operator that adds zeros around height and width only; None when it does anything else."""
    try:
        pads, value, axes = view.argument(raw, 1, "pads"), view.argument(raw, 2, "value"), view.argument(raw, 3, "axes")
    except LookupError:
        return None
    if raw.attrs.get("mode", "constant") != "constant" or view.rank(raw.inputs[0]) != 4 or pads is None:
        return None
    if value is not None and value.size and float(value.reshape(-1)[0]) != 0.0:
        return None
    amounts = [int(v) for v in pads.reshape(-1)]
    where = [int(a) % 4 for a in axes.reshape(-1)] if axes is not None else [0, 1, 2, 3]
    full = [0] * 8
    for i, axis in enumerate(where):
        full[axis], full[axis + 4] = amounts[i], amounts[i + len(where)]
    if min(full) < 0 or any(full[i] for i in (0, 1, 4, 5)):
        return None
    return [full[2], full[3], full[6], full[7]]
