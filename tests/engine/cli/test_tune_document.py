"""docs/tune.md: what it quotes works on the sample project, what it shows is printed, and it explains every key and option."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.cli.main import cli, main

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "tune.md").read_text("utf-8")
COMMANDS = re.findall(r"^    (magik-tui (?:tune|sensitivity|apply) .+)$", TEXT, re.MULTILINE)
SHARED = {"--json", "--set", "--variant", "--jobs", "--scheduler"}


@pytest.fixture(scope="module")
def printed(resnet18: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What every quoted command prints, run one after the other as a reader would."""
    root = tmp_path_factory.mktemp("tune")
    shutil.copytree(resnet18, root / "sample_projects" / "resnet18")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for command in COMMANDS:
            with pytest.MonkeyPatch.context() as quiet:
                lines: list[str] = []
                for module in ("tune", "sensitivity", "apply"):
                    quiet.setattr(f"engine.cli.{module}.say", lines.append)
                assert main(shlex.split(command)[1:]) == 0
            found[command] = "".join(lines)
        yield found


def documents(printed: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {command.split()[1]: json.loads(text) for command, text in printed.items() if command.endswith("--json")}


def keys(value: Any) -> Iterator[str]:
    """Yield every key of a document but for names of nodes and widths, which are data."""
    if isinstance(value, list):
        for each in value[:3]:
            yield from keys(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            if key not in ("widths", "nodes", "noise", "counts", "costs", "timing", "config"):
                yield from keys(each)


def test_there_are_commands() -> None:
    assert len(COMMANDS) == 5


def test_every_key_is_explained(printed: dict[str, str]) -> None:
    explained = set(re.findall(r"`(\w+)`", TEXT))
    for name, document in documents(printed).items():
        assert set(keys(document)) - explained == set(), name


def test_the_target_is_met_for_at_most_half_of_what_12_bits_everywhere_cost_more(printed: dict[str, str]) -> None:
    document = documents(printed)["tune"]
    assert document["chosen"]["cosine_avg"] >= 0.999
    assert document["chosen"]["cost"] - 1 <= 0.5
    assert len(document["front"]) >= 8


def test_the_front_that_is_shown_is_printed(printed: dict[str, str]) -> None:
    lines = printed[COMMANDS[0]].splitlines()
    block = re.search(r"^      cost .*?\n\n", TEXT, re.MULTILINE | re.DOTALL)
    assert block
    head, first, _, taken, _, chosen, _ = (line.strip() for line in block[0].rstrip("\n").splitlines())
    assert lines[0].strip() == head
    assert lines[1].split()[2:] == first.split()[2:]
    assert abs(float(lines[1].split()[1]) - float(first.split()[1])) < 2e-3  # figures differ a little between CPUs
    assert sum(line.endswith("  <- chosen") for line in (*lines, taken)) == 2
    assert any(line.startswith(chosen.split(" 0.")[0]) and line.endswith("target 0.999 met") for line in lines)


def test_the_table_of_sensitivity_is_printed(printed: dict[str, str]) -> None:
    block = re.search(r"^    unit .*?\n\n", TEXT, re.MULTILINE | re.DOTALL)
    assert block
    head, row = block[0].rstrip("\n").splitlines()
    lines = printed[COMMANDS[1]].splitlines()
    assert lines[0].split() == head.split()
    name, *figures, op = row.split()
    found = next(line.split() for line in lines if line.split()[0] == name)
    assert found[-1] == op
    assert all(abs(float(a) - float(b)) < 5e-3 for a, b in zip(found[1:4], figures[:3], strict=True))


@pytest.mark.parametrize("name", ["tune", "sensitivity"])
def test_every_option_is_explained(name: str) -> None:
    options = {flag for option in cli.commands[name].params for flag in option.opts if flag.startswith("--")}
    assert options - SHARED <= set(re.findall(r"^\| `(--[a-z]+)", TEXT, re.MULTILINE))
