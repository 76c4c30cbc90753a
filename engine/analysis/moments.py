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

Values = Callable[[int, int], Array]
"""y[start:stop] as float32; the array may be scratch that the next call overwrites."""


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
    scratch = np.empty(min(BLOCK, levels.size), np.float32)
    zero, scale = np.float32(q.zero), np.float32(q.scale)

    def values(start: int, stop: int) -> Array:
        out = scratch[: stop - start]
        np.copyto(out, levels[start:stop])
        if q.zero:
            np.subtract(out, zero, out=out)
        return np.multiply(out, scale, out=out)

    return values


def of_floats(y: Array) -> Values:
    """Return the values of a float tensor, block by block."""
    return lambda start, stop: y[start:stop]


def collect(x: Array, values: Values, ends: tuple[float, float] = (-math.inf, math.inf)) -> Moments | None:
    """Return the moments of x (flat float32, not empty) against y; None when a value of either is not finite.

    `ends` are the values of x beyond which an element counts as `beyond`.
    """
    with np.errstate(all="ignore"):  # what overflows here is seen in the result, and done again in float64
        fast = _fast(x, values, ends) if x.size > _SMALL else None
        if fast and fast.finite and fast.trustworthy():
            return fast
        exact = collect_exactly(x, values, ends)
    return exact if exact.finite else None


def energies(x: Array, values: Values) -> tuple[float, float, float] | None:
    """Return sum(y^2), sum(y*d), sum(d^2) alone, at half the price of `collect`; None when a value of either is not finite."""
    scratch = np.empty(min(BLOCK, x.size), np.float32)
    yy = yd = dd = 0.0
    with np.errstate(all="ignore"):
        for start, stop in cuts(x.size) if x.size > _SMALL else ():
            y = values(start, stop)
            d = np.subtract(x[start:stop], y, out=scratch[: stop - start])
            yy, yd, dd = yy + _dot(y, y), yd + _dot(y, d), dd + _dot(d, d)
    largest = max(yy, dd)
    trusted = _SAFE[0] ** 2 < largest / x.size < _SAFE[1] ** 2 and (yy + 2 * yd + dd) * _OFF_CENTRE > yy
    if trusted:
        return yy, yd, dd
    m = collect(x, values)
    return (m.yy, m.yd, m.dd) if m else None


def farthest(x: Array, values: Values, m: Moments, k: float) -> float:
    """Return max |d - mean(d) + k * (y - mean(y))| over all elements.

    Blocks that cannot hold the maximum, by their ends, are not read again.
    """
    kind = np.float64 if m.exact else np.float32
    work, error = np.empty(min(BLOCK, m.size), kind), np.empty(min(BLOCK, m.size), kind)
    centre = m.mean_d + k * m.mean_y
    best = 0.0
    for block in sorted(m.blocks, key=lambda b: -b.reach(k, m.mean_d, m.mean_y)):
        if block.reach(k, m.mean_d, m.mean_y) <= best:
            break
        y = values(block.start, block.stop)
        w, d = work[: y.size], error[: y.size]
        np.subtract(x[block.start : block.stop], y, out=d, dtype=kind)
        np.multiply(y, kind(k), out=w, dtype=kind)
        np.add(w, d, out=w)
        best = max(best, float(w.max()) - centre, centre - float(w.min()))
    return best


def _fast(x: Array, values: Values, ends: tuple[float, float]) -> Moments:
    """Collect in one pass: float32 runs, float64 between them."""
    low, high = _below(-ends[0]), _below(ends[1])
    scratch = np.empty(min(BLOCK, x.size), np.float32)
    sums = [0.0] * 5
    beyond, blocks = 0, []
    for start, stop in cuts(x.size):
        a, y = x[start:stop], values(start, stop)
        d = np.subtract(a, y, out=scratch[: stop - start])
        for i, (p, r) in enumerate(((y, y), (y, d), (d, d))):
            sums[i] += _dot(p, r)
        sums[3] += _sum(y)
        sums[4] += _sum(d)
        block = Block(start, stop, float(a.min()), float(a.max()), float(d.min()), float(d.max()))
        beyond += int(np.count_nonzero(a > high)) if block.x_high > high else 0
        beyond += int(np.count_nonzero(a < -low)) if block.x_low < -low else 0
        blocks.append(block)
    n = x.size
    yy, yd, dd = sums[:3]
    mean_y, mean_d = sums[3] / n, sums[4] / n
    var_y, var_d = max(yy / n - mean_y**2, 0.0), max(dd / n - mean_d**2, 0.0)
    return Moments(n, mean_y, mean_d, yy, yd, dd, var_y, yd / n - mean_y * mean_d, var_d, beyond, tuple(blocks))


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
    return ((x[a:b].astype(np.float64), values(a, b).astype(np.float64)) for a, b in cuts(x.size))


def _dot(a: Array, b: Array) -> float:
    """Return the sum of products of two flat arrays: BLAS within runs (too short for its threads), float64 across them."""
    cut = a.size // RUN * RUN
    rest = float(np.dot(a[cut:], b[cut:]))
    if not cut:
        return rest
    return float(np.vecdot(a[:cut].reshape(-1, RUN), b[:cut].reshape(-1, RUN)).sum(dtype=np.float64)) + rest


def _sum(a: Array) -> float:
    cut = a.size // RUN * RUN
    rest = float(np.dot(a[cut:], _ONES[: a.size - cut]))
    return float(np.vecdot(a[:cut].reshape(-1, RUN), _ONES).sum(dtype=np.float64)) + rest if cut else rest


def _below(value: float) -> float:
    """Return the largest float32 that is not above `value`, so that comparing float32 numbers with it decides as `value` would."""
    near = np.float32(value)
    return float(np.nextafter(near, np.float32(-np.inf)) if float(near) > value else near)
