"""docs/bisect.md: every command it quotes works on the sample project, and its judge judges."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from engine.analysis.bisect import read_heading
from engine.cli.main import cli, main
from engine.jsontext import Source

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "bisect.md").read_text("utf-8")
COMMANDS = re.findall(r"^    (magik-tui bisect .+)$", TEXT, re.MULTILINE)


@pytest.fixture(scope="module")
def sample(resnet18: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample project where the document has it, the document's judge, and a python3 to run it."""
    root = tmp_path_factory.mktemp("bisect")
    shutil.copytree(resnet18, root / "sample_projects" / "resnet18")
    code = re.search(r"^    import json.*?(?=^\S)", TEXT, re.MULTILINE | re.DOTALL)
    assert code
    (root / "judge.py").write_text(re.sub(r"^    ", "", code[0], flags=re.MULTILINE))
    (root / "bin").mkdir()
    (root / "bin" / "python3").symlink_to(sys.executable)
    return root


HAND = [command for command in COMMANDS if "--steps" in command]
"""They go on from one another."""


@pytest.mark.parametrize("commands", [*([command] for command in COMMANDS if command not in HAND), HAND], ids=lambda each: each[0])
def test_a_quoted_command_works(
    commands: list[str], sample: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(sample)
    monkeypatch.setenv("PATH", f"{sample / 'bin'}:/usr/bin:/bin")
    explained = set(re.findall(r"`(\w+)`", TEXT))
    for command in commands:
        assert main([*shlex.split(command)[1:], "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["minimal"] if commands is not HAND else document["asking"]
        assert set(document) - {"schema"} <= explained


def test_what_the_table_shows_is_what_is_printed(sample: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(sample)
    assert main(shlex.split(COMMANDS[0])[1:]) == 0
    printed = capsys.readouterr().out.splitlines()
    block = re.search(r"^    must stay.*?\n\n", TEXT, re.MULTILINE | re.DOTALL)
    assert block
    head, *_, advice = (line.strip() for line in block[0].strip().splitlines())
    assert head == printed[0]
    words = re.split(r"\d+\.\d{5}", advice)[0]  # figures differ a little between CPUs, and with them the set
    assert any(row.startswith(words) for row in printed)


def test_every_option_is_in_the_table() -> None:
    shared = {"--json", "--set", "--variant", "--jobs", "--scheduler", "--resume"}
    options = {name for option in cli.commands["bisect"].params for name in (*option.opts, *option.secondary_opts) if name.startswith("--")}
    assert options - shared == set(re.findall(r"^\| `(--[a-z]+)", TEXT, re.MULTILINE))


def test_the_log_that_is_shown_is_one() -> None:
    line = re.search(r'^    (\{"bisect".+)$', TEXT, re.MULTILINE)
    assert line
    assert read_heading(Source(line[1], "log")).goal.target == 0.999


def test_there_are_commands() -> None:
    assert len(COMMANDS) == 6
