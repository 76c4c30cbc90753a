"""The GRU sample is complete, small, and what its README says: two inputs, of which a configuration may list one."""

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

from engine.discover import find_project, job_for
from engine.events import silent
from engine.project import run

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "sample_projects" / "gru"
MODEL = SAMPLE / "model.onnx"
CALIBRATION, DEBUG = SAMPLE / "quant_data", SAMPLE / "debug_data"
GUIDE = {
    "t40": {"SOC": "T40", "INPUT": ["740"], "INPUT_SHAPE": [[1, 3, 1, 256]], "DEBUG_PATH": "./quant_data"},
    "t41": {
        "SOC": "T41",
        "INPUT": ["740", "last_state_tgru"],
        "INPUT_SHAPE": [[1, 3, 1, 256], [1, 16, 128]],
        "DEBUG_PATH": "./debug_data",
    },
}
SHAPES = {"740_input.bin": (3, 256), "last_state_tgru.bin": (16, 128)}


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return onnx.load(MODEL)


def folders(root: Path) -> list[Path]:
    return sorted(root.iterdir(), key=lambda folder: int(folder.name))


def values(folder: Path, name: str) -> NDArray[np.float32]:
    return np.fromfile(folder / name, "<f4").reshape(SHAPES[name])


def shape(value: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def test_the_model_is_valid_onnx_with_the_states_beside_the_sound(model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 12)]
    assert {v.name: shape(v) for v in model.graph.input} == {"spectrum": [1, 2, 1, 256], "last_state_tgru": [1, 16, 128]}
    assert {v.name: shape(v) for v in model.graph.output} == {"580": [1, 1, 1, 256], "new_state_tgru": [1, 16, 128]}


def test_740_lies_inside_and_its_shape_is_the_guides(model: onnx.ModelProto) -> None:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    assert [shape(v) for v in inferred.graph.value_info if v.name == "740"] == [[1, 3, 1, 256]]
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    assert (makers["740"], makers["580"], makers["new_state_tgru"]) == ("Concat", "Sigmoid", "Add")


def test_the_network_has_a_recurrent_node_and_a_recurrent_step(model: onnx.ModelProto) -> None:
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("GRU") == 1
    assert {"Conv", "MatMul", "Sigmoid", "Tanh", "Mul", "Sub", "Split", "Resize", "Concat"} <= set(operators)
    readers = [node.op_type for node in model.graph.node if "last_state_tgru" in node.input]
    assert sorted(readers) == ["MatMul", "Sub"]


@pytest.mark.parametrize("soc", ["t40", "t41"])
def test_the_configuration_and_the_run_script_are_those_of_the_guide(soc: str) -> None:
    config = json.loads((SAMPLE / "cfg" / f"magik_{soc}.cfg").read_text("utf-8"))
    common = {"MEAN": [], "NORMAL": [], "COLOR": [], "OUTPUT": ["580"], "QUANT_DATASET_PATH": "./quant_data"}
    assert config == {**GUIDE[soc], **common}

    script = SAMPLE / f"run_{soc}.sh"
    assert os.access(script, os.X_OK)
    command = re.search(r"^magik-transform-tools(?:.*\\\n)*.*", script.read_text("utf-8"), re.MULTILINE)
    assert command is not None
    _, *words = shlex.split(command.group().replace("\\\n", " "))
    assert dict(zip(words[::2], words[1::2], strict=True)) == {
        "--outputpath": f"./venus_sample_gru/gru_{soc}_magik.mk.h",
        "--inputpath": "./model.onnx",
        "--config": f"./cfg/magik_{soc}.cfg",
    }


def test_every_sample_has_a_file_for_each_input_and_no_two_are_alike() -> None:
    assert [folder.name for folder in folders(CALIBRATION)] == [str(i) for i in range(20)]
    assert [folder.name for folder in folders(DEBUG)] == [str(i) for i in range(6)]
    samples = [*folders(CALIBRATION), *folders(DEBUG)]
    for folder in samples:
        assert {file.name: file.stat().st_size // 4 for file in folder.iterdir()} == {n: a * b for n, (a, b) in SHAPES.items()}
    for name in SHAPES:
        assert len({hashlib.sha256((folder / name).read_bytes()).digest() for folder in samples}) == 26


def test_the_samples_are_what_stands_at_the_inputs() -> None:
    for folder in [*folders(CALIBRATION), *folders(DEBUG)]:
        real, imaginary, magnitude = values(folder, "740_input.bin")
        heard = magnitude > 0.5  # below it the floor that keeps powers away from zero begins to count
        assert heard.any()
        assert np.allclose(np.hypot(real, imaginary)[heard], magnitude[heard], atol=1e-2)
        state = np.abs(values(folder, "last_state_tgru.bin"))
        assert state.max() <= 1.0
        assert state.mean() > 0.01


def test_the_sample_is_small() -> None:
    assert MODEL.stat().st_size <= 400_000
    assert sum(file.stat().st_size for root in (CALIBRATION, DEBUG) for file in root.rglob("*.bin")) <= 300_000


def test_both_inputs_reach_the_gains() -> None:
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    spectrum = rng.normal(0, 1, (1, 2, 1, 256)).astype(np.float32)
    state = values(CALIBRATION / "0", "last_state_tgru.bin")[None]

    def gains(spectrum: NDArray[np.float32], state: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run(["580"], {"spectrum": spectrum, "last_state_tgru": state})[0]
        return found

    first = gains(spectrum, state)
    assert first.min() >= 0
    assert first.max() <= 1
    assert np.abs(first - gains(3 * spectrum, state)).max() > 0.05
    assert np.abs(first - gains(spectrum, 0 * state)).max() > 0.05


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project") / "gru"
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("magik_dump_path", ".magik", "venus_*"))
    return folder


@pytest.fixture(scope="module")
def documents(project: Path) -> dict[str, dict[str, Any]]:
    """What `magik-tui run --json` says of both variants."""
    return {soc: run(job_for(find_project(project, soc)), report=silent) for soc in ("t40", "t41")}


def test_the_engine_converts_every_layer_but_the_recurrent_node(documents: dict[str, dict[str, Any]]) -> None:
    nodes = {node["name"]: node for node in documents["t41"]["nodes"]}
    assert next(iter(nodes)) == "524"  # the first convolution: what makes 740 is cut off
    assert {name: (nodes[name]["op"], nodes[name]["quantized"]) for name in ("533", "541", "556", "new_state_tgru", "580")} == {
        "533": ("GRU", False),
        "541": ("MatMul", True),
        "556": ("Tanh", True),
        "new_state_tgru": ("EltwiseAdd", True),
        "580": ("Sigmoid", True),
    }
    assert {name for name, node in nodes.items() if not node["quantized"]} == {"533"}
    assert "float" in nodes["533"]["reason"]
    assert min(node["cosine_min"] for node in nodes.values()) > 0.97
    (output,) = documents["t41"]["outputs"]
    assert output["name"] == "580"
    assert output["cosine_min"] > 0.999


def test_one_listed_input_or_both_mean_the_same_network(documents: dict[str, dict[str, Any]]) -> None:
    def ranges(soc: str) -> list[tuple[Any, ...]]:
        return [tuple(node[key] for key in ("name", "op", "min", "max", "scale", "zero_point")) for node in documents[soc]["nodes"]]

    assert ranges("t40") == ranges("t41")
    assert [len(documents[soc]["nodes"][0]["samples"]) for soc in ("t40", "t41")] == [20, 6]


@pytest.mark.usefixtures("documents")
def test_the_conversion_leaves_what_the_guide_lists(project: Path) -> None:
    made = project / "venus_sample_gru"
    assert {path.name for path in made.iterdir()} >= {"0", "gru_t40_magik.bin", "magik_model_gru_t40_magik.mk.h"}
    for name in ("740", "last_state_tgru"):
        (first,), (written,) = (CALIBRATION / "0").glob(f"{name}*.bin"), (made / "0").glob(f"{name}*.bin")
        assert written.read_bytes() == first.read_bytes()


def test_the_readme_gives_the_decibels_that_are_measured() -> None:
    command = [sys.executable, SAMPLE / "make_sample.py", "--evaluate"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    readme = (SAMPLE / "README.md").read_text("utf-8")
    measured = {what.strip(): float(ratio) for what, ratio in re.findall(r"^(.+?)  +(-?[\d.]+) dB$", done.stdout, re.MULTILINE)}
    table = {what.strip(): float(ratio) for what, ratio in re.findall(r"^\| (.+?) \| (-?[\d.]+) dB", readme, re.MULTILINE)}
    assert len(table) == 5
    assert table == pytest.approx(measured, abs=0.05)
    assert measured["8-bit features"] > measured["as heard"] + 4
