"""`magik-tui doctor`: what it looks at, and that what will not work is an exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.main import main


def test_a_sound_machine_and_project(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("PYTHONUTF8", "1")
    monkeypatch.setattr("locale.getpreferredencoding", lambda setting: "UTF-8")
    assert main(["doctor", str(project), "--json"]) == 0
    found = {c["what"]: c for c in json.loads(capsys.readouterr().out)["checks"]}
    assert found["model"]["said"].endswith("net.onnx")
    assert found["onnxruntime"]["ok"]
    assert "integer kernels" in found


def test_what_will_not_work(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert main(["doctor", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "BAD  TERM: dumb" in lines
    assert any(line.startswith("BAD  project: ") for line in lines)


def test_the_worker_as_a_command(project: Path) -> None:
    """What ssh runs on the other machine: it greets, and ends with its stdin."""
    command = [sys.executable, "-c", "from engine.cli.main import main; main()", "worker", str(project)]
    done = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=60, cwd=Path(__file__).resolve().parents[3])
    hello = json.loads(done.stdout)
    assert (hello["event"], hello["variant"], done.returncode) == ("hello", "t40", 0)
