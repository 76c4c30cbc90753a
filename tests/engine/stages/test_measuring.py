"""What is measured of a layer: the error it has among the others, and the one it adds by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.dataset import InputSpec
from engine.ir import keys
from engine.numerics import Array, QParams, dequantize
from engine.numerics import quantize as to_levels
from engine.ops.base import REGISTRY
from engine.ops.conv2d import convolve
from engine.plan import Choice, Plan
from engine.samples import list_samples
from engine.simulate import Inputs, Networks
from engine.stages.measuring import Measurer
from engine.store import Store
from tests.engine.networks import imported, op, quantized, weights

SHAPE = (1, 6, 7, 5)
ATTRS = {"strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0), "group": 1}


def cosine(x: Array, levels: Array, q: QParams) -> float:
    a, b = x.astype(np.float64).ravel(), dequantize(levels, q).astype(np.float64).ravel()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def test_a_layer_alone_reads_the_float_values_quantized_and_among_others_their_levels(tmp_path: Path) -> None:
    first, second = weights(8, 6, 1, 1, seed=1), weights(6, 8, 1, 1, seed=2)
    graph = imported([op("Conv", "x v", "a"), op("Conv", "a w", "b")], {"x": list(SHAPE)}, "b", {"v": first, "w": second})
    real_x = np.random.default_rng(0).normal(0, 1, SHAPE).astype(np.float32)
    real_a = convolve(real_x.astype(np.float64), first.astype(np.float64), ATTRS).astype(np.float32)
    real_b = convolve(real_a.astype(np.float64), second.astype(np.float64), ATTRS).astype(np.float32)
    made = quantized(graph, Plan(Choice(3, 3)), {"x": (-3.0, 3.0), "a": (-2.0, 2.0), "b": (-2.0, 2.0)})
    layers = {n.name: n for n in made.graph.nodes}
    q = made.graph.qparams
    (read,) = layers["a"].inputs  # the quantized input
    levels_a = REGISTRY["Conv2D"].reference(layers["a"], [to_levels(real_x, q[read])])[1]
    among = REGISTRY["Conv2D"].reference(layers["b"], [levels_a])[1]
    alone = REGISTRY["Conv2D"].reference(layers["b"], [to_levels(real_a, q["a"])])[1]

    real_x.tofile(tmp_path / "x.bin")
    inputs = Inputs((InputSpec("x", SHAPE),), frozenset())
    networks = Networks(graph, inputs, threads=1)
    leaves = inputs.leaves()
    measurer = Measurer(networks, made, keys(graph, leaves, "float"), keys(made.graph, leaves, "int"), Store(None))
    (result,) = measurer.results(list_samples(tmp_path / "x.bin"))
    assert result.failure == ""
    whole, own = result.layers["b"]
    assert whole.cosine == pytest.approx(cosine(real_b, among, q["b"]), abs=1e-6)
    assert own.cosine == pytest.approx(cosine(real_b, alone, q["b"]), abs=1e-6)
    assert own.cosine - whole.cosine > 1e-3, "this case has to tell the two apart"
    whole, own = result.layers["a"]
    assert own.cosine == whole.cosine == pytest.approx(cosine(real_a, levels_a, q["a"]), abs=1e-6)
