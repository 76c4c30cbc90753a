"""MSE: the range whose quantizer leaves the least mean squared error."""

from __future__ import annotations

import numpy as np

from .density import Array, Density
from .observe import Observation
from .ranges import observed, usable

_GROUP = 8  # bins counted as one while the search is coarse: 256 to 512 pieces a side
_OCTAVES = np.exp2(-np.arange(13) / 2)  # one sweep reaches from the whole range to a 64th of it
_STEPS = ((_GROUP, 2 ** (1 / 6)), (_GROUP, 2 ** (1 / 18)), (4, 2 ** (1 / 54)), (1, 2 ** (1 / 162)))
_AROUND = np.arange(-2.0, 3.0)


def solve(seen: Observation, bits: int) -> tuple[float, float]:
    """Return the best range of a search over both ends, coarse then fine; never worse than the observed range."""
    whole = observed(seen, bits)
    if whole == (0.0, 0.0):
        return whole
    densities = {group: Density.of(seen, group) for group, _ in _STEPS}
    low, high = _sweep(densities[_GROUP], whole, bits)
    for group, ratio in _STEPS:
        factors: Array = np.power(ratio, _AROUND)
        low, high = _best(densities[group], _grid(low * factors, high * factors, whole), bits)
    ends = np.array([whole[0], low]), np.array([whole[1], high])
    return usable(*_best(densities[1], ends, bits), bits)


def _sweep(density: Density, whole: tuple[float, float], bits: int) -> tuple[float, float]:
    """Return the best of ranges half an octave apart, and go on inwards while an end of the sweep wins."""
    low, high = whole
    while True:
        found = _best(density, _grid(low * _OCTAVES, high * _OCTAVES, whole), bits)
        ends = low * _OCTAVES[-1], high * _OCTAVES[-1]
        if found == (low, high) or not ((low and found[0] == ends[0]) or (high and found[1] == ends[1])):
            return found
        low, high = found


def _grid(lows: Array, highs: Array, whole: tuple[float, float]) -> tuple[Array, Array]:
    """Return every pair of ends, inside the whole range; an end at zero stays there."""
    lows = np.unique(np.maximum(lows, whole[0]))
    highs = np.unique(np.minimum(highs, whole[1]))[::-1]
    return np.repeat(lows, highs.size), np.tile(highs, lows.size)


def _best(density: Density, ranges: tuple[Array, Array], bits: int) -> tuple[float, float]:
    lows, highs = ranges
    least = int(np.argmin(density.error(lows, highs, bits)))
    return float(lows[least]), float(highs[least])
