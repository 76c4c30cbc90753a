"""The metrics of one node on one sample: x is the float value, y the quantized one, element by element.

    cosine                   sum(x*y) / sqrt(sum(x^2) * sum(y^2))                plain, not centred
    sqnr_db                  10 * log10(sum(x^2) / sum((x - y)^2))
    euc_distance             sqrt(0.5 * Var(x - y) / (Var(x) + Var(y)))
    standard_deviation       std(x - y)
    max_absolute             max|x - y|
    max_absolute_normalized  max|z(x) - z(y)|,  z = (v - mean(v)) / std(v)
    saturation               share of x more than half a step beyond what the quantization can represent
    mean_error               mean(x - y)

A metric that does not exist (a cosine with a zero vector, the normalized error of a constant) is None, never a number that looks good
or bad. Every number here is finite: it can be written as JSON.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..numerics import Array, QParams
from .moments import Energies, Moments, Values, collect, collect_beside, collect_exactly, cuts, energies, farthest, of_floats, of_levels
from .reduce import SQNR_EXACT

_CANCELLED = 64.0


@dataclass(frozen=True, slots=True)
class Measured:
    """The metrics of one node on one sample over `size` elements.

    `nonfinite` counts elements where x or y is NaN or infinite; when there is one, every metric is None.
    """

    size: int
    nonfinite: int = 0
    cosine: float | None = None
    sqnr_db: float | None = None
    euc_distance: float | None = None
    standard_deviation: float | None = None
    max_absolute: float | None = None
    max_absolute_normalized: float | None = None
    saturation: float | None = None
    mean_error: float | None = None


@dataclass(frozen=True, slots=True)
class Local:
    """The error of one layer alone: its integer form on float inputs that were just quantized, against its float form.

    It holds what the layer rounds and what the quantization of its inputs costs, and nothing of the layers before.
    """

    cosine: float | None = None
    sqnr_db: float | None = None


def measure(x: Array, levels: Array, q: QParams) -> Measured:
    """Measure float32 values against levels (uint8 or uint16) of the same shape and memory order."""
    x, levels = _flat(x, levels)
    return _measure(x, of_levels(levels, q), _ends(q))


def measure_both(x: Array, levels: Array, alone: Array, q: QParams) -> tuple[Measured, Local]:
    """Return what `measure` says of `levels` and `cosine_only` of `alone`, in one pass over x."""
    flat, levels = _flat(x, levels)
    if not flat.size:
        return Measured(0), Local()
    found, other = collect_beside(flat, of_levels(levels, q), _ends(q), of_levels(_flat(x, alone)[1], q))
    return _measured(flat, of_levels(levels, q), found, saturates=True), _local(other)


def measure_floats(x: Array, y: Array) -> Measured:
    """Measure the float network against what a float layer of the quantized one computed; there is no saturation."""
    x, y = _flat(x, np.asarray(y, np.float32))
    return _measure(x, of_floats(y), None)


def cosine_only(x: Array, levels: Array, q: QParams) -> Local:
    """Return cosine and SQNR alone."""
    x, levels = _flat(x, levels)
    return _local(energies(x, of_levels(levels, q)) if x.size else None)


def _local(found: Energies | None) -> Local:
    return Local(_cosine(*found), _sqnr(*found)) if found else Local()


def _ends(q: QParams) -> tuple[float, float]:
    """Return the real numbers half a step beyond what the quantization can represent."""
    half = 0.5 * q.scale
    return q.scale * -q.zero - half, q.scale * (q.qmax - q.zero) + half


def _measure(x: Array, values: Values, ends: tuple[float, float] | None) -> Measured:
    if not x.size:
        return Measured(0)
    return _measured(x, values, collect(x, values, ends or (-math.inf, math.inf)), saturates=ends is not None)


def _measured(x: Array, values: Values, m: Moments | None, *, saturates: bool) -> Measured:
    if m is None:
        return Measured(x.size, _nonfinite(x, values))
    spread = m.var_x + m.var_y
    return Measured(
        size=x.size,
        cosine=_cosine(m.yy, m.yd, m.dd),
        sqnr_db=_sqnr(m.yy, m.yd, m.dd),
        euc_distance=math.sqrt(0.5 * m.var_d / spread) if spread else None,
        standard_deviation=math.sqrt(m.var_d),
        max_absolute=m.max_error,
        max_absolute_normalized=_normalized(x, values, m),
        saturation=m.beyond / x.size if saturates else None,
        mean_error=m.mean_d,
    )


def _cosine(yy: float, yd: float, dd: float) -> float | None:
    """Return the cosine of x = y + d and y."""
    norms = max(yy + 2 * yd + dd, 0.0) * yy
    return min(1.0, max(-1.0, (yy + yd) / math.sqrt(norms))) if norms else None


def _sqnr(yy: float, yd: float, dd: float) -> float | None:
    xx = max(yy + 2 * yd + dd, 0.0)
    if not xx:
        return None
    return min(10 * math.log10(xx / dd), SQNR_EXACT) if dd else SQNR_EXACT


def _normalized(x: Array, values: Values, m: Moments) -> float | None:
    """Return max|z(x) - z(y)|.

    With k = 1 - std(x) / std(y):  z(x) - z(y) = (d - mean(d) + k * (y - mean(y))) / std(x).
    """
    if not (m.var_x and m.var_y):
        return None
    grown = (2 * m.cov_yd + m.var_d) / m.var_y  # var_x / var_y - 1, without the cancellation
    k = -grown / (1 + math.sqrt(1 + grown))
    found = farthest(x, values, m, k)
    if not m.exact and found * _CANCELLED < max(b.reach(k, m.mean_d, m.mean_y) for b in m.blocks):
        return _normalized(x, values, collect_exactly(x, values))  # y is x times a factor: its terms cancel
    return found / math.sqrt(m.var_x)


def _nonfinite(x: Array, values: Values) -> int:
    out = np.empty(x.size, np.float32)
    return sum(int(np.count_nonzero(~(np.isfinite(x[a:b]) & np.isfinite(values(a, b, out[a:b]))))) for a, b in cuts(x.size))


def _flat(x: Array, y: Array) -> tuple[Array, Array]:
    x = np.asarray(x, np.float32)
    if x.shape != y.shape:
        raise ValueError(f"cannot compare a value of shape {x.shape} with one of shape {y.shape}")
    return x.reshape(-1), y.reshape(-1)
