"""Real tiny networks with planted faults: 60 to 200 layers of four channels on 8x8 pixels, healthy but for what was planted.

A residual trunk adds up the outputs of blocks, each of unit power, so that a fault in any block is seen at the output. A fault sits in
the two convolutions of a block, `a` (with its ReLU) and `b`:

    gain     a channel of a's output is a hundred times the others, b takes it back: the other channels keep two or three levels
    outlier  a channel of a's output is zero but for rare large values, which b ignores: the range is theirs alone
    tap      b has a hundredfold weight on a channel that is always zero: the other weights keep one or two levels
    pair     two taps in blocks that are each other's copy: their equal errors add up in amplitude, so either alone is no fault
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engine.numerics import Array

CHANNELS, SIZE = 4, 8
FAULTS = ("gain", "outlier", "tap")
LARGE = 13
"""Of twenty seeds the one whose network has almost 200 layers."""


@dataclass
class Planted:
    """A model while it grows: its nodes, its weights, and the values of its tensors on the samples."""

    rng: np.random.Generator
    values: dict[str, Array]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: dict[str, Array] = field(default_factory=dict)
    cures: list[tuple[str, ...]] = field(default_factory=list)
    """Per fault the layers that have to be float for it to go; of a pair, the first of the two."""

    def op(self, kind: str, reads: list[str], makes: str, value: Array, **attrs: object) -> str:
        self.nodes.append(helper.make_node(kind, reads, [makes], **attrs))
        self.values[makes] = value
        return makes

    def conv(self, x: str, makes: str, weight: Array, bias: Array, *, relu: bool) -> str:
        """A 3x3 convolution, with a ReLU if asked."""
        self.weights |= {f"{makes}.w": weight.astype(np.float32), f"{makes}.b": bias.astype(np.float32)}
        made = convolved(self.values[x], weight, bias)
        inner = f"{makes}.c" if relu else makes
        self.op("Conv", [x, f"{makes}.w", f"{makes}.b"], inner, made, pads=[1, 1, 1, 1], kernel_shape=[3, 3])
        return self.op("Relu", [inner], makes, np.maximum(made, 0)) if relu else makes

    def drawn(self, x: str, shrink: Array | None = None) -> tuple[Array, Array]:
        """Weights and biases that give every channel of x's convolution zero mean and unit power; `shrink` scales input channels."""
        w = self.rng.normal(0, 1, (CHANNELS, self.values[x].shape[1], 3, 3))
        w = w if shrink is None else w * shrink[None, :, None, None]
        made = convolved(self.values[x], w, np.zeros(CHANNELS))
        scale = 1 / made.std((0, 2, 3))
        return w * scale[:, None, None, None], -made.mean((0, 2, 3)) * scale


def convolved(x: Array, weight: Array, bias: Array) -> Array:
    """The 3x3 convolution with zero padding, in float64."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    found: Array = np.einsum("nchwij,ocij->nohw", windows, weight) + bias[None, :, None, None]
    return found


def planted(seed: int, faults: int, *, pair: bool = False) -> Planted:
    """Draw a network of 60 to 200 layers with that many faults, one of them a pair if asked."""
    rng = np.random.default_rng(seed)
    net = Planted(rng, {"x": rng.normal(0, 1, (8, CHANNELS, SIZE, SIZE))})
    w, b = net.drawn("x")
    trunk = net.conv("x", "stem", w, b, relu=False)
    blocks = 20 + int(20 * rng.random() ** 4)
    blocks = 65 if seed % 20 == LARGE else blocks  # few are large: they take long
    places = rng.choice(blocks // 2, faults, replace=False).tolist()
    drawn = [FAULTS[int(i)] for i in rng.integers(0, len(FAULTS), faults)]
    drawn[0] = "pair" if pair else drawn[0]
    for index in range(blocks):
        made = block(net, trunk, f"n{index}", drawn[places.index(index)] if index in places else "")
        trunk = net.op("Add", [trunk, made], f"n{index}.sum", net.values[trunk] + net.values[made])
    w, b = net.drawn(trunk)
    net.conv(trunk, "out", w, b, relu=False)
    return net


def block(net: Planted, x: str, name: str, fault: str) -> str:
    """Two convolutions whose result has unit power, with a fault between them if one is named."""
    if fault == "pair":
        one, other = tapped(net, x, name, ("b", "c"))
        net.cures.append((one,))
        return net.op("Add", [one, other], f"{name}.pair", net.values[one] + net.values[other])
    if fault == "tap":
        (made,) = tapped(net, x, name, ("b",))
        net.cures.append((made,))
        return made
    w, b = net.drawn(x)
    shrink = np.ones(CHANNELS)
    if fault == "gain":
        w[0] *= 100
        b[0] *= 100
        shrink[0] = 0.01
    if fault == "outlier":
        top = np.quantile(convolved(net.values[x], w, b)[:, 0], 0.98)
        w[0] *= 300
        b[0] = 300 * (b[0] - top)
        shrink[0] = 0.0
    a = net.conv(x, f"{name}.a", w, b, relu=True)
    w, b = net.drawn(a, shrink)
    made = net.conv(a, f"{name}.b", w, b, relu=False)
    if fault:
        net.cures.append((a, made))
    return made


def tapped(net: Planted, x: str, name: str, copies: tuple[str, ...]) -> tuple[str, ...]:
    """A first convolution with a dead channel, and equal second ones that multiply it by a hundredfold weight."""
    w, b = net.drawn(x)
    b[0] = -1e3
    a = net.conv(x, f"{name}.a", w, b, relu=True)
    w, b = net.drawn(a)
    w, b = w / len(copies), b / len(copies)
    w[:, 0] = 100 * np.abs(w).max()
    return tuple(net.conv(a, f"{name}.{copy}", w, b, relu=False) for copy in copies)


def write(net: Planted, root: Path, **keys: object) -> Path:
    """Write the network as a project: six samples to calibrate on, two others to compare on."""
    root.mkdir(parents=True)
    shape = ["N", CHANNELS, SIZE, SIZE]
    graph = helper.make_graph(
        net.nodes,
        "planted",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(v, k) for k, v in net.weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), root / "net.onnx")
    for folder, part in (("calibration", range(6)), ("debug", range(6, 8))):
        for index in part:
            place = root / folder / str(index)
            place.mkdir(parents=True)
            net.values["x"][index].astype("<f4").tofile(place / "x.bin")
    config: Mapping[str, object] = {
        "SOC": "T40",
        "QUANT_DATASET_PATH": "./calibration",
        "DEBUG_PATH": "./debug",
        "QUANT_FEATURE_METHOD": "MAX_ABS",
        **keys,
    }
    (root / "magik.cfg").write_text(json.dumps(config, indent=4))
    return root
