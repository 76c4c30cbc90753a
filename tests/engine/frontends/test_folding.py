"""Constants, copies and dead code: what is left to run after import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine.errors import ModelError
from engine.frontends import folding
from engine.frontends.importer import Imported
from engine.ir import TensorType
from tests.engine.frontends.models import layers, make_model, run_graph

Importing = Callable[..., Imported]


def constant(name: str, value: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value)))


def test_a_shape_chain_becomes_a_constant(importing: Importing) -> None:
    """What PyTorch writes for x.view(x.size(0), -1)."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        constant("zero", np.int64(0)),
        helper.make_node("Gather", ["shape", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n"], ["n1"], axes=[0]),
        constant("minus", np.array([-1])),
        helper.make_node("Concat", ["n1", "minus"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    found = importing(nodes, {"x": ["N", 3, 4, 5]}, ["y"], opset=11).graph
    assert layers(found) == [("Reshape", "y")]
    assert found.types["y"] == TensorType((1, 60))
    assert not found.constants


def test_shapes_of_what_only_a_folded_constant_tells(importing: Importing) -> None:
    """The second Shape asks about a tensor whose type needs the first to be folded through a float."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "half"], ["g"]),
        helper.make_node("Cast", ["g"], ["target"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["x", "target"], ["r"]),
        helper.make_node("Shape", ["r"], ["s2"]),
        helper.make_node("Size", ["r"], ["n"]),
        helper.make_node("Reshape", ["n", "one"], ["n1"]),
        helper.make_node("Slice", ["s2", "zero", "one"], ["first"]),
        helper.make_node("Div", ["n1", "first"], ["rest"]),
        helper.make_node("Concat", ["rest", "first"], ["swapped"], axis=0),
        helper.make_node("Reshape", ["r", "swapped"], ["y"]),
    ]
    constants = {"half": np.array([4, 0.25], np.float32), "zero": np.array([0]), "one": np.array([1])}
    found = importing(nodes, {"x": [2, 12]}, ["y"], constants).graph
    assert layers(found) == [("Reshape", "r"), ("Reshape", "y")]
    assert found.types["y"] == TensorType((3, 8))


@pytest.mark.parametrize(("attrs", "expected"), [({}, 3 * 4), ({"start": 1}, 4), ({"end": -1}, 3), ({"start": -1, "end": 9}, 4)])
def test_ends_of_shape(importing: Importing, attrs: dict[str, int], expected: int) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], **attrs),
        helper.make_node("ReduceProd", ["s"], ["p"], keepdims=1),
        helper.make_node("Expand", ["one", "p"], ["e"]),
        helper.make_node("Concat", ["e", "x1"], ["y"], axis=0),
    ]
    found = importing(nodes, {"x": [3, 4], "x1": [2]}, ["y"], {"one": np.ones(1, np.float32)}, opset=15).graph
    assert found.types["y"].shape == (expected + 2,)


def test_weights_are_computed_now(importing: Importing) -> None:
    nodes = [helper.make_node("Transpose", ["w"], ["wt"], perm=[1, 0]), helper.make_node("MatMul", ["x", "wt"], ["y"])]
    found = importing(nodes, {"x": [1, 30]}, ["y"], {"w": np.arange(1200, dtype=np.float32).reshape(40, 30)}).graph
    assert layers(found) == [("MatMul", "y")]


@pytest.mark.parametrize("op", ["RandomNormal", "RandomUniform"])
def test_chance_is_not_folded(importing: Importing, op: str) -> None:
    nodes = [helper.make_node(op, [], ["r"], shape=[1, 3]), helper.make_node("Add", ["x", "r"], ["y"])]
    assert layers(importing(nodes, {"x": [1, 3]}, ["y"]).graph)[0] == (f"Float:{op}", "r")


def test_a_huge_expansion_stays(importing: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "LARGEST", 1000)
    nodes = [helper.make_node("Expand", ["one", "size"], ["e"]), helper.make_node("Add", ["x", "e"], ["y"])]
    constants = {"one": np.ones((1, 1), np.float32), "size": np.array([30, 30])}
    assert ("Float:Expand", "e") in layers(importing(nodes, {"x": [30, 30]}, ["y"], constants).graph)
    monkeypatch.undo()
    assert ("Float:Expand", "e") not in layers(importing(nodes, {"x": [30, 30]}, ["y"], constants).graph)


def test_one_constant_that_onnxruntime_cannot_compute_does_not_spoil_the_others(importing: Importing) -> None:
    """Dividing integers by zero is refused where the branch is never wanted at run time: here it is, so the layer stays."""
    nodes = [
        helper.make_node("Gather", ["table", "far"], ["bad"]),
        helper.make_node("Neg", ["w"], ["good"]),
        helper.make_node("Add", ["x", "good"], ["a"]),
        helper.make_node("Add", ["a", "bad"], ["y"]),
    ]
    constants = {"table": np.ones((2, 3), np.float32), "far": np.array(7), "w": np.ones(3, np.float32)}
    found = importing(nodes, {"x": [1, 3]}, ["y"], constants)
    assert ("Float:Gather", "bad") in layers(found.graph)
    assert ("Float:Neg", "good") not in layers(found.graph)


def test_constants_of_every_spelling(importing: Importing) -> None:
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(np.array([5.0], np.float32), "v"), numpy_helper.from_array(np.array([2])), [3]
    )
    nodes = [
        helper.make_node("Constant", [], ["a"], value_float=1.0),
        helper.make_node("Constant", [], ["b"], value_floats=[1.0, 2.0, 3.0]),
        helper.make_node("Constant", [], ["c"], sparse_value=sparse),
        helper.make_node("Constant", [], ["d"], value_ints=[1, -1]),
        helper.make_node("Constant", [], ["e"], value_int=0),
        helper.make_node("Sum", ["x", "a", "b", "c"], ["s"]),
        helper.make_node("Reshape", ["s", "d"], ["r"]),
        helper.make_node("Softmax", ["r"], ["p"]),
        helper.make_node("Gather", ["p", "e"], ["y"]),
    ]
    found = importing(nodes, {"x": [1, 3]}, ["y"]).graph
    feeds = {"x": np.zeros((1, 3), np.float32)}
    expected = np.exp([2.0, 3.0, 9.0]) / np.exp([2.0, 3.0, 9.0]).sum()
    np.testing.assert_allclose(run_graph(found, feeds, ["y"])["y"], expected, rtol=1e-5)


def test_a_sparse_initializer(importing: Importing) -> None:
    model = make_model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": [1, 2]}, ["y"])
    places = numpy_helper.from_array(np.array([[0, 1], [1, 2]]), "i")
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(numpy_helper.from_array(np.array([3, 4], np.float32), "w"), places, [2, 3])
    )
    (layer,) = importing(model).graph.nodes
    assert layer.op == "MatMul"
    np.testing.assert_array_equal(np.sort(layer.params["weight"].reshape(-1)), [0, 0, 0, 0, 3, 4])


def test_an_initializer_that_is_also_an_input_is_a_constant(importing: Importing) -> None:
    nodes = [helper.make_node("Mul", ["x", "w"], ["y"])]
    found = importing(nodes, {"x": [1, 3], "w": [3]}, ["y"], {"w": np.ones(3, np.float32)}, ir_version=3, opset=8).graph
    assert found.inputs == ("x",)


def test_identity_inside_is_dropped(importing: Importing) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["a"]), helper.make_node("Identity", ["a"], ["b"]), helper.make_node("Tanh", ["b"], ["y"])]
    (layer,) = importing(nodes, {"x": [1, 3]}, ["y"]).graph.nodes
    assert (layer.op, layer.inputs, layer.name) == ("Tanh", ("x",), "y")


def test_identity_that_is_an_output_gives_its_name(importing: Importing) -> None:
    nodes = [helper.make_node("Tanh", ["x"], ["a"]), helper.make_node("Identity", ["a"], ["y"]), helper.make_node("Relu", ["a"], ["z"])]
    found = importing(nodes, {"x": [1, 3]}, ["y", "z"]).graph
    assert layers(found) == [("Tanh", "y"), ("Relu", "z")]
    assert found.nodes[1].inputs == ("y",)


def test_identity_stays_where_both_names_are_outputs(importing: Importing) -> None:
    nodes = [
        helper.make_node("Tanh", ["x"], ["a"]),
        helper.make_node("Identity", ["a"], ["y"]),
        helper.make_node("Identity", ["a"], ["z"]),
        helper.make_node("Identity", ["x"], ["same"]),
    ]
    found = importing(nodes, {"x": [1, 3]}, ["a", "y", "z", "same"]).graph
    feeds = {"x": np.array([[1.0, 0.0, -1.0]], np.float32)}
    values = run_graph(found, feeds, found.outputs)
    np.testing.assert_array_equal(values["same"], feeds["x"])
    for name in ("y", "z"):
        np.testing.assert_array_equal(values[name], values["a"])


def test_names_given_inside_subgraphs_follow(importing: Importing) -> None:
    branch = [helper.make_graph([helper.make_node("Neg", ["b"], [t])], t, [], [onnx.ValueInfoProto(name=t)]) for t in ("yes", "no")]
    nodes = [
        helper.make_node("Tanh", ["x"], ["a"]),
        helper.make_node("Identity", ["a"], ["b"]),
        helper.make_node("If", ["go"], ["y"], then_branch=branch[0], else_branch=branch[1]),
    ]
    found = importing(nodes, {"x": [1, 3], "go": ([], TensorProto.BOOL)}, ["y"]).graph
    assert set(found.nodes[1].inputs) == {"go", "a"}
    assert found.nodes[1].raw[0].captured == ("a",)
    feeds = {"x": np.ones((1, 3), np.float32), "go": np.array(True)}
    np.testing.assert_allclose(run_graph(found, feeds, ["y"])["y"], -np.tanh(feeds["x"]), rtol=1e-6)


def test_a_name_that_a_subgraph_hides_is_its_own(importing: Importing) -> None:
    inner = [helper.make_node("Tanh", ["x"], ["b"]), helper.make_node("Neg", ["b"], ["r"])]
    branches = {f"{t}_branch": helper.make_graph(inner, t, [], [onnx.ValueInfoProto(name="r")]) for t in ("then", "else")}
    nodes = [
        helper.make_node("Identity", ["x"], ["b"]),
        helper.make_node("If", ["go"], ["i"], **branches),
        helper.make_node("Add", ["i", "b"], ["y"]),
    ]
    graph = importing(nodes, {"x": [1, 3], "go": ([], TensorProto.BOOL)}, ["y"]).graph
    payload = onnx.NodeProto.FromString(graph.nodes[0].raw[0].payload)
    assert [(n.input[0], n.output[0]) for n in payload.attribute[0].g.node] == [("x", "b"), ("b", "r")]


@pytest.mark.parametrize("opset", [7, 10, 12, 13, 22])
def test_dropout_is_dropped(importing: Importing, opset: int) -> None:
    ratio = {"ratio": 0.3} if opset < 12 else {}
    nodes = [
        helper.make_node("Tanh", ["x"], ["a"]),
        helper.make_node("Dropout", ["a"], ["d"], **ratio),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    assert [name for _, name in layers(importing(nodes, {"x": [1, 3]}, ["y"], opset=opset).graph)] == ["a", "y"]


@pytest.mark.parametrize(("training", "left"), [(False, 2), (True, 3)])
def test_dropout_in_training_mode_stays(importing: Importing, training: bool, left: int) -> None:
    nodes = [
        helper.make_node("Tanh", ["x"], ["a"]),
        helper.make_node("Dropout", ["a", "", "t"], ["d"]),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    assert len(importing(nodes, {"x": [1, 3]}, ["y"], {"t": np.array(training)}).graph.nodes) == left


def test_dropout_whose_mask_is_read_stays(importing: Importing) -> None:
    nodes = [helper.make_node("Dropout", ["x"], ["d", "mask"]), helper.make_node("Where", ["mask", "d", "x"], ["y"])]
    assert ("Float:Dropout", "d") in layers(importing(nodes, {"x": [1, 3]}, ["y"]).graph)


def test_an_output_that_is_constant_is_still_made(importing: Importing) -> None:
    nodes = [helper.make_node("Tanh", ["x"], ["y"]), helper.make_node("Shape", ["x"], ["s"]), constant("c", np.array([1.5, 2.5]))]
    found = importing(nodes, {"x": [1, 3]}, ["y", "s", "c", "w"], {"w": np.arange(3)}).graph
    assert found.outputs == ("y", "s", "c", "w")
    values = run_graph(found, {"x": np.zeros((1, 3), np.float32)}, found.outputs)
    assert [values[t].tolist() for t in ("s", "c", "w")] == [[1, 3], [1.5, 2.5], [0, 1, 2]]


def test_dead_code_goes(importing: Importing) -> None:
    nodes = [helper.make_node("Tanh", ["x"], ["y"]), helper.make_node("NoSuchOperator", ["x"], ["nobody"])]
    assert layers(importing(nodes, {"x": [1, 3]}, ["y"]).graph) == [("Tanh", "y")]


def test_operators_in_any_order(importing: Importing) -> None:
    nodes = [helper.make_node("Tanh", ["b"], ["y"]), helper.make_node("Sigmoid", ["a"], ["b"]), helper.make_node("Exp", ["x"], ["a"])]
    assert [name for _, name in layers(importing(nodes, {"x": [1, 3]}, ["y"]).graph)] == ["a", "b", "y"]


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ([helper.make_node("Add", ["x", "y"], ["y"])], "needs its own result"),
        (
            [
                helper.make_node("Add", ["x", "b"], ["a"]),
                helper.make_node("Add", ["x", "a"], ["b"]),
                helper.make_node("Tanh", ["b"], ["y"]),
            ],
            "own",
        ),
        ([helper.make_node("Add", ["x", "ghost"], ["y"])], "'ghost', which nothing makes"),
        ([helper.make_node("Tanh", ["x"], ["y"]), helper.make_node("Exp", ["x"], ["y"])], "'y' is made twice"),
        ([helper.make_node("Tanh", ["x"], ["x"])], "'x' is made twice"),
        ([helper.make_node("Tanh", ["x"], ["z"])], "nothing makes the model's output 'y'"),
    ],
)
def test_graphs_that_are_none(importing: Importing, nodes: Any, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        importing(nodes, {"x": [1, 3]}, ["y"])


def test_functions_of_the_model_are_inlined(importing: Importing) -> None:
    body = [helper.make_node("Sigmoid", ["v"], ["s"]), helper.make_node("Mul", ["v", "s"], ["o"])]
    swish = helper.make_function("mine", "Swish", ["v"], ["o"], body, [helper.make_opsetid("", 13)])
    nodes = [helper.make_node("Swish", ["x"], ["a"], domain="mine"), helper.make_node("Swish", ["a"], ["y"], domain="mine")]
    found = importing(nodes, {"x": [1, 3]}, ["y"], functions=[swish], domains={"mine": 1}).graph
    assert layers(found) == [("SiLU", "a"), ("SiLU", "y")]


def test_strings_pass_through(importing: Importing) -> None:
    nodes = [
        helper.make_node("ArgMax", ["x"], ["i"], axis=1, keepdims=0),
        helper.make_node("Gather", ["words", "i"], ["word"]),
    ]
    found = importing(nodes, {"x": [1, 3]}, ["word"], {"words": np.array(["null", "eins", "zwei"])}).graph
    assert found.types["word"].dtype == "str"
    assert run_graph(found, {"x": np.array([[0, 1, 9]], np.float32)}, ["word"])["word"].tolist() == ["zwei"]
