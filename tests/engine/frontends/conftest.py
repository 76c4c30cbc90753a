"""Writing and importing small models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest

from engine.config import Config
from engine.frontends.importer import Imported, load
from tests.engine.frontends.models import make_model

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write a model (arguments of `make_model`, or one that exists) and return its path."""

    def write(*args: Any, name: str = "model.onnx", **options: Any) -> Path:
        model = args[0] if isinstance(args[0], onnx.ModelProto) else make_model(*args, **options)
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.fixture
def importing(save: Save) -> Callable[..., Imported]:
    """Write a model and import it; `cfg` holds fields of Config."""

    def run(*args: Any, cfg: Mapping[str, Any] | None = None, **options: Any) -> Imported:
        return load(save(*args, **options), Config(**(cfg or {})))

    return run
