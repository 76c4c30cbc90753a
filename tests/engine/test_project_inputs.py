"""Conversions of networks that take something else than one picture, each run twice: the second time from what the store knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto

from engine.events import silent
from engine.numerics import Array
from engine.project import Job, run
from tests.engine import tiny
from tests.engine.frontends.models import make_model
from tests.engine.networks import op, weights
from tests.engine.running import rows


def write(root: Path, model: onnx.ModelProto, inputs: Mapping[str, tuple[int, ...]], count: int = 3, **config: Any) -> Job:
    """A project with .bin samples for the inputs, each with a magnitude of its own."""
    (root / "net.onnx").write_bytes(model.SerializeToString())
    random = np.random.default_rng(0)
    for folder in ("calibration", "debug"):
        for index in range(count):
            where = root / folder / f"s{index}"
            where.mkdir(parents=True)
            for place, (name, shape) in enumerate(inputs.items()):
                value = np.rint(random.uniform(0, 4 * (place + 1), shape))
                value.astype("<f4").tofile(where / f"{name}.bin")
    (root / "magik.cfg").write_text(json.dumps({"SOC": "T40", "QUANT_DATASET_PATH": "calibration", "DEBUG_PATH": "debug", **config}))
    return Job(root / "net.onnx", root / "magik.cfg", root, root / "out" / "net.mk.h", True)


def twice(job: Job) -> dict[str, Any]:
    """The document of a conversion, after another one with the same store and another output has said the same."""
    first = run(job, report=silent)
    again = run(Job(job.model, job.config_path, job.root, job.root / "out" / "again.mk.h"), report=silent)
    assert "cached" not in again["timing"]
    assert again["nodes"] == first["nodes"]
    return first


def original(job: Job, sample: str, names: list[str], kinds: Mapping[str, Any], folder: str = "debug") -> dict[str, Array]:
    """What onnxruntime gives for a debug sample; `kinds` has the dtype and shape of every input."""
    session = ort.InferenceSession(str(job.model), providers=["CPUExecutionProvider"])
    feeds = {
        n: np.fromfile(job.root / folder / sample / f"{n}.bin", "<f4").reshape(shape).astype(dtype) for n, (dtype, shape) in kinds.items()
    }
    return dict(zip(names, map(np.asarray, session.run(names, feeds)), strict=True))


def dumped(job: Job, name: str, shape: tuple[int, ...]) -> Array:
    return np.fromfile(job.root / "magik_dump_path" / "float_model" / f"{name}.bin", "<f4").reshape(shape)


def test_two_inputs_of_one_shape_are_not_one(tmp_path: Path) -> None:
    """Equal layers on equal shapes have equal content: only what is fed tells them apart."""
    nodes = [op("Relu", "a", "ra"), op("Relu", "b", "rb"), op("Sub", "ra rb", "y")]
    job = write(tmp_path, make_model(nodes, {"a": [1, 8], "b": [1, 8]}, ["y"]), {"a": (1, 8), "b": (1, 8)})
    found = rows(twice(job))
    assert found["ra"]["max"] <= 4.1 < 6 < found["rb"]["max"]
    assert found["y"]["cosine_min"] > 0.99
    expected = original(job, "s0", ["y"], dict.fromkeys("ab", (np.float32, (1, 8))))["y"]
    np.testing.assert_allclose(dumped(job, "y", (1, 8)), expected, atol=1e-6)


def test_inputs_that_swap_names_swap_files(tmp_path: Path) -> None:
    shape = {"a": (1, 8), "b": (1, 8)}
    nodes = [op("Relu", "a", "ra"), op("Sub", "ra b", "y")]
    job = write(tmp_path, make_model(nodes, {"a": [1, 8], "b": [1, 8]}, ["y"]), shape)
    first = rows(run(job, report=silent))
    swapped = [op("Relu", "b", "ra"), op("Sub", "ra a", "y")]
    (tmp_path / "net.onnx").write_bytes(make_model(swapped, {"b": [1, 8], "a": [1, 8]}, ["y"]).SerializeToString())
    second = rows(run(job, report=silent))
    assert first["ra"]["max"] <= 4.1 < 6 < second["ra"]["max"]


def test_files_for_an_input_that_could_take_pictures(tmp_path: Path) -> None:
    """MEAN and NORMAL apply to them as well, and the layout of the dumps is that of the board."""
    nodes = [op("Conv", "x w", "c", pads=[1, 1, 1, 1]), op("Mul", "c s", "y")]
    model = make_model(nodes, {"x": [1, 3, 6, 5], "s": [1, 4, 1, 1]}, ["y"], {"w": weights(4, 3, 3, 3)})
    job = write(tmp_path, model, {"x": (1, 3, 6, 5), "s": (1, 4, 1, 1)}, MEAN=[[1.0]], NORMAL=[[0.5]])
    document = twice(job)
    assert document["nodes"][0]["name"] == "x/BatchNormScale"
    assert document["outputs"][0]["cosine_min"] > 0.98
    x = np.fromfile(job.root / "debug" / "s0" / "x.bin", "<f4").reshape(1, 3, 6, 5)
    assert np.array_equal(np.fromfile(job.root / "magik_dump_path" / "x.bin", "<f4").reshape(1, 6, 5, 3), x.transpose(0, 2, 3, 1))
    session = ort.InferenceSession(str(job.model), providers=["CPUExecutionProvider"])
    s = np.fromfile(job.root / "debug" / "s0" / "s.bin", "<f4").reshape(1, 4, 1, 1)
    (expected,) = session.run(["y"], {"x": (x - 1) / np.float32(0.5), "s": s})
    np.testing.assert_allclose(dumped(job, "y", (1, 6, 5, 4)).transpose(0, 3, 1, 2), np.asarray(expected), rtol=0, atol=1e-4)


def test_pictures_to_calibrate_and_files_to_debug(tmp_path: Path) -> None:
    """A picture and a file with the same numbers are the same sample."""
    model = make_model([op("Conv", "x w", "y")], {"x": [1, 3, 20, 24]}, ["y"], {"w": weights(4, 3, 3, 3)})
    job = write(tmp_path, model, {"x": (1, 3, 20, 24)}, QUANT_DATASET_PATH="pictures")
    (tmp_path / "pictures").mkdir()
    for seed in range(3):
        tiny.picture(tmp_path / "pictures" / f"{seed}.png", seed=seed)
    found = rows(twice(job))["y"]
    assert found["quantized"]
    assert found["cosine_min"] > 0.9
    with_pictures = run(Job(job.model, job.config_path, job.root, overrides=("DEBUG_PATH=pictures",)), report=silent)
    assert rows(with_pictures)["y"]["max"] == pytest.approx(found["max"], rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "dtype"), [(TensorProto.INT64, np.int64), (TensorProto.INT32, np.int32), (TensorProto.FLOAT16, np.float16)]
)
def test_inputs_of_other_types_are_fed_in_them(kind: int, dtype: Any, tmp_path: Path) -> None:
    nodes = [op("Cast", "i", "n", to=TensorProto.INT64), op("Gather", "table n", "e"), op("MatMul", "e m", "y")]
    constants = {"table": weights(10, 6), "m": weights(6, 3, seed=1)}
    job = write(tmp_path, make_model(nodes, {"i": ([1, 5], kind)}, ["y"], constants), {"i": (1, 5)})
    assert twice(job)["outputs"][0]["cosine_min"] > 0.99
    expected = original(job, "s0", ["y"], {"i": (dtype, (1, 5))})["y"]
    np.testing.assert_allclose(dumped(job, "y", (1, 5, 3)), expected, atol=1e-6)


def test_tensors_whose_size_the_data_decides(tmp_path: Path) -> None:
    """They differ from sample to sample, run in float, and are not measured; what follows them is."""
    nodes = [
        op("NonZero", "x", "places"),
        op("Cast", "places", "f", to=1),
        op("ReduceMean", "f", "mean", keepdims=0),
        op("Relu", "x", "r"),
        op("Add", "r mean", "y"),
    ]
    job = write(tmp_path, make_model(nodes, {"x": [1, 40]}, ["y"]), {"x": (1, 40)})
    found = rows(twice(job))
    assert found["y"]["cosine_min"] > 0.99
    assert (found["places"]["quantized"], found["places"]["cosine_avg"], found["places"]["samples"]) == (False, None, [])
    np.testing.assert_allclose(dumped(job, "y", (1, 40)), original(job, "s0", ["y"], {"x": (np.float32, (1, 40))})["y"], atol=1e-5)


def test_a_batch_inside_the_network(tmp_path: Path) -> None:
    """Four views of 17 channels, which no block holds exactly."""
    nodes = [op("Reshape", "x views", "v"), op("Conv", "v w", "c", pads=[1, 1, 1, 1]), op("Relu", "c", "y")]
    constants = {"views": np.array([4, 3, 8, 8]), "w": weights(17, 3, 3, 3)}
    job = write(tmp_path, make_model(nodes, {"x": [1, 4, 3, 8, 8]}, ["y"], constants), {"x": (1, 4, 3, 8, 8)})
    assert twice(job)["outputs"][0]["cosine_min"] > 0.99
    expected = original(job, "s0", ["y"], {"x": (np.float32, (1, 4, 3, 8, 8))})["y"]
    np.testing.assert_allclose(dumped(job, "y", (4, 8, 8, 17)).transpose(0, 3, 1, 2), expected, rtol=0, atol=1e-4)


def test_scalars_nothing_and_outputs_that_are_inputs(tmp_path: Path) -> None:
    nodes = [op("Mul", "x s", "m"), op("Slice", "m from to", "none"), op("Concat", "none m", "y", axis=0)]
    constants = {"from": np.array([0]), "to": np.array([0])}
    job = write(tmp_path, make_model(nodes, {"x": [1, 8], "s": []}, ["y", "x", "none"], constants), {"x": (1, 8), "s": ()})
    document = twice(job)
    assert [o["name"] for o in document["outputs"]] == ["y", "x", "none"]
    assert rows(document)["y"]["cosine_min"] > 0.9
    assert rows(document)["none"]["cosine_avg"] is None


def test_a_model_exported_again_under_other_names_has_the_same_metrics(tmp_path: Path) -> None:
    constants = {"w": weights(4, 3, 3, 3), "v": weights(4, 4, 1, 1, seed=1)}
    job = write(
        tmp_path, make_model([op("Conv", "x w", "c"), op("Conv", "c v", "y")], {"x": [1, 3, 6, 6]}, ["y"], constants), {"x": (1, 3, 6, 6)}
    )
    first = run(job, report=silent)
    renamed = make_model([op("Conv", "x w", "node_1"), op("Conv", "node_1 v", "node_2")], {"x": [1, 3, 6, 6]}, ["node_2"], constants)
    (tmp_path / "net.onnx").write_bytes(renamed.SerializeToString())
    second = run(job, report=silent)
    assert [n["name"] for n in second["nodes"]] == ["node_1", "node_2"]
    assert first["nodes"][0]["cosine_avg"] is not None
    for before, after in zip(first["nodes"], second["nodes"], strict=True):
        assert {k: v for k, v in before.items() if k != "name"} == {k: v for k, v in after.items() if k != "name"}
