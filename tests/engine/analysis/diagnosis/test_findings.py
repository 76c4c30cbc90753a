"""Claims: every number in them is one that was measured, and the level is what the numbers say."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from engine.analysis.diagnosis.diagnosis import Culprit, Culprits, operators
from engine.analysis.diagnosis.findings import Finding, debug_samples, first_layer, health, poor_samples, sides, tried
from engine.analysis.diagnosis.inputs import alike, amount, faulty, preprocessing, without_statistics
from engine.analysis.diagnosis.statistics import Judged, Preprocessing
from engine.analysis.diagnosis.trials import Change

from .making import figures, trial

WIDE = Change("width", "features wide", {"QUANT_FEATURE_BIT": 12})
ILL = figures((0.9, 0.99, 0.999, 0.999), 0.95, 0.97)
FED = Preprocessing((0.0,) * 3, (1.0,) * 3, "RGB")
BGR = replace(FED, color="BGR")
GREY = Preprocessing((127.5,) * 3, (127.5,) * 3, "RGB")

CLAIMS: list[tuple[Finding, str]] = [
    (health(figures(0.999, 0.999)), "fine"),
    (health(ILL), "bad"),
    (sides(ILL, figures(0.999), figures(0.93))[0], "bad"),
    (sides(figures(1.0), figures(1.0), figures(1.0))[0], "fine"),
    (first_layer(figures(0.999, 0.999), None, 0, None, None), "fine"),
    (first_layer(ILL, 4, 12, 0.999, 0.96), "bad"),
    (tried("widths", ("width",), [trial(WIDE, 0.9, 0.99)], ("more bits help", "more bits do not help")) or Finding("", "fine", ""), "help"),
    (tried("widths", ("width",), [trial(WIDE, 1.0, 0.9)], ("more bits help", "more bits do not help")) or Finding("", "fine", ""), "fine"),
    (debug_samples(ILL, ["a", "b"], {"a": "mostly black"}), "bad"),
    (debug_samples(figures(0.999), [], {}), "fine"),
    (preprocessing(Judged("fits", 0.02, FED, 0.02, 1.0, 8.5), FED, 12), "fine"),
    (preprocessing(Judged("wrong", 8.5, BGR, 0.02, 0.985, 8.5), FED, 12), "bad"),
    (preprocessing(Judged("unsure", 0.2, BGR, 0.02, 0.7, 0.2), FED, 12), "unknown"),
    (preprocessing(Judged("unsure", 0.2, BGR, 0.02, 0.9, 0.2), FED, 12), "hint"),
    (preprocessing(Judged("wrong", 0.2, BGR, 0.02, 1.0, 0.2), FED, 12, "tensor"), "hint"),
    (preprocessing(Judged("fits", 0.02, FED, 0.02, 1.0, 0.2), FED, 12, "tensor"), "fine"),
    (preprocessing(Judged("fits", 0.02, FED, 0.02, 1.0, 0.2, GREY), FED, 12, "tensor"), "unknown"),
    (preprocessing(Judged("strange", 7.5, FED, 7.5, 1.0, 9.5), FED, 12), "unknown"),
    (without_statistics("", {"low": 0.0, "high": 255.0, "mean": 111.0, "deviation": 54.0}, 0.003), "hint"),
    (without_statistics("", {}, 0.7), "unknown"),
    (without_statistics("no biases", {}, None), "unknown"),
    (alike(trial(WIDE, 0.9, 0.99), trial(WIDE, 0.9, 0.92)), "bad"),
    (alike(trial(WIDE, 0.9, 0.99), trial(WIDE, 0.9, 0.988)), "fine"),
    (alike(trial(WIDE, 0.9, 0.91), None), "fine"),
    (faulty({}, 40, None), "fine"),
    (faulty({"a": "mostly black", "b": "mostly grey"}, 7, trial(WIDE, 0.9, 0.97)), "bad"),
    (faulty({"a": "mostly black"}, 7, trial(WIDE, 0.9, 0.85)), "fine"),
    (faulty({"a": "mostly black"}, 1, None), "bad"),
    (amount(5, []), "bad"),
    (amount(40, [trial(Change("samples", "", {"QUANT_DATASET_SIZE": 20}), 0.98, 0.975)]), "fine"),
    (amount(40, [trial(Change("samples", "", {"QUANT_DATASET_SIZE": None}), 0.98, 0.995)]), "help"),
    (operators(Culprits(0.99, 0.995, 30, (Culprit("x", "Conv2D", 0.1, 0.97),), True, 7)), "bad"),
    (operators(Culprits(0.99, reason="the network is {healthy}")), "unknown"),
]

THRESHOLDS = {"0.99", "0.98", "0.5", "10", "200", "100", "0"}
"""Numbers that are no measurements: the guide's limits, that of a fit, the advised count, everything, nothing."""


@pytest.mark.parametrize(("finding", "level"), CLAIMS, ids=[f"{i} {f.topic}" for i, (f, _) in enumerate(CLAIMS)])
def test_a_claim_has_no_number_that_was_not_measured(finding: Finding, level: str) -> None:
    assert finding.level == level
    assert finding.claim
    said = re.sub(r"\{[a-z_0-9]+(:[^}]*)?\}", "", finding.words)
    assert set(re.findall(r"\d+(?:\.\d+)?", said)) <= THRESHOLDS
    assert set(re.findall(r"\{([a-z_0-9]+)", finding.words)) <= set(finding.numbers)


def test_the_side_with_three_times_the_noise_is_to_blame() -> None:
    assert sides(ILL, figures(0.9999), figures(0.93))[1] == "features"
    assert sides(ILL, figures(0.93), figures(0.9999))[1] == "weights"
    assert sides(ILL, figures(0.95), figures(0.96))[1] == "both"
    assert sides(ILL, figures(1.0), figures(0.96))[1] == "features"


def test_the_first_layer_names_what_cured_it() -> None:
    assert first_layer(ILL, 4, 12, 0.999, 0.96).claim.endswith("too few bits is the cause")
    assert first_layer(ILL, 8, 12, 0.95, 0.999).claim.endswith("the calibration set is the cause")
    assert "cause" not in first_layer(ILL, 8, 12, 0.95, 0.95).claim


def test_samples_that_stand_out_are_poor() -> None:
    assert poor_samples(figures((0.9, 0.999, 0.999, 0.999))) == ["a"]
    assert poor_samples(figures((0.985, 0.9999, 0.9999, 0.9999))) == ["a"]
    assert poor_samples(figures((0.985, 0.986, 0.987, 0.985))) == []
    assert poor_samples(figures((0.995, 0.99999, 0.99999, 0.99999))) == []


def test_wrong_keys_are_said_with_their_values() -> None:
    best = Preprocessing((123.675, 116.28, 103.53), (127.5,) * 3, "BGR")
    claim = preprocessing(Judged("wrong", 100.0, best, 0.02, 1.0, 0.03), FED, 12).claim
    assert "MEAN [123.675, 116.28, 103.53], NORMAL 127.5, COLOR BGR" in claim


def test_it_says_that_colours_cannot_be_told() -> None:
    assert "cannot tell RGB from BGR" in preprocessing(Judged("fits", 0.08, FED, 0.08, 1.0, 0.09), FED, 12).claim
    assert "cannot tell" not in preprocessing(Judged("fits", 0.08, FED, 0.08, 1.0, 2.0), FED, 12).claim


def test_one_calibration_sample_is_not_none_of_one() -> None:
    assert faulty({}, 1, None).claim == "the one calibration sample is not mostly padding, black or grey"
    assert faulty({}, 40, None).claim == "none of 40 calibration samples is mostly padding, black or grey"
