"""Padding and windows of convolutions and pools, in one form: (top, left, bottom, right)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ir import RawNode
from ..numerics import Array
from .lowering import Builder
from .view import Decline, View


def pads_of(raw: RawNode, view: View, kernel: Sequence[int]) -> tuple[int, ...] | None:
    """Return the explicit pads of a window operator over as many axes as its kernel has, those before, then those after.

    auto_pad is resolved; None when the input's size is unknown.
    """
    auto, axes = raw.attrs.get("auto_pad", "NOTSET"), len(kernel)
    if auto in ("NOTSET", ""):
        pads = tuple(int(p) for p in raw.attrs.get("pads") or (0,) * (2 * axes))
        return pads if len(pads) == 2 * axes else None
    if auto == "VALID":
        return (0,) * (2 * axes)
    kind = view.type(raw.inputs[0])
    if kind is None or len(kind.shape) != axes + 2:
        return None
    strides = raw.attrs.get("strides") or (1,) * axes
    dilations = raw.attrs.get("dilations") or (1,) * axes
    begin, end = [], []
    for size, k, stride, dilation in zip(kind.shape[2:], kernel, strides, dilations, strict=True):
        out = -(-size // stride)
        total = max(0, (out - 1) * stride + dilation * (k - 1) + 1 - size)
        small = total // 2
        begin.append(small if auto == "SAME_UPPER" else total - small)
        end.append(total - small if auto == "SAME_UPPER" else small)
    return (*begin, *end)


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


def pool_attrs(raw: RawNode, view: View) -> dict[str, Any] | Decline:
    """Return the window of a two-dimensional pool as attributes: kernel_shape, strides, dilations, pads, ceil_mode."""
    kind = view.type(raw.inputs[0])
    kernel = tuple(int(k) for k in raw.attrs.get("kernel_shape") or ())
    if kind is None or kind.dtype != "float32":
        return Decline("the type or size of its input is not known")
    if len(kernel) != 2 or len(kind.shape) != 4:
        return Decline(f"a pool over {len(kind.shape) - 2} axes has no integer form here")
    pads = pads_of(raw, view, kernel)
    if pads is None:
        return Decline("its padding is not known")
    attrs = {
        "kernel_shape": kernel,
        "strides": tuple(int(v) for v in raw.attrs.get("strides") or (1, 1)),
        "dilations": tuple(int(v) for v in raw.attrs.get("dilations") or (1, 1)),
        "pads": pads,
        "ceil_mode": int(raw.attrs.get("ceil_mode", 0)),
    }
    if not plain_ceil(kind.shape[2:], attrs):
        return Decline("one axis has a window that would start on padding, the other one that overhangs")
    made, wanted = pooled_size(kind.shape[2:], attrs), view.type(raw.outputs[0])
    if wanted is not None and wanted.shape[2:] != made:
        return Decline(f"its output is {made[0]}x{made[1]} by onnxruntime's rule, the model says {wanted.shape[2:]}")
    return attrs


def plain_ceil(size: Sequence[int], attrs: dict[str, Any]) -> bool:
    """Turn ceil_mode off where it changes nothing; False where it changes one axis while it drops a window of the other.

    onnxruntime infers a shape with the dropped window and then fails on its own inference, so it must never see such a mode.
    """
    by_ceil, by_floor = pooled_size(size, attrs), pooled_size(size, {**attrs, "ceil_mode": 0})
    if by_ceil == by_floor:
        attrs["ceil_mode"] = 0
        return True
    return all(c > f or _divides(size, attrs, i) for i, (c, f) in enumerate(zip(by_ceil, by_floor, strict=True)))


def _divides(size: Sequence[int], attrs: Mapping[str, Any], axis: int) -> bool:
    """Tell whether the windows of an axis end where its padding ends."""
    before, after = attrs["pads"][axis], attrs["pads"][axis + 2]
    free = size[axis] + before + after - attrs["dilations"][axis] * (attrs["kernel_shape"][axis] - 1) - 1
    return bool(free % attrs["strides"][axis] == 0)


def pooled_size(size: Sequence[int], attrs: Mapping[str, Any]) -> tuple[int, int]:
    """Return the output height and width of a pool; with ceil_mode a window may overhang, but has to start inside input or padding."""
    top, left, bottom, right = attrs["pads"]
    made = []
    for n, before, after, i in ((size[0], top, bottom, 0), (size[1], left, right, 1)):
        stride = attrs["strides"][i]
        free = n + before + after - attrs["dilations"][i] * (attrs["kernel_shape"][i] - 1) - 1
        count = (-(-free // stride) if attrs["ceil_mode"] else free // stride) + 1
        made.append(count - 1 if attrs["ceil_mode"] and (count - 1) * stride >= n + before else count)
    return made[0], made[1]


def window_cells(size: Sequence[int], attrs: Mapping[str, Any], *, padding: bool = False) -> tuple[list[Array], list[Array]]:
    """Return, per output row and per output column, the input indices under the window; with `padding` those on the padding as well."""
    top, left, bottom, right = attrs["pads"]
    axes = []
    for i, (n, before, after, count) in enumerate(zip(size, (top, left), (bottom, right), pooled_size(size, attrs), strict=True)):
        offsets = np.arange(attrs["kernel_shape"][i]) * attrs["dilations"][i] - before
        low, high = (-before, n + after) if padding else (0, n)
        cells = [offsets + o * attrs["strides"][i] for o in range(count)]
        axes.append([c[(c >= low) & (c < high)] for c in cells])
    return axes[0], axes[1]


def random_pool(rng: np.random.Generator) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Draw an input shape and the window of a pool: odd sizes, overhang, dilation, uneven padding."""
    kernel = tuple(int(v) for v in rng.integers(1, 4, 2))
    dilations = tuple(int(v) for v in rng.integers(1, 3, 2))
    attrs = {
        "kernel_shape": kernel,
        "strides": tuple(int(v) for v in rng.integers(1, 4, 2)),
        "dilations": dilations,
        "pads": tuple(int(rng.integers(0, kernel[i % 2])) for i in range(4)),
        "ceil_mode": int(rng.integers(2)),
    }
    shape = (1, int(rng.integers(1, 4)), int(rng.integers(5, 10)), int(rng.integers(5, 10)))
    if not plain_ceil(shape[2:], attrs):
        attrs["ceil_mode"] = 0
    return shape, attrs


def lower_unfolded(
    b: Builder, x: str, source: Sequence[int], kernel: Sequence[int], attrs: Mapping[str, Any], out: Sequence[int], most: int
) -> str:
    """Append the windows that a convolution (strides, dilations, pads, group) over x of shape `source` (n, channels, ...) looks through.

    Returns float32 (group, channels / group * kh * kw, positions): of the output `out` (h, w) `most` positions at most, on a grid.
    """
    cells, step = int(np.prod(kernel)), grid(out, most // source[0])
    strides = tuple(s * step for s in attrs["strides"])
    if cells > 1 or any(attrs["pads"]) or max(strides) > 1:
        picks = np.tile(np.eye(cells, dtype=np.float32).reshape(cells, 1, *kernel), (source[1], 1, 1, 1))
        x = b.op("Conv", x, b.const(picks), strides=strides, dilations=attrs["dilations"], pads=attrs["pads"], group=source[1])
    return grouped(b, x, source[0], attrs["group"], source[1] * cells)


def grouped(b: Builder, x: str, batch: int, group: int, k: int) -> str:
    """Append the step from (batch, k, h, w) to (group, k / group, positions)."""
    if batch > 1:
        parts = b.op("Reshape", x, b.const([batch, group, k // group, -1], np.int64))
        x = b.op("Transpose", parts, perm=(1, 2, 0, 3))
    return b.op("Reshape", x, b.const([group, k // group, -1], np.int64))


def grid(out: Sequence[int], most: int) -> int:
    """Return the least step at which a grid over positions of shape `out` has no more than `most` of them, or one."""
    step = 1
    while int(np.prod([-(-size // step) for size in out])) > max(most, 1):
        step += 1
    return step
