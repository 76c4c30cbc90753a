"""The rounding file against exact fractions, and against a table of halves."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.numerics import (
    FEATURE_BITS,
    INT32_MAX,
    WEIGHT_BITS,
    QParams,
    affine,
    dequantize,
    feature_dtype,
    level_of,
    lookup_table,
    multiplier,
    qmax,
    quantize,
    quantize_bias,
    quantize_weights,
    requantize,
    scaled,
    settle,
    weight_level,
    weight_scales_that_hold_bias,
)

HALVES = {-2.5: -2, -1.5: -2, -0.5: 0, 0.5: 0, 1.5: 2, 2.5: 2, 3.5: 4, 4.5: 4, 126.5: 126, 127.5: 128}
"""Real value -> nearest integer, ties to even."""

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
steps = st.floats(min_value=2.0**-60, max_value=2.0**60, width=32)
bits = st.sampled_from(list(FEATURE_BITS))


def f32(value: Fraction) -> Fraction:
    """Round an exact number to float32, ties to even, without any floating-point arithmetic; numbers here are normal."""
    if value == 0:
        return value
    exponent = math.floor(math.log2(abs(value)))
    while abs(value) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while abs(value) < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** (exponent - 23)
    return round(value / unit) * unit


def f64(value: Fraction) -> Fraction:
    """Round an exact number to float64."""
    return Fraction(float(value))


def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


@pytest.mark.parametrize(("real", "nearest"), HALVES.items())
def test_halves_go_to_the_even_neighbour(real: float, nearest: int) -> None:
    for zero in (0, 3, 100):
        q = QParams(1.0, zero, 8)
        assert int(settle(np.float32(real), q)) == clamp(nearest + zero, 0, 255)
        assert int(quantize(np.float32(real), q)) == clamp(nearest + zero, 0, 255)
        assert int(requantize(np.int64(2 * real), 0.5, q)) == clamp(nearest + zero, 0, 255)
        # a zero point that is odd does not make them go to the odd one
        assert level_of(real / 4, QParams(0.25, zero, 8)) == clamp(nearest + zero, 0, 255)
        assert affine(-abs(real), 255 - abs(real), 8) == QParams(1.0, abs(nearest), 8)


@pytest.mark.parametrize("width", FEATURE_BITS)
def test_every_level_survives_its_round_trip(width: int) -> None:
    q = affine(-1.3, 2.9, width)
    levels = np.arange(q.qmax + 1).astype(q.dtype)
    assert levels.dtype == feature_dtype(width) == (np.uint8 if width <= 8 else np.uint16)
    assert int(levels[-1]) == qmax(width) == 2**width - 1
    assert np.array_equal(quantize(dequantize(levels, q), q), levels)


@given(floats, floats, bits)
@example(0.0, 0.0, 8)
@example(-1e-45, 1e-45, 8)
@example(-3.4e38, 3.4e38, 2)
@example(5.0, 6.0, 8)
def test_a_range_becomes_the_nearest_scale_and_holds_zero(a: float, b: float, width: int) -> None:
    low, high = min(a, b), max(a, b)
    q = affine(low, high, width)
    low, high = min(low, 0.0), max(high, 0.0)
    exact = (Fraction(high) - Fraction(low)) / qmax(width)
    assert 0 <= q.zero <= q.qmax
    assert np.float32(q.scale) == q.scale
    if exact < Fraction(float(np.finfo(np.float32).tiny)) * Fraction(1001, 1000):
        assert q.scale > 0
        return
    # the nearest float32; a quotient computed in double may be a hair off where two are as near
    assert Fraction(q.scale) in {f32(exact * (1 + hair)) for hair in (Fraction(1, 2**50), -Fraction(1, 2**50))}
    assert q.zero == clamp(round(f64(-Fraction(low) / Fraction(q.scale))), 0, q.qmax)
    # the zero point is the level of 0, so 0 is exact, and both ends lie within a step of the grid
    assert int(quantize(np.float32(0.0), q)) == q.zero
    assert abs(Fraction(q.zero) * Fraction(q.scale) + Fraction(low)) <= Fraction(q.scale)


def test_a_zero_point_is_that_of_the_scale_as_it_is_stored() -> None:
    """16 bits are so many that the rounding of the scale moves some zero points."""
    random = np.random.default_rng(0)
    moved = 0
    for low, high in zip(random.uniform(-3, 0, 4000).tolist(), random.uniform(0, 2, 4000).tolist(), strict=True):
        q = affine(low, high, 16)
        assert q.zero == round(f64(-Fraction(low) / Fraction(q.scale)))
        moved += q.zero != round(-Fraction(low) * q.qmax / (Fraction(high) - Fraction(low)))
    assert moved


@pytest.mark.parametrize("ends", [(float("nan"), 1.0), (0.0, float("inf")), (float("-inf"), 0.0)])
def test_a_range_needs_finite_ends(ends: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        affine(*ends, 8)


@given(floats, steps, bits, st.data())
def test_quantize_is_one_division_one_rounding_one_clamp(x: float, scale: float, width: int, data: st.DataObject) -> None:
    zero = data.draw(st.integers(0, qmax(width)))
    q = QParams(scale, zero, width)
    exact = Fraction(x) / Fraction(scale)
    found = int(quantize(np.float32(x), q))
    if abs(exact) < Fraction(1, 2**100):
        assert found == zero
    else:
        assert found == clamp(round(f32(exact)) + zero, 0, q.qmax)


def test_quantize_keeps_infinities_at_the_ends_and_nan_at_zero() -> None:
    q = QParams(0.5, 7, 4)
    assert quantize(np.array([np.inf, -np.inf, np.nan, 1e38, -1e38], np.float32), q).tolist() == [15, 0, 7, 15, 0]


@given(st.integers(-(2**40), 2**40), steps, bits, st.data())
@example(2**24 + 1, 1.0, 16, None)
def test_requantize_is_two_float_roundings_then_rint(acc: int, m: float, width: int, data: st.DataObject | None) -> None:
    zero = data.draw(st.integers(0, qmax(width))) if data else 0
    q = QParams(1.0, zero, width)
    # float32(acc), then the float32 product: two roundings, where a fused multiply-add would round once
    product = f32(f32(Fraction(acc)) * Fraction(m))
    assert int(requantize(np.int64(acc), m, q)) == clamp(round(product) + zero, 0, q.qmax)


def test_the_sum_is_rounded_before_the_product() -> None:
    acc, m = 2**24 + 1, np.float32(1 + 2**-23)
    once = float(f32(Fraction(acc) * Fraction(float(m))))
    twice = float(scaled(np.int64(acc), m))
    assert twice == float(f32(f32(Fraction(acc)) * Fraction(float(m))))
    assert once != twice, "this case has to tell the two apart"


def test_both_products_of_an_addition_are_rounded_before_they_meet() -> None:
    a, b = np.float32(1.0) / np.float32(3.0), np.float32(-1.0) / np.float32(3.0)
    left, right = scaled(np.int64(200), a), scaled(np.int64(199), b)
    exact = f32(Fraction(200) * Fraction(float(a))) + f32(Fraction(199) * Fraction(float(b)))
    assert float(left + right) == float(f32(exact))
    fused = f32(Fraction(200) * Fraction(float(a)) + f32(Fraction(199) * Fraction(float(b))))
    assert float(left + right) != float(fused), "this case has to tell the two apart"


@given(st.floats(-1e6, 1e6, width=32), bits, st.data())
def test_the_clamp_keeps_the_order_and_its_ends(real: float, width: int, data: st.DataObject) -> None:
    top = qmax(width)
    zero, low, high = (data.draw(st.integers(0, top)) for _ in range(3))
    low, high = min(low, high), max(low, high)
    found = int(settle(np.float32(real), QParams(1.0, zero, width), low, high))
    assert found == clamp(round(Fraction(real)) + zero, low, high)


@given(steps, steps, steps)
def test_a_multiplier_is_a_double_rounded_once(x: float, w: float, y: float) -> None:
    exact = Fraction(x) * Fraction(w) / Fraction(y)
    found = Fraction(float(multiplier(np.float64(x) * np.float64(w), y))) if 2.0**-120 < exact < 2.0**120 else None
    # the product of two float32 is exact in float64; its quotient is rounded once there, once to float32
    assert found is None or abs(found / exact - 1) <= Fraction(1, 2**24) + Fraction(1, 2**52)


@pytest.mark.parametrize("width", WEIGHT_BITS)
def test_weights_fill_their_levels_and_ties_go_to_even(width: int) -> None:
    level = weight_level(width)
    assert level == 2 ** (width - 1) - 1
    scales = np.array([1.0, 0.25, 1.0], np.float32)
    w = np.array([[level, -level, 0.5], [0.125, -0.375, 1e9], [0, 0, 0]], np.float32)
    expected = [[level, -level, 0], [0, -clamp(2, -level, level), level], [0, 0, 0]]
    found = quantize_weights(w, scales, width)
    assert found.dtype == np.int8
    assert found.tolist() == expected
    assert quantize_weights(np.full((1, 1), -1e9, np.float32), scales[:1], width).tolist() == [[-level]]


def test_weights_are_divided_by_their_scale() -> None:
    """Weights beside the ties of their levels: a product with the reciprocal would round some of them the other way."""
    scales = np.random.default_rng(0).uniform(0.001, 1.0, 40).astype(np.float32)
    halves = (np.arange(-127, 127) + 0.5).astype(np.float32)
    middle = scales.reshape(-1, 1) * halves
    w = np.concatenate([middle, np.nextafter(middle, np.float32(np.inf)), np.nextafter(middle, np.float32(-np.inf))], axis=1)
    expected = [[round(f32(Fraction(float(v)) / Fraction(float(s)))) for v in row] for row, s in zip(w, scales, strict=True)]
    assert quantize_weights(w, scales, 8).tolist() == expected


@given(floats, steps, steps)
def test_a_bias_is_rounded_in_double_and_kept_in_32_bits(bias: float, x: float, w: float) -> None:
    found = quantize_bias(np.array([bias], np.float32), x, np.array([w], np.float32))
    assert found.dtype == np.int32
    exact = Fraction(bias) / (Fraction(x) * Fraction(w))
    if abs(exact) >= INT32_MAX:
        assert int(found[0]) == (INT32_MAX if exact > 0 else -INT32_MAX)
    else:
        # a double holds 53 bits, so below 2^31 only a tie that is none in exact arithmetic can differ
        assert abs(Fraction(int(found[0])) - exact) <= Fraction(1, 2) + Fraction(1, 2**20)


@given(floats, steps, steps)
@example(3.4e38, 2.0**-40, 2.0**-40)
def test_a_weight_scale_grows_until_its_bias_fits(bias: float, x: float, w: float) -> None:
    scales = np.array([w], np.float32)
    grown = weight_scales_that_hold_bias(scales, np.array([bias], np.float32), x)
    fits = abs(Fraction(bias)) <= Fraction(x) * Fraction(w) * (INT32_MAX // 2)
    if fits:
        assert abs(float(grown[0]) / w - 1) <= 2**-23
    else:
        assert grown[0] >= scales[0]
        assert np.isfinite(grown[0])
        if float(grown[0]) < 3.4e38:
            assert abs(int(quantize_bias(np.array([bias], np.float32), x, grown)[0])) <= INT32_MAX // 2 + 1


@given(st.floats(-1e30, 1e30), steps, bits, st.data())
def test_the_level_of_a_constant_is_the_nearest_one(value: float, scale: float, width: int, data: st.DataObject) -> None:
    q = QParams(scale, data.draw(st.integers(0, qmax(width))), width)
    assert level_of(value, q) == clamp(round(f64(Fraction(value) / Fraction(scale))) + q.zero, 0, q.qmax)


def test_infinite_limits_are_the_ends() -> None:
    q = QParams(0.1, 9, 8)
    assert (level_of(float("-inf"), q), level_of(float("inf"), q)) == (0, 255)


@pytest.mark.parametrize("width", FEATURE_BITS)
def test_a_table_has_an_entry_for_every_level_and_rounds_once(width: int) -> None:
    """In doubles until the quotient, which becomes a float32: fine steps make an argument in float32 show."""
    source, target = affine(-3.0, 5.0, width), affine(-1.0, 26.0, 16)
    table = lookup_table(lambda x: x * x, source, target)
    assert len(table) == source.qmax + 1
    assert table.dtype == np.uint16
    levels = {*range(0, source.qmax + 1, 1 + source.qmax // 500), source.zero, source.qmax}
    for level in levels:
        real = f64(Fraction(level - source.zero) * Fraction(source.scale))
        quotient = f32(f64(f64(real * real) / Fraction(target.scale)))
        assert int(table[level]) == clamp(round(quotient) + target.zero, 0, target.qmax), level
    assert table[source.zero] == target.zero


def test_a_table_of_the_identity_is_the_identity() -> None:
    q = affine(-1.0, 3.0, 10)
    assert np.array_equal(lookup_table(lambda x: x, q, q), np.arange(1024))


def test_a_table_of_a_function_that_leaves_every_range_ends_at_the_ends() -> None:
    source, target = QParams(8.0, 128, 8), QParams(2.0**-100, 0, 8)
    table = lookup_table(np.exp, source, target)
    assert table.min() >= 0
    assert int(table[255]) == 255
