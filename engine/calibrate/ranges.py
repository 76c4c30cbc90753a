"""What every method owes the numerics: a range that holds zero and gives a usable scale."""

from __future__ import annotations

import numpy as np

from .observe import Observation

_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)


def observed(seen: Observation, bits: int) -> tuple[float, float]:
    """Return the observed range, extended to hold zero."""
    return usable(seen.minimum, seen.maximum, bits)


def usable(low: float, high: float, bits: int) -> tuple[float, float]:
    """Return [low, high] extended to hold zero, and wide enough that its scale is a normal float32.

    Only a range below about 1e-36 is widened, away from zero on its longer side. (0, 0) stays as it is: a feature that is
    zero everywhere has scale 1 by definition.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    least = ((1 << bits) - 1) * _SMALLEST_SCALE
    if low == high or high - low >= least:
        return low, high
    return (low, low + least) if high >= -low else (high - least, high)
