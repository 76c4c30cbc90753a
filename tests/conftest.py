"""What all tests share: where the common models and pictures are, and how hypothesis searches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# No deadline: a shared machine is slow now and then. In CI the search is the same every time, elsewhere it explores.
settings.register_profile("local", deadline=None, max_examples=40)
settings.register_profile("ci", deadline=None, max_examples=40, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started with `&` or nohup: the programs under test would ignore it as well
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of models and pictures beside the repository; a test that needs it is skipped where it is absent."""
    folder = ROOT.parent / "shared"
    if not (folder / "models").is_dir():
        pytest.skip("../shared (models and pictures) is not beside this repository")
    return folder


@pytest.fixture(scope="session")
def resnet18_onnx(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet-18 v1 of 44 MB with the graph and names of the guide's, written once per session."""
    model = tmp_path_factory.mktemp("resnet18") / "resnet18-v1-7.onnx"
    script = shared / "models" / "make_resnet18.py"
    done = subprocess.run([sys.executable, script, model], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{script.name} failed:\n{done.stderr}"
    return model
