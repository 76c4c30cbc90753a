"""What the README says a user will see, seen."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from magik_tui.panes.registry import PANES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SESSION = re.findall(r"^    \$ (.+)\n((?:    (?!\$ ).*\n)*)", README, re.MULTILINE)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands of the session need, at the places where a clone has it."""
    root = tmp_path_factory.mktemp("clone")
    ignored = shutil.ignore_patterns(".magik", "magik_dump_path", "*.bin", "*.mk.h", "save-magik")
    shutil.copytree(ROOT / "sample_projects" / "resnet18", root / "sample_projects" / "resnet18", ignore=ignored)
    (root / ".venv").symlink_to(sys.prefix)
    return root


def test_the_session_is_there() -> None:
    assert len(SESSION) == 3


@pytest.mark.parametrize(("command", "shown"), SESSION, ids=[command for command, _ in SESSION])
def test_a_command_prints_what_the_readme_shows(clone: Path, command: str, shown: str) -> None:
    done = subprocess.run(command, shell=True, cwd=clone, capture_output=True, text=True, check=False, timeout=120, env={**os.environ})
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    for line in (line[4:] for line in shown.splitlines() if line.strip() and line.strip() != "..."):
        if not re.search(r"\d\.\d{5}", line):
            assert line in printed
            continue
        name, *figures = line.split()
        found = next(row.split()[1:] for row in printed if row.split() and row.split()[0] == name)
        # float sums differ a little between CPUs, and with them ranges; the picture is the same
        assert float(found[0]) == pytest.approx(float(figures[0]), abs=5e-3)


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_screen_it_shows_is_that_of_the_program() -> None:
    """The tabs, the columns, every layer and its width are there; `python docs/screenshot.py` records it anew."""
    drawn = re.findall(r'<text [^>]*y="([\d.]+)"[^>]*>(.*?)</text>', (ROOT / "docs" / "workbench.svg").read_text(encoding="utf-8"))
    lines: dict[str, str] = {}
    for y, text in drawn:
        lines[y] = lines.get(y, "") + html.unescape(text).replace("\N{NO-BREAK SPACE}", " ")
    header, tabs, columns, *rows = (lines[y] for y in sorted(lines, key=float) if lines[y].strip() != "magik-tui")
    assert "resnet18-digits.onnx" in header
    assert all(f"{entry.digit} {entry.title}" in tabs for entry in PANES)
    assert columns.split()[:5] == ["layer", "type", "bits", "worst", "mean"]
    names = [found[1] for row in rows if (found := re.match(r"[> x]*(\S+) +[A-Z]\w+ +\d+(?:/8)? +0\.\d{4} ", row))]
    assert names[:2] == ["data/BatchNormScale", "resnetv15_relu0_fwd"]
    assert names[-1] == "resnetv15_dense0_fwd"
    assert len(names) == 33
