"""WEIGHT_FAKE_QUANT and FEATURE_FAKE_QUANT: one side quantized, the other untouched, in the same table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.calibrate.weights import weight_scales
from engine.dataset import InputSpec
from engine.fake import fake_weight, faked
from engine.ir import Graph, Node, QGraph, TensorType
from engine.numerics import Array, affine, dequantize
from engine.ops.base import REGISTRY, Parameters
from engine.ops.conv2d import convolve
from engine.plan import Choice, Plan, Resolved
from engine.quantize import Quantized, quantize
from engine.simulate import Inputs, Networks

from .running import converted, rows, told

CONV = {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 1, 1, 1), "group": 1, "low": -np.inf, "high": np.inf, "function": ""}


def two_convolutions() -> tuple[Graph, Quantized, Resolved]:
    """Return x -> a (with SiLU) -> b and its integer form with 4-bit weights and 6-bit features."""
    random = np.random.default_rng(5)
    first, second = (random.normal(0, 0.2, (3, 3, 3, 3)).astype(np.float32) for _ in range(2))
    bias = random.normal(0, 0.1, 3).astype(np.float32)
    nodes = (
        Node("Conv2D", "a", ("x",), ("a",), {**CONV, "function": "SiLU"}, {"weight": first, "bias": bias}, "t"),
        Node("Conv2D", "b", ("a",), ("b",), CONV, {"weight": second}),
    )
    graph = Graph(("x",), ("b",), nodes, {name: TensorType((1, 3, 7, 7)) for name in "xatb"})
    resolved = Plan(Choice(6, 4, None, "MAX_ABS", skip="")).resolve((n.name, n.op) for n in graph)
    ranges = {t: lambda choice: (-3.0, 3.0) for t in graph.types}
    return graph, quantize(graph, ranges, resolved), resolved


def run(graph: Graph, made: QGraph, wanted: list[str]) -> dict[str, Array]:
    inputs = Inputs((InputSpec("x", (1, 3, 7, 7)),), frozenset())
    x = np.random.default_rng(6).uniform(-3, 3, (1, 7, 7, 3)).astype(np.float32)
    return {**Networks(graph, inputs).integers(made, wanted).run({"x": x}), "x": x}


def nchw(value: Array) -> Array:
    return value.transpose(0, 3, 1, 2).astype(np.float64)


def grid(x: Array, low: float, high: float, bits: int) -> Array:
    """Quantize and dequantize, in float64, written another way than the engine does."""
    q = affine(low, high, bits)
    return (np.clip(np.rint(x / q.scale) + q.zero, 0, 2**bits - 1) - q.zero) * q.scale


def weights_of(node: Node, bits: int) -> Array:
    w = node.params["weight"].astype(np.float64)
    scale = np.abs(w).max(axis=(1, 2, 3), keepdims=True) / (2 ** (bits - 1) - 1)
    return np.rint(w / scale) * scale


def silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))


def test_only_weights() -> None:
    graph, quantized, resolved = two_convolutions()
    made = faked(graph, quantized, resolved, weights=True, features=False)
    found = run(graph, made.graph, ["a", "b"])
    a = silu(convolve(nchw(found["x"]), weights_of(graph.nodes[0], 4), CONV) + graph.nodes[0].params["bias"].reshape(1, -1, 1, 1))
    assert nchw(found["a"]) == pytest.approx(a, abs=1e-5)
    assert nchw(found["b"]) == pytest.approx(convolve(a, weights_of(graph.nodes[1], 4), CONV), abs=1e-5)
    assert [(i.quantized, i.q, i.weight_bits) for i in made.layers] == [(True, None, 4)] * 2


def test_only_features() -> None:
    """Every tensor lies on its grid, the sum before an absorbed SiLU too; a tie may fall either way in float32."""
    graph, quantized, resolved = two_convolutions()
    made = faked(graph, quantized, resolved, weights=False, features=True)
    found = run(graph, made.graph, ["a", "b"])
    step = 6 / 63
    x = grid(nchw(found["x"]), -3, 3, 6)
    sums = convolve(x, graph.nodes[0].params["weight"].astype(np.float64), CONV) + graph.nodes[0].params["bias"].reshape(1, -1, 1, 1)
    a = nchw(dequantize(found["a"], affine(-3, 3, 6)))
    assert a == pytest.approx(grid(silu(grid(sums, -3, 3, 6)), -3, 3, 6), abs=1.01 * step)
    b = nchw(dequantize(found["b"], affine(-3, 3, 6)))
    exact = grid(convolve(a, graph.nodes[1].params["weight"].astype(np.float64), CONV), -3, 3, 6)
    assert b == pytest.approx(exact, abs=1.01 * step)
    assert np.mean(np.abs(b - exact) > step / 2) < 0.01
    assert [(i.quantized, i.q is not None, i.weight_bits) for i in made.layers] == [(True, True, None)] * 2


def test_both_sides_are_the_integer_network_but_for_rounding() -> None:
    graph, quantized, resolved = two_convolutions()
    made = faked(graph, quantized, resolved, weights=True, features=True)
    fake, real = run(graph, made.graph, ["b"])["b"], run(graph, quantized.graph, ["b"])["b"]
    assert np.abs(fake.astype(int) - real.astype(int)).max() <= 1
    assert np.mean(fake != real) < 0.05


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_the_weights_of_every_operator_are_those_its_integers_stand_for(name: str) -> None:
    """Fake weights divided by the integer ones are one scale per channel: a layer with weights keeps its channels first."""
    operator, random = REGISTRY[name], np.random.default_rng(1)
    for _ in range(6):
        example = operator.example(random, 8)
        if "weight" not in example.node.params:
            continue
        parameters = Parameters(
            example.ins,
            example.out,
            example.inner,
            example.weight_bits,
            lambda w, bits=example.weight_bits: weight_scales(w, bits, "MAX_ABS"),
            example.types,
        )
        made: Any = operator.quantize(example.node, parameters)
        levels = made.arrays["weight"].astype(np.float64)
        fake = fake_weight(example.node, example.ins[0], example.weight_bits, "MAX_ABS")
        assert fake.shape == levels.shape
        for row, level in zip(fake.reshape(len(fake), -1), levels.reshape(len(fake), -1), strict=True):
            scale = np.abs(row).max() / max(np.abs(level).max(), 1.0)
            assert row == pytest.approx(level * scale, rel=1e-5, abs=1e-30)


def test_the_table_and_the_files(project: Path) -> None:
    """The same rows as ever, bits on one side only, no artefact; with both keys, nearly the numbers of the integers."""
    whole = converted(project)
    files = {path for path in project.rglob("*") if ".magik" not in path.parts}
    table: dict[str, dict[str, Any]] = {}
    for keys in (("WEIGHT_FAKE_QUANT",), ("FEATURE_FAKE_QUANT",), ("WEIGHT_FAKE_QUANT", "FEATURE_FAKE_QUANT")):
        document, said = told(project, *(f"{key}=true" for key in keys))
        assert any(text.startswith(" and ".join(keys) + ": ") for text in document["warnings"])
        assert any(text.startswith(keys[0]) for text in said)
        assert document["artefacts"] == []
        table["+".join(key[:1] for key in keys)] = rows(document)
    assert {path for path in project.rglob("*") if ".magik" not in path.parts} == files
    plain = rows(whole)
    for name, row in plain.items():
        w, f, both = (table[key][name] for key in ("W", "F", "W+F"))
        assert (w["quantized"], f["quantized"], both["quantized"]) == (row["quantized"],) * 3
        assert (w["feature_bits"], w["weight_bits"]) == (None, row["weight_bits"])
        assert (f["feature_bits"], f["weight_bits"]) == (row["feature_bits"], None)
        assert w["requested_feature_bits"] == 8
        assert both["cosine_avg"] == pytest.approx(row["cosine_avg"], abs=1e-4)
    four = rows(converted(project, "WEIGHT_FAKE_QUANT=true", "QUANT_WEIGHT_BIT=4"))["scores"]["cosine_avg"]
    assert four < table["W"]["scores"]["cosine_avg"]
    assert rows(converted(project, "FEATURE_FAKE_QUANT=true", "QUANT_WEIGHT_BIT=4"))["scores"]["cosine_avg"] == pytest.approx(
        table["F"]["scores"]["cosine_avg"], abs=1e-9
    )
