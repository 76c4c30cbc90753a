"""QUANT_OP_SKIP and QUANT_NODE_SKIP: what is skipped computes in float, weights included, and everybody is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from engine.cli.transform import table_lines
from engine.dataset import InputSpec
from engine.ir import Graph, Node, TensorType
from engine.numerics import Array, affine, dequantize
from engine.numerics import quantize as to_levels
from engine.ops.conv2d import convolve
from engine.plan import Choice, Plan
from engine.quantize import quantize
from engine.simulate import Inputs, Networks

from .running import converted, rows, told

CONV = {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 1, 1, 1), "group": 1, "low": -np.inf, "high": np.inf, "function": ""}


def chain_of_three() -> Graph:
    """Return three convolutions in a row; in each channel of the middle one a loud weight hides the others from any 8-bit scale."""
    random = np.random.default_rng(3)
    weights = [random.normal(0, 0.3, (4, 4, 3, 3)).astype(np.float32) for _ in range(3)]
    weights[1] *= np.float32(0.01)
    weights[1][:, 0, 0, 0] = 3.0
    names = ["x", "a", "b", "c"]
    nodes = [Node("Conv2D", names[i + 1], (names[i],), (names[i + 1],), CONV, {"weight": w}) for i, w in enumerate(weights)]
    types = {name: TensorType((1, 4, 9, 9)) for name in names}
    return Graph(("x",), ("c",), tuple(nodes), types)


def nchw(value: Array) -> Array:
    return value.transpose(0, 3, 1, 2)


def test_the_weights_of_a_skipped_layer_stay_float_in_the_simulation() -> None:
    """onnxruntime's optimizers would quantize the weights of a convolution between two integer ones; here they must not."""
    graph = chain_of_three()
    plan = Plan(Choice(8, 8, None, "MAX_ABS", skip="")).with_node("b", Choice(skip="skipped by QUANT_NODE_SKIP"))
    ranges = {t: lambda choice, t=t: (-4.0, 4.0) for t in graph.types}
    quantized = quantize(graph, ranges, plan.resolve((n.name, n.op) for n in graph))
    networks = Networks(graph, Inputs((InputSpec("x", (1, 4, 9, 9)),), frozenset()))
    program = networks.integers(quantized.graph, ["a", "b/Quantize", "c"])
    x = np.random.default_rng(4).uniform(-4, 4, (1, 9, 9, 4)).astype(np.float32)
    found = program.run({"x": x})

    source, target, weight = quantized.graph.qparams["a"], quantized.graph.qparams["b/Quantize"], graph.nodes[1].params["weight"]
    assert quantized.graph.qparams.get("b") is None
    assert target == affine(-4.0, 4.0, 8)  # what the last layer reads has the range of b itself
    a = nchw(dequantize(found["a"], source)).astype(np.float64)

    def distance(weights: Array) -> int:
        exact = to_levels(convolve(a, weights.astype(np.float64), CONV), target)
        return int(np.abs(nchw(found["b/Quantize"]).astype(int) - exact).max())

    assert distance(weight) <= 1  # a tie may fall either way in float32
    assert distance(np.rint(weight / (3 / 127)) * (3 / 127)) > 2  # 8-bit weights would show


def test_a_skipped_node_is_float_and_says_why(project: Path) -> None:
    plain, skipped = rows(converted(project)), rows(converted(project, 'QUANT_NODE_SKIP=["c2"]'))
    row = skipped["c2"]
    assert (row["quantized"], row["reason"]) == (False, "skipped by QUANT_NODE_SKIP")
    assert (row["feature_bits"], row["weight_bits"]) == (None, None)
    assert (row["requested_feature_bits"], row["requested_weight_bits"]) == (8, 8)
    assert row["scale"] is None
    assert row["local_cosine"] is None
    assert row["macs"] == plain["c2"]["macs"] > 0
    assert row["cosine_avg"] > plain["c2"]["cosine_avg"]
    others = {name for name, other in skipped.items() if other["quantized"]}
    assert others == set(plain) - {"c2"}


def test_a_skipped_type_takes_all_its_nodes(project: Path) -> None:
    nodes = converted(project, "QUANT_OP_SKIP=Conv2D")["nodes"]
    assert {node["reason"] for node in nodes if node["op"] == "Conv2D"} == {"skipped by QUANT_OP_SKIP"}
    assert all(node["quantized"] for node in nodes if node["op"] != "Conv2D")


def test_everything_skipped_is_the_float_network(project: Path) -> None:
    types = sorted({node["op"] for node in converted(project)["nodes"]})
    document = converted(project, f"QUANT_OP_SKIP={types}".replace("'", '"'))
    assert document["outputs"][0]["cosine_avg"] == pytest.approx(1.0, abs=1e-9)
    assert not any(node["quantized"] for node in document["nodes"])


def test_names_that_match_nothing_are_told_with_the_nearest(project: Path) -> None:
    document, said = told(project, 'QUANT_NODE_SKIP=["C2","r1"]', 'QUANT_OP_SKIP=["Conv2d"]')
    for text in ("no layer 'C2', did you mean 'c2'?", "no operator type 'Conv2d', did you mean 'Conv2D'?"):
        assert text in document["warnings"]
        assert text in said
    assert rows(document)["r1"]["reason"] == "skipped by QUANT_NODE_SKIP"
    assert rows(document)["c2"]["quantized"]


def test_a_name_inside_of_a_layer_is_told_with_the_layer(project: Path) -> None:
    """The tensor between a convolution and what it absorbs, and the name of an operator; they are what other tools show."""
    model = onnx.load(project / "net.onnx")
    inside = next(n for n in model.graph.node if n.output[0] == "c1")
    inside.name = "/stem/Conv"
    onnx.save(model, project / "net.onnx")
    expected = ["no layer 'c1', it is part of 'r1'", "no layer '/stem/Conv', it is part of 'r1'"]
    assert converted(project, 'QUANT_NODE_SKIP=["c1","/stem/Conv"]')["warnings"] == expected


def test_any_name_can_be_skipped_and_none_speaks_to_the_terminal(project: Path) -> None:
    """Markup, escapes, paths, line ends: a name that is there matches as it is written, one that is not is told in plain characters."""
    name = '[red]c2[/x]/../\x1b[31m\n"é'
    model = onnx.load(project / "net.onnx")
    for node in model.graph.node:
        for side in (node.input, node.output):
            side[:] = [name if t == "c2" else t for t in side]
    onnx.save(model, project / "net.onnx")
    lost = ["[red]c2", "../../etc", "c2\r", "\x1b]0;title\x07", "c" * 3000]
    document = converted(project, f"QUANT_NODE_SKIP={json.dumps([name, *lost])}", "SAVE_OP_QUANT_BIT=true")
    assert [row["name"] for row in document["nodes"] if row["reason"] == "skipped by QUANT_NODE_SKIP"] == [name]
    assert sum(text.startswith("no layer ") for text in document["warnings"]) == len(lost)
    assert all(text.isprintable() for text in (*document["warnings"], *table_lines(document)))
    document = converted(project, f"QUANT_OP_SKIP={json.dumps(lost)}", "LOAD_OP_QUANT_BIT=true")
    assert sum(text.startswith("no operator type ") for text in document["warnings"]) == len(lost)
    assert rows(document)[name]["quantized"]
