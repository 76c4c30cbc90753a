"""A real network layer by layer: what onnxruntime's optimizers do across layers must not change one integer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.config import Config
from engine.frontends.importer import load
from engine.ir import Graph, QGraph
from engine.numerics import Array, dequantize, quantize
from engine.ops.base import REGISTRY
from engine.ops.lowering import Builder
from engine.ort.session import run_steps
from engine.plan import Choice, Plan
from engine.quantize import quantize as quantize_graph
from engine.quantize import tensors_to_observe
from engine.simulate import lower_float_node, run_quantized

SHAPE = (1, 3, 48, 96)


@pytest.fixture(scope="module")
def network(shared: Path) -> Graph:
    """A small mobile network: depthwise convolutions, squeeze and excite, hard-swish, residuals."""
    return load(shared / "models" / "ppocr_cls.onnx", Config(input_shape=(SHAPE,))).graph


@pytest.fixture(scope="module")
def picture() -> Array:
    return np.random.default_rng(3).normal(0, 1, SHAPE).astype(np.float32)


def quantized(network: Graph, picture: Array, bits: int) -> QGraph:
    """Quantize the network with the extremes of one picture."""
    b = Builder()
    b.constants |= network.constants
    for node in network:
        lower_float_node(node, b, network.types, {})
    names = [t for t in tensors_to_observe(network) if t not in network.inputs]
    values = dict(zip(names, run_steps(b, {network.inputs[0]: picture}, names), strict=True)) | {network.inputs[0]: picture}
    ranges = {t: (lambda choice, v=v: (float(v.min()), float(v.max()))) for t, v in values.items()}
    plan = Plan(Choice(feature_bits=bits, weight_bits=8, weight_method="MAX_ABS"))
    return quantize_graph(network, ranges, plan.resolve([(n.name, n.op) for n in network])).graph


@pytest.mark.parametrize("bits", [8, 12])
def test_the_references_of_all_layers_chained_give_what_onnxruntime_gives(network: Graph, picture: Array, bits: int) -> None:
    graph = quantized(network, picture, bits)
    made = run_quantized(graph, {network.inputs[0]: picture.transpose(0, 2, 3, 1).copy()})
    values: dict[str, Array] = {network.inputs[0]: picture}
    layers = 0
    for q in graph.nodes:
        (out,) = q.outputs
        if q.op == "Float":
            continue
        if q.op == "Quantize":
            values[out] = quantize(values[q.inputs[0]], q.outs[0])
        elif q.op == "Dequantize":
            values[out] = dequantize(values[q.inputs[0]], q.ins[0])
        else:
            values[out] = REGISTRY[q.op].reference(q, [values[t] for t in q.inputs])[1]
            layers += 1
        found = made[out].transpose(0, 3, 1, 2) if values[out].ndim == 4 else made[out]
        assert np.array_equal(found, values[out]), (q.op, out)
    assert layers >= 100
    # the same once more, with nothing asked for but the end: what is not shown may be fused
    alone = run_quantized(graph, {network.inputs[0]: picture.transpose(0, 2, 3, 1).copy()}, graph.outputs)
    assert all(np.array_equal(alone[t], made[t]) for t in graph.outputs)
