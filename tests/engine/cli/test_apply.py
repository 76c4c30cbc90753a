"""`magik-tui apply`: what is tried is what is written, and what is written is what a run gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.bitfile import NAME
from engine.cli.main import main
from tests.engine.running import converted, rows

ASKED = ("--bits", "c2", "12", "--range", "r1", ",2.5", "--float", "scores")


def test_what_is_tried_is_what_is_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (project / "magik.cfg").read_text()
    assert main(["apply", str(project), "--json", "--dry-run", *ASKED]) == 0
    tried = json.loads(capsys.readouterr().out)
    assert ((project / "magik.cfg").read_text(), (project / NAME).exists()) == (before, False)
    assert main(["apply", str(project), *ASKED]) == 0
    assert capsys.readouterr().out == f"wrote {project / NAME}\nwrote {project / 'magik.cfg'}\n"
    whole = rows(converted(project))
    for name, row in rows(tried).items():
        assert [whole[name][key] for key in ("feature_bits", "cosine_min", "max")] == [
            row[k] for k in ("feature_bits", "cosine_min", "max")
        ]
    assert (whole["c2"]["feature_bits"], whole["scores"]["quantized"], whole["r1"]["max"]) == (12, False, 2.5)
    capsys.readouterr()
    assert main(["apply", str(project), *ASKED]) == 0
    assert capsys.readouterr().out.startswith("wrote")
    assert main(["apply", str(project), "--quantize", "scores"]) == 0
    assert json.loads((project / "magik.cfg").read_text())["QUANT_NODE_SKIP"] == []


def test_weights_can_be_tried_and_are_printed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", str(project), "--dry-run", "--weight-bits", "c2", "4"]) == 0
    assert "output scores: cosine_avg 0." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--range", "f", "0,2"), "f: MIN and MAX have no effect: its levels are those of its input\n"),
        (("--range", "c2", "0,2", "--float", "c2"), "c2: MIN and MAX have no effect: it is float: "),
        (("--range", "c2", "1,2"), "c2: a range always holds 0, it is 0 to 2\n"),
    ],
)
def test_a_range_that_acts_otherwise_is_told(
    project: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["apply", str(project), "--dry-run", *arguments]) == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing is asked for"),
        (("--bits", "c3", "12"), "there is no layer 'c3'"),
        (("--bits", "c2", "9"), "T40 has no 9-bit features"),
        (("--range", "c2", "1"), "expected MIN,MAX"),
        (("--float", "c2", "--quantize", "c2"), "--float and --quantize both name 'c2': it is one or the other"),
        (("--weight-bits", "c2", "4"), "QUANT_WEIGHT_BIT in magik.cfg says it for all layers"),
    ],
)
def test_what_cannot_be_done_is_said(project: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", str(project), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (project / NAME).exists()
