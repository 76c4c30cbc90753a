"""`magik-tui diagnose --apply N`: one fix of the list becomes what the files say, and what cannot be written is refused in words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from engine.bitfile import NAME
from engine.diagnosis.writing import fix_of, left_to_do
from engine.errors import UsageError
from engine.export.config_file import edit_config
from tests.engine.diagnosis import fitted
from tests.engine.running import converted

from .conftest import Diagnose


def test_the_keys_of_a_fix_are_written_and_nothing_else(root: Path, diagnose: Diagnose) -> None:
    config = root / "magik.cfg"
    before = json.loads(config.read_text())
    said = diagnose("QUANT_FEATURE_BIT=4", "--apply=1")
    document = said.document
    fix = document["fixes"][0]
    assert document["applied"] == [str(config)]
    assert json.loads(config.read_text()) == {**before, **fix["config"]}
    assert not (root / NAME).exists()
    assert "the fix holds for --set QUANT_FEATURE_BIT=4, which is not written" in said.errors
    assert converted(root)["outputs"][0]["cosine_avg"] == pytest.approx(fix["after"]["cosine_avg"], abs=1e-6)


def test_the_widths_of_a_fix_are_written_beside_what_stands_there(root: Path, diagnose: Diagnose) -> None:
    (root / "net.onnx").write_bytes(fitted.model(gain=400.0))
    edit_config(root / "magik.cfg", {"LOAD_OP_QUANT_BIT": True})
    (root / NAME).write_text(json.dumps({"scores": {"MAX": 9.5}}))
    listed = diagnose().document
    assert listed["applied"] == []
    rank = next(fix["rank"] for fix in listed["fixes"] if fix["bit_file"])
    said = diagnose(f"--apply={rank}")
    fix = said.document["fixes"][rank - 1]
    entries = json.loads((root / NAME).read_text())
    assert {name: {"QUANT_FEATURE_BIT": entries[name]["QUANT_FEATURE_BIT"]} for name in fix["bit_file"]} == fix["bit_file"]
    assert entries["scores"]["MAX"] == 9.5
    assert str(root / NAME) in said.document["applied"]
    assert "yours to do" not in said.errors  # they were added
    assert converted(root)["outputs"][0]["cosine_avg"] == pytest.approx(fix["after"]["cosine_avg"], abs=1e-6)


def test_what_is_left_to_do_is_said(root: Path, diagnose: Diagnose) -> None:
    for name in ("d00.png", "d01.png"):
        shutil.copy(root / "debug" / name, root / "calibration")
    fixes = diagnose("QUANT_WEIGHT_BIT=3").document["fixes"]
    rank = next(fix["rank"] for fix in fixes if fix["config"] and fix["do"])
    said = diagnose("QUANT_WEIGHT_BIT=3", f"--apply={rank}")
    assert said.code == 0
    assert f"still yours to do: {fixes[rank - 1]['do']}" in said.errors


def test_a_fix_that_no_file_can_say_is_refused_once_the_list_is_printed(root: Path, diagnose: Diagnose) -> None:
    for path in (root / "calibration").iterdir():
        Image.new("RGB", (16, 16)).save(path)
    before = (root / "magik.cfg").read_text()
    said = diagnose("--apply=1")
    assert said.code == 2
    assert json.loads(said.out)["applied"] == []
    assert "no file says fix 1, it is yours to do: put samples like those of DEBUG_PATH" in said.errors
    assert (root / "magik.cfg").read_text() == before
    assert not (root / NAME).exists()


@pytest.mark.parametrize("rank", ["0", "-1", "first"])
def test_what_is_no_number_is_told_before_anything_is_tried(rank: str, diagnose: Diagnose) -> None:
    said = diagnose(f"--apply={rank}")
    assert (said.code, said.out) == (2, "")
    assert "--apply" in said.errors


def test_a_number_that_no_fix_has(root: Path, diagnose: Diagnose) -> None:
    before = (root / "magik.cfg").read_text()
    said = diagnose("QUANT_FEATURE_BIT=4", "--apply=99")
    assert said.code == 2
    assert f"there is no fix 99: they are numbered 1 to {len(json.loads(said.out)['fixes'])}" in said.errors
    assert (root / "magik.cfg").read_text() == before
    with pytest.raises(UsageError, match="there is no fix 1: nothing that was tried gains enough"):
        fix_of([], 1)


def test_a_bit_file_that_cannot_be_read_is_told_first(root: Path, diagnose: Diagnose) -> None:
    (root / NAME).write_text("{")
    said = diagnose("QUANT_FEATURE_BIT=4", "--apply=1")
    assert (said.code, said.out) == (2, "")
    assert NAME in said.errors
    assert "trying" not in said.errors


def test_how_entries_get_into_the_file_is_no_matter_of_a_person() -> None:
    fix = {"bit_file": {"a": {"QUANT_FEATURE_BIT": 12}}, "without": [], "do": "add these to what the file says"}
    assert left_to_do(fix) == ""
    assert left_to_do({**fix, "bit_file": {}}) == fix["do"]


def test_a_report_has_the_fix_and_what_was_written_is_said_beside_it(root: Path, diagnose: Diagnose) -> None:
    said = diagnose("QUANT_FEATURE_BIT=4", "--markdown", "--apply=1")
    assert said.out.startswith("# Diagnosis of project")
    assert f"wrote {root / 'magik.cfg'}" in said.errors
