"""The coarse-to-fine search ends where an exhaustive one does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.calibrate import mse
from engine.calibrate.density import Density
from engine.calibrate.observe import Observation, observe

RNG = np.random.default_rng(9)
GAUSS = RNG.standard_normal(60_000).astype(np.float32)
SAMPLES = {
    "gauss": GAUSS,
    "laplace": RNG.laplace(size=60_000).astype(np.float32),
    "one far outlier": np.append(GAUSS, np.float32(30_000)),
    "an outlier below": np.append(np.maximum(GAUSS, 0), np.float32(-50)),
    "silu": (GAUSS * 3 / (1 + np.exp(-GAUSS * 3))).astype(np.float32),
    "relu": np.maximum(GAUSS, 0),
}


def least_error(seen: Observation, bits: int) -> float:
    """The best of 50 x 50 ranges, geometric in both ends."""
    fractions: NDArray[np.float64] = np.geomspace(1e-3, 1, 50)
    lows = np.unique(min(seen.minimum, 0.0) * fractions)
    highs = np.unique(max(seen.maximum, 0.0) * fractions)
    pairs = np.repeat(lows, highs.size), np.tile(highs, lows.size)
    return float(Density.of(seen).error(*pairs, bits).min())


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("shape", SAMPLES)
def test_the_range_is_as_good_as_the_best_of_a_full_grid(shape: str, bits: int) -> None:
    seen = observe(SAMPLES[shape])
    low, high = mse.solve(seen, bits)
    found = Density.of(seen).error(np.array([low]), np.array([high]), bits)[0]
    assert found <= least_error(seen, bits) * 1.003


@pytest.mark.parametrize("bits", [2, 4, 8, 12, 16])
@pytest.mark.parametrize("shape", SAMPLES)
def test_the_whole_range_is_never_better(shape: str, bits: int) -> None:
    seen = observe(SAMPLES[shape])
    ends = np.array([mse.solve(seen, bits), (min(seen.minimum, 0.0), max(seen.maximum, 0.0))]).T
    found, whole = Density.of(seen).error(*ends, bits)
    assert found <= whole
