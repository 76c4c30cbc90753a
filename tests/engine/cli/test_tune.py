"""`magik-tui tune` and `sensitivity` on real, if tiny, projects: what they print is what a run says, what they write is obeyed."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.analysis import tune as search
from engine.analysis.scoring import METRICS
from engine.bitfile import NAME
from engine.cli.main import main
from engine.errors import OutputError
from tests.engine import tiny
from tests.engine.running import converted, rows

Said = Callable[..., tuple[int, dict[str, Any], str]]

NARROW = ("--bits", "4,8,12", "--target", "0.999")
"""The tiny network is good at 8 bits: a search has something to do where it may have less."""


@pytest.fixture
def said(project: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    """Run a command on the project and return its exit code, its document, its narration."""

    def run(command: str, *arguments: str) -> tuple[int, dict[str, Any], str]:
        code = main([command, str(project), "--jobs", "1", "--json", *arguments])
        out, errors = capsys.readouterr()
        assert "Traceback" not in errors
        return code, json.loads(out, parse_constant=pytest.fail) if out else {}, errors

    return run


def widths(document: Mapping[str, Any]) -> dict[str, int]:
    return {name: row["feature_bits"] for name, row in rows(dict(document)).items() if row["quantized"]}


def test_what_is_chosen_and_written_is_what_a_run_gives(project: Path, said: Said) -> None:
    """The bit file and the one key make a plain run give the very figures that were promised."""
    before = (project / "magik.cfg").read_text()
    code, document, _ = said("tune", *NARROW, "--apply")
    assert (code, document["met"], document["limit"]) == (0, True, None)
    assert document["applied"] == [str(project / NAME), str(project / "magik.cfg")]
    assert json.loads((project / NAME).read_text()) == document["nodes"]
    assert json.loads((project / "magik.cfg").read_text()) == {**json.loads(before), "LOAD_OP_QUANT_BIT": True}

    run = converted(project)
    assert widths(run) == {name: entry["QUANT_FEATURE_BIT"] for name, entry in document["nodes"].items()}
    chosen = document["chosen"]
    assert run["outputs"][0]["cosine_avg"] == pytest.approx(chosen["cosine_avg"], abs=1e-9)
    assert chosen["cosine_avg"] >= 0.999
    assert len(set(widths(run).values())) > 1, "the target should need some wide layers and not all"


def test_every_point_of_the_front_is_real(project: Path, said: Said) -> None:
    _, document, _ = said("tune", *NARROW)
    assert not (project / NAME).exists()
    assert len(document["front"]) >= 8
    nodes = {unit["name"]: unit["nodes"] for unit in document["units"]}
    for point in document["front"][::3]:
        entries = {node: {"QUANT_FEATURE_BIT": bits} for unit, bits in point["widths"].items() for node in nodes[unit]}
        (project / NAME).write_text(json.dumps(entries))
        run = converted(project, "LOAD_OP_QUANT_BIT=true")
        assert run["outputs"][0]["cosine_avg"] == pytest.approx(point["cosine_avg"], abs=1e-9)


def test_what_somebody_wrote_into_the_file_stays(project: Path, said: Said) -> None:
    (project / NAME).write_text('{"c2": {"QUANT_FEATURE_BIT": 8, "MAX": 1.5, "MIN": -1}, "gone": {"QUANT_FEATURE_BIT": 12}}')
    code, document, _ = said("tune", "--target", "0.9", "--apply")
    found = json.loads((project / NAME).read_text())
    assert code == 0
    assert found["c2"] == {**document["nodes"]["c2"], "MAX": 1.5, "MIN": -1}
    assert found["gone"] == {"QUANT_FEATURE_BIT": 12}


def test_what_is_skipped_has_no_width(said: Said) -> None:
    _, document, _ = said("tune", "--set", 'QUANT_NODE_SKIP=["c2"]', "--target", "0.9")
    assert "c2" not in document["nodes"]
    assert [unit["name"] for unit in document["units"] if "c2" in unit["nodes"]] == []


def test_out_of_reach(project: Path, said: Said) -> None:
    """Exit code 1; the best there is, and what is in the way; nothing is written."""
    before = tiny.files(project)
    code, document, errors = said("tune", "--target", "1", "--apply")
    assert (code, document["met"], document["applied"]) == (1, False, [])
    assert document["limit"]["by"] == "weights"
    assert document["chosen"]["cosine_avg"] == document["limit"]["reachable"] == max(p["cosine_avg"] for p in document["front"])
    assert f"the best is cosine_avg {document['limit']['reachable']:.5f}" in errors
    assert "the weights limit it" in errors
    assert "nothing was written" in errors
    assert tiny.files(project) == before


def test_a_budget(said: Said) -> None:
    code, document, _ = said("tune", "--budget", "1.2")
    assert (code, document["met"], document["target"], document["budget"]) == (0, True, None, 1.2)
    assert document["chosen"]["cost"] <= 1.2
    assert document["chosen"]["cosine_avg"] == max(p["cosine_avg"] for p in document["front"] if p["cost"] <= 1.2)


@pytest.mark.parametrize("bits", ["8,10", "4,12"])
def test_widths_to_choose_from(bits: str, said: Said) -> None:
    wanted = set(map(int, bits.split(",")))
    _, document, _ = said("tune", "--target", "0.9995", "--bits", bits)
    assert {int(width) for width in document["costs"]} == wanted
    assert set(document["chosen"]["widths"].values()) <= wanted


def test_the_search_goes_on_where_it_was(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second search asks for the same plans and runs none of them."""
    from engine.lab.values import Values

    _, first, _ = said("tune", *NARROW)

    def refuse(*whatever: object, **more: object) -> None:
        raise AssertionError("a layer was run")

    monkeypatch.setattr(Values, "run", refuse)
    _, second, _ = said("tune", *NARROW)
    assert {**first, "timing": None} == {**second, "timing": None}


def test_ctrl_c_leaves_the_best_plan_so_far(project: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is printed and written, and it is said that it is not the last word."""
    allocate = search.cheapest

    def interrupted(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return allocate(*arguments)

    monkeypatch.setattr(search, "cheapest", interrupted)
    code, document, errors = said("tune", *NARROW, "--apply")
    assert (code, document["interrupted"], document["met"]) == (130, True, True)
    assert json.loads((project / NAME).read_text()) == document["nodes"]
    assert errors.splitlines()[-1] == "magik-tui: interrupted: this is the best plan so far; the next call takes up what is known"

    monkeypatch.undo()
    _, whole, _ = said("tune", *NARROW, "--set", "LOAD_OP_QUANT_BIT=false")
    assert whole["chosen"]["cost"] < document["chosen"]["cost"]


def test_ctrl_c_during_sensitivity_prints_what_is_known(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.lab import Lab

    score, asked = Lab.score, []

    def slow(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) == 4:
            signal.raise_signal(signal.SIGINT)
        return score(*arguments)

    monkeypatch.setattr(Lab, "score", slow)
    code, document, errors = said("sensitivity")
    assert (code, document["interrupted"]) == (130, True)
    assert [len(unit["alone"]) for unit in document["units"]] == [1, 1] + [0] * (len(document["units"]) - 2)
    assert errors.endswith("interrupted: what is missing was not measured; the next call takes up what is known\n")


def test_sensitivity(project: Path, said: Said) -> None:
    """Alone and in float are what a run with the skip list says of the same."""
    code, document, _ = said("sensitivity")
    assert (code, document["widths"], document["interrupted"]) == (0, [8, 10, 12], False)
    run = converted(project)
    assert document["base"]["cosine_avg"] == pytest.approx(run["outputs"][0]["cosine_avg"], abs=1e-9)
    units = {unit["name"]: unit for unit in document["units"]}
    assert [node for unit in document["units"] for node in unit["nodes"]] == [n["name"] for n in run["nodes"]]
    for name in ("r1", "scores"):
        unit = units[name]
        assert unit["local_error"] == pytest.approx(10 ** (-rows(run)[name]["local_sqnr_db"] / 10))
        floated = converted(project, f'QUANT_NODE_SKIP=["{name}"]')["outputs"][0]
        assert unit["in_float"]["cosine_avg"] == pytest.approx(floated["cosine_avg"], abs=1e-7)
        assert unit["gain"] == pytest.approx(unit["in_float"]["cosine_avg"] - document["base"]["cosine_avg"])
        errors = [entry["error"] for entry in unit["alone"]]
        assert [entry["bits"] for entry in unit["alone"]] == [8, 10, 12]
        assert errors[0] > max(errors[1:])


def test_alone_is_a_run_with_all_else_skipped(project: Path, said: Said) -> None:
    """With widths of 12 everywhere what it reads is as fine as it is in the sweep."""
    _, document, _ = said("sensitivity", "--bits", "12")
    others = [name for unit in document["units"] if unit["name"] != "c2" for name in unit["nodes"]]
    settings = ("QUANT_FEATURE_BIT=12", f"QUANT_NODE_SKIP={json.dumps(others)}")
    run = converted(project, *settings)["outputs"][0]
    (alone,) = next(unit["alone"] for unit in document["units"] if unit["name"] == "c2")
    assert alone["cosine_avg"] == pytest.approx(run["cosine_avg"], abs=1e-7)


def test_for_people(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tables on stdout, narration on stderr."""
    assert main(["tune", str(project), *NARROW]) == 0
    out, errors = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["cost", "cosine_avg", "4", "bits", "8", "bits", "12", "bits"]
    assert sum(line.endswith("<- chosen") for line in lines) == 1
    assert any(line.startswith("8 bits: ") for line in lines)
    assert "best so far: " in errors
    assert main(["sensitivity", str(project)]) == 0
    out, _ = capsys.readouterr()
    assert out.splitlines()[0].split() == ["unit", "alone", "8", "alone", "10", "alone", "12", "in", "float", "local", "dB", "op"]
    assert len(out.splitlines()) == 1 + 5 + 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--target", "1.5"], "a target of 1.5 makes no sense"),
        (["--target", "0"], "a target of 0 makes no sense"),
        (["--target", "nan"], "a target of nan makes no sense"),
        (["--budget", "0"], "a budget of 0 makes no sense"),
        (["--budget", "nan"], "a budget of nan makes no sense"),
        (["--metric", "sqnr", "--target", "inf"], "a target of inf makes no sense"),
        (["--budget", "0.5"], "a budget of 0.5 buys nothing"),
        (["--bits", "8,9"], "T40 has no 9-bit features, legal are 4, 8, 10, 12"),
        (["--bits", "eight"], "expected widths in bits such as 8,10,12"),
        (["--metric", "loss"], "Invalid value for '--metric'"),
        (["--at", "score"], "did you mean 'scores'?"),
        (["--set", "QUANT_DATASET_PATH="], "no layer is quantized"),
        (["--set", "DEBUG_PATH="], "DEBUG_PATH names the samples"),
        (["--set", "WEIGHT_FAKE_QUANT=true"], "there is no width to choose"),
    ],
)
def test_mistakes(line: list[str], said: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr, exit code 2, nothing on stdout, every file as it was."""
    before = tiny.files(project)
    assert main(["tune", str(project), "--jobs", "1", "--apply", *line]) == 2
    out, errors = capsys.readouterr()
    assert out == ""
    assert said in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert tiny.files(project) == before


@pytest.mark.parametrize("text", ["{", '{"c2": 8}', '{"c2": {"QUANT_FEATURE_BIT": 9}}'])
def test_a_broken_bit_file_is_told_before_the_search(text: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / NAME).write_text(text)
    assert main(["tune", str(project), "--apply"]) == 2
    out, errors = capsys.readouterr()
    assert (out, (project / NAME).read_text()) == ("", text)
    assert f"{NAME}:1:" in errors
    assert "best so far" not in errors


def test_widths_found_with_set_are_said_to_be(said: Said) -> None:
    _, _, errors = said("tune", "--target", "0.9", "--apply", "--set", "QUANT_FEATURE_METHOD=MAX_ABS")
    assert "the widths hold for --set QUANT_FEATURE_METHOD=MAX_ABS, which is not written" in errors


@pytest.mark.parametrize("metric", METRICS)
def test_the_tables_show_every_metric(metric: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is chosen by a metric is printed in it, decibels as well."""
    target = "10" if metric == "sqnr" else "0.9"
    figure = r"-?\d+\.\d\d dB" if metric == "sqnr" else r"0\.\d{5}"
    assert main(["tune", str(project), "--metric", metric, "--target", target]) == 0
    said = capsys.readouterr().out
    assert re.search(rf"^1\.0000 +{figure}  .*<- chosen$", said, re.MULTILINE)
    assert re.search(rf"^chosen: {metric} {figure} for cost 1\.0000, target {target} met$", said, re.MULTILINE)
    assert main(["sensitivity", str(project), "--metric", metric]) == 0
    assert re.search(rf"^{metric} of the configuration: {figure}\d?; ", capsys.readouterr().out, re.MULTILINE)


def test_a_plan_that_cannot_be_written_is_printed(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OutputError("cannot write it: read-only file system", where=NAME)

    monkeypatch.setattr("engine.stages.applying.atomic_write", refused)
    assert main(["tune", str(project), "--target", "0.9", "--apply"]) == 1
    out, errors = capsys.readouterr()
    assert "chosen: cosine_avg " in out
    assert "writ" not in out
    assert errors.splitlines()[-1] == f"magik-tui: {NAME}: cannot write it: read-only file system"
