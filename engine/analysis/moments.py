"""One streaming pass over a float tensor x and its quantized twin y: the sums every metric is made of.

Blocks fit the cache, nothing of the tensor's size is allocated. Inside a block the arithmetic is float32, in runs short enough that a
float32 sum is right to about 1e-7; between runs it is float64. Sums are taken of y and of d = x - y, not of x and y: the difference is
what the metrics are about, and no cancellation stands between it and its sum. Tensors for which float32 would lose digits (huge or tiny
values, a mean far from 0, x much smaller than y) are recognised from the result and done again in float64, in two passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..numerics import Array, QParams

BLOCK = 1 << 16
RUN = 1 << 10
_ONES = np.ones(RUN, np.float32)
_SMALL = 1 << 12  # up to this many elements float64 costs nothing
_SAFE = (1e-9, 1e15)  # magnitudes whose squares, and whose errors' squares, are normal float32 numbers
_OFF_CENTRE = 4.0  # mean^2 / variance beyond which a variance from plain sums has lost digits

Values = Callable[[int, int, Array], Array]
"""Writes y[start:stop] into a float32 array of that size, and returns it."""

Energies = tuple[float, float, float]
"""sum(y^2), sum(y*d), sum(d^2)."""


@dataclass(frozen=True, slots=True)
class Block:
    """Ends of x and of d within elements start to stop."""

    start: int
    stop: int
    x_low: float
    x_high: float
    d_low: float
    d_high: float

    def reach(self, k: float, mean_d: float, mean_y: float) -> float:
        """Bound |d - mean_d + k * (y - mean_y)| from above within the block."""
        y_low, y_high = self.x_low - self.d_high, self.x_high - self.d_low
        error = max(self.d_high - mean_d, mean_d - self.d_low)
        return error + abs(k) * max(y_high - mean_y, mean_y - y_low)


@dataclass(frozen=True, slots=True)
class Moments:
    """Raw and central second moments of y and d = x - y over `size` elements, in float64.

    `yy`, `yd`, `dd` are plain sums of products; `var_y`, `cov_yd`, `var_d` are divided by the size. `beyond` counts elements of x
    outside the ends given to `collect`. `exact` tells that float64 was needed.
    """

    size: int
    mean_y: float
    mean_d: float
    yy: float
    yd: float
    dd: float
    var_y: float
    cov_yd: float
    var_d: float
    beyond: int
    blocks: tuple[Block, ...]
    exact: bool = False

    @property
    def xx(self) -> float:
        return max(self.yy + 2 * self.yd + self.dd, 0.0)

    @property
    def var_x(self) -> float:
        return max(self.var_y + 2 * self.cov_yd + self.var_d, 0.0)

    @property
    def max_error(self) -> float:
        return max(max(abs(b.d_low), abs(b.d_high)) for b in self.blocks)

    @property
    def finite(self) -> bool:
        return all(math.isfinite(v) for b in self.blocks for v in (b.x_low, b.x_high, b.d_low, b.d_high))

    def trustworthy(self) -> bool:
        """Tell whether float32 inside the blocks was good enough."""
        peak = max(max(abs(b.x_low), abs(b.x_high), abs(b.d_low), abs(b.d_high)) for b in self.blocks)
        if peak == 0:
            return True
        centred = self.mean_y**2 <= _OFF_CENTRE * self.var_y and self.mean_d**2 <= _OFF_CENTRE * self.var_d
        alike = self.xx * _OFF_CENTRE >= self.yy and self.var_x * _OFF_CENTRE >= self.var_y
        return _SAFE[0] < peak < _SAFE[1] and centred and alike


def of_levels(levels: Array, q: QParams) -> Values:
    """Return the values of quantized levels, block by block: exactly `numerics.dequantize`, without its temporaries."""
    zero, scale = np.float32(q.zero), np.float32(q.scale)

    def values(start: int, stop: int, out: Array) -> Array:
        np.copyto(out, levels[start:stop])
        if q.zero:
            np.subtract(out, zero, out=out)
        return np.multiply(out, scale, out=out)

    return values


def of_floats(y: Array) -> Values:
    """Return the values of a float tensor, block by block."""

    def values(start: int, stop: int, out: Array) -> Array:
        np.copyto(out, y[start:stop])
        return out

    return values


def collect(x: Array, values: Values, ends: tuple[float, float] = (-math.inf, math.inf)) -> Moments | None:
    """Return the moments of x (flat float32, not empty) against y; None when a value of either is not finite.

    `ends` are the values of x beyond which an element counts as `beyond`.
    """
    return collect_beside(x, values, ends, None)[0]


def collect_beside(x: Array, values: Values, ends: tuple[float, float], beside: Values | None) -> tuple[Moments | None, Energies | None]:
    """Return what `collect` does, and the energies of x against another y, for which each block of x is read once only."""
    fast: Moments | None = None
    other: Energies | None = None
    with np.errstate(all="ignore"):  # what overflows here is seen in the result, and done again in float64
        if x.size > _SMALL:
            fast, other = _fast(x, values, ends, beside)
        if fast is None or not (fast.finite and fast.trustworthy()):
            exact = collect_exactly(x, values, ends)
            fast = exact if exact.finite else None
    if beside is not None and (other is None or not _trusted(other, x.size)):
        other = _collected(x, beside)
    return fast, other


def energies(x: Array, values: Values) -> Energies | None:
    """Return the energies alone, at half the price of `collect`; None when a value of either is not finite."""
    found: Energies | None = None
    with np.errstate(all="ignore"):
        if x.size > _SMALL:
            found = (0.0, 0.0, 0.0)
            work = _scratch(x.size)
            for start, stop in cuts(x.size):
                found = _more(found, x[start:stop], values, start, work[:, : stop - start])
    return found if found and _trusted(found, x.size) else _collected(x, values)


def _collected(x: Array, values: Values) -> Energies | None:
    m = collect(x, values)
    return (m.yy, m.yd, m.dd) if m else None


def _trusted(found: Energies, size: int) -> bool:
    """Tell whether float32 inside the blocks was good enough for these energies."""
    yy, yd, dd = found
    return _SAFE[0] ** 2 < max(yy, dd) / size < _SAFE[1] ** 2 and (yy + 2 * yd + dd) * _OFF_CENTRE > yy


def _more(so_far: Energies, a: Array, values: Values, start: int, work: Array) -> Energies:
    """Return energies with those of a block of x added; `work` (2, block) holds y and x - y when it returns."""
    np.subtract(a, values(start, start + a.size, work[0]), out=work[1])
    yy, yd, dd = so_far
    (own_y, own_d), cross = _products(work)
    return yy + float(own_y), yd + cross, dd + float(own_d)


def farthest(x: Array, values: Values, m: Moments, k: float) -> float:
    """Return max |d - mean(d) + k * (y - mean(y))| over all elements.

    Blocks that cannot hold the maximum, by their ends, are not read again.
    """
    kind = np.float64 if m.exact else np.float32
    scratch = np.empty(min(BLOCK, m.size), np.float32)
    work, error = np.empty(scratch.size, kind), np.empty(scratch.size, kind)
    centre = m.mean_d + k * m.mean_y
    best = 0.0
    for block in sorted(m.blocks, key=lambda b: -b.reach(k, m.mean_d, m.mean_y)):
        if block.reach(k, m.mean_d, m.mean_y) <= best:
            break
        y = values(block.start, block.stop, scratch[: block.stop - block.start])
        w, d = work[: y.size], error[: y.size]
        np.subtract(x[block.start : block.stop], y, out=d, dtype=kind)
        np.multiply(y, kind(k), out=w, dtype=kind)
        np.add(w, d, out=w)
        best = max(best, float(w.max()) - centre, centre - float(w.min()))
    return best


def _fast(x: Array, values: Values, ends: tuple[float, float], beside: Values | None) -> tuple[Moments, Energies | None]:
    """Collect in one pass: float32 runs, float64 between them."""
    low, high = _below(-ends[0]), _below(ends[1])
    work = _scratch(x.size)
    found = other = (0.0, 0.0, 0.0)
    sum_y = sum_d = 0.0
    beyond, blocks = 0, []
    for start, stop in cuts(x.size):
        a, w = x[start:stop], work[:, : stop - start]
        found = _more(found, a, values, start, w)
        more_y, more_d = _sums(w)
        sum_y, sum_d = sum_y + float(more_y), sum_d + float(more_d)
        d = w[1]
        block = Block(start, stop, float(a.min()), float(a.max()), float(d.min()), float(d.max()))
        beyond += int(np.count_nonzero(a > high)) if block.x_high > high else 0
        beyond += int(np.count_nonzero(a < -low)) if block.x_low < -low else 0
        blocks.append(block)
        if beside:
            other = _more(other, a, beside, start, w)
    n = x.size
    yy, yd, dd = found
    mean_y, mean_d = sum_y / n, sum_d / n
    var_y, var_d = max(yy / n - mean_y**2, 0.0), max(dd / n - mean_d**2, 0.0)
    moments = Moments(n, mean_y, mean_d, yy, yd, dd, var_y, yd / n - mean_y * mean_d, var_d, beyond, tuple(blocks))
    return moments, other if beside else None


def collect_exactly(x: Array, values: Values, ends: tuple[float, float] = (-math.inf, math.inf)) -> Moments:
    """Collect in two float64 passes: the means first, then the sums around them."""
    mean_y = mean_d = 0.0
    for a, y in _pairs(x, values):
        mean_y += float(y.sum()) / x.size
        mean_d += float((a - y).sum()) / x.size
    sums = np.zeros(6)
    beyond, blocks = 0, []
    for (start, stop), (a, y) in zip(cuts(x.size), _pairs(x, values), strict=True):
        d = a - y
        v, e = y - mean_y, d - mean_d
        sums += [_dot(p, r) for p, r in ((y, y), (y, d), (d, d), (v, v), (v, e), (e, e))]
        beyond += int(np.count_nonzero((a < ends[0]) | (a > ends[1])))
        blocks.append(Block(start, stop, float(a.min()), float(a.max()), float(d.min()), float(d.max())))
    yy, yd, dd = (float(s) for s in sums[:3])
    var_y, cov, var_d = (float(s) / x.size for s in sums[3:])
    return Moments(x.size, mean_y, mean_d, yy, yd, dd, var_y, cov, var_d, beyond, tuple(blocks), exact=True)


def cuts(size: int) -> Iterator[tuple[int, int]]:
    """Return start and stop of each block."""
    return ((start, min(start + BLOCK, size)) for start in range(0, size, BLOCK))


def _pairs(x: Array, values: Values) -> Iterator[tuple[Array, Array]]:
    out = np.empty(min(BLOCK, x.size), np.float32)
    return ((x[a:b].astype(np.float64), values(a, b, out[: b - a]).astype(np.float64)) for a, b in cuts(x.size))


def _dot(a: Array, b: Array) -> float:
    """Return the sum of products of two flat arrays: BLAS within runs (too short for its threads), float64 across them."""
    cut = a.size // RUN * RUN
    rest = float(np.dot(a[cut:], b[cut:]))
    if not cut:
        return rest
    return float(np.vecdot(a[:cut].reshape(-1, RUN), b[:cut].reshape(-1, RUN)).sum(dtype=np.float64)) + rest


def _scratch(size: int) -> Array:
    """Return room for a block of y and one of d, side by side."""
    return np.empty((2, min(BLOCK, size)), np.float32)


def _products(work: Array) -> tuple[Array, float]:
    """Return the sums of products of each of two float32 rows with itself, and with the other, as `_dot` does: with fewer calls."""
    cut = work.shape[1] // RUN * RUN
    runs, rest = work[:, :cut].reshape(2, -1, RUN), work[:, cut:]
    own = np.vecdot(runs, runs).sum(axis=1, dtype=np.float64) + np.vecdot(rest, rest)
    return own, float(np.vecdot(runs[0], runs[1]).sum(dtype=np.float64)) + float(np.dot(rest[0], rest[1]))


def _sums(work: Array) -> Array:
    """Return the sum of each of two float32 rows, as `_dot` with ones does."""
    cut = work.shape[1] // RUN * RUN
    found: Array = np.vecdot(work[:, :cut].reshape(2, -1, RUN), _ONES).sum(axis=1, dtype=np.float64)
    found += np.vecdot(work[:, cut:], _ONES[: work.shape[1] - cut])
    return found


def _below(value: float) -> float:
    """Return the largest float32 that is not above `value`, so that comparing float32 numbers with it decides as `value` would."""
    near = np.float32(value)
    return float(np.nextafter(near, np.float32(-np.inf)) if float(near) > value else near)
