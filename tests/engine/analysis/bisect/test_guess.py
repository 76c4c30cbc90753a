"""How many suspects should suffice, by adding up their noise."""

from __future__ import annotations

import math

import pytest

from engine.analysis.bisect import Goal
from engine.analysis.bisect.guess import cut, enough

ERRORS = (8.0, 4.0, 2.0, 1.0, 0.5, 0.5)


@pytest.mark.parametrize(
    ("done", "noises", "budget", "count"),
    [
        (0, (16.0,), 16.0, 0),  # all of it may stay
        (0, (16.0,), 8.0, 1),
        (0, (16.0,), 1.0, 4),
        (0, (160.0,), 10.0, 4),  # what the network shows is ten times what the layers say: scaled
        (0, (160.0, 16.0), 10.0, 1),  # the view that asks for fewer is taken
        (0, (math.inf, None), 1.0, 6),
        (2, (4.0,), 1.0, 4),
        (2, (4.0,), 0.0, 6),
        (3, (None,), 1.0, 3),
        (3, (4.0,), None, 3),
        (0, (4.0,), -1.0, 6),
    ],
)
def test_enough(done: int, noises: tuple[float | None, ...], budget: float | None, count: int) -> None:
    assert enough(ERRORS, done, noises, budget) == count


def test_silent_suspects_are_all_needed() -> None:
    assert enough((0.0, 0.0), 0, (1.0,), 0.5) == 2


@pytest.mark.parametrize(("least", "most", "count"), [(1, 5, 3), (4, 6, 4), (1, 3, 2), (5, 9, 5), (9, 12, 6)])
def test_a_cut_is_made_where_suspicion_falls_farthest(least: int, most: int, count: int) -> None:
    assert cut((9.0, 8.0, 7.0, 0.01, 0.009, 0.009), least, most) == count


@pytest.mark.parametrize(
    ("goal", "value", "noise"),
    [
        (Goal("sqnr", 20.0), 10.0, 0.1),
        (Goal("cosine_avg", 0.99), 0.5**0.5, 1.0),
        (Goal("cosine_min", 0.99), 1.0, 0.0),
        (Goal("cosine_min", 0.99), -0.3, math.inf),
        (Goal("cosine_min", 0.99), None, None),
        (Goal("./judge"), 0.7, None),
    ],
)
def test_noise_of_a_value(goal: Goal, value: float | None, noise: float | None) -> None:
    assert goal.noise(value) == (noise if noise is None else pytest.approx(noise))
