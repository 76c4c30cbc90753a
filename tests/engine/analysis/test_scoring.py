"""How a figure is written: short, and never on the wrong side of a target."""

from __future__ import annotations

import pytest

from engine.analysis.scoring import figure


@pytest.mark.parametrize(
    ("value", "metric", "target", "text"),
    [
        (0.997836, "cosine_avg", None, "0.99784"),
        (0.997836, "cosine_min", 0.999, "0.99784"),
        (0.9995031, "cosine_avg", 0.9995, "0.99950"),
        (0.9994962, "cosine_avg", 0.9995, "0.999496"),
        (0.99999996, "cosine_avg", 1.0, "0.99999996"),
        (0.9999999, "cosine_avg", 0.9999999, "1.00000"),
        (19.996, "sqnr", 20.0, "19.996 dB"),
        (20.004, "sqnr", 20.0, "20.00 dB"),
        (float("-inf"), "sqnr", 20.0, "-inf dB"),
        (0.25, "./judge", None, "0.25"),
    ],
)
def test_figure(value: float, metric: str, target: float | None, text: str) -> None:
    assert figure(value, metric, target) == text


def test_more_digits_from_the_start() -> None:
    assert figure(0.99946312, "cosine_avg", digits=6) == "0.999463"
