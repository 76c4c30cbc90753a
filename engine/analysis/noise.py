"""Scores as noise, which adds up: errors of layers hardly know one another, so their powers sum (1.15 times too much, as measured)."""

from __future__ import annotations

import math

from .scoring import Metric, Score

FLOOR = 0.05
"""A cosine below this says only that nothing is left of the signal."""


def noise_of(value: float, metric: Metric) -> float:
    """Return noise power over signal power, from a cosine by 1 / cos^2 - 1 (an error at right angles), from an SQNR by 10^(-dB / 10)."""
    if metric == "sqnr":
        return math.pow(10.0, -max(value, -60.0) / 10.0)
    return 1.0 / max(min(value, 1.0), FLOOR) ** 2 - 1.0


def noise(score: Score, metric: Metric) -> float:
    """Return the noise of a score; of one that lacks the figure, as much as can be."""
    value = score.of(metric)
    return noise_of(FLOOR if metric != "sqnr" else -60.0, metric) if value is None else noise_of(value, metric)


def value_of(power: float, metric: Metric) -> float:
    """Return the figure that stands for a noise: the inverse of `noise_of`."""
    if metric == "sqnr":
        return -10.0 * math.log10(max(power, 1e-99))
    return 1.0 / math.sqrt(1.0 + max(power, 0.0))
