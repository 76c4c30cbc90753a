"""What is said first, and the whole of it as JSON, text and Markdown."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from engine.analysis.diagnosis.costs import Cost
from engine.analysis.diagnosis.diagnosis import Culprit, Culprits, Diagnosis, operators
from engine.analysis.diagnosis.document import document_of
from engine.analysis.diagnosis.findings import Finding, Side
from engine.analysis.diagnosis.report import markdown, text_lines
from engine.analysis.diagnosis.trials import Change, Trial

from .making import figures, trial

WIDE = Change("width", "features of 12 bits", {"QUANT_FEATURE_BIT": 12})
HOSTILE = "x|[/a]`b`\x1b[31m<i>*_"


def diagnosis(
    *findings: Finding,
    output: float = 0.97,
    trials: tuple[Trial, ...] = (),
    side: Side = "features",
    bits: tuple[int, int] = (8, 8),
    culprits: Culprits | None = None,
) -> Diagnosis:
    return Diagnosis(
        *("net.onnx", "T40", figures(output, 0.999, 0.999), Cost(1.0, 1.0, 0.0), findings, trials, side, bits),
        *(culprits or Culprits(0.99, operators=10, reason="none"), (("this", "that"),), {"p": "mostly black"}, {}, ("a",)),
    )


def finding(topic: str, level: Any) -> Finding:
    return Finding(topic, level, f"the {topic} is {level}")


CASES = {
    "none": diagnosis(output=0.999),
    "preprocessing": diagnosis(finding("preprocessing", "bad"), finding("calibration_set", "bad"), bits=(4, 8)),
    "calibration": diagnosis(finding("calibration_set", "bad"), bits=(4, 8), trials=(trial(WIDE, 0.97, 0.999),)),
    "width": diagnosis(bits=(4, 8), trials=(trial(WIDE, 0.97, 0.999),)),
    "activations": diagnosis(bits=(4, 8), trials=(trial(WIDE, 0.97, 0.971),)),
    "operators": diagnosis(culprits=Culprits(0.99, 0.995, 10, (Culprit("x", "Conv2D", 0.1, 0.97),), True, 5)),
    "weights": diagnosis(side="weights"),
    "both": diagnosis(side="both"),
}


@pytest.mark.parametrize("cause", CASES)
def test_the_cause_that_is_named_first(cause: str) -> None:
    found = CASES[cause]
    assert found.cause == cause
    assert found.headline().claim
    assert document_of(found)["cause"] == cause


def test_a_few_operators_stand_before_the_crowd_that_more_takes() -> None:
    few = Culprits(0.985, 0.986, 10, (Culprit("x", "Conv2D", 0.1, 0.97),), True, 70, more=0.99, crowd=6)
    assert operators(few).claim.endswith("for 0.98500 (70 networks judged); first of all x; for 0.99000 it takes 6")
    assert operators(replace(few, crowd=0)).claim.endswith("for 0.99000 no part of the operators was enough")
    assert document_of(diagnosis(culprits=few))["operators"]["crowd"] == 6


def test_words_and_costs_of_the_fixes_are_explained_where_they_stand() -> None:
    floats = Change("operators", "1 operator in float", {"QUANT_NODE_SKIP": ["x"]})
    trials = (trial(floats, 0.97, 0.999, healed=0.97, floats=0.001, features=1.001), trial(WIDE, 0.97, 0.999, features=2.0))
    text = " ".join(" ".join(text_lines(document_of(diagnosis(trials=trials)))).split())
    assert "x1.0010 0% good outputs" in text
    assert "(heals: all layers within the guide's thresholds; good outputs: the outputs alone" in text
    assert "charged like the widest width, the least it can cost)" in text
    assert "heals:" not in " ".join(text_lines(document_of(diagnosis())))


def test_many_operators_are_no_few() -> None:
    members = tuple(Culprit(f"x{i}", "Conv2D", 0.1, 0.97) for i in range(6))
    assert diagnosis(culprits=Culprits(0.99, 0.995, 10, members, True, 5)).cause == "activations"


def test_a_hint_is_said_first_and_is_no_cause() -> None:
    hint = Change("preprocessing", "NORMAL 255", {"NORMAL": [255]}, caution="a hint")
    found = diagnosis(finding("preprocessing", "hint"), trials=(trial(hint, 0.97, 0.98), trial(WIDE, 0.97, 0.999)))
    claim = found.headline().claim
    assert found.cause == "activations"
    assert claim.startswith("NORMAL is likely missing")
    assert "Fix 2, features of 12 bits, heals it" in claim
    assert document_of(found)["fixes"][0]["title"] == "NORMAL 255"


def test_the_first_fix_is_in_the_headline() -> None:
    found = diagnosis(trials=(trial(WIDE, 0.97, 0.999),)).headline()
    assert found.claim.endswith(". Fix 1, features of 12 bits, heals it: outputs 0.97000 -> 0.99900")


def whole() -> Diagnosis:
    few = Change("operators", f"bits for {HOSTILE}", {"LOAD_OP_QUANT_BIT": True}, {HOSTILE: 12}, do="do {this}")
    gone = Change("correction", "none", {"WEIGHT_CORRECT_PATH": None, "MEAN": [1, 2]}, without=(HOSTILE,), caution="careful")
    claim = Finding("health", "bad", "the worst is {name}", {"name": HOSTILE, "nothing": float("inf")})
    trials = (trial(few, 0.97, 0.99), trial(gone, 0.97, 0.98), trial(WIDE, 1.0, 0.9))
    return diagnosis(claim, trials=trials, culprits=Culprits(0.99, 0.995, 10, (Culprit(HOSTILE, "Conv2D", 0.1, None),), False, 5))


def test_the_document_is_json() -> None:
    document = document_of(whole())
    again = json.loads(json.dumps(document, allow_nan=False))
    assert again == document
    assert document["schema"] == 1
    assert [fix["rank"] for fix in document["fixes"]] == [1, 2]
    assert document["fixes"][0]["bit_file"] == {HOSTILE: {"QUANT_FEATURE_BIT": 12}}
    assert document["fixes"][1]["lines"] == ["-WEIGHT_CORRECT_PATH", '"MEAN": [1, 2]']
    assert document["trials"][2]["noise_left"] is None
    assert document["debug_samples"][0] == {"sample": "a", "cosine": 0.97, "poor": True, "fault": ""}


def test_text_holds_nothing_a_terminal_obeys() -> None:
    text = "\n".join(text_lines(document_of(whole())))
    assert "\x1b" not in text
    assert "take out of magik.cfg: WEIGHT_CORRECT_PATH" in text
    assert "caution: careful" in text
    assert "do {this}" in text


def test_markdown_holds_no_markup_of_others() -> None:
    text = markdown(document_of(whole()), HOSTILE)
    assert "\x1b" not in text
    outside = "".join(part for place, part in enumerate(text.split("````" if "````" in text else "```")) if place % 2 == 0)
    assert "<i>" not in outside.replace("\\<i\\>", "")
    for line in text.splitlines():
        if line.startswith("| 1"):
            assert line.replace("\\|", "").count("|") == 10
    assert "# Diagnosis of x\\|\\[/a\\]" in text


def test_a_healthy_network_needs_no_fix() -> None:
    lines = text_lines(document_of(diagnosis(output=0.999, trials=(trial(WIDE, 0.999, 0.9999),))))
    assert "no fix is needed; what would gain all the same:" in lines
    assert "nothing that was tried gains enough to be advised" in text_lines(document_of(diagnosis()))
