"""A small project whose network was fitted to pictures of unequal colours, as a trained one is: its batch normalizations remember them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

SIZE = 16
MEAN, NORMAL = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
CONFIG = {
    "SOC": "T40",
    "INPUT_SHAPE": [1, 3, SIZE, SIZE],
    "MEAN": MEAN,
    "NORMAL": NORMAL,
    "COLOR": ["RGB"],
    "QUANT_DATASET_PATH": "./calibration",
    "DEBUG_PATH": "./debug",
}

Floats = NDArray[np.float32]


def pixels(seed: int) -> NDArray[np.uint8]:
    """A picture of shape (SIZE, SIZE, 3): mostly red, hardly blue."""
    random = np.random.default_rng(seed)
    tint = np.array([180, 110, 50]) + random.normal(0, 15, 3)
    slope = np.linspace(-50, 50, SIZE)[:, None, None] * random.normal(0, 1, 3)
    return np.clip(tint + slope + random.normal(0, 20, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)


def convolved(x: Floats, w: Floats) -> Floats:
    """A valid convolution of pictures (n, c, h, w)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, w).astype(np.float32)


def model(*, folded: bool = False, bottleneck: bool = False, gain: float = 1.0) -> bytes:
    """Two convolutions with batch normalizations fitted to `pixels`, or folded into their weights; if asked a linear one between them.

    `gain` makes one channel between them that much louder: its tensor has one range, and the others are lost in it.
    """
    random = np.random.default_rng(11)
    batch = np.stack([pixels(1000 + i) for i in range(40)]).astype(np.float32)
    x = ((batch - np.float32(MEAN)) / np.float32(NORMAL)).transpose(0, 3, 1, 2)
    nodes, weights, read = [], [], "data"
    layers = [(3, 8, 3), (8, 8, 3)]
    if bottleneck:
        layers[1:] = [(8, 24, 1), (24, 8, 3)]
    for index, (channels, made, size) in enumerate(layers):
        w = random.normal(0, np.sqrt(2 / (size * size * channels)), (made, channels, size, size)).astype(np.float32)
        y = convolved(x, w)
        mean, variance = y.mean((0, 2, 3)), y.var((0, 2, 3))
        gamma, beta = random.uniform(0.6, 1.3, made).astype(np.float32), random.normal(0, 0.25, made).astype(np.float32)
        linear = size == 1
        beta *= np.float32(0.1 if linear else 1)  # nothing trains an offset that the next normalization takes away
        scale = gamma / np.sqrt(variance + 1e-5)
        x = y * scale[:, None, None] + (beta - mean * scale)[:, None, None]
        x = x if linear else np.maximum(x, 0)
        if index == 0:  # what is made louder here is heard less there: the function stays
            loud = np.float32([gain] + [1.0] * (made - 1))
            gamma, beta, scale = gamma * loud, beta * loud, scale * loud
        elif index == 1:
            w = w / loud[:, None, None]
        shift = beta - mean * scale
        parts = {"w": w * scale[:, None, None, None], "b": shift} if folded else {"w": w, "g": gamma, "b": beta, "m": mean, "v": variance}
        weights += [numpy_helper.from_array(np.ascontiguousarray(v, np.float32), f"{k}{index}") for k, v in parts.items()]
        if folded:
            nodes.append(helper.make_node("Conv", [read, f"w{index}", f"b{index}"], [f"n{index}"], kernel_shape=[size, size]))
        else:
            nodes.append(helper.make_node("Conv", [read, f"w{index}"], [f"c{index}"], kernel_shape=[size, size]))
            nodes.append(helper.make_node("BatchNormalization", [f"c{index}", *(f"{k}{index}" for k in "gbmv")], [f"n{index}"]))
        if not linear:
            nodes.append(helper.make_node("Relu", [f"n{index}"], [f"r{index}"]))
        read = f"n{index}" if linear else f"r{index}"
    weights.append(numpy_helper.from_array(random.normal(0, 0.6, (8, 5)).astype(np.float32), "dense"))
    nodes += [
        helper.make_node("GlobalAveragePool", [read], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "dense"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "fitted",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 5])],
        weights,
    )
    data: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    return data


def build(root: Path, data: bytes, **changes: Any) -> Path:
    """Write a project, some keys of its configuration changed."""
    root.mkdir(exist_ok=True)
    (root / "net.onnx").write_bytes(data)
    (root / "magik.cfg").write_text(json.dumps({**CONFIG, **changes}, indent=4))
    for folder, count, seed in (("calibration", 12, 0), ("debug", 6, 50)):
        (root / folder).mkdir(exist_ok=True)
        for index in range(count):
            Image.fromarray(pixels(seed + index)).save(root / folder / f"{folder[0]}{index:02}.png")
    return root
