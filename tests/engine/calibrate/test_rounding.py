"""Rounding weights together: never worse than each for itself, and the same where nothing joins them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.calibrate import rounding
from engine.calibrate.rounding import factor, parts_of, rounded
from engine.calibrate.weights import weight_scales
from engine.numerics import Array, quantize_weights


def inputs(rng: np.random.Generator, blocks: int, size: int, count: int) -> Array:
    """Draw what weights multiply, (blocks, size, count), its rows correlated and of unequal power, their mean not zero."""
    mixed = rng.normal(0, 1, (blocks, size, size)) @ rng.normal(0, 1, (blocks, size, count)) * rng.uniform(0.01, 3, (blocks, size, 1))
    return mixed + rng.normal(0, 2, (blocks, size, 1))


def gram(x: Array) -> Array:
    products: Array = x @ x.swapaxes(1, 2)
    return products


def errors(weight: Array, scales: Array, levels: Array, x: Array) -> Array:
    """Return the squared error of what each channel computes, in each part: (channels, parts)."""
    channels, k = weight.shape
    parts, size = parts_of(k)
    missed = np.zeros((channels, parts * size))
    missed[:, :k] = weight - levels * scales[:, None].astype(np.float64)
    groups = len(x) // parts
    found = missed.reshape(groups, -1, parts, size).swapaxes(1, 2) @ x.reshape(groups, parts, size, -1)
    squares: Array = (found**2).sum(axis=3).swapaxes(1, 2).reshape(channels, parts)
    return squares


@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3, 4, 8]), st.sampled_from([1, 2, 3]), st.integers(1, 90), st.integers(1, 40))
def test_never_worse_than_the_nearest_levels(seed: int, bits: int, groups: int, k: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.normal(0, 1, (groups * 3, k)).astype(np.float32)
    scales = weight_scales(weight, bits, "MAX_ABS")
    x = inputs(rng, groups, k, count)
    levels = rounded(weight, scales, bits, gram(x))
    assert levels.dtype == np.int8
    assert levels.shape == weight.shape
    assert np.abs(levels).max() < 2 ** (bits - 1)
    before = errors(weight, scales, quantize_weights(weight, scales, bits), x)
    after = errors(weight, scales, levels, x)
    assert (after <= before * (1 + 1e-9) + 1e-9 * before.max()).all()


def test_correlated_inputs_win_much() -> None:
    rng = np.random.default_rng(3)
    weight = rng.normal(0, 1, (20, 60)).astype(np.float32)
    scales, x = weight_scales(weight, 4, "MAX_ABS"), inputs(rng, 1, 60, 200)
    before = errors(weight, scales, quantize_weights(weight, scales, 4), x).sum()
    assert errors(weight, scales, rounded(weight, scales, 4, gram(x)), x).sum() < 0.5 * before


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_inputs_that_are_not_correlated_leave_the_nearest_levels(bits: int) -> None:
    rng = np.random.default_rng(4)
    weight = rng.normal(0, 1, (30, 50)).astype(np.float32)
    scales = weight_scales(weight, bits, "ADMM")
    diagonal = np.eye(50)[None] * rng.uniform(0, 9, (1, 50, 1))
    assert np.array_equal(rounded(weight, scales, bits, diagonal), quantize_weights(weight, scales, bits))


def test_channels_and_inputs_of_zeros() -> None:
    """A channel of zeros stays so beside others; inputs that were never seen, or not as numbers, leave the nearest levels."""
    rng = np.random.default_rng(5)
    weight = rng.normal(0, 1, (4, 12)).astype(np.float32)
    weight[1] = 0
    scales, x = weight_scales(weight, 4, "MAX_ABS"), inputs(rng, 1, 12, 30)
    levels = rounded(weight, scales, 4, gram(x))
    assert not levels[1].any()
    assert (levels != quantize_weights(weight, scales, 4)).any()
    for seen in (np.zeros((1, 12, 12)), np.full((1, 12, 12), np.nan), np.full((1, 12, 12), np.inf)):
        assert np.array_equal(rounded(weight, scales, 4, seen), quantize_weights(weight, scales, 4))


def test_the_same_in_any_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel's levels depend neither on the other channels nor on how many are worked on at once, nor on the order of samples."""
    rng = np.random.default_rng(6)
    weight = rng.normal(0, 1, (24, 70)).astype(np.float32)
    scales, x = weight_scales(weight, 4, "MAX_ABS"), inputs(rng, 2, 70, 100)
    seen = gram(x)
    whole = rounded(weight, scales, 4, seen)
    assert np.array_equal(whole, rounded(weight, scales, 4, seen))
    assert np.array_equal(whole, rounded(weight, scales, 4, gram(x[:, :, ::-1])))
    assert np.array_equal(whole[12:], rounded(weight[12:], scales[12:], 4, seen[1:]))
    monkeypatch.setattr(rounding, "TOGETHER", 5 * 70)
    assert np.array_equal(whole, rounded(weight, scales, 4, seen))


def test_many_weights_are_rounded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounding, "MOST", 32)
    rng = np.random.default_rng(7)
    weight = rng.normal(0, 1, (6, 70)).astype(np.float32)
    assert parts_of(70) == (3, 24)
    scales, x = weight_scales(weight, 4, "MAX_ABS"), inputs(rng, 3, 24, 50)
    x[-1, 70 - 48 :] = 0
    levels = rounded(weight, scales, 4, gram(x))
    assert levels.shape == weight.shape
    before = errors(weight, scales, quantize_weights(weight, scales, 4), x)
    assert (errors(weight, scales, levels, x) < before).all()


@pytest.mark.parametrize("k", [1, 9, 1024, 1025, 4608, 25088, 10**7])
def test_parts_are_bounded(k: int) -> None:
    parts, size = parts_of(k)
    assert (parts - 1) * size < k <= parts * size
    assert size <= rounding.MOST
    assert size * size * parts <= 2 * rounding.ROOM


@pytest.mark.parametrize("size", [1, 127, 128, 129, 300])
def test_factors(size: int) -> None:
    x = np.random.default_rng(8).normal(0, 1, (3, size, size + 5))
    h = gram(x)
    low = factor(h)
    assert np.array_equal(low, np.tril(low))
    assert low @ low.swapaxes(1, 2) == pytest.approx(h, abs=1e-9 * size)
