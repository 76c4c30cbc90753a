"""What every method owes its caller, and the figures that set them apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from engine.calibrate import FEATURE_METHODS, default_feature_method
from engine.calibrate.observe import Observer, observe

Values = NDArray[np.float32]

RNG = np.random.default_rng(0)
GAUSS = RNG.standard_normal(200_000).astype(np.float32)
LAPLACE = RNG.laplace(size=200_000).astype(np.float32)
OUTLIERS = np.concatenate([GAUSS, RNG.choice([-1, 1], 6).astype(np.float32) * 40])
RELU = np.maximum(GAUSS, 0)
SAMPLES = {"gauss": GAUSS, "laplace": LAPLACE, "outliers": OUTLIERS, "relu": RELU, "negative": -np.abs(LAPLACE)}

methods = pytest.mark.parametrize("method", FEATURE_METHODS)


def sqnr(x: Values, low: float, high: float, bits: int) -> float:
    """Signal over quantization noise of the samples themselves, dB, as the numerics quantize."""
    qmax = (1 << bits) - 1
    scale = np.float32((high - low) / qmax)
    zero = min(max(np.rint(-low / float(scale)), 0), qmax)
    back = (np.clip(np.rint(x / scale) + zero, 0, qmax) - zero) * float(scale)
    return float(10 * np.log10(np.mean(x.astype(np.float64) ** 2) / np.mean((back - x) ** 2)))


def of(x: Values, bits: int, method: str) -> float:
    return sqnr(x, *FEATURE_METHODS[method](observe(x), bits), bits)


@methods
@pytest.mark.parametrize("bits", [2, 4, 8, 10, 12, 16])
@given(
    x=hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(-100, 100, width=32))
    | hnp.arrays(np.float32, st.integers(1, 9), elements=st.floats(width=32, allow_nan=False, allow_infinity=False))
)
def test_the_range_holds_zero_stays_inside_and_gives_a_scale(method: str, bits: int, x: Values) -> None:
    low, high = FEATURE_METHODS[method](observe(x), bits)
    widest_low, widest_high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    assert low <= 0 <= high
    if widest_low == widest_high:
        assert (low, high) == (0, 0)
        return
    scale = np.float32((high - low) / ((1 << bits) - 1))
    assert np.isfinite(scale)
    assert scale >= np.finfo(np.float32).tiny
    if widest_high - widest_low > 1e-30:
        assert widest_low <= low
        assert high <= widest_high


@methods
def test_nothing_seen_gives_the_empty_range(method: str) -> None:
    assert FEATURE_METHODS[method](Observer().result(), 8) == (0.0, 0.0)
    assert FEATURE_METHODS[method](observe(np.full(5, np.nan, np.float32)), 8) == (0.0, 0.0)
    assert FEATURE_METHODS[method](observe(np.zeros(5, np.float32)), 8) == (0.0, 0.0)


@methods
@pytest.mark.parametrize("value", [5.0, -3.0, 3e38, -1e-44])
def test_a_constant_is_held_to_a_few_per_cent(method: str, value: float) -> None:
    x = np.full(100, value, np.float32)
    low, high = FEATURE_METHODS[method](observe(x), 8)
    assert max(high, -low) >= 0.95 * abs(float(x[0]))


@methods
@pytest.mark.parametrize("shape", ["gauss", "outliers", "relu"])
def test_the_mirror_image_gets_the_mirrored_range(method: str, shape: str) -> None:
    low, high = FEATURE_METHODS[method](observe(SAMPLES[shape]), 8)
    assert FEATURE_METHODS[method](observe(-SAMPLES[shape]), 8) == pytest.approx((-high, -low), rel=0.02)


@pytest.mark.parametrize("method", ["MAX_ABS", "KL", "MSE"])
@pytest.mark.parametrize("power", [-60, -7, 9, 60])
def test_a_power_of_two_scales_the_range_exactly(method: str, power: int) -> None:
    low, high = FEATURE_METHODS[method](observe(LAPLACE), 8)
    scaled = FEATURE_METHODS[method](observe(np.ldexp(LAPLACE, power)), 8)
    assert scaled == (np.ldexp(low, power), np.ldexp(high, power))


@pytest.mark.parametrize("bits", [2, 4, 6, 8, 10, 12, 16])
@pytest.mark.parametrize("shape", SAMPLES)
def test_mse_and_admm_are_never_worse_than_max_abs(shape: str, bits: int) -> None:
    x = SAMPLES[shape]
    plain = of(x, bits, "MAX_ABS")
    assert of(x, bits, "MSE") > plain - 0.02
    assert of(x, bits, "ADMM") > plain - 0.02


def test_the_published_gap_between_max_abs_and_mse() -> None:
    """The best uniform quantizer of a Gauss reaches 40.57 dB at 8 bits (Max, IRE Trans. IT-6, 1960)."""
    assert of(GAUSS, 8, "MAX_ABS") == pytest.approx(39.6, abs=0.5)
    assert of(GAUSS, 8, "MSE") == pytest.approx(40.57, abs=0.15)
    assert of(OUTLIERS, 4, "MAX_ABS") < 1
    assert of(OUTLIERS, 4, "MSE") > 9


def test_kl_gains_where_bits_are_few_and_tails_are_long() -> None:
    for shape in ("gauss", "laplace", "outliers"):
        assert of(SAMPLES[shape], 4, "KL") > of(SAMPLES[shape], 4, "MAX_ABS") + 1
    assert of(LAPLACE, 8, "KL") >= of(LAPLACE, 8, "MAX_ABS")


def test_the_default_is_kl_up_to_8_bits_and_mse_above() -> None:
    assert [default_feature_method(bits) for bits in (4, 8, 9, 10, 12, 16)] == ["KL", "KL", "MSE", "MSE", "MSE", "MSE"]
