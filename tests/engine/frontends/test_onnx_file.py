"""Files that are no models: each gives a ModelError that says what it is, and is left as it was."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from engine.config import Config
from engine.errors import EXIT_USAGE, ModelError
from engine.frontends import onnx_file
from engine.frontends.importer import load
from engine.frontends.onnx_file import read_model
from tests.engine.frontends.models import make_model


def refused(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load(path, Config())
    assert caught.value.exit_code == EXIT_USAGE
    return caught.value


def test_missing_file_names_the_models_beside_it(save: Callable[..., Path]) -> None:
    there = save([helper.make_node("Relu", ["x"], ["y"])], {"x": [1, 3]}, ["y"])
    error = refused(there.with_name("modle.onnx"))
    assert "no such file" in str(error)
    assert "model.onnx" in error.hint
    assert error.where.endswith("modle.onnx")


def test_folder(save: Callable[..., Path]) -> None:
    there = save([helper.make_node("Relu", ["x"], ["y"])], {"x": [1, 3]}, ["y"])
    assert "is a folder" in str(refused(there.parent))


def test_unreadable(save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's refusal is told; it is made here by hand, for root may read everything."""
    there = save([helper.make_node("Relu", ["x"], ["y"])], {"x": [1, 3]}, ["y"])

    def locked(path: Path) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(onnx_file, "read_apart", locked)
    assert "cannot be read" in str(refused(there))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello, I am a text\n" * 400, "not an ONNX model"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"PK\x03\x04" + bytes(5000), "PyTorch"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(5000), "TensorFlow Lite"),
        (bytes(100), "not an ONNX model"),
        (onnx.ModelProto(ir_version=8).SerializeToString(), "no graph"),
        (make_model([], {}, []).SerializeToString(), "no output"),
    ],
)
def test_no_model(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    assert says in str(refused(path))
    assert path.read_bytes() == data


def weighty() -> bytes:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"], name="first"), helper.make_node("Add", ["h", "b"], ["y"])]
    constants = {"w": np.arange(64 * 32, dtype=np.float32).reshape(64, 32), "b": np.ones(32, np.float32)}
    return make_model(nodes, {"x": [1, 64]}, ["y"], constants).SerializeToString()


@settings(max_examples=60)
@given(st.integers(0, len(weighty()) - 1))
def test_truncated_anywhere(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.onnx"
    path.write_bytes(weighty()[:length])
    refused(path)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, len(weighty()) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_flipped_bytes_give_a_model_or_a_model_error(tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]) -> None:
    data = bytearray(weighty())
    for at, value in changes:
        data[at] = value
    path = tmp_path_factory.getbasetemp() / "flipped.onnx"
    path.write_bytes(bytes(data))
    with contextlib.suppress(ModelError):
        assert load(path, Config()).graph.outputs


def test_opset_that_onnxruntime_does_not_know(save: Callable[..., Path]) -> None:
    path = save([helper.make_node("Relu", ["x"], ["y"])], {"x": [1, 3]}, ["y"], opset=97)
    assert "operator set 97" in str(refused(path))


def test_ir_version_that_onnxruntime_does_not_know(save: Callable[..., Path]) -> None:
    path = save([helper.make_node("Relu", ["x"], ["y"])], {"x": [1, 3]}, ["y"], ir_version=99)
    assert "IR version 99" in str(refused(path))


def test_old_opset_is_tried_with_a_warning(save: Callable[..., Path]) -> None:
    path = save([helper.make_node("Relu", ["x"], ["y"])], {"x": [1, 3]}, ["y"], opset=6)
    (warning,) = load(path, Config()).warnings
    assert "operator set 6" in warning


def external(folder: Path) -> Path:
    model = onnx.ModelProto.FromString(weighty())
    path = folder / "external.onnx"
    onnx.save_model(model, path, save_as_external_data=True, location="weights.data", size_threshold=0)
    return path


def test_external_data(tmp_path: Path) -> None:
    path = external(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    (layer,) = load(path, Config()).graph.nodes
    assert layer.params["weight"].size == 64 * 32
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_external_data_missing(tmp_path: Path) -> None:
    path = external(tmp_path)
    (tmp_path / "weights.data").unlink()
    assert "external data" in str(refused(path))


def test_external_data_truncated(tmp_path: Path) -> None:
    path = external(tmp_path)
    (tmp_path / "weights.data").write_bytes(b"short")
    refused(path)


def test_external_data_outside_the_folder(tmp_path: Path) -> None:
    path = external(tmp_path)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../elsewhere.data"
    path.write_bytes(model.SerializeToString())
    assert "external data" in str(refused(path))


def test_large_weights_are_read_apart(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(weighty())
    file = read_model(path)
    assert list(file.weights) == ["w"]
    np.testing.assert_array_equal(file.weights["w"], np.arange(64 * 32, dtype=np.float32).reshape(64, 32))
    assert not file.weights["w"].flags.writeable
    assert file.weights["w"].flags.aligned
    assert [t.name for t in file.model.graph.initializer] == ["b"]
    assert [n.name for n in file.model.graph.node] == ["first", ""]


@pytest.mark.parametrize("dtype", [f"float{n}" for n in (16, 32, 64)] + [f"{s}int{n}" for s in ("", "u") for n in (8, 16, 32, 64)])
def test_every_native_type_is_read_apart(tmp_path: Path, dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 100, (3, 2000)).astype(dtype)
    path = tmp_path / "m.onnx"
    path.write_bytes(make_model([helper.make_node("Identity", ["w"], ["y"])], {}, ["y"], {"w": values}).SerializeToString())
    found = read_model(path).weights["w"]
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)
