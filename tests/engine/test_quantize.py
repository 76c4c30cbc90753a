"""Which layers become integer, where their quantization comes from, and where values change between levels and real numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.ir import Graph, Node, TensorType
from engine.numerics import QParams, affine
from engine.plan import Choice, Plan
from engine.quantize import PIXELS, quantize, tensors_to_observe
from tests.engine.networks import DEFAULT, imported, op, ops, quantized, weights

IMAGE = {"x": [1, 3, 8, 8]}
SKIP = Choice(skip="not now")


def chain() -> Graph:
    """Conv2D c, MaxPool p, Sigmoid s, a softmax sm that stays in float, Flatten f, MatMul y."""
    nodes = [
        op("Conv", "x w", "c", pads=[1, 1, 1, 1]),
        op("MaxPool", "c", "p", kernel_shape=[2, 2], strides=[2, 2]),
        op("Sigmoid", "p", "s"),
        op("Softmax", "s", "sm", axis=1),
        op("Flatten", "sm", "f"),
        op("MatMul", "f m", "y"),
    ]
    return imported(nodes, IMAGE, "y", {"w": weights(4, 3, 3, 3), "m": weights(64, 5)})


def test_where_each_quantization_comes_from() -> None:
    made = quantized(chain(), Plan(DEFAULT, nodes={"y": Choice(low=-1.0, high=7.0)}))
    found = {i.name: i for i in made.layers}
    assert {name: (i.op, i.origin) for name, i in found.items() if i.quantized} == {
        "c": ("Conv2D", "own"),
        "p": ("MaxPool", "shared"),
        "s": ("Sigmoid", "fixed"),
        "f": ("Flatten", "shared"),
        "y": ("MatMul", "given"),
    }
    assert found["c"].q == affine(-2.0, 3.0, 8)
    assert found["p"].q == found["c"].q
    assert found["s"].q == affine(0.0, 1.0, 8)
    assert found["f"].q == made.graph.qparams["sm/Quantize"]
    assert found["y"].q == affine(-1.0, 7.0, 8)
    for info in made.layers:
        if info.q:
            assert (info.low, info.high) == pytest.approx(
                (info.q.scale * -info.q.zero, info.q.scale * (255 - info.q.zero)), abs=info.q.scale
            )


def test_a_layer_that_stays_in_float_says_why_and_has_no_quantization() -> None:
    made = quantized(chain(), Plan(DEFAULT, nodes={"c": SKIP}))
    found = {i.name: i for i in made.layers}
    assert (found["sm"].op, found["sm"].reason.startswith("softmax runs in float32")) == ("Softmax", True)
    assert found["c"].reason == "not now"
    for name in ("c", "sm"):
        assert (found[name].q, found[name].low, found[name].weight_bits, found[name].quantized) == (None, None, None, False)
        assert name not in made.graph.qparams


def test_a_float_island_has_one_bridge_each_way() -> None:
    """Two integer readers of a float value share one Quantize, two float readers of levels one Dequantize, outputs included."""
    nodes = [
        op("Relu", "x", "a"),
        op("Softmax", "a", "s1"),
        op("Softmax", "a", "s2", axis=0),
        op("Tanh", "s1", "t1"),
        op("Sigmoid", "s1", "t2"),
        op("Add", "t1 t2", "y"),
    ]
    made = quantized(imported(nodes, {"x": [2, 6]}, "y a s2 x"))
    assert ops(made.graph) == [
        ("Quantize", "x/Quantize"),
        ("Relu", "a"),
        ("Dequantize", "a/Dequantize"),
        ("Float", "s1"),
        ("Float", "s2"),
        ("Quantize", "s1/Quantize"),
        ("Tanh", "t1"),
        ("Sigmoid", "t2"),
        ("EltwiseAdd", "y"),
        ("Dequantize", "y/Dequantize"),
    ]
    assert made.graph.outputs == ("y/Dequantize", "a/Dequantize", "s2", "x")
    assert {t: made.graph.types[t].dtype for t in ("x", "a", "a/Dequantize", "s1", "s1/Quantize", "y")} == {
        "x": "float32",
        "a": "uint8",
        "a/Dequantize": "float32",
        "s1": "float32",
        "s1/Quantize": "uint8",
        "y": "uint8",
    }


def test_a_picture_is_its_own_levels() -> None:
    made = quantized(chain(), inputs={"x": PIXELS})
    assert ops(made.graph)[0] == ("Conv2D", "c")
    assert made.graph.nodes[0].ins == (PIXELS,)
    assert made.graph.types["x"].dtype == "uint8"
    floating = quantized(chain(), Plan(replace(DEFAULT, skip="all")), inputs={"x": PIXELS}).graph
    assert ops(floating)[:2] == [("Dequantize", "x/Dequantize"), ("Float", "c")]
    assert {n.op for n in floating.nodes} == {"Dequantize", "Float"}


def test_names_of_conversions_are_never_those_of_the_model() -> None:
    nodes = [
        op("Relu", "x", "y"),
        op("Softmax", "y", "y/Dequantize"),
        op("Tanh", "y/Dequantize", "x/Quantize"),
        op("Softmax", "x/Quantize", "y/Dequantize/Quantize"),
        op("Add", "y/Dequantize/Quantize y", "z"),
    ]
    made = quantized(imported(nodes, {"x": [1, 6]}, "z")).graph
    produced = [t for n in made.nodes for t in n.outputs]
    assert len(set(produced)) == len(produced)
    known = {*made.inputs}
    for node in made.nodes:
        assert set(node.inputs) <= known
        known.update(node.outputs)
        for tensor, q in (*zip(node.inputs, node.ins, strict=True), *zip(node.outputs, node.outs, strict=True)):
            assert made.qparams.get(tensor) == q, tensor


@pytest.mark.parametrize("skipped", ["p", "s", "f", "ps", "cps", "csf"])
def test_what_a_skipped_layer_would_not_have_observed_is_quantized_all_the_same(skipped: str) -> None:
    """A pool has no range of its own and a sigmoid a fixed one: in float, their readers still need one."""
    plan = Plan(DEFAULT, nodes=dict.fromkeys(skipped, SKIP))
    made = quantized(chain(), plan, {"c": (-1.0, 4.0), "x": (-9.0, 9.0), "sm": (0.0, 0.5)})
    assert {i.name for i in made.layers if i.reason == "not now"} == set(skipped)
    expected = {"p/Quantize": affine(-1.0, 4.0, 8), "s/Quantize": affine(0.0, 1.0, 8), "f/Quantize": affine(0.0, 0.5, 8)}
    for tensor, q in expected.items():
        assert made.graph.qparams.get(tensor, q) == q, tensor
    assert ("f/Quantize" in made.graph.qparams) == ("f" in skipped)


def test_nothing_is_asked_of_the_observer_that_was_not_observed() -> None:
    graph = chain()
    asked: list[str] = []
    quantized(graph, asked=asked)
    assert tensors_to_observe(graph) == ("x", "c", "sm", "y")
    assert set(asked) == {"x", "c", "sm", "y"}


def test_a_layer_that_declines_leaves_nothing_behind() -> None:
    """Its inputs were quantized to ask it; the float layer it becomes reads them as they were."""
    bad = weights(4, 3, 3, 3)
    bad[2, 1, 0, 0] = np.inf
    nodes = [op("Softmax", "x", "s"), op("Conv", "s w", "c"), op("Softmax", "c", "y")]
    made = quantized(imported(nodes, IMAGE, "y", {"w": bad}))
    assert ops(made.graph) == [("Float", "s"), ("Float", "c"), ("Float", "y")]
    assert made.layers[1].reason == "its weights are not all finite"
    assert made.graph.qparams == {}
    assert "s/Quantize" not in made.graph.types


def test_a_conversion_others_use_stays_when_a_layer_declines() -> None:
    bad = np.full((4, 3, 1, 1), np.nan, np.float32)
    nodes = [op("Softmax", "x", "s"), op("Tanh", "s", "t"), op("Conv", "s w", "c")]
    made = quantized(imported(nodes, IMAGE, "t c", {"w": bad}))
    assert ops(made.graph)[:4] == [("Float", "s"), ("Quantize", "s/Quantize"), ("Tanh", "t"), ("Float", "c")]
    assert made.graph.nodes[3].inputs == ("s",)
    after = quantized(imported([*nodes[::2], nodes[1]], IMAGE, "t c", {"w": bad}))
    assert ops(after.graph)[:4] == [("Float", "s"), ("Float", "c"), ("Quantize", "s/Quantize"), ("Tanh", "t")]


def test_every_layer_has_the_bits_it_was_given() -> None:
    given = {"c": Choice(12, 4), "p": Choice(4), "s": Choice(10), "sm": Choice(9), "y": Choice(8, 6)}
    made = quantized(chain(), Plan(DEFAULT, nodes=given))
    found = {i.name: i for i in made.layers}
    assert {n: (i.q.bits if i.q else None, i.weight_bits) for n, i in found.items()} == {
        "c": (12, 4),
        "p": (12, None),  # a pool has the levels of what it reads, whatever was asked for it
        "s": (10, None),
        "sm": (None, None),
        "f": (9, None),  # and so has a flatten: those of the quantize behind the float layer, which are that layer's
        "y": (8, 6),
    }
    assert (found["p"].requested_bits, found["sm"].requested_bits) == (4, 9)
    assert {t: made.graph.types[t].dtype for t in ("c", "p", "s", "f", "y")} == {
        "c": "uint16",
        "p": "uint16",
        "s": "uint16",
        "f": "uint16",
        "y": "uint8",
    }
    conv = next(n for n in made.graph.nodes if n.name == "c")
    assert np.abs(conv.arrays["weight"]).max() == 7


def test_an_input_is_quantized_for_the_layer_that_reads_it_first() -> None:
    """And never with the range that was given to that layer's output."""
    made = quantized(chain(), Plan(DEFAULT, nodes={"c": Choice(12, low=-50.0, high=50.0)}), {"x": (-1.0, 1.0)})
    assert made.graph.qparams["x/Quantize"] == affine(-1.0, 1.0, 12)
    assert made.graph.qparams["c"] == affine(-50.0, 50.0, 12)


def test_one_given_end_leaves_the_other_to_observation() -> None:
    nodes = {"c": Choice(low=-8.0), "s": Choice(high=0.5)}
    found = {i.name: i for i in quantized(chain(), Plan(DEFAULT, nodes=nodes)).layers}
    assert (found["c"].q, found["c"].origin) == (affine(-8.0, 3.0, 8), "given")
    assert (found["s"].q, found["s"].origin) == (affine(0.0, 0.5, 8), "given")


def test_a_bias_too_large_for_its_scale_is_noted() -> None:
    constants = {"w": np.full((2, 3, 1, 1), 1e-9, np.float32), "b": np.array([1.0, 1e-7], np.float32)}
    made = quantized(imported([op("Conv", "x w b", "y")], IMAGE, "y", constants), ranges={"x": (0.0, 1.0)})
    (info,) = made.layers
    assert info.notes == ("the weight scale of 1 channels grew so that their bias fits in half of int32",)
    bias = made.graph.nodes[1].arrays["bias"]
    assert 0.99 * 2**30 < bias[0] <= 2**30
    assert quantized(chain()).layers[0].notes == ()


def test_a_channel_without_weights_keeps_its_bias() -> None:
    constants = {"w": np.zeros((3, 3, 1, 1), np.float32), "b": np.array([0.4, -1e-6, 0.0], np.float32)}
    constants["w"][2] = 0.5
    made = quantized(imported([op("Conv", "x w b", "y")], IMAGE, "y", constants), ranges={"x": (0.0, 255.0), "y": (-1.0, 1.0)})
    (info,) = made.layers
    node = made.graph.nodes[1]
    assert node.ins[0] is not None
    assert info.notes == ()
    scale = node.arrays["m"].astype(np.float64) * affine(-1.0, 1.0, 8).scale  # of the sum, in real units
    np.testing.assert_allclose(node.arrays["bias"][:2] * scale[:2], [0.4, -1e-6], rtol=1e-6)
    assert node.attrs["bound"] < 2**24


def test_the_range_that_is_told_is_the_one_that_was_found() -> None:
    found = {i.name: i for i in quantized(chain(), Plan(replace(DEFAULT, feature_bits=4)), ranges={"c": (-0.1, 2.9)}).layers}
    assert (found["c"].low, found["c"].high) == (-0.1, 2.9)
    assert found["c"].q == affine(-0.1, 2.9, 4)


def test_what_is_inside_a_layer_is_quantized_with_its_own_range() -> None:
    nodes = [op("Conv", "x w", "t"), op("Sigmoid", "t", "g"), op("Mul", "t g", "y")]
    graph = imported(nodes, IMAGE, "y", {"w": weights(4, 3, 3, 3)})
    made = quantized(graph, Plan(Choice(10)), {"t": (-6.0, 6.0), "y": (-0.3, 6.0)})
    assert tensors_to_observe(graph) == ("x", "t", "y")
    (info,) = made.layers
    assert (info.inner, info.q) == (affine(-6.0, 6.0, 10), affine(-0.3, 6.0, 10))


def test_tensors_without_elements_and_without_dimensions() -> None:
    nodes = [
        op("Slice", "x from to", "none"),
        op("Relu", "none", "still"),
        op("Concat", "still x", "whole", axis=0),
        op("Mul", "whole s", "y"),
    ]
    constants = {"from": np.array([0]), "to": np.array([0])}
    made = quantized(imported(nodes, {"x": [1, 6], "s": []}, "y", constants))
    assert [(i.name, i.quantized) for i in made.layers] == [("none", True), ("still", True), ("whole", True), ("y", True)]
    assert made.graph.types["still"] == TensorType((0, 6), "uint8")
    assert made.graph.types["s/Quantize"] == TensorType((), "uint8")


def test_layers_of_integers_stay_as_they_are() -> None:
    nodes = [op("Relu", "x", "r"), op("ArgMax", "r", "k", axis=1), op("Cast", "k", "f", to=1), op("Relu", "f", "y")]
    made = quantized(imported(nodes, {"x": [1, 6]}, "y k"))
    assert [i.name for i in made.layers if i.quantized] == ["r", "y"]
    assert made.graph.outputs == ("y/Dequantize", "k")
    assert made.graph.types["k"].dtype == "int64"


def test_all_outputs_of_a_float_layer_are_quantized_where_they_are_read() -> None:
    nodes = [
        op("LSTM", "x w r", "- a b", hidden_size=5),
        op("TopK", "a n", "top places"),
        op("Add", "a b", "c"),
        op("Add", "c a", "d"),
        op("Mul", "d b", "y"),
    ]
    constants = {"w": weights(1, 20, 4), "r": weights(1, 20, 5), "n": np.array([3])}
    graph = imported(nodes, {"x": [2, 1, 4]}, "y top places b", constants)
    assert graph.nodes[0].outputs == ("a", "b")
    made = quantized(graph, ranges={"a": (0.0, 1.0), "b": (-4.0, 0.0)}).graph
    assert made.qparams["a/Quantize"] == affine(0.0, 1.0, 8)
    assert made.qparams["b/Quantize"] == affine(-4.0, 0.0, 8)
    assert made.outputs == ("y/Dequantize", "top", "places", "b")
    assert [n.name for n in made.nodes if n.op == "Quantize"] == ["a/Quantize", "b/Quantize"]


def test_outputs_named_twice_and_outputs_that_are_inputs() -> None:
    graph = imported([op("Relu", "x", "y")], {"x": [1, 6]}, "y")
    made = quantized(replace(graph, outputs=("y", "y", "x")), inputs={"x": QParams(0.5, 1, 8)}).graph
    assert made.outputs == ("y/Dequantize", "y/Dequantize", "x/Dequantize")
    assert [n.name for n in made.nodes] == ["y", "y/Dequantize", "x/Dequantize"]


def test_steps_are_told_and_the_float_graph_is_left_alone() -> None:
    graph = chain()
    before = [(n.op, n.name, n.inputs, n.outputs, dict(n.attrs)) for n in graph]
    told: list[tuple[int, int]] = []
    ranges = {t: lambda choice: (-1.0, 1.0) for t in tensors_to_observe(graph)}
    resolved = Plan(DEFAULT).resolve((n.name, n.op) for n in graph)
    quantize(graph, ranges, resolved, step=lambda done, total: told.append((done, total)))
    assert told == [(i + 1, 6) for i in range(6)]
    assert [(n.op, n.name, n.inputs, n.outputs, dict(n.attrs)) for n in graph] == before


def test_a_layer_of_an_unknown_type_is_float() -> None:
    node = Node("FromTheFuture", "y", ("x",), ("y",))
    made = quantized(Graph(("x",), ("y",), (node,), {"x": TensorType((1, 2)), "y": TensorType((1, 2))}))
    assert made.layers[0].reason == "no integer form of FromTheFuture is known"
