"""What the tests of the engine share: a whole project that converts in no time."""

from __future__ import annotations

from pathlib import Path

import pytest


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
