"""The house stands as designed: who imports what, in the sources and in a running interpreter; how long a file is."""

from __future__ import annotations

import json
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import engine
import layouts
import magik_tui

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("engine", "magik_tui", "layouts", "bench", "tests", "sample_projects")
MOST_LINES = 400

# Rooms that may bring onnx or onnxruntime in: the border, and what stands above it.
BORDER = (
    "frontends",
    "ort",
    "simulate",
    "analysis",
    "export",
    "stages",
    "lab",
    "bisection",
    "diagnosis",
    "convert",
    "project",
    "worker",
    "cli",
)


IMPORTER = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(list(sys.modules)))
"""


def loaded_by(*modules: str) -> set[str]:
    """Import the modules in a fresh interpreter and return the top-level names that are loaded after it."""
    command = [sys.executable, "-c", IMPORTER, *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def modules_of(package: object, leave_out: tuple[str, ...] = ()) -> list[str]:
    """Return the dotted names of a package and everything in it, but the rooms left out and `__main__`."""
    root = package.__name__
    found = [root, *(m.name for m in pkgutil.walk_packages(package.__path__, root + "."))]
    return [m for m in found if (m.split(".") + [""])[1] not in (*leave_out, "__main__")]


def test_import_contracts() -> None:
    """Every contract of pyproject.toml holds."""
    command = shutil.which("lint-imports", path=Path(sys.executable).parent)
    assert command, "import-linter is not installed beside this interpreter"
    done = subprocess.run([command, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_import_engine_is_light() -> None:
    """`import engine` brings in no library that takes long to load."""
    heavy = {"onnx", "onnxruntime", "PIL", "numpy", "textual", "rich", "click", "magik_tui"}
    assert not loaded_by("engine") & heavy


def test_lower_floors_know_no_backend_and_no_terminal() -> None:
    """Operators, configuration, calibration and quantization run without onnx, onnxruntime, or any terminal library."""
    lower = modules_of(engine, leave_out=BORDER)
    assert "engine.errors" in lower
    assert not loaded_by(*lower) & {"onnx", "onnxruntime", "textual", "rich", "click", "magik_tui", "layouts"}


def test_only_the_commands_know_a_terminal() -> None:
    """The whole engine but its commands, the worker included, runs without textual, rich and click."""
    assert not loaded_by(*modules_of(engine, leave_out=("cli",))) & {"textual", "rich", "click", "magik_tui", "layouts"}


def test_workbench_computes_nothing() -> None:
    """All of the workbench loads without onnx, onnxruntime and numpy: the screen is up before any of them would be."""
    assert not loaded_by(*modules_of(magik_tui), *modules_of(layouts)) & {"onnx", "onnxruntime", "numpy", "PIL"}


def test_headless_command_line_starts_without_a_screen() -> None:
    """`magik-tui run` goes through the workbench's package without textual."""
    assert "textual" not in loaded_by("magik_tui", "magik_tui.__main__")


@pytest.mark.parametrize("folder", SOURCES)
def test_files_are_rooms_not_halls(folder: str) -> None:
    """No source file is longer than one can keep in one's head."""
    lines = {p: len(p.read_text("utf-8").splitlines()) for p in (ROOT / folder).rglob("*.py")}
    assert {str(p.relative_to(ROOT)): n for p, n in lines.items() if n > MOST_LINES} == {}


@pytest.mark.parametrize("package", ["engine", "magik_tui", "layouts"])
def test_every_room_has_a_door(package: str) -> None:
    """A folder of modules without `__init__.py` would be outside the contracts."""
    folders = {p.parent for p in (ROOT / package).rglob("*.py")}
    assert [str(f.relative_to(ROOT)) for f in sorted(folders) if not (f / "__init__.py").is_file()] == []
