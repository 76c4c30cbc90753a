"""A conversion of the sample project, from the command to its files: the model file read back computes the integers that were dumped."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.export.mgk import load
from engine.export.names import file_names
from engine.numerics import dequantize
from engine.simulate import run_quantized

ROOT = Path(__file__).resolve().parents[3]
OUTPUT = "venus_sample_resnet18/resnet18_t40_magik"
COMMAND = "import sys; from engine.cli.transform import main; sys.exit(main())"


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample project's folder after its own conversion."""
    folder = tmp_path_factory.mktemp("project") / "resnet18"
    shutil.copytree(ROOT / "sample_projects" / "resnet18", folder, ignore=shutil.ignore_patterns("magik_dump_path", ".magik", "venus_*"))
    flags = ["-i", "resnet18-digits.onnx", "-o", f"{OUTPUT}.mk.h", "-cfg", "cfg/magik_t40.cfg", "--save_quantize_model", "true"]
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{COMMAND}", *flags]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_model_file_computes_what_was_dumped(converted: Path) -> None:
    graph = load((converted / OUTPUT).parent.joinpath("save-magik", "model_quant.mgk").read_bytes())
    dump = converted / "magik_dump_path"
    info = json.loads((dump / "model_node_info.json").read_text("utf-8"))
    names = [name for kind in info["all_type"] for name in info[kind]]
    files = file_names(names)
    source = graph.inputs[0]
    _, channels, height, width = graph.types[source].shape
    pixels = np.fromfile(dump / "input_uint8.bin", np.uint8).reshape(1, height, width, channels)
    values = run_quantized(graph, {source: pixels})
    assert len(names) > 30
    for name in names:
        q = graph.qparams[name]
        assert values[name].tobytes() == (dump / "ptq_model" / f"{files[name]}.bin").read_bytes(), name
        real = dequantize(values[name], q).astype("<f4").tobytes()
        assert real == (dump / "ptq_model_dequantize" / f"{files[name]}.bin").read_bytes(), name


def test_the_three_model_files_hold_the_same_bytes(converted: Path) -> None:
    folder = (converted / OUTPUT).parent
    data = (folder / "resnet18_t40_magik.bin").read_bytes()
    assert (folder / "save-magik" / "model_quant.mgk").read_bytes() == data
    text = (folder / "magik_model_resnet18_t40_magik.mk.h").read_text("ascii")
    assert bytes.fromhex("".join(re.findall("0x([0-9a-f]{2})", text))) == data


def test_dumped_input_is_what_the_dumped_pixels_are(converted: Path) -> None:
    dump = converted / "magik_dump_path"
    assert np.array_equal(np.fromfile(dump / "input.bin", "<f4"), np.fromfile(dump / "input_uint8.bin", np.uint8))
