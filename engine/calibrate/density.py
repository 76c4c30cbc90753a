"""The distribution of a feature as a density, and what a quantizer does to it in closed form.

Inside a bin the values count as spread evenly, so sums over samples become integrals over pieces, and these have primitives.
Bin centres would do for a step much wider than a bin; from 10 bits on the step is narrower, and only the integral is right.

With u = x / scale and n(u) = clip(rint(u), -zero, qmax - zero), the integrals from 0 to u are

    of (t - n(t))^2    n/12 + (u - n)^3 / 3
    of t n(t)          (u^2 n - n^3/3 + n/12) / 2
    of n(t)^2          u n^2 - 2 n^3/3 + n/6

for every u, clipped or not: the cells of n telescope.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .observe import Observation

Array = NDArray[np.float64]

_CHUNK = 1 << 14  # numbers per temporary: a few of them stay in the second-level cache


@dataclass(frozen=True, eq=False)
class Density:
    """Pieces of constant density, and points that carry mass of their own.

    `edges` (n,) ascend; `steps` (n,) is the fall of the density at each edge, so that the integral of f is
    sum(steps * primitive_of_f(edges)). `points` (p,) and `masses` (p,) hold what lies in a single place. Zeros are left out:
    every quantizer of this project holds zero exactly. `total` is the number of values, the zeros included.
    """

    edges: Array
    steps: Array
    points: Array
    masses: Array
    total: int

    @classmethod
    def of(cls, seen: Observation, group: int = 1) -> Density:
        """Return the density of what was seen, with `group` neighbouring bins counted as one."""
        first, counts = _without_zeros(seen)
        lead = first % group
        padded = np.pad(counts, (lead, -(lead + counts.size) % group))
        counts = padded.reshape(-1, group).sum(axis=1).astype(np.float64)
        grid = (np.arange(counts.size + 1) * group + (first - lead)) * seen.width
        edges = np.clip(grid, seen.minimum, seen.maximum)
        span = np.diff(edges)
        # An extreme on the edge of a bin leaves it no width: the spike of a clip or of a constant, not a piece.
        solid = span > 0
        height = np.divide(counts, span, out=np.zeros_like(counts), where=solid)
        return cls(edges, -np.diff(height, prepend=0.0, append=0.0), edges[:-1][~solid], counts[~solid], seen.count)

    def error(self, low: Array, high: Array, bits: int) -> Array:
        """Return the mean squared error of each range [low, high], all of shape (k,) with low <= 0 <= high, low < high."""
        qmax = (1 << bits) - 1
        scale = (high - low) / qmax
        zero = np.clip(np.rint(-low / scale), 0, qmax)
        found = np.empty(scale.size)
        rows = max(1, _CHUNK // max(self.edges.size, 1))
        for start in range(0, scale.size, rows):
            part = slice(start, start + rows)
            s, z = scale[part, None], zero[part, None]
            u = self.edges / s
            n = np.clip(np.rint(u), -z, qmax - z)
            off = self.points - s * np.clip(np.rint(self.points / s), -z, qmax - z)
            u -= n
            found[part] = (n / 12 + u * u * u / 3) @ self.steps * scale[part] ** 3 + (off * off) @ self.masses
        return np.maximum(found, 0.0) / max(self.total, 1)

    def fit(self, scale: Array, zero: Array, bits: int) -> Array:
        """Return per (scale, zero), all (k,), the least-squares scale for the integers this scale assigns: sum(qx) / sum(qq)."""
        qmax = (1 << bits) - 1
        s, z = scale[:, None], zero[:, None]
        u = self.edges / s
        n = np.clip(np.rint(u), -z, qmax - z)
        q = np.clip(np.rint(self.points / s), -z, qmax - z)
        cubes = n * n * n / 3
        qx = 0.5 * (u * u * n - cubes + n / 12) @ self.steps * scale + (q * self.points / s) @ self.masses
        qq = (u * n * n - 2 * cubes + n / 6) @ self.steps * scale + (q * q) @ self.masses
        return np.where(qq > 0, scale * qx / np.where(qq > 0, qq, 1.0), scale)


def magnitudes(seen: Observation, bins: int) -> Array:
    """Return the histogram (bins,) of |x| over [0, magnitude] without the zeros; counts are split where bins do not meet."""
    first, counts = _without_zeros(seen)
    signed = np.arange(first, first + counts.size)
    folded = np.bincount(np.where(signed < 0, -1 - signed, signed), counts)
    edges = np.minimum(np.arange(folded.size + 1) * seen.width, seen.magnitude)
    rising = np.concatenate([[0.0], np.cumsum(folded)])
    split: Array = np.diff(np.interp(np.linspace(0.0, seen.magnitude, bins + 1), edges, rising))
    return np.clip(split, 0.0, None)  # interpolation may fall by one rounding where a bin ends


def _without_zeros(seen: Observation) -> tuple[int, NDArray[np.int64]]:
    counts = seen.counts.copy()
    if seen.zeros:
        counts[-seen.first] -= seen.zeros
    return seen.first, counts
