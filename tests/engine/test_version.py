"""What float values depend on is told by the versions of the libraries, however they are found."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from engine.version import library_version


@pytest.mark.parametrize("name", ["onnxruntime", "numpy", "pillow"])
def test_the_version_of_a_library_is_the_installed_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert library_version(name) == version(name)
    (tmp_path / f"{name}-0.0.1.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert library_version(name) == "0.0.1", "the first on the path is the one that is imported"
