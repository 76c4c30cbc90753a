"""MAX_ABS: everything that was seen fits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .observe import Observation
from .ranges import observed


def solve(seen: Observation, bits: int) -> tuple[float, float]:
    """Return the observed range."""
    return observed(seen, bits)


def scales(weights: NDArray[np.float32], bits: int) -> NDArray[np.float64]:
    """Return max|w| / (2**(bits-1) - 1) per row of `weights` (channels, k); 0 for a row of zeros."""
    top = np.maximum(weights.max(axis=1, initial=0.0), -weights.min(axis=1, initial=0.0))
    scale: NDArray[np.float64] = top.astype(np.float64) / ((1 << (bits - 1)) - 1)
    return scale
