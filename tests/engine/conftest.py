"""What the tests of the engine share: a whole project that converts in no time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.discover import find_project, job_for
from engine.events import silent
from engine.lab import open_lab

SAMPLE = Path(__file__).resolve().parents[2] / "sample_projects" / "resnet18"


@pytest.fixture(scope="session")
def resnet18(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample project that was measured once, for tests to copy: its store knows the ranges and figures of the network."""
    root = tmp_path_factory.mktemp("sample") / "resnet18"
    shutil.copytree(SAMPLE, root, ignore=shutil.ignore_patterns(".magik", "magik_dump_path", "venus_sample_*"))
    with open_lab(job_for(find_project(root)), report=silent) as lab:
        lab.evaluate(lab.base)
    return root


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sound project, in whose folder the test runs; crash logs would go beside it."""
    from . import tiny

    root = tmp_path / "project"
    root.mkdir()
    tiny.build(root)
    monkeypatch.chdir(root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return root
