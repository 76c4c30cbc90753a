"""The ResNet-18 sample is complete, small, and what its README says."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

SAMPLE = Path(__file__).resolve().parents[2] / "sample_projects" / "resnet18"
MODEL = SAMPLE / "resnet18-digits.onnx"
CALIBRATION, DEBUG = SAMPLE / "Val_digits_part", SAMPLE / "debug_digits"

# The model zoo's resnet18-v1-7.onnx, operator by operator; every node is named after its output.
STAGE_1 = (
    "conv0_fwd batchnorm0_fwd relu0_fwd conv1_fwd batchnorm1_fwd {add0} conv2_fwd batchnorm2_fwd relu1_fwd conv3_fwd batchnorm3_fwd {add1}"
)
STAGE_N = (
    "conv0_fwd batchnorm0_fwd relu0_fwd conv1_fwd batchnorm1_fwd conv2_fwd batchnorm2_fwd {add0}"
    " conv3_fwd batchnorm3_fwd relu1_fwd conv4_fwd batchnorm4_fwd {add1}"
)


def zoo_names() -> list[str]:
    names = ["resnetv15_conv0_fwd", "resnetv15_batchnorm0_fwd", "resnetv15_relu0_fwd", "resnetv15_pool0_fwd"]
    for stage in range(1, 5):
        template = STAGE_1 if stage == 1 else STAGE_N
        order = template.format(add0="_plus0 activation0", add1="_plus1 activation1").split()
        names += [f"resnetv15_stage{stage}_{name}" for name in order]
    return [*names, "resnetv15_pool1_fwd", "flatten_170", "resnetv15_dense0_fwd"]


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return onnx.load(MODEL)


def pictures(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def pixels(paths: list[Path]) -> NDArray[np.uint8]:
    return np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])


def labels(paths: list[Path]) -> list[int]:
    return [int(path.name.split("_")[1]) for path in paths]


def test_the_model_is_valid_onnx_of_opset_8_with_an_open_batch(model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model, full_check=True)
    weights = {tensor.name for tensor in model.graph.initializer}
    (data,) = [value for value in model.graph.input if value.name not in weights]
    dims = data.type.tensor_type.shape.dim
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 8)]
    assert (data.name, dims[0].dim_param, [d.dim_value for d in dims[1:]]) == ("data", "N", [3, 64, 64])
    assert [value.name for value in model.graph.output] == ["resnetv15_dense0_fwd"]


def test_the_nodes_are_those_of_the_model_zoo_in_its_order(model: onnx.ModelProto) -> None:
    assert [node.name for node in model.graph.node] == zoo_names()
    assert [list(node.output) for node in model.graph.node] == [[name] for name in zoo_names()]
    operators = [node.op_type for node in model.graph.node]
    counts = {operator: operators.count(operator) for operator in sorted(set(operators))}
    assert counts == {
        "Add": 8,
        "BatchNormalization": 20,
        "Conv": 20,
        "Flatten": 1,
        "Gemm": 1,
        "GlobalAveragePool": 1,
        "MaxPool": 1,
        "Relu": 17,
    }


def test_stage_1_has_one_channel_far_louder_than_the_median(model: onnx.ModelProto) -> None:
    gammas = {t.name: np.abs(numpy_helper.to_array(t)) for t in model.graph.initializer if t.name.endswith("_gamma")}
    loud = {name for name, gamma in gammas.items() if gamma.max() > 16 * np.median(gamma)}
    assert loud == {"resnetv15_batchnorm0_gamma"} | {f"resnetv15_stage1_batchnorm{n}_gamma" for n in range(4)}


@pytest.mark.parametrize("soc", ["t40", "t41"])
def test_the_configuration_and_the_run_script_name_what_exists(soc: str) -> None:
    config = json.loads((SAMPLE / "cfg" / f"magik_{soc}.cfg").read_text("utf-8"))
    assert config["SOC"] == soc.upper()
    assert config["INPUT_SHAPE"] == [1, 3, 64, 64]
    assert (SAMPLE / config["QUANT_DATASET_PATH"]).samefile(CALIBRATION)
    assert (SAMPLE / config["DEBUG_PATH"]).samefile(DEBUG)

    script = SAMPLE / f"run_{soc}.sh"
    assert os.access(script, os.X_OK)
    command = re.search(r"^magik-transform-tools(?:.*\\\n)*.*", script.read_text("utf-8"), re.MULTILINE)
    assert command is not None
    _, *words = shlex.split(command.group().replace("\\\n", " "))
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert (SAMPLE / options["-i"]).samefile(MODEL)
    assert (SAMPLE / options["-cfg"]).samefile(SAMPLE / "cfg" / f"magik_{soc}.cfg")
    assert options["-o"] == f"./venus_sample_resnet18/resnet18_{soc}_magik.mk.h"
    assert options["--save_quantize_model"] == "true"


def test_the_folders_hold_only_pictures_of_the_input_size_and_share_none() -> None:
    assert (len(pictures(CALIBRATION)), len(pictures(DEBUG))) == (40, 12)
    for path in [*pictures(CALIBRATION), *pictures(DEBUG)]:
        assert re.fullmatch(r"digit_\d_\d{4}\.png", path.name)
    assert pixels(pictures(CALIBRATION)).shape == (40, 64, 64, 3)
    assert pixels(pictures(DEBUG)).shape == (12, 64, 64, 3)
    contents = [hashlib.sha256(p.read_bytes()).digest() for folder in (CALIBRATION, DEBUG) for p in pictures(folder)]
    rows = [path.stem.rpartition("_")[2] for folder in (CALIBRATION, DEBUG) for path in pictures(folder)]
    assert len(set(contents)) == len(set(rows)) == 52


def test_calibration_has_every_digit_four_times() -> None:
    assert np.bincount(labels(pictures(CALIBRATION))).tolist() == [4] * 10
    assert set(labels(pictures(DEBUG))) == set(range(10))


def test_the_sample_is_small() -> None:
    assert MODEL.stat().st_size <= 400_000
    assert sum(path.stat().st_size for folder in (CALIBRATION, DEBUG) for path in pictures(folder)) <= 200_000


def test_the_float_model_reads_every_debug_picture() -> None:
    config = json.loads((SAMPLE / "cfg" / "magik_t40.cfg").read_text("utf-8"))
    images = (pixels(pictures(DEBUG)) - np.float32(config["MEAN"])) / np.float32(config["NORMAL"])
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"data": np.ascontiguousarray(images.transpose(0, 3, 1, 2))})
    assert scores.argmax(1).tolist() == labels(pictures(DEBUG))
