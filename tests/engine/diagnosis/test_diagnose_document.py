"""docs/diagnose.md: the commands it quotes work on the sample project, and it explains every key."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from engine.analysis.diagnosis.diagnosis import Cause
from engine.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "diagnose.md").read_text("utf-8")
COMMANDS = re.findall(r"^    (magik-tui diagnose .+)$", TEXT, re.MULTILINE)


@pytest.fixture(scope="module")
def sample(resnet18: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample project where the document has it."""
    root = tmp_path_factory.mktemp("diagnose")
    shutil.copytree(resnet18, root / "sample_projects" / "resnet18")
    return root


def words(line: str) -> str:
    """A line without its figures, which differ a little between CPUs, and with them the operators that are found."""
    return re.sub(r"[-+x]?\d[\d.]*%?|\(.*?\)|\s+", " ", line).strip()


def test_what_is_shown_is_what_is_printed(sample: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(sample)
    assert main(shlex.split(COMMANDS[0])[1:]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Doubtful: the activations lose the accuracy, in a few operators")
    rows = {re.sub(r"\s+", " ", words(line)) for line in printed.splitlines()}
    shown = [line for line in TEXT.splitlines() if re.match(r"    (   fix|\d )", line)]
    assert len(shown) == 4
    for line in shown:
        assert re.sub(r"\s+", " ", words(line)) in rows
    first = re.search(r"makes the outputs good: outputs (\S+) -> (\S+)", " ".join(printed.split()))
    assert first
    assert float(first[1]) == pytest.approx(0.99784, abs=2e-3)
    assert float(first[2]) > 0.998


def test_a_report_to_paste(sample: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(sample)
    assert main(shlex.split(COMMANDS[2])[1:]) == 0
    assert capsys.readouterr().out.startswith("# Diagnosis of resnet18\n")


def test_a_fix_is_written(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(sample, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    assert main(shlex.split(COMMANDS[1])[1:]) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"fix 1, 12 bits for \d+ operators: wrote \S+/magik_node_quant_bit_info\.json, \S+/magik_t40\.cfg", told)
    project = Path("sample_projects/resnet18")
    assert '"LOAD_OP_QUANT_BIT": true' in (project / "cfg" / "magik_t40.cfg").read_text()
    assert 12 in {entry["QUANT_FEATURE_BIT"] for entry in json.loads((project / "magik_node_quant_bit_info.json").read_text()).values()}


def test_every_key_and_topic_is_explained(sample: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(sample)
    assert main([*shlex.split(COMMANDS[0])[1:], "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    explained = set(re.findall(r"`\"?(\w+)\"?[^`]*`", TEXT))
    assert set(document) <= explained
    assert {f["topic"] for f in document["findings"]} <= explained
    trial = document["trials"][0]
    assert set(trial) - {"kind", "title"} <= explained
    assert set(trial["cost"]) <= explained
    assert {f["level"] for f in document["findings"]} <= explained


def test_every_cause_is_named() -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith("| `cause`"))
    assert set(re.findall(r"`(\w+)`", line)) - {"cause"} == set(Cause.__args__)  # type: ignore[attr-defined]


def test_there_are_three_commands() -> None:
    assert len(COMMANDS) == 3
