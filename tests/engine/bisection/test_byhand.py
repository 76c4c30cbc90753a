"""A bisection by hand: step by step, marked, taken back, with marks beforehand; and every process of it may be another."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .conftest import Bisect, logs

TARGET = ("--target", "0.99999")


def test_step_by_step_is_what_it_does_by_itself(bisect: Bisect) -> None:
    """Each command judges one network and pauses; the end is that of one command, and asking again judges nothing."""
    whole = bisect("--json", *TARGET).document
    assert whole["finished"]
    said = bisect("--json", "--fresh", "--steps", "1", *TARGET)
    counts = []
    while not said.document["finished"]:
        counts.append(said.document["evaluations"])
        assert said.document["log"] == whole["log"][: counts[-1]]
        said = bisect("--json", "--steps", "1", *TARGET)
    assert counts == list(range(1, whole["evaluations"]))
    assert said.document == whole
    again = bisect("--json", "--steps", "1", *TARGET)
    assert again.document == whole


def test_a_pause_says_where_it_stands(bisect: Bisect) -> None:
    said = bisect("--steps", "2", *TARGET)
    lines = said.out.splitlines()
    assert lines[0].startswith("  1 x bad   0.99998  as it is")
    assert lines[2].startswith("paused after 2 evaluations. Bisecting ")
    assert lines[3].startswith("  > next     in float: ")
    document = bisect("--json", "--steps", "0", *TARGET).document
    assert list(document) == [
        *("schema", "finished", "target", "metric", "at", "evaluations", "priors", "contradictions", "log", "asking", "states"),
    ]
    current = [name for name, state in document["states"].items() if state == "current"]
    assert sorted(current) == document["asking"]["floats"]
    applied = bisect("--steps", "0", "--apply", *TARGET)
    assert "nothing is applied: the bisection is not finished" in applied.errors


def test_looking_writes_nothing(project: Path, bisect: Bisect) -> None:
    assert bisect("--json", "--steps", "0", *TARGET).document["evaluations"] == 0
    assert not (project / ".magik" / "bisect").exists() or logs(project) == []


def test_a_step_is_marked_by_hand_and_taken_back(bisect: Bisect) -> None:
    first = bisect("--json", "--steps", "1", *TARGET).document
    marked = bisect("--json", "--mark", "skip", "--steps", "0", *TARGET).document
    assert [(step["mark"], step["note"]) for step in marked["log"]] == [("bad", ""), ("skip", "marked by hand")]
    assert marked["log"][1]["value"] is None
    back = bisect("--json", "--undo", "1", "--steps", "0", *TARGET).document
    assert back["asking"] == first["asking"]
    assert back["log"] == first["log"]
    none = bisect("--undo", "3", *TARGET)
    assert (none.code, none.out) == (2, "")
    assert "--undo: only 1 step can be taken back" in none.errors


def test_what_was_marked_by_hand_has_no_figure_to_show(bisect: Bisect) -> None:
    """The network as it is was not measured: there is no figure before, and no dash for it."""
    bisect("--mark", "bad", "--steps", "0", *TARGET)
    (line,) = [line for line in bisect(*TARGET).out.splitlines() if " in float" in line and "; " in line]
    assert re.search(r"\) in float: cosine_avg (0\.99999|1\.00000)\d*, target 0\.99999; \d+ evaluations$", line)


def test_a_good_mark_that_contradicts_a_bad_one_is_said(bisect: Bisect) -> None:
    """Two types in float are called bad, then one of them alone good, which is asked because somebody suspects it."""
    bisect("--steps", "1", *TARGET)
    for mark in ("bad", "bad"):
        said = bisect("--json", "--mark", mark, "--steps", "0", *TARGET)
    assert said.document["contradictions"] == []
    said = bisect("--json", "--suspect", "c2", "--mark", "good", "--steps", "0", *TARGET)
    (text,) = said.document["contradictions"]
    assert text.startswith("step 4 is good; step 3 has all of its operators in float and ")
    assert text.endswith("and is bad: quantization errors are not monotone, here they interact")
    assert f"warning: {text}" in said.errors


def test_marks_beforehand_are_kept_and_obeyed(project: Path, bisect: Bisect) -> None:
    whole = bisect("--json", *TARGET).document
    names = [culprit["name"] for culprit in whole["culprits"]]
    said = bisect("--json", "--fresh", "--suspect", names[0], "--good", "BatchNormScale", "--steps", "0", *TARGET).document
    assert said["priors"] == {"types": {"BatchNormScale": "good"}, "nodes": {names[0]: "suspect"}}
    (log,) = logs(project)
    assert '{"prior": "good", "types": ["BatchNormScale"]}' in log.read_text().splitlines()
    done = bisect("--json", *TARGET).document
    assert [culprit["name"] for culprit in done["culprits"]] == names
    assert done["priors"] == said["priors"]
    refuted = bisect("--json", "--good", names[0], "--steps", "0", *TARGET)
    assert f"{names[0]} is held to be good, but step" in refuted.errors
    bare = bisect("--json", "--untested", names[0], "--untested", "BatchNormScale", "--steps", "0", *TARGET).document
    assert bare["priors"] == {"types": {}, "nodes": {}}


def test_the_good_may_make_a_target_unreachable(bisect: Bisect) -> None:
    said = bisect("--good", "Conv2D", "--good", "MatMul", "--target", "0.999999")
    assert said.code == 2
    assert "more are held to be good and stay quantized" in said.errors


@pytest.mark.parametrize("option", ["--good", "--suspect", "--untested"])
def test_a_name_there_is_not(bisect: Bisect, option: str) -> None:
    said = bisect(option, "c3", *TARGET)
    assert said.code == 2
    assert f'{option}: there is no quantized layer and no operator type "c3"' in said.errors
    assert "Conv2D" in bisect(option, "zzzz", *TARGET).errors


def test_a_name_is_held_to_be_one_thing(bisect: Bisect) -> None:
    said = bisect("--good", "Conv2D", "--suspect", "Conv2D", *TARGET)
    assert said.code == 2
    assert '--suspect: --good says another thing of "Conv2D"; name it with one of them' in said.errors


def test_nothing_is_left_to_mark(bisect: Bisect) -> None:
    bisect("--json", *TARGET)
    said = bisect("--mark", "good", *TARGET)
    assert said.code == 2
    assert "the bisection is finished: there is no step to mark (--undo 1 takes the last one back)" in said.errors


def test_a_program_is_asked_step_by_step(project: Path, bisect: Bisect, judge: str) -> None:
    """A finished one is looked at without asking anew, since a step of it was wanted."""
    first = bisect("--json", "--metric", judge, "--steps", "3").document
    assert (first["finished"], first["evaluations"]) == (False, 3)
    done = bisect("--json", "--metric", judge).document
    assert [c["name"] for c in done["culprits"]] == ["c2", "scores"]
    asked = (project / "asked").read_text()
    assert bisect("--json", "--metric", judge, "--steps", "5").document == done
    assert (project / "asked").read_text() == asked


def test_a_replay_with_no_step_judges_nothing(project: Path, bisect: Bisect) -> None:
    bisect("--json", "--steps", "2", *TARGET)
    (log,) = logs(project)
    mine = project / "mine.log"
    text = log.read_text()
    mine.write_text(text.replace('"mark": "bad"', '"mark": "skip"', 1))
    said = bisect("--json", "--replay", str(mine), "--steps", "0").document
    assert next(step["mark"] for step in said["log"]) == "skip"
    assert next(json.loads(line)["mark"] for line in log.read_text().splitlines() if line.startswith('{"mark"')) == "skip"
