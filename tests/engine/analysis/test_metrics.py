"""The streamed metrics agree with the formulas written down plainly in float64."""

from __future__ import annotations

import dataclasses
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.analysis import moments
from engine.analysis.metrics import SQNR_EXACT, Local, Measured, cosine_only, measure, measure_both, measure_floats
from engine.numerics import Array, QParams, affine, dequantize, quantize

METRICS = [f.name for f in dataclasses.fields(Measured) if f.name not in ("size", "nonfinite")]


def plain(x: Array, y: Array, q: QParams | None) -> dict[str, float]:
    """The formulas, over whole float64 arrays."""
    a, b = x.astype(np.float64).ravel(), y.astype(np.float64).ravel()
    d = a - b
    za, zb = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    found = {
        "cosine": a @ b / math.sqrt((a @ a) * (b @ b)),
        "sqnr_db": 10 * math.log10((a @ a) / (d @ d)),
        "euc_distance": math.sqrt(0.5 * d.var() / (a.var() + b.var())),
        "standard_deviation": d.std(),
        "max_absolute": np.abs(d).max(),
        "max_absolute_normalized": np.abs(za - zb).max(),
        "mean_error": d.mean(),
    }
    if q:
        low, high = q.scale * (-q.zero - 0.5), q.scale * (q.qmax - q.zero + 0.5)
        found["saturation"] = np.mean((a < low) | (a > high))
    return found


def close(found: Measured, wanted: dict[str, float], relative: float = 1e-6) -> None:
    """Compare every metric; one with a sign may cancel, so its unit is the spread of the error."""
    for name, value in wanted.items():
        unit = max(abs(value), wanted["standard_deviation"] if name == "mean_error" else 0.0)
        assert abs(getattr(found, name) - value) <= relative * unit, name


SHAPES = [(3,), (1, 1000), (1, 7, 13, 24), (moments.BLOCK,), (moments.BLOCK * 2 + 1025,)]


@pytest.mark.parametrize("bits", [2, 8, 12, 16])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("offset", "relu"), [(0.0, False), (0.0, True), (3.0, False), (200.0, False)])
def test_levels_agree_with_plain_float64(bits: int, shape: tuple[int, ...], offset: float, relu: bool) -> None:
    rng = np.random.default_rng(len(shape) + bits)
    x = (rng.normal(offset, 1.0, shape)).astype(np.float32)
    x = np.abs(x) if relu else x
    q = affine(0.8 * float(x.min()), 0.9 * float(x.max()), bits)
    levels = quantize(x + rng.normal(0.02, 0.05, shape).astype(np.float32), q)
    levels.flat[0] = 0 if levels.flat[0] else q.qmax  # never all equal, whatever the width
    found = measure(x, levels, q)
    close(found, plain(x, dequantize(levels, q), q))
    assert found.saturation > 0 or bits == 2
    local = cosine_only(x, levels, q)
    assert local.cosine == pytest.approx(found.cosine, rel=1e-6)
    assert local.sqnr_db == pytest.approx(found.sqnr_db, rel=1e-6)
    alone = quantize(x, q)
    assert measure_both(x, levels, alone, q) == (found, cosine_only(x, alone, q)), "to the last bit"


@pytest.mark.parametrize("magnitude", [1e-30, 1e-12, 1.0, 1e14, 1e30])
@pytest.mark.parametrize("gain", [1.0, 1.05, 1e-4, 3.0, -1.0])
def test_floats_of_any_magnitude(magnitude: float, gain: float) -> None:
    rng = np.random.default_rng(7)
    x = (rng.normal(0, magnitude, 5000)).astype(np.float32)
    y = (gain * x + rng.normal(0, 1e-3 * magnitude, 5000)).astype(np.float32)
    found = measure_floats(x, y)
    close(found, plain(x, y, None))
    assert found.saturation is None


@given(
    st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=50),
    st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=50),
)
def test_any_numbers_give_legal_metrics(first: list[float], second: list[float]) -> None:
    n = min(len(first), len(second))
    m = measure_floats(np.array(first[:n], np.float32), np.array(second[:n], np.float32))
    for name in METRICS:
        value = getattr(m, name)
        assert value is None or math.isfinite(value), name
    assert m.cosine is None or -1 <= m.cosine <= 1
    assert m.euc_distance is None or 0 <= m.euc_distance <= 1
    assert m.standard_deviation >= 0


def test_equal_values_are_exact() -> None:
    x = np.linspace(-3, 5, 3000, dtype=np.float32)
    m = measure_floats(x, x.copy())
    assert (m.cosine, m.sqnr_db, m.euc_distance, m.max_absolute, m.max_absolute_normalized) == (1.0, SQNR_EXACT, 0, 0, 0)


def test_a_zero_vector_has_no_cosine() -> None:
    zero, some = np.zeros(100, np.float32), np.linspace(0, 1, 100, dtype=np.float32)
    for m in (measure_floats(zero, some), measure_floats(some, zero), measure_floats(zero, zero)):
        assert m.cosine is None
        assert m.max_absolute_normalized is None
    assert measure_floats(zero, some).sqnr_db is None
    assert measure_floats(some, zero).sqnr_db == 0.0
    assert measure_floats(zero, some).max_absolute == 1.0
    assert measure_floats(zero, zero).euc_distance is None


def test_constants_have_no_normalized_error() -> None:
    x, y = np.full(5000, 0.1, np.float32), np.full(5000, 0.3, np.float32)
    m = measure_floats(x, y)
    assert m.cosine == pytest.approx(1.0)
    assert (m.max_absolute_normalized, m.euc_distance) == (None, None)
    assert m.standard_deviation == pytest.approx(0.0, abs=1e-9)
    varied = measure_floats(np.linspace(0, 1, 5000, dtype=np.float32), y)
    assert varied.max_absolute_normalized is None
    assert varied.euc_distance == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_values_that_are_not_finite_are_counted(bad: float, side: int) -> None:
    pair = [np.ones(70_000, np.float32), np.linspace(0, 1, 70_000, dtype=np.float32)]
    pair[side][[3, 69_999]] = bad
    m = measure_floats(*pair)
    assert m.nonfinite == 2
    assert [getattr(m, name) for name in METRICS] == [None] * len(METRICS)
    assert cosine_only(pair[0], np.ones(70_000, np.uint8), QParams(1.0, 0, 8)).cosine == (None if side == 0 else 1.0)


def test_not_finite_against_levels_is_counted_block_by_block() -> None:
    x = np.linspace(0, 1, 200_000, dtype=np.float32)
    x[[0, 100_000, 199_999]] = np.nan
    assert measure(x, np.ones(x.size, np.uint8), QParams(1.0, 0, 8)) == Measured(x.size, 3)


def test_saturation_starts_half_a_step_beyond_the_range() -> None:
    q = QParams(0.25, 4, 3)  # -1.0 to 0.75
    inside = [-1.125, 0.875, -1.0, 0.75, 0.0]
    outside = [np.nextafter(np.float32(-1.125), np.float32(-9)), np.nextafter(np.float32(0.875), np.float32(9)), 7.0]
    x = np.array(inside + outside, np.float32)
    assert measure(x, quantize(x, q), q).saturation == 3 / 8


def test_the_published_rows_follow_from_their_own_columns() -> None:
    """Anchor: with equal variances, euc = 0.5 * std(d) / sigma and the normalized maximum is max|d| / sigma."""
    published = {"cosine": 0.89750, "euc": 0.22711, "std": 0.16008, "max": 1.40185, "max01": 3.95415}
    sigma = 0.5 * published["std"] / published["euc"]
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, 60_000)
    noise = np.clip(noise, -4, 4)
    noise[0] = 0.0
    noise *= published["std"] / noise.std()
    noise[0] = published["max"]
    y = rng.normal(0, sigma, noise.size)
    x = (y + noise) * sigma / (y + noise).std()
    m = measure_floats(x.astype(np.float32), (x - noise).astype(np.float32))
    assert m.standard_deviation == pytest.approx(published["std"], rel=0.02)
    assert m.max_absolute == pytest.approx(published["max"], rel=0.01)
    assert m.euc_distance == pytest.approx(published["euc"], rel=0.06)
    assert m.max_absolute_normalized == pytest.approx(published["max01"], rel=0.09)


def test_hand_made_numbers() -> None:
    x, y = np.array([3.0, 4.0, 0.0, 1.0], np.float32), np.array([4.0, 3.0, 0.0, 1.0], np.float32)
    m = measure_floats(x, y)
    assert m.cosine == pytest.approx(25 / 26)
    assert m.sqnr_db == pytest.approx(10 * math.log10(26 / 2))
    assert m.standard_deviation == pytest.approx(math.sqrt(0.5))
    assert m.euc_distance == pytest.approx(math.sqrt(0.5 * 0.5 / 5))
    assert m.max_absolute_normalized == pytest.approx(1 / math.sqrt(2.5))
    assert (m.max_absolute, m.mean_error) == (1.0, 0.0)


def test_nothing_of_the_size_of_the_tensor_is_allocated() -> None:
    x = np.linspace(-1, 1, 2_000_000, dtype=np.float32)
    q = affine(-1, 1, 8)
    levels = quantize(x, q)
    tracemalloc.start()
    try:
        measure(x, levels, q)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_shapes_must_agree_and_may_be_empty() -> None:
    with pytest.raises(ValueError, match="shape"):
        measure_floats(np.zeros(3, np.float32), np.zeros(4, np.float32))
    empty = np.zeros((0, 3), np.float32)
    assert measure_floats(empty, empty) == Measured(0)
    assert cosine_only(empty, empty.astype(np.uint8), QParams(1.0, 0, 8)) == Local()
    assert measure_both(empty, empty.astype(np.uint8), empty.astype(np.uint8), QParams(1.0, 0, 8)) == (Measured(0), Local())
