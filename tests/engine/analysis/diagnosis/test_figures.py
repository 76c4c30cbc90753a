"""The guide's thresholds, and the figures they are held against."""

from __future__ import annotations

import pytest

from engine.analysis.diagnosis.figures import cosine_of, figures_of, noise_of, verdict

from .making import document, figures, row


@pytest.mark.parametrize(
    ("output", "layers", "expected"),
    [
        (0.999, [0.995] * 10, "healthy"),
        (0.99, [0.995, 0.981, 0.999], "healthy"),  # a few in the middle may have 0.98
        (0.999, [0.995, 0.981, 0.982], "doubtful"),  # two of four are not a few
        (0.999, [0.995] * 8 + [0.979], "doubtful"),
        (0.985, [0.995] * 10, "doubtful"),
        (0.979, [0.999] * 10, "unhealthy"),
        (0.999, [0.9899] + [0.999] * 10, "unhealthy"),  # the first layer
        (0.999, [0.999] + [0.95] * 5, "unhealthy"),  # the mean over layers
    ],
)
def test_the_verdict_is_the_guides(output: float, layers: list[float], expected: str) -> None:
    assert verdict(figures(output, *layers)) == expected


def test_figures_are_those_of_the_worst_output() -> None:
    found = figures_of(document(row("a", 0.97), row("x", 0.99, 0.98, 0.97, 0.96), row("y", 0.999)), ["x", "y"])
    assert found.cosine_avg == pytest.approx(0.975)
    assert found.cosine_min == 0.96
    assert dict(found.samples) == {"a": 0.99, "b": 0.98, "c": 0.97, "d": 0.96}
    assert (found.layers, found.below_99, found.below_98, found.worst, found.first) == (3, 2, 2, "a", "a")
    assert (found.drop, found.drop_cosine) == ("a", 0.97)


def test_float_layers_count_only_as_outputs() -> None:
    found = figures_of(document(row("a", 0.995), row("f", 0.5, quantized=False), row("out", 0.7, quantized=False)), ["out"])
    assert (found.layers, found.mean, found.cosine_avg) == (1, pytest.approx(0.995), pytest.approx(0.7))


def test_some_samples_only() -> None:
    whole = document(row("a", 0.9, 0.99, 0.9, 0.99), row("out", 0.8, 0.9, 0.8, 0.9))
    found = figures_of(whole, ["out"], {"b", "d"})
    assert (found.cosine_avg, found.worst_cosine, found.sqnr_db) == (pytest.approx(0.9), pytest.approx(0.9), None)
    assert [name for name, _ in found.samples] == ["b", "d"]


def test_what_has_no_cosine_is_left_out() -> None:
    dead = row("dead", 0.0)
    dead |= {"cosine_avg": None, "samples": [{"sample": s["sample"], "cosine": None} for s in dead["samples"]]}
    assert figures_of(document(dead, row("out", 0.995)), ["out"]).layers == 1
    assert figures_of(document(dead), ["dead"]).cosine_avg is None


def test_noise_and_cosine_are_each_others_inverse() -> None:
    for value in (0.5, 0.9, 0.99, 1.0):
        assert cosine_of(noise_of(value)) == pytest.approx(value)
    assert noise_of(None) == noise_of(0.0) == noise_of(-0.5) == float("inf")
