"""`magik-tui watch` as a process: the whole table first, then what each change changed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.bitfile import NAME
from tests.engine import tiny

ROOT = Path(__file__).resolve().parents[3]
CODE = "import sys; from engine.cli.main import main; sys.exit(main())"


class Watch:
    def __init__(self, project: Path, *flags: str) -> None:
        command = [sys.executable, "-c", CODE, "watch", str(project), *flags]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.line())
        return found


@pytest.fixture
def watch(project: Path) -> Iterator[Watch]:
    running = Watch(project, "--json")
    yield running
    running.process.kill()
    running.process.communicate()


def test_each_change_prints_what_it_changed(watch: Watch, project: Path) -> None:
    first = watch.document()
    assert [n["name"] for n in first["nodes"]] == ["data/BatchNormScale", "r1", "c2", "g", "f", "scores"]
    assert (first["schema"], first["changed"], first["error"]) == (1, {}, None)

    tiny.configure(project, LOAD_OP_QUANT_BIT=True)
    (project / NAME).write_text('{"c2": {"QUANT_FEATURE_BIT": 12}}')
    second = watch.document()
    while "bits" not in second["changed"]:  # the two writes may be told one by one
        second = watch.document()
    assert second["recomputed"] == ["c2", "g", "f", "scores"]
    assert "r1" not in [n["name"] for n in second["nodes"]]
    assert second["nodes"][0]["feature_bits"] == 12

    (project / "magik.cfg").write_text('{"SOC": "T40",}')
    assert "magik.cfg:1:14" in watch.document()["error"]
    tiny.configure(project)
    assert watch.document()["recomputed"] == []

    watch.process.send_signal(signal.SIGINT)
    _, errors = watch.process.communicate(timeout=20)
    assert watch.process.returncode == 130
    assert "Traceback" not in errors
    assert not (project / "out").exists()


def test_people_read_what_changed(project: Path) -> None:
    running = Watch(project)
    try:
        lines = [running.line()]
        while not lines[-1].startswith("took"):
            lines.append(running.line())
        assert lines[0].startswith("feature name")
        tiny.configure(project, QUANT_OP_SKIP=["MatMul"])
        assert running.line() == "changed: magik.cfg\n"
        assert running.line().startswith("  scores: quantized integer -> float")
        assert running.line().startswith("output scores: cosine 0.9")
        assert running.line().startswith("1 of 6 layers computed in ")
    finally:
        running.process.kill()
        running.process.communicate()
