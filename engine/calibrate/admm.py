"""ADMM: integers and scale in turn, each the best answer to the other, until neither moves.

The inner step of Leng et al., "Extremely Low Bit Neural Network: Squeeze the Last Bit Out with ADMM", AAAI 2018
(arXiv 1707.09870): q = clip(rint(x / a)), then a = sum(q x) / sum(q q). The error never rises, but where it stops depends on
where it began, so several starts run and the best end, or start, is kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import max_abs, mse
from .density import Array, Density
from .observe import Observation
from .ranges import observed, usable

_ROUNDS = 300
_TOLERANCE = 1e-4
_DIVISORS = (1.0, 2.5)  # of the observed range: the plain start and that of MNN
_GROUP = 4  # bins counted as one while the alternation runs: the integrals hardly notice
_SHRINKS = 16  # quarter octaves below max|w| that the scale of a channel may start at
_BLOCK = 1 << 15  # weights worked on at once: they, their integers and a residual stay in the second-level cache


def solve(seen: Observation, bits: int) -> tuple[float, float]:
    """Return the best range that the alternation reaches from the observed range, that over 2.5, and the MSE solution.

    The zero point of a start is kept; the ends stay inside the observed range. By mean squared error the result is never
    worse than a start.
    """
    whole = observed(seen, bits)
    if whole == (0.0, 0.0):
        return whole
    starts = np.array([*((whole[0] / d, whole[1] / d) for d in _DIVISORS), mse.solve(seen, bits)])
    qmax = (1 << bits) - 1
    scale = (starts[:, 1] - starts[:, 0]) / qmax
    zero = np.clip(np.rint(-starts[:, 0] / scale), 0, qmax)
    scale = _alternate(Density.of(seen, _GROUP), scale, zero, bits)
    low = np.concatenate([starts[:, 0], np.maximum(-zero * scale, whole[0])])
    high = np.concatenate([starts[:, 1], np.minimum((qmax - zero) * scale, whole[1])])
    best = int(np.argmin(Density.of(seen).error(low, high, bits)))
    return usable(float(low[best]), float(high[best]), bits)


def _alternate(density: Density, scale: Array, zero: Array, bits: int) -> Array:
    scale = scale.copy()
    moving = np.arange(scale.size)
    for _ in range(_ROUNDS):
        fitted = density.fit(scale[moving], zero[moving], bits)
        still = np.abs(fitted - scale[moving]) > _TOLERANCE * fitted
        scale[moving] = fitted
        moving = moving[still]
        if not moving.size:
            break
    return scale


def scales(weights: NDArray[np.float32], bits: int) -> Array:
    """Return per row of `weights` (channels, k) the scale where the alternation ends from the best of its starts; 0 for zeros.

    The starts shrink max|w| / top by quarter octaves. By squared error the result is never worse than any of them.
    """
    top = (1 << (bits - 1)) - 1
    widest = max_abs.scales(weights, bits)
    found = np.zeros_like(widest)
    rows = max(1, _BLOCK // max(weights.shape[1], 1))
    live = np.flatnonzero(widest)
    for part in (live[start : start + rows] for start in range(0, live.size, rows)):
        exponent = np.frexp(widest[part])[1]  # a power of two changes no rounding, and keeps squares off the underflow
        unit = np.ldexp(weights[part], -exponent[:, None])
        found[part] = np.ldexp(_fit_rows(unit, np.ldexp(widest[part], -exponent), top), exponent)
    return found


def _fit_rows(weights: NDArray[np.float32], widest: Array, top: int) -> Array:
    scale, error = _best_start(weights, widest, top)
    best = scale.copy()
    rows = np.arange(scale.size)
    for _ in range(_ROUNDS):
        left, pull, power = _residual(weights, scale[rows], top)
        better = left < error[rows]
        error[rows[better]], best[rows[better]] = left[better], scale[rows[better]]
        move = pull / power
        still = np.abs(move) > _TOLERANCE * scale[rows]
        if not still.any():
            break
        scale[rows] += move
        rows, weights = rows[still], weights[still]
    return best


def _best_start(weights: NDArray[np.float32], widest: Array, top: int) -> tuple[Array, Array]:
    """Return the best scale of max|w| / top, shrunk step by step, and its squared error, both (channels,).

    A smaller scale clips more and rounds less. Once the clipping alone costs more than the best so far, no smaller one wins.
    """
    scale, error = widest.copy(), _residual(weights, widest, top)[0]
    rounding, rows = error.copy(), np.arange(widest.size)
    for step in range(1, _SHRINKS + 1):
        tried = widest[rows] * 2.0 ** (-step / 4)
        left = _residual(weights, tried, top)[0]
        better = left < error[rows]
        error[rows[better]], scale[rows[better]] = left[better], tried[better]
        still = left <= error[rows] + rounding[rows]
        rows, weights = rows[still], weights[still]
        if not rows.size:
            break
    return scale, error


def _residual(weights: NDArray[np.float32], scale: Array, top: int) -> tuple[Array, Array, Array]:
    """Return sum(ee), sum(qe) and sum(qq) (channels,) of e = w - a q; the least-squares scale is a + sum(qe) / sum(qq)."""
    a = scale.astype(np.float32)[:, None]
    q = weights / a
    np.rint(q, out=q)
    np.clip(q, -top, top, out=q)
    e = weights - q * a
    return _dots(e, e), _dots(q, e), _dots(q, q)


def _dots(a: NDArray[np.float32], b: NDArray[np.float32]) -> Array:
    sums: Array = np.einsum("ij,ij->i", a, b).astype(np.float64)
    return sums
