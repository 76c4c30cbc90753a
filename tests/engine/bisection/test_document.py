"""`magik-tui bisect` on a whole project: what it finds holds in a real run, and `--apply` writes that and nothing else."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from engine.errors import OutputError
from tests.engine import tiny
from tests.engine.running import converted, rows

from .conftest import Bisect, logs

TARGET = ("--target", "0.99999")


def test_the_document(project: Path, bisect: Bisect) -> None:
    """Every promised field; a real run with what it says to skip meets the target, and without any one of it does not."""
    said = bisect("--json", *TARGET)
    assert said.code == 0
    document = said.document
    assert list(document) == [
        *("schema", "finished", "target", "metric", "at", "evaluations", "priors", "contradictions", "log"),
        *("baseline", "healed", "culprit_types", "culprits", "minimal", "interacting", "config"),
    ]
    assert (document["schema"], document["target"], document["metric"], document["minimal"]) == (1, 0.99999, "cosine_avg", True)
    names = [culprit["name"] for culprit in document["culprits"]]
    assert document["config"] == {"QUANT_OP_SKIP": [], "QUANT_NODE_SKIP": names}
    assert document["evaluations"] == len(document["log"])
    assert [step["step"] for step in document["log"]] == list(range(1, len(document["log"]) + 1))

    def cosine(skipped: list[str]) -> float:
        value = converted(project, f"QUANT_NODE_SKIP={json.dumps(skipped)}")["outputs"][0]["cosine_avg"]
        assert isinstance(value, float)
        return value

    assert cosine([]) == pytest.approx(document["baseline"], abs=1e-6)
    assert cosine(names) == pytest.approx(document["healed"], abs=1e-6)
    assert document["healed"] >= 0.99999
    kinds = {row["name"]: row["op"] for row in converted(project)["nodes"]}
    for culprit in document["culprits"]:
        before = cosine([name for name in names if name != culprit["name"]])
        assert before == pytest.approx(culprit["evidence"]["before"], abs=1e-6)
        assert before < 0.99999
        assert document["log"][culprit["evidence"]["step"] - 1]["value"] == culprit["evidence"]["before"]
        assert culprit["op"] == kinds[culprit["name"]]
    assert document["culprit_types"] == sorted({kinds[name] for name in names})


def test_the_report_for_a_person(project: Path, bisect: Bisect) -> None:
    said = bisect(*TARGET)
    lines = said.out.splitlines()
    assert lines[0].split() == ["must", "stay", "in", "float", "type", "quantized", "again", "local", "error"]
    assert any(line.startswith("checked: with any one of them quantized again") for line in lines)
    assert any(line.startswith("to keep them quantized: with features of 12 bits") for line in lines)
    assert lines[-1] == f"log {logs(project)[0]}"
    narration = said.errors.splitlines()
    assert narration[0] == "Which of 6 operators (4 types) must stay in float for cosine_avg 0.99999 at the outputs?"
    assert narration[1:3] == ["Judging the network as it is", "  x bad   0.99998  as it is"]
    assert "Bisecting operator types: 4 left (about 3 steps)" in narration


def test_many_culprits_are_said_to_be_no_few(bisect: Bisect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then wider features for every operator may serve better, and what they do is measured."""
    monkeypatch.setattr("engine.cli.bisect.MANY", 3)
    lines = bisect(*TARGET).out.splitlines()
    said = [line for line in lines if line.startswith("errors are spread over 4 of 6 operators; for all of them: with features of 12")]
    assert len(said) == 1
    wide = bisect("--json", "--set", "QUANT_FEATURE_BIT=12", "--target", "0").document
    assert f" {wide['baseline']:.5f}, " in said[0]


def test_a_network_that_is_good(bisect: Bisect) -> None:
    said = bisect("--json")
    document = said.document
    assert (document["culprits"], document["evaluations"], document["target"]) == ([], 1, 0.99)
    assert document["baseline"] == document["healed"]
    assert bisect().out.startswith("nothing has to stay in float: the network is good as it is, cosine_avg 0.99998 (1 evaluation)\n")


def test_apply_changes_the_skip_list_and_nothing_else(project: Path, bisect: Bisect) -> None:
    path = project / "magik.cfg"
    old = path.read_text().replace('"SOC": "T40",', '"SOC":"T40",   "note" : [1,  2],')
    path.write_text(old)
    document = bisect("--json", "--apply", *TARGET).document
    text = path.read_text()
    assert text.replace(f',\n    "QUANT_NODE_SKIP": {json.dumps(document["config"]["QUANT_NODE_SKIP"])}', "") == old
    float_rows = [name for name, row in rows(converted(project)).items() if not row["quantized"]]
    assert float_rows == document["config"]["QUANT_NODE_SKIP"]
    assert bisect("--json", *TARGET).document["culprits"] == []
    assert "magik.cfg stays as it is: there is nothing to add" in bisect("--apply", *TARGET).out
    assert path.read_text() == text


def test_what_was_found_is_printed_although_it_cannot_be_written(project: Path, bisect: Bisect, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OutputError("cannot write it: read-only file system", where="magik.cfg")

    monkeypatch.setattr("engine.export.config_file.edit_config", refused)
    said = bisect("--apply", "--json", *TARGET)
    assert (said.code, bool(said.document["culprits"])) == (1, True)
    assert said.errors.splitlines()[-1] == "magik-tui: magik.cfg: cannot write it: read-only file system"


def test_what_is_skipped_already_stays_skipped(project: Path, bisect: Bisect) -> None:
    tiny.configure(project, QUANT_OP_SKIP=["MatMul"], QUANT_NODE_SKIP=["c2"])
    document = bisect("--json", "--apply", "--target", "0.999995").document
    assert document["config"]["QUANT_OP_SKIP"] == ["MatMul"]
    assert document["config"]["QUANT_NODE_SKIP"][0] == "c2"
    assert len(document["config"]["QUANT_NODE_SKIP"]) > 1
    assert not {"c2", "scores"} & {c["name"] for c in document["culprits"]}
    assert json.loads((project / "magik.cfg").read_text())["QUANT_OP_SKIP"] == ["MatMul"]


def test_settings_count_and_are_said_not_to_be_written(project: Path, bisect: Bisect) -> None:
    """Four bits are worse than eight; they are not in the file, so what was found with them may not be all it needs."""
    eight = bisect("--json", "--metric", "sqnr", "--target", "45").document
    said = bisect("--json", "--metric", "sqnr", "--target", "45", "--set", "QUANT_FEATURE_BIT=4", "--apply")
    assert said.document["baseline"] < eight["baseline"]
    assert "found with --set QUANT_FEATURE_BIT=4, which the configuration does not say" in said.errors
    assert "QUANT_FEATURE_BIT" not in (project / "magik.cfg").read_text()


def test_at_a_node_only_what_leads_there_counts(bisect: Bisect) -> None:
    said = bisect("--json", "--at", "r1", "--metric", "sqnr", "--target", "60")
    assert {c["name"] for c in said.document["culprits"]} <= {"data/BatchNormScale", "r1"}
    assert "Which of 2 operators" in said.errors


def test_many_processes_say_the_same(bisect: Bisect) -> None:
    """What is going to be asked in any case is computed beside what is asked; no figure changes."""
    alone = bisect("--json", *TARGET).document
    assert bisect("--json", "--fresh", "--jobs", "2", *TARGET).document == alone


def test_a_program_judges(project: Path, bisect: Bisect, judge: str) -> None:
    said = bisect("--json", "--metric", judge)
    document = said.document
    assert [c["name"] for c in document["culprits"]] == ["c2", "scores"]
    assert (document["metric"], document["target"], document["minimal"]) == (judge, None, True)
    asked = [line.split() for line in (project / "asked").read_text().splitlines()]
    assert [int(step) for step, _ in asked] == [step["step"] for step in document["log"]]
    assert [int(floats) for _, floats in asked[:2]] == [0, 6]


def test_a_program_finds_the_outputs(project: Path, bisect: Bisect) -> None:
    """It compares arrays itself: what it makes of them is what we make of them."""
    (project / "judge.py").write_text(
        "import json, os, sys, pathlib, numpy as np\n"
        "root = pathlib.Path(os.environ['MAGIK_OUTPUTS'])\n"
        "found = []\n"
        "for sample in json.loads((root / 'index.json').read_text()):\n"
        "    x, y = (np.load(root / sample[side]['scores']).astype(float).ravel() for side in ('float', 'quantized'))\n"
        "    found.append(x @ y / np.sqrt((x @ x) * (y @ y)))\n"
        "assert pathlib.Path(os.environ['MAGIK_PROJECT'], 'magik.cfg').exists()\n"
        "print(np.mean(found))\n"
        "sys.exit(int(np.mean(found) < 0.99999))\n"
    )
    by_program = bisect("--json", "--metric", f"{shlex.quote(sys.executable)} judge.py").document
    by_metric = bisect("--json", *TARGET).document
    values = {json.dumps(s["nodes"]): s["value"] for s in by_metric["log"] if not s["types"]}
    both = [(s["value"], values[key]) for s in by_program["log"] if not s["types"] and (key := json.dumps(s["nodes"])) in values]
    assert len(both) >= 3
    assert [a for a, _ in both] == pytest.approx([b for _, b in both], abs=1e-6)
