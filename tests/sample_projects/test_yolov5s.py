"""The YOLOv5s sample is complete, small, and what its README says."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.discover import find_project, job_for
from engine.events import silent
from engine.project import run

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "sample_projects" / "yolov5s"
MODEL = SAMPLE / "yolov5s-shapes.onnx"
CALIBRATION, DEBUG = SAMPLE / "Val_shapes_part", SAMPLE / "debug_shapes"
HEADS = {"600": [1, 24, 12, 20], "603": [1, 24, 6, 10], "606": [1, 24, 3, 5]}
"""The feature maps at strides 8, 16, 32: three anchors with a box, a score and three classes each."""


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return onnx.load(MODEL)


def pictures(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def pixels(paths: list[Path]) -> NDArray[np.uint8]:
    return np.stack([np.asarray(Image.open(path)) for path in paths])


def shape(value: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def test_the_model_is_valid_onnx_with_three_heads(model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 12)]
    assert {v.name: shape(v) for v in model.graph.input} == {"images": [1, 3, 96, 160]}
    assert [shape(v) for v in model.graph.output] == [[1, 3, *HEADS[name][2:], 8] for name in HEADS]
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    assert {v.name: shape(v) for v in inferred.graph.value_info if v.name in HEADS} == HEADS


def test_tensors_are_numbered_as_the_exporter_numbers_them(model: onnx.ModelProto) -> None:
    nodes = {node.output[0]: node for node in model.graph.node}
    assert list(nodes) == [str(number) for number in range(403, 403 + len(nodes))]
    silu = [(nodes[name].op_type, list(nodes[name].input[:2])) for name in ("412", "413", "414")]
    assert silu == [("Conv", ["411", "412.weight"]), ("Sigmoid", ["412"]), ("Mul", ["412", "413"])]


def test_the_graph_has_the_parts_of_yolov5s(model: onnx.ModelProto) -> None:
    nodes = list(model.graph.node)
    counts = {kind: sum(node.op_type == kind for node in nodes) for kind in ("Slice", "MaxPool", "Resize", "Sigmoid", "Add", "Reshape")}
    assert counts == {"Slice": 8, "MaxPool": 3, "Resize": 2, "Sigmoid": 55, "Add": 5, "Reshape": 3}
    kernels = [next(a.ints for a in node.attribute if a.name == "kernel_shape") for node in nodes if node.op_type == "MaxPool"]
    assert [list(kernel) for kernel in kernels] == [[5, 5], [9, 9], [13, 13]]
    assert sum(len(node.input) == 4 for node in nodes if node.op_type == "Concat") == 2  # Focus and SPP


@pytest.mark.parametrize("soc", ["t40", "t41"])
def test_the_configuration_and_the_run_script_name_what_exists(soc: str) -> None:
    config = json.loads((SAMPLE / "cfg" / f"magik_{soc}.cfg").read_text("utf-8"))
    assert config == {
        "SOC": soc.upper(),
        "INPUT": ["images"],
        "INPUT_SHAPE": [1, 3, 96, 160],
        "MEAN": [0, 0, 0],
        "NORMAL": [255, 255, 255],
        "COLOR": ["RGB"],
        "OUTPUT": list(HEADS),
        "QUANT_DATASET_PATH": "./Val_shapes_part",
        "DEBUG_PATH": "./debug_shapes",
    }
    script = SAMPLE / f"run_{soc}.sh"
    assert os.access(script, os.X_OK)
    command = re.search(r"^magik-transform-tools(?:.*\\\n)*.*", script.read_text("utf-8"), re.MULTILINE)
    assert command is not None
    _, *words = shlex.split(command.group().replace("\\\n", " "))
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert (SAMPLE / options["-i"]).samefile(MODEL)
    assert (SAMPLE / options["-cfg"]).samefile(SAMPLE / "cfg" / f"magik_{soc}.cfg")
    assert options["-o"] == f"./venus_sample_yolov5s/yolov5s_{soc}_magik.mk.h"
    assert options["--save_quantize_model"] == "true"


def test_the_folders_hold_only_pictures_of_the_input_size_and_share_none() -> None:
    paths = [*pictures(CALIBRATION), *pictures(DEBUG)]
    assert (len(pictures(CALIBRATION)), len(pictures(DEBUG))) == (32, 10)
    assert pixels(paths).shape == (42, 96, 160, 3)
    assert len({hashlib.sha256(path.read_bytes()).digest() for path in paths}) == 42
    assert pixels(paths).std(axis=(1, 2, 3)).min() > 8  # none is blank


def test_the_sample_is_small() -> None:
    assert MODEL.stat().st_size <= 500_000
    assert sum(path.stat().st_size for folder in (CALIBRATION, DEBUG) for path in pictures(folder)) <= 250_000


def test_every_head_finds_something_in_the_debug_pictures() -> None:
    images = np.ascontiguousarray(pixels(pictures(DEBUG)).transpose(0, 3, 1, 2)) / np.float32(255)
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    found = [np.stack(maps)[:, 0] for maps in zip(*(session.run(None, {"images": image[None]}) for image in images), strict=True)]
    best = [1 / (1 + np.exp(-maps[..., 4].reshape(len(images), -1).max(1))) for maps in found]
    assert [float(scores.max()) > 0.5 for scores in best] == [True] * 3
    assert np.max(best, axis=0).min() > 0.3


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `magik-tui run --json` says of the project."""
    folder = tmp_path_factory.mktemp("project") / "yolov5s"
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("magik_dump_path", ".magik", "venus_*"))
    return run(job_for(find_project(folder)), report=silent)


def test_the_engine_converts_every_layer(document: dict[str, Any]) -> None:
    nodes = {node["name"]: node for node in document["nodes"]}
    assert {name for name, node in nodes.items() if not node["quantized"]} == set()
    assert next(iter(nodes)) == "images/BatchNormScale"
    expected = {"414": "Conv2D", "427": "EltwiseAdd", **dict.fromkeys(HEADS, "Conv2D")}
    assert {name: nodes[name]["op"] for name in expected} == expected
    kinds = [node["op"] for node in nodes.values()]
    assert {kind: kinds.count(kind) for kind in ("Conv2D", "EltwiseAdd", "MaxPool", "Resize")} == {
        "Conv2D": 58,
        "EltwiseAdd": 5,
        "MaxPool": 3,
        "Resize": 2,
    }
    assert not {"Sigmoid", "EltwiseMul"} & set(kinds)  # each convolution has taken its SiLU in


def test_the_cosines_are_healthy_to_the_heads(document: dict[str, Any]) -> None:
    assert [output["name"] for output in document["outputs"]] == list(HEADS)
    assert min(output["cosine_min"] for output in document["outputs"]) > 0.99
    assert min(node["cosine_avg"] for node in document["nodes"]) > 0.97


def test_the_readme_gives_the_precision_that_is_measured() -> None:
    command = [sys.executable, SAMPLE / "make_sample.py", "--evaluate"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    measured = {what.strip(): float(percent) for what, percent in re.findall(r"^(.+?)  +([\d.]+) %$", done.stdout, re.MULTILINE)}
    readme = (SAMPLE / "README.md").read_text("utf-8")
    table = {what: float(percent) for what, percent in re.findall(r"^\| (.+?) \| ([\d.]+) %", readme, re.MULTILINE)}
    assert len(table) == 3
    assert table == pytest.approx(measured, abs=0.3)
    assert measured["12-bit features"] > measured["float"] - 1
