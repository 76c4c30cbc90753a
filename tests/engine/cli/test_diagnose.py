"""`magik-tui diagnose` on a project so small that it takes seconds: the document, the report, what cannot be diagnosed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli.main import main
from tests.engine import tiny


def test_it_names_a_fix_that_was_measured(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.configure(project, QUANT_FEATURE_BIT=4)
    assert main(["diagnose", str(project), "--json", "--jobs", "1"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert document["fixes"]
    assert json.loads((project / "magik.cfg").read_text())["QUANT_FEATURE_BIT"] == 4


def test_the_report_can_be_pasted(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.configure(project, QUANT_FEATURE_BIT=4)
    assert main(["diagnose", str(project), "--markdown", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("#")
    assert "QUANT_FEATURE_BIT" in out


def test_without_samples_to_measure_on_it_says_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.configure(project, DEBUG_PATH="")
    assert main(["diagnose", str(project), "--jobs", "1"]) != 0
    assert "DEBUG_PATH" in capsys.readouterr().err
