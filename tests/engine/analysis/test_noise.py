"""Scores as noise and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.analysis.noise import noise, noise_of, value_of
from engine.analysis.scoring import Metric, Score


@pytest.mark.parametrize("metric", ["cosine_avg", "cosine_min", "sqnr"])
@pytest.mark.parametrize("power", [1e-9, 1e-4, 0.03, 2.0])
def test_there_and_back(metric: Metric, power: float) -> None:
    assert math.isclose(noise_of(value_of(power, metric), metric), power, rel_tol=1e-6)


def test_it_is_the_noise_of_vectors_at_right_angles() -> None:
    random = np.random.default_rng(0)
    x, e = random.normal(size=(2, 10_000))
    e -= x * (e @ x) / (x @ x)
    y = x + 0.1 * e
    power = 0.01 * (e @ e) / (x @ x)
    assert math.isclose(noise_of(float(x @ y / np.sqrt((x @ x) * (y @ y))), "cosine_avg"), power, rel_tol=1e-9)
    assert math.isclose(noise_of(float(-10 * np.log10(power)), "sqnr"), power, rel_tol=1e-9)


@pytest.mark.parametrize("value", [None, -1.0, 0.0])
def test_a_ruined_output_has_noise_without_being_infinite(value: float | None) -> None:
    assert 100 < noise(Score(value, value, value), "cosine_avg") < 1e6


def test_a_perfect_one_has_none() -> None:
    assert noise(Score(1.0, 1.0, 999.0), "cosine_avg") == 0.0
    assert noise(Score(1.0 + 1e-15), "cosine_avg") == 0.0
