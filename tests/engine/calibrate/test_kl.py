"""The fast search for the threshold finds what the obvious one finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.calibrate import kl, max_abs
from engine.calibrate.density import magnitudes
from engine.calibrate.observe import observe

Array = NDArray[np.float64]


def divergence(histogram: Array, kept: int, levels: int) -> float:
    """KL of one candidate, level by level and bin by bin."""
    seen = histogram / histogram.sum()
    p = seen[:kept].copy()
    p[-1] += seen[kept:].sum()
    q = np.zeros(kept)
    for level in range(levels):
        low, high = level * kept, (level + 1) * kept  # in units of 1/levels bin, so that edges are exact
        first, last = low // levels, -(-high // levels)
        bins = np.arange(first, last)
        covered = (np.minimum((bins + 1) * levels, high) - np.maximum(bins * levels, low)) / levels
        spread = covered * (seen[first:last] > 0)
        if spread.any():
            q[first:last] += spread * (covered @ seen[first:last]) / spread.sum()
    if np.any((p > 0) & (q == 0)):
        return np.inf
    p, q = p[p > 0], q[p > 0]
    return float(np.sum(p * np.log(p / q)))


def threshold(histogram: Array, levels: int) -> int:
    kept = range(levels, histogram.size + 1)
    return min(kept, key=lambda i: divergence(histogram, i, levels))


@given(st.integers(0, 2**32 - 1), st.sampled_from([8, 16, 32]), st.integers(40, 130), st.integers(0, 4), st.floats(0.02, 0.6))
def test_the_threshold_is_that_of_the_obvious_search(seed: int, levels: int, bins: int, half: int, decay: float) -> None:
    rng = np.random.default_rng(seed)
    histogram = rng.poisson(3000 * np.exp(-np.arange(bins) * decay)).astype(np.float64)
    histogram[rng.integers(0, bins, 3)] += rng.integers(1, 3000)  # spikes
    histogram[-1] += 1  # the largest magnitude lies in the last bin
    smooth = kl.smooth(histogram, half)
    found, expected = kl.threshold(smooth, levels), threshold(smooth, levels)
    # Where two candidates are equal but for rounding, either is right.
    assert found == expected or divergence(smooth, found, levels) == pytest.approx(divergence(smooth, expected, levels), rel=1e-10)


def test_the_threshold_of_a_whole_histogram_of_2048_bins() -> None:
    x = np.random.default_rng(5).laplace(size=60_000).astype(np.float32)
    histogram = magnitudes(observe(x), kl.BINS)
    found = kl.threshold(histogram, 128)
    least = divergence(histogram, found, 128)
    others = {*range(128, kl.BINS + 1, 61), *range(found - 9, found + 10)} - {found}
    assert found < kl.BINS
    assert least < min(divergence(histogram, i, 128) for i in others)


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.6))
def test_divergence_and_bound_of_every_candidate(seed: int, decay: float) -> None:
    rng = np.random.default_rng(seed)
    histogram = rng.poisson(40 * np.exp(-np.arange(60) * decay)).astype(np.float64)
    histogram[[0, -1]] += 1
    curve, levels = kl.Curve(histogram, 16), 16
    kept = np.array([i for i in range(levels, 61) if histogram[i - 1] > 0])
    expected = [divergence(histogram, i, levels) for i in kept]
    assert curve.divergence(kept) == pytest.approx(expected, abs=1e-12)
    assert np.all(curve.bound(kept) <= np.array(expected) + 1e-12)


@pytest.mark.parametrize("half", [0, 1, 7])
def test_smoothing_keeps_the_mass_and_a_flat_histogram(half: int) -> None:
    rng = np.random.default_rng(2)
    histogram = rng.exponential(size=100)
    assert kl.smooth(histogram, half).sum() == pytest.approx(histogram.sum())
    assert kl.smooth(np.ones(100), half) == pytest.approx(np.ones(100))


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("shape", ["signed", "positive"])
def test_with_as_many_levels_as_bins_nothing_is_clipped(shape: str, bits: int) -> None:
    x = np.random.default_rng(7).standard_t(3, 50_000).astype(np.float32)
    seen = observe(np.abs(x) if shape == "positive" else x)
    assert kl.solve(seen, bits) == max_abs.solve(seen, bits)


def test_a_long_tail_is_clipped_on_both_sides_at_one_threshold() -> None:
    x = np.random.default_rng(7).standard_t(3, 50_000).astype(np.float32)
    low, high = kl.solve(observe(x), 8)
    assert low == -high
    assert high < 0.9 * np.abs(x).max()


def test_the_short_side_of_a_skewed_feature_stays_at_what_was_seen() -> None:
    x = np.random.default_rng(7).standard_t(3, 50_000).astype(np.float32)
    x = np.maximum(x, -0.25)
    low, high = kl.solve(observe(x), 8)
    assert low == -0.25
    assert 0.25 < high < x.max()


def test_zeros_have_no_say() -> None:
    """Every quantizer holds zero exactly: a ReLU that is silent more often deserves the same range."""
    x = np.abs(np.random.default_rng(7).standard_t(3, 50_000)).astype(np.float32)
    mostly_silent = np.concatenate([x, np.zeros(10 * x.size, np.float32)])
    assert kl.solve(observe(mostly_silent), 8) == kl.solve(observe(x), 8)


def test_a_clip_that_is_reached_often_is_kept() -> None:
    x = np.clip(np.random.default_rng(7).standard_normal(50_000) * 4, 0, 6).astype(np.float32)
    assert kl.solve(observe(x), 8) == (0.0, 6.0)
