"""A whole project so small that a conversion takes a tenth of a second: a model, its configuration, pictures, a script."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from engine.cli import main as headless
from engine.cli import transform

SIZE = 12
LINE = ["-i", "net.onnx", "-o", "out/net.mk.h", "-cfg", "magik.cfg", "--save_quantize_model", "true"]
CONFIG = {
    "SOC": "T40",
    "INPUT_SHAPE": [1, 3, SIZE, SIZE],
    "MEAN": [127.5],
    "NORMAL": [64.0],
    "QUANT_DATASET_PATH": "./calibration",
    "DEBUG_PATH": "./debug",
}


def tiny_model() -> bytes:
    """Return a network of two convolutions and a matrix product, with fixed random weights."""
    random = np.random.default_rng(7)

    def weight(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(random.normal(0, 0.3, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["data", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["c2"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["scores"]),
    ]
    weights = [weight("w1", 4, 3, 3, 3), weight("b1", 4), weight("w2", 6, 4, 3, 3), weight("w3", 6, 5), weight("b3", 5)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 5])],
        weights,
    )
    data: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    return data


def build(root: Path) -> None:
    """Write the project into the folder `root`."""
    (root / "net.onnx").write_bytes(tiny_model())
    (root / "run_t40.sh").write_text("magik-transform-tools " + " ".join(LINE) + "\n")
    configure(root)
    for folder, count, seed in (("calibration", 10, 0), ("debug", 2, 50)):
        (root / folder).mkdir()
        for index in range(count):
            picture(root / folder / f"{index}.png", seed=seed + index)


def configure(root: Path, **changes: Any) -> None:
    """Write the configuration, some keys changed."""
    (root / "magik.cfg").write_text(json.dumps({**CONFIG, **changes}, indent=4))


def picture(path: Path, seed: int = 0) -> None:
    """Write a picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def bomb(path: Path) -> None:
    """Write a PNG of a few bytes that claims 60000 x 60000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))


def files(root: Path) -> dict[str, str]:
    """Return the hash of every file below `root`, but for the store, which is a cache."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file() and ".magik/store" not in path.as_posix())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def temporary(root: Path) -> list[str]:
    """Return the files that somebody forgot to remove."""
    return [str(path) for path in root.rglob("*") if path.name.startswith((".magik-tmp-", ".new-", "tmp"))]


def convert(capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Run the vendor's command line; return exit code, stdout and stderr."""
    code = transform.main(LINE)
    out, errors = capsys.readouterr()
    return code, out, errors


def refused(project: Path, capsys: pytest.CaptureFixture[str], code: int, *said: str) -> None:
    """Both commands end with `code` and one line that says all of `said`, and leave every file as it was, no more, no less."""
    before = files(project)
    for command, line in ((transform.main, LINE), (headless.main, ["run", str(project), "--json"])):
        assert command(line) == code
        out, errors = capsys.readouterr()
        assert "Enjoy" not in out
        assert "Traceback" not in out + errors
        last = errors.splitlines()[-1]
        assert last.startswith(("magik-transform-tools: ", "magik-tui: "))
        for words in said:
            assert words in last
        assert files(project) == before
        assert temporary(project) == []
    assert not (project.parent / "state").exists()
