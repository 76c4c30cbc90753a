"""What the workbench pulls in, seen in a process of its own."""

from __future__ import annotations

import subprocess
import sys


def loaded(module: str) -> set[str]:
    code = f"import sys, {module}; sys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_workbench_imports_no_engine_machinery() -> None:
    assert not {"onnx", "onnxruntime", "numpy", "PIL"} & loaded("magik_tui.app")


def test_the_core_knows_no_terminal() -> None:
    assert not {"textual", "rich"} & loaded("magik_tui.core")
