"""Walking a model file along its length prefixes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from engine.frontends.weights import LARGE, read_apart
from tests.engine.frontends.models import make_model


def key(number: int, wire: int) -> bytes:
    return bytes([number << 3 | wire])


def chunk(number: int, body: bytes) -> bytes:
    size, out = len(body), bytearray()
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return key(number, 2) + bytes([*out, size]) + body


DATA = np.arange(32 * 64, dtype=np.float32).reshape(32, 64)
DIMS = {"one by one": key(1, 0) + b"\x20" + key(1, 0) + b"\x40", "packed": chunk(1, b"\x20\x40")}
KIND, NAME, RAW = key(2, 0) + b"\x01", chunk(8, b"w"), chunk(9, DATA.tobytes())


def written(tmp_path: Path, tensor: bytes) -> Path:
    path = tmp_path / "m.onnx"
    path.write_bytes(key(1, 0) + b"\x08" + chunk(7, chunk(5, tensor)))
    return path


@pytest.mark.parametrize("dims", DIMS.values(), ids=DIMS)
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 3, 0, 1)])
def test_fields_in_any_order(tmp_path: Path, dims: bytes, order: tuple[int, ...]) -> None:
    parts = (dims, KIND, NAME, RAW)
    path = written(tmp_path, b"".join(parts[i] for i in order))
    np.testing.assert_array_equal(numpy_helper.to_array(onnx.load(path).graph.initializer[0]), DATA)
    slim, weights = read_apart(path)
    assert len(slim) < 100
    np.testing.assert_array_equal(weights["w"], DATA)


@pytest.mark.parametrize(
    "tensor",
    [
        DIMS["packed"] + KIND + NAME + chunk(9, DATA.tobytes()[:-4]),
        chunk(1, b"\x20\x41") + KIND + NAME + RAW,
        DIMS["packed"] + key(2, 0) + b"\x16" + NAME + RAW,
        DIMS["packed"] + NAME + RAW,
    ],
    ids=["short", "other size", "four bits", "no type"],
)
def test_what_is_not_plain_is_left_to_the_parser(tmp_path: Path, tensor: bytes) -> None:
    path = written(tmp_path, tensor)
    assert read_apart(path) == (path.read_bytes(), {})


@pytest.mark.parametrize("damage", [b"\xff" * 12, key(7, 2) + b"\xff\xff\xff\x7f", key(7, 3), b"\x00\x00"])
def test_what_is_no_message_comes_back_whole(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(damage + bytes(LARGE))
    assert read_apart(path) == (path.read_bytes(), {})


def test_everything_but_the_weights_is_parsed_as_before(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    constants = {f"w{i}": rng.normal(0, 1, (i, 40)).astype(np.float32) for i in (1, 25, 26, 400)} | {"empty": np.empty((0, 7), np.float32)}
    nodes = [helper.make_node("Sum", ["x", *constants], ["y"], name="n")]
    model = make_model(nodes, {"x": [1]}, ["y"], constants)
    model.metadata_props.add(key="k", value="v" * 5000)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    slim, weights = read_apart(path)
    found = onnx.ModelProto.FromString(slim)
    assert set(weights) == {"w26", "w400"}
    for name, value in weights.items():
        np.testing.assert_array_equal(value, constants[name])
    for tensor in list(model.graph.initializer):
        if tensor.name in weights:
            model.graph.initializer.remove(tensor)
    assert found == model
