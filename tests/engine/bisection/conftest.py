"""What the tests of bisection share: the command on a tiny project, and a program that judges it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.cli.main import main

GOOD_WITHOUT = """
import json, os, sys, time
nodes = {n["name"]: n["quantized"] for n in json.load(sys.stdin)["nodes"]}
with open("asked", "a") as log:
    print(os.environ["MAGIK_STEP"], sum(not q for q in nodes.values()), file=log)
sys.exit(any(nodes[n] for n in sys.argv[1:]))
"""


@dataclass(frozen=True)
class Said:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    errors: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out, parse_constant=pytest.fail)
        return found


Bisect = Callable[..., Said]


@pytest.fixture
def bisect(project: Path, capsys: pytest.CaptureFixture[str]) -> Bisect:
    """The command in this process."""

    def run(*arguments: str) -> Said:
        code = main(["bisect", str(project), "--jobs", "1", *arguments])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def judge(project: Path) -> str:
    """The command line of a program that wants c2 and scores in float, and writes down what it was asked."""
    (project / "judge.py").write_text(GOOD_WITHOUT)
    return f"{shlex.quote(sys.executable)} judge.py c2 scores"


def started(project: Path, metric: str) -> Said:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "engine.cli.main", "bisect", str(project), "--json", "--jobs", "1", "--metric", metric]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


def logs(project: Path) -> list[Path]:
    """Every log of a bisection that the project keeps."""
    return sorted((project / ".magik" / "bisect").iterdir())
