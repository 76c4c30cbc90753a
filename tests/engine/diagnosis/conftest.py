"""What the tests of a diagnosis share: a small project with a memory of its training, and the command on it."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.cli.main import main
from tests.engine.diagnosis import fitted


@dataclass(frozen=True)
class Said:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    errors: str

    @property
    def document(self) -> dict[str, Any]:
        assert self.code == 0, self.errors
        found: dict[str, Any] = json.loads(self.out, parse_constant=pytest.fail)
        return found

    @property
    def findings(self) -> dict[str, dict[str, Any]]:
        return {f["topic"]: f for f in self.document["findings"]}


Diagnose = Callable[..., Said]


@pytest.fixture(scope="session")
def model() -> bytes:
    """The network with its batch normalizations."""
    return fitted.model()


@pytest.fixture(scope="session")
def diagnosed(tmp_path_factory: pytest.TempPathFactory, model: bytes) -> Path:
    """A sound project that has been diagnosed, as it is and with few bits: its store knows what many tests would compute anew."""
    folder = fitted.build(tmp_path_factory.mktemp("diagnosed") / "project", model)
    for settings in ((), ("--set", "QUANT_FEATURE_BIT=4")):
        with contextlib.redirect_stdout(io.StringIO()):
            assert main(["diagnose", str(folder), "--jobs", "1", *settings]) == 0
    return folder


@pytest.fixture
def root(tmp_path: Path, diagnosed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sound project, in whose folder the test runs."""
    folder = tmp_path / "project"
    shutil.copytree(diagnosed, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder


@pytest.fixture
def diagnose(root: Path, capsys: pytest.CaptureFixture[str]) -> Diagnose:
    """The command in this process, with --set KEY=VALUE for each argument that has no dashes."""

    def run(*arguments: str) -> Said:
        words = [word for a in arguments for word in ((a,) if a.startswith("--") else ("--set", a))]
        options = words if "--markdown" in words else ["--json", *words]
        code = main(["diagnose", str(root), "--jobs", "1", *options])
        return Said(code, *capsys.readouterr())

    return run
