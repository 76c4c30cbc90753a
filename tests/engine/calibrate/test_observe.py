"""The histogram is exact: no order, cut, layout or growth of the range leaves a trace in it."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from engine.calibrate.observe import HALF, Observation, Observer, merge, observe

Values = NDArray[np.float32]

EMPTY = Observer().result()
any_float32 = st.floats(width=32, allow_subnormal=True)
# Magnitudes far apart, so that merging has to widen by many octaves; both zeros; the limits of float32.
scattered = st.builds(lambda m, e: np.float32(math.ldexp(m, e)), st.floats(-1, 1, width=32), st.integers(-148, 127))
samples = hnp.arrays(np.float32, st.integers(0, 60), elements=any_float32) | st.lists(scattered, max_size=60).map(
    lambda values: np.array(values, np.float32)
)


def slow(x: Values) -> dict[int, int]:
    """The obvious histogram, in exact fractions."""
    finite = [Fraction(float(v)) for v in x.ravel() if np.isfinite(v)]
    if not finite:
        return {}
    width = Fraction(2) ** observe(x).exponent
    bins: dict[int, int] = {}
    for v in finite:
        k = math.floor(abs(v) / width)
        k = -1 - k if v < 0 else k
        bins[k] = bins.get(k, 0) + 1
    return bins


@given(samples)
def test_the_bins_are_those_of_exact_arithmetic(x: Values) -> None:
    seen = observe(x)
    finite = x[np.isfinite(x)]
    assert {seen.first + j: int(c) for j, c in enumerate(seen.counts) if c} == slow(x)
    assert (seen.count, seen.nonfinite) == (finite.size, x.size - finite.size)
    assert seen.zeros == np.count_nonzero(finite == 0)
    if finite.size:
        assert (seen.minimum, seen.maximum) == (float(finite.min()), float(finite.max()))
        assert seen.counts[0]
        assert seen.counts[-1]
        assert seen.magnitude < HALF * seen.width
        assert seen.magnitude >= HALF / 2 * seen.width or seen.exponent == -126


@given(samples, samples, samples)
def test_merging_is_associative_and_commutative_and_equals_seeing_all_at_once(a: Values, b: Values, c: Values) -> None:
    left = merge(merge(observe(a), observe(b)), observe(c))
    right = merge(observe(a), merge(observe(c), observe(b)))
    assert left.to_bytes() == right.to_bytes() == observe(np.concatenate([a, b, c])).to_bytes()
    assert left == merge(left, EMPTY) == merge(EMPTY, left)


@given(samples, st.randoms(use_true_random=False))
def test_order_and_pieces_do_not_matter(x: Values, random: object) -> None:
    rng = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    shuffled = rng.permutation(x)
    observer = Observer()
    for piece in np.array_split(shuffled, 7):
        observer.update(piece)
        observer.result()  # taking a result midway disturbs nothing
    assert observer.result().to_bytes() == observe(x).to_bytes()


@given(samples)
def test_the_mirror_image_mirrors_the_bins(x: Values) -> None:
    nonzero = x[x != 0]
    seen, mirror = observe(nonzero), observe(-nonzero)
    assert np.array_equal(seen.counts, mirror.counts[::-1])
    assert (seen.minimum, seen.exponent) == (-mirror.maximum, mirror.exponent)


@given(samples)
def test_bytes_round_trip(x: Values) -> None:
    seen = observe(x)
    back = Observation.from_bytes(seen.to_bytes())
    assert back == seen
    assert hash(back) == hash(seen)
    assert back.counts.dtype == np.int64
    assert observe(x, back) == observe(x, seen)


def test_blocks_lanes_and_growth_over_many_values() -> None:
    rng = np.random.default_rng(3)
    x = np.maximum(rng.standard_normal(100_003).astype(np.float32) * np.geomspace(1e-6, 1e6, 100_003, dtype=np.float32), -3)
    seen = observe(x)
    edges = np.arange(seen.first, seen.first + seen.counts.size + 1) * seen.width
    # numpy closes bins on the left everywhere: the values on an edge of the negative side belong to the outer bin here
    assert np.array_equal(seen.counts, np.histogram(np.nextafter(x, np.where(x < 0, -np.inf, np.inf)), edges)[0])
    assert seen.counts.sum() == x.size
    assert observe(x[::-1].astype(np.float64)) == seen


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.transpose(2, 0, 1),
        lambda x: x[::-1, :, ::-1],
        lambda x: np.asfortranarray(x),
        lambda x: x.astype(">f4"),
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    ],
)
def test_layout_does_not_matter(view: object) -> None:
    x = np.random.default_rng(1).standard_normal((37, 41, 43)).astype(np.float32)
    assert observe(view(x)) == observe(x)  # type: ignore[operator]


def test_broadcast_and_scalar_arrays_are_counted_in_full() -> None:
    assert observe(np.broadcast_to(np.float32(2), (300, 400))).count == 120_000
    assert observe(np.array(-2.5)).minimum == -2.5


def test_values_that_are_not_finite_are_counted_and_left_out() -> None:
    x = np.array([1, np.nan, np.inf, -np.inf, -2], np.float32)
    assert observe(x).nonfinite == 3
    assert (observe(x).minimum, observe(x).maximum, observe(x).count) == (-2.0, 1.0, 2)
    alone = observe(np.array([np.nan, 1e300]))  # 1e300 is infinite as float32
    assert (alone.count, alone.nonfinite, alone.counts.size) == (0, 2, 0)


def test_a_constant_zero_of_either_sign_is_one_bin() -> None:
    seen = observe(np.array([0.0, -0.0, 0.0], np.float32))
    assert (seen.zeros, seen.count, seen.counts.tolist(), seen.first) == (3, 3, [3], 0)
    assert math.copysign(1.0, seen.minimum) == math.copysign(1.0, seen.maximum) == 1.0


@pytest.mark.parametrize("tiny", [2**-149, 1e-40, 1e-38, 1e-30])
def test_the_finest_magnitudes_after_zeros(tiny: float) -> None:
    x = np.array([tiny, -3 * tiny, 7 * tiny], np.float32)
    zeros = np.zeros(4, np.float32)
    assert observe(x, observe(zeros)) == observe(zeros, observe(x)) == observe(np.concatenate([zeros, x]))


def test_an_observation_cannot_be_changed_by_accident() -> None:
    seen = observe(np.arange(5, dtype=np.float32))
    with pytest.raises(ValueError, match="read-only"):
        seen.counts[0] = 7


@pytest.mark.parametrize("damage", [b"", b"short", bytes(51)])
def test_bytes_that_are_no_observation_are_refused(damage: bytes) -> None:
    with pytest.raises(ValueError, match="observation"):
        Observation.from_bytes(damage)
    with pytest.raises(ValueError, match="observation"):
        Observation.from_bytes(observe(np.ones(4, np.float32)).to_bytes() + damage + b"x")


def test_bytes_hold_the_filled_span_only() -> None:
    narrow = observe(np.linspace(100, 101, 1000, dtype=np.float32))
    assert len(narrow.to_bytes()) < 120


def test_extremes_of_all_and_counts_of_a_part() -> None:
    values = np.random.default_rng(3).normal(0, 2, 10_000).astype(np.float32)
    whole, part = Observer(), Observer()
    whole.update(values)
    part.extremes(float(values.min()), float(values.max()))
    part.count_part(values[::7])
    seen = part.result()
    assert (seen.minimum, seen.maximum) == (whole.result().minimum, whole.result().maximum)
    assert seen.count == values[::7].size
    assert seen.exponent == whole.result().exponent


def test_what_is_not_finite_is_counted_once_when_only_a_part_is_counted() -> None:
    values = np.array([1.0, np.nan, -3.0, np.inf], np.float32)
    observer = Observer()
    observer.extremes(-3.0, 1.0, nonfinite=2)
    observer.count_part(values[::3])
    seen = observer.result()
    assert (seen.minimum, seen.maximum, seen.nonfinite, seen.count) == (-3.0, 1.0, 2, 1)


def test_no_values_have_no_extremes() -> None:
    observer = Observer()
    observer.extremes(math.inf, -math.inf)
    assert observer.result().count == 0
