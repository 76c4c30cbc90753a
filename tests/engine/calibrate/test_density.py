"""The closed forms of the quantization error agree with quantizing samples one by one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.calibrate.density import Density, magnitudes
from engine.calibrate.observe import observe

RNG = np.random.default_rng(11)
GAUSS = RNG.standard_normal(300_000).astype(np.float32)
SHAPES = {
    "gauss": GAUSS,
    "skewed": (GAUSS + 1) * np.where(GAUSS < -1, 0.3, 2).astype(np.float32),
    "relu": np.maximum(GAUSS, 0),
    "relu6": np.clip(GAUSS * 4, 0, 6),
    "negative": -np.abs(GAUSS) - np.float32(0.5),
}


def quantized(x: NDArray[np.float32], low: float, high: float, bits: int) -> tuple[NDArray[np.float64], float]:
    """The integers (zero point taken off) and the scale, as the numerics define them."""
    qmax = (1 << bits) - 1
    scale = (high - low) / qmax
    zero = min(max(np.rint(-low / scale), 0), qmax)
    return np.clip(np.rint(x.astype(np.float64) / scale) + zero, 0, qmax) - zero, scale


@pytest.mark.parametrize("bits", [2, 4, 8, 10, 12, 16])
@pytest.mark.parametrize("shape", SHAPES)
def test_error_is_that_of_the_samples(shape: str, bits: int) -> None:
    x = SHAPES[shape]
    seen = observe(x)
    ranges = [(min(seen.minimum, 0) * a, max(seen.maximum, 0) * b) for a, b in ((1, 1), (0.8, 0.9), (0.3, 0.6))]
    found = Density.of(seen).error(*np.array(ranges).T, bits)
    for (low, high), error in zip(ranges, found, strict=True):
        q, scale = quantized(x, low, high, bits)
        assert error == pytest.approx(np.mean((q * scale - x) ** 2), rel=2e-2)


@pytest.mark.parametrize("bits", [2, 4, 8, 12])
@pytest.mark.parametrize("shape", SHAPES)
def test_fit_is_the_least_squares_scale(shape: str, bits: int) -> None:
    x = SHAPES[shape]
    seen = observe(x)
    low, high = 0.7 * min(seen.minimum, 0), 0.7 * max(seen.maximum, 0)
    q, scale = quantized(x, low, high, bits)
    zero = np.rint(-low / scale)
    found = Density.of(seen).fit(np.array([scale]), np.array([zero]), bits)
    assert found[0] == pytest.approx(np.sum(q * x) / np.sum(q * q), rel=2e-4)


def test_a_spike_at_the_end_is_a_point() -> None:
    seen = observe(np.array([0, 1, 6, 6, 6], np.float32))
    density = Density.of(seen)
    assert (density.points.tolist(), density.masses.tolist()) == ([6.0], [3.0])
    assert density.error(np.array([0.0]), np.array([5.0]), 8)[0] == pytest.approx(3 / 5, rel=1e-3)


@pytest.mark.parametrize("group", [2, 8, 64])
def test_grouping_keeps_all_the_mass(group: int) -> None:
    seen = observe(SHAPES["skewed"])
    density = Density.of(seen, group)
    mass = (density.edges @ density.steps) + density.masses.sum()
    assert mass == pytest.approx(seen.count - seen.zeros)
    assert density.edges[0] == seen.minimum
    assert density.edges[-1] == seen.maximum


@pytest.mark.parametrize("shape", SHAPES)
def test_magnitudes_are_the_histogram_of_the_absolute_values(shape: str) -> None:
    x = np.abs(SHAPES[shape])
    x = x[x > 0]
    found = magnitudes(observe(SHAPES[shape]), 256)
    expected = np.histogram(x, 256, (0, x.max()))[0]
    assert found.sum() == pytest.approx(x.size)
    # A bin of ours that straddles an edge is split evenly: off by a part of one fine bin, not more.
    assert np.abs(np.cumsum(found) - np.cumsum(expected)).max() < 3e-3 * x.size
