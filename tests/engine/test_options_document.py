"""docs/options.md explains every key, and every command it quotes works."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from engine.cli import main as headless
from engine.config_schema import SCHEMA
from engine.socs import profiles

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "options.md").read_text("utf-8")
COMMANDS = re.findall(r"^    (magik-tui run .+)$", TEXT, re.MULTILINE)


def test_every_key_has_its_section_in_order() -> None:
    assert re.findall(r"^## (\w+)$", TEXT, re.MULTILINE) == [key.name for key in SCHEMA]


def test_the_legal_widths_are_those_of_the_chips() -> None:
    words = re.search(r"features of (.+) bits and weights up to (\d)", TEXT)
    assert words
    widths = {int(n) for n in re.findall(r"\d+", words[1])}
    assert all(set(chip.feature_bits) == widths and max(chip.weight_bits) == int(words[2]) for chip in profiles().values())


@pytest.fixture(scope="module")
def sample(resnet18: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("options")
    shutil.copytree(resnet18, root / "sample_projects" / "resnet18")
    return root


@pytest.mark.parametrize("command", COMMANDS)
def test_a_quoted_command_works(command: str, sample: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(sample)
    assert headless.main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out.startswith("feature name")


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 5
