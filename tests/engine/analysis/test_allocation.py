"""The front is the one that trying every plan gives."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.analysis.allocation import Option, cheapest

OPTION = st.builds(Option, st.sampled_from([4, 8, 10, 12]), st.integers(0, 30).map(float), st.integers(0, 1000).map(lambda n: n / 64))
UNITS = st.lists(st.lists(OPTION, min_size=1, max_size=3), min_size=1, max_size=5)


@given(UNITS)
def test_it_is_the_front_of_all_plans(units: list[list[Option]]) -> None:
    """Sums of small fractions are exact, so points compare exactly."""
    every = [(sum(o.cost for o in plan), sum(o.noise for o in plan)) for plan in itertools.product(*units)]
    wanted = sorted({(c, n) for c, n in every if not any((a < c and b <= n) or (a <= c and b < n) for a, b in every)})
    front = cheapest(units)
    assert list(zip(front.costs.tolist(), front.noises.tolist(), strict=True)) == wanted
    assert front.exact


@given(UNITS)
def test_the_widths_of_a_point_make_its_cost_and_noise(units: list[list[Option]]) -> None:
    """Options of a unit are told apart by their widths."""
    units = [list({o.bits: o for o in options}.values()) for options in units]
    front = cheapest(units)
    for index in range(len(front)):
        taken = [next(o for o in options if o.bits == bits) for options, bits in zip(units, front.bits(index), strict=True)]
        assert (sum(o.cost for o in taken), sum(o.noise for o in taken)) == (front.costs[index], front.noises[index])


def test_noises_that_differ_by_rounding_are_one_point() -> None:
    """Equal units give the same sums in other orders, which floats tell apart: those are no new plans."""
    front = cheapest([[Option(8, 1.0, 0.1), Option(12, 2.0, 0.01)]] * 12)
    assert len(front) == 13
    assert [sum(bits == 12 for bits in front.bits(i)) for i in range(13)] == list(range(13))


def test_a_front_too_long_is_thinned_and_says_so() -> None:
    """It still falls, keeps both ends, and its points are plans."""
    random = np.random.default_rng(3)
    units = [[Option(8, 0.0, float(n)), Option(12, float(c), 0.0)] for c, n in random.uniform(1, 2, (14, 2))]
    whole, front = cheapest(units), cheapest(units, most=50)
    assert (whole.exact, front.exact) == (True, False)
    assert len(front) <= 50 < len(whole)
    assert (np.diff(front.costs) > 0).all()
    assert (np.diff(front.noises) < 0).all()
    assert (front.costs[0], front.costs[-1]) == (whole.costs[0], whole.costs[-1])
    for index in range(len(front)):
        cost = sum(options[1].cost for options, bits in zip(units, front.bits(index), strict=True) if bits == 12)
        assert np.isclose(cost, front.costs[index])
