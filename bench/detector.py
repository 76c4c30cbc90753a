"""Peak memory and time of a cold run on a detector of 300 nodes at 640x640, 40 + 12 pictures. Promise: less than 1 GB.

The detector is a YOLO with CSP blocks, SiLU, SPP, two upsamplings and three heads; its weights are drawn, since only its size counts.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from . import _cases

SIZE = 640
CLASSES = 80
ANCHORS = 3
LIMIT_MB = 1000.0
CALIBRATION, DEBUG = 40, 12


class Drawing:
    """A network while it is drawn: nodes, weights, and the channels of each tensor."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.channels = {"images": 3}
        self.random = np.random.default_rng(5)

    def op(self, kind: str, inputs: Sequence[str], channels: int = 0, **attrs: Any) -> str:
        """Append one operator and return its output, named after it."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attrs))
        self.channels[name] = channels or self.channels[inputs[0]]
        return name

    def const(self, value: np.ndarray) -> str:
        """Append a constant and return its name."""
        name = f"const_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def plain(self, x: str, channels: int, kernel: int = 1, stride: int = 1) -> str:
        """Append a convolution that keeps the power of what it reads."""
        shape = (channels, self.channels[x], kernel, kernel)
        gain = 1.4 / np.sqrt(np.prod(shape[1:]))
        weight = self.const(self.random.normal(0, gain, shape).astype(np.float32))
        bias = self.const(self.random.normal(0, 0.2, channels).astype(np.float32))
        pad = [kernel // 2] * 4
        return self.op("Conv", [x, weight, bias], channels, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pad)

    def conv(self, x: str, channels: int, kernel: int = 1, stride: int = 1) -> str:
        """Append a convolution and its SiLU."""
        y = self.plain(x, channels, kernel, stride)
        return self.op("Mul", [y, self.op("Sigmoid", [y])])

    def concat(self, *parts: str) -> str:
        """Append a concatenation of channels."""
        return self.op("Concat", parts, sum(self.channels[p] for p in parts), axis=1)

    def csp(self, x: str, channels: int, depth: int, *, add: bool = True) -> str:
        """Append a CSP block: one half of the channels through `depth` bottlenecks, the other one past them."""
        half = channels // 2
        deep, past = self.conv(x, half), self.conv(x, half)
        for _ in range(depth):
            made = self.conv(self.conv(deep, half), half, 3)
            deep = self.op("Add", [deep, made]) if add else made
        return self.conv(self.concat(deep, past), channels)

    def pyramid(self, x: str, channels: int) -> str:
        """Append spatial pyramid pooling: three poolings one behind the other."""
        pools = [self.conv(x, channels // 2)]
        for _ in range(3):
            pools.append(self.op("MaxPool", [pools[-1]], kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4))
        return self.conv(self.concat(*pools), channels)

    def upsampled(self, x: str) -> str:
        """Append a doubling of height and width."""
        scales = self.const(np.array([1, 1, 2, 2], np.float32))
        return self.op("Resize", [x, "", scales], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    def head(self, x: str, cells: int) -> str:
        """Append one head: boxes and scores of every anchor, (1, anchors * cells * cells, 5 + classes)."""
        values = 5 + CLASSES
        y = self.plain(x, ANCHORS * values)
        y = self.op("Reshape", [y, self.const(np.array([1, ANCHORS, values, cells * cells], np.int64))])
        y = self.op("Sigmoid", [self.op("Transpose", [y], perm=[0, 1, 3, 2])])
        sizes = self.const(np.array([2, 2, 1 + CLASSES], np.int64))
        parts = [f"{y}_{part}" for part in ("centre", "size", "scores")]
        self.nodes.append(helper.make_node("Split", [y, sizes], parts, name=f"{y}_split", axis=3))
        self.channels |= dict.fromkeys(parts, 0)
        at = self.const(np.stack(np.meshgrid(np.arange(cells), np.arange(cells)), -1).reshape(1, 1, -1, 2).astype(np.float32))
        stride, two = self.const(np.array(SIZE / cells, np.float32)), self.const(np.array(2, np.float32))
        centre = self.op("Mul", [self.op("Add", [self.op("Mul", [parts[0], two]), at]), stride])
        double = self.op("Mul", [parts[1], two])
        size = self.op("Mul", [self.op("Mul", [double, double]), stride])
        boxes = self.op("Concat", [centre, size, parts[2]], axis=3)
        return self.op("Reshape", [boxes, self.const(np.array([1, -1, values], np.int64))])


def detector() -> onnx.ModelProto:
    """Return the detector: images (1, 3, 640, 640) to boxes (1, 25200, 85)."""
    d = Drawing()
    x = d.conv(d.conv("images", 32, 3, 2), 64, 3, 2)
    x = d.csp(x, 64, 3)
    fine = d.csp(d.conv(x, 128, 3, 2), 128, 5)
    middle = d.csp(d.conv(fine, 256, 3, 2), 256, 6)
    coarse = d.pyramid(d.csp(d.conv(middle, 512, 3, 2), 512, 2), 512)
    top = d.conv(coarse, 256)
    upper = d.conv(d.csp(d.concat(d.upsampled(top), middle), 256, 1, add=False), 128)
    small = d.csp(d.concat(d.upsampled(upper), fine), 128, 1, add=False)
    medium = d.csp(d.concat(d.conv(small, 128, 3, 2), upper), 256, 1, add=False)
    large = d.csp(d.concat(d.conv(medium, 256, 3, 2), top), 512, 1, add=False)
    heads = [d.head(x, SIZE // step) for x, step in ((small, 8), (medium, 16), (large, 32))]
    boxes = d.op("Concat", heads, axis=1)
    count = sum(ANCHORS * (SIZE // step) ** 2 for step in (8, 16, 32))
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
    output = helper.make_tensor_value_info(boxes, TensorProto.FLOAT, [1, count, 5 + CLASSES])
    graph = helper.make_graph(d.nodes, "detector", [images], [output], d.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def pictures(folder: Path, source: Path, count: int) -> Path:
    """Fill a folder with `count` pictures of another one, again and again where there are fewer, each with bytes of its own."""
    folder.mkdir()
    files = sorted(source.iterdir())
    for index in range(count):
        path = files[index % len(files)]
        (folder / f"{index:03d}{path.suffix}").write_bytes(path.read_bytes() + b"%d" % (index // len(files)))
    return folder


def main() -> int:
    """Measure and return 1 when the promise is broken."""
    _cases.require_shared()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        model = detector()
        onnx.save(model, work / "detector.onnx")
        case = _cases.Case("detector", work / "detector.onnx", "images", (0.0,), (255.0,), SIZE)
        sets = [pictures(work / f, _cases.SHARED / "images" / f, n) for f, n in (("calib", CALIBRATION), ("debug", DEBUG))]
        root = _cases.project(case, work, calib=sets[0], debug=sets[1])
        _cases.fresh(root)
        outcome = _cases.weigh(_cases.run_command(root))
        print(f"{len(model.graph.node)} nodes, {CALIBRATION} + {DEBUG} pictures: {outcome.seconds:.1f} s, {outcome.peak_mb:.0f} MB")
        return 0 if _cases.verdict("peak resident memory in MB", outcome.peak_mb, LIMIT_MB) else 1


if __name__ == "__main__":
    sys.exit(main())
