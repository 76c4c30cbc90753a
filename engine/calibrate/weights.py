"""Scales of the weights: symmetric, one per output channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from . import admm, max_abs

Scales = Callable[[NDArray[np.float32], int], NDArray[np.float64]]

WEIGHT_METHODS: Mapping[str, Scales] = MappingProxyType({"MAX_ABS": max_abs.scales, "ADMM": admm.scales})


def weight_scales(weights: NDArray[np.float32], bits: int, method: str) -> NDArray[np.float32]:
    """Return the scale (channels,) of each row of `weights` (channels, k) for the levels -(2**(bits-1)-1)..2**(bits-1)-1.

    Computed in float64, rounded once to float32. A channel of zeros has scale 1, one too small for a normal float32 scale the
    smallest of these. KeyError for a method that is not in WEIGHT_METHODS.
    """
    found = WEIGHT_METHODS[method](weights, bits)
    scale = np.maximum(found, np.finfo(np.float32).tiny)
    return np.where(found > 0, scale, 1.0).astype(np.float32)
