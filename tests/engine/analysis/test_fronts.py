"""Places on a front."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.analysis.allocation import Front, Option, cheapest
from engine.analysis.fronts import between, guess, last_within, spread, widest_gap

FRONT = cheapest([[Option(8, 1.0, 4.0**-i), Option(12, 2.0 + i, 4.0**-i / 256)] for i in range(9)])


def front_of(costs: list[float], noises: list[float]) -> Front:
    return Front(np.array(costs), np.array(noises), True, (), ())


def test_places_are_spread_from_end_to_end() -> None:
    found = spread(FRONT, 12)
    assert (found[0], found[-1]) == (0, len(FRONT) - 1)
    assert found == sorted(found)
    assert 8 <= len(found) <= 12
    assert spread(front_of([1.0], [0.0]), 12) == [0]
    assert spread(front_of([1.0, 2.0], [0.5, 0.0]), 12) == [0, 1]


@given(st.data())
def test_a_guess_lies_between(data: st.DataObject) -> None:
    high = data.draw(st.integers(2, len(FRONT) - 1))
    low = data.draw(st.integers(0, high - 2))
    powers = st.floats(0, 10)
    index = guess(FRONT, (low, high), (data.draw(powers), data.draw(powers)), data.draw(powers))
    assert low < index < high


def test_a_guess_is_right_where_the_prediction_is_right_but_for_a_factor() -> None:
    """The cheapest point whose real noise, 1.15 times the predicted one, is at most the target."""
    low, high = 0, len(FRONT) - 1
    for wanted in range(low + 1, high):
        target = 1.15 * float(FRONT.noises[wanted])
        assert guess(FRONT, (low, high), (1.15 * float(FRONT.noises[low]), 1.15 * float(FRONT.noises[high])), target * 1.0000001) == wanted


def test_what_a_budget_buys() -> None:
    front = front_of([1.0, 2.0, 3.0], [3.0, 2.0, 1.0])
    assert [last_within(front, cost) for cost in (0.5, 1.0, 1.9, 2.0, 9.0)] == [0, 0, 0, 1, 2]


def test_the_widest_gap() -> None:
    places = {0, len(FRONT) - 1}
    while (index := widest_gap(FRONT, places)) is not None:
        assert index not in places
        places.add(index)
    assert places == set(range(len(FRONT)))


def test_the_middle_between_two_costs() -> None:
    """Of an even front the middle, then what is left beside it, then nothing."""
    front = front_of([1.0, 2.0, 3.0, 4.0, 5.0], [16.0, 8.0, 4.0, 2.0, 1.0])
    places: set[int] = set()
    found = []
    while (index := between(front, 1.0, 5.0, places)) is not None:
        places.add(index)
        found.append(index)
    assert found[0] == 2
    assert sorted(found) == [1, 2, 3]
