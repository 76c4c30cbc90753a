"""Binding INPUT_SHAPE, inference, and the trial run behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from engine.errors import ConfigError, ModelError
from engine.frontends.importer import Imported
from engine.ir import TensorType
from tests.engine.frontends.models import make_model

Importing = Callable[..., Imported]
RELU = [helper.make_node("Relu", ["x"], ["y"])]


def bound(importing: Importing, dims: Any, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    return importing(RELU, {"x": dims}, ["y"], cfg={"input_shape": shapes}).graph.types["y"].shape


def test_one_symbol_for_two_sizes_is_bound_by_position(importing: Importing) -> None:
    assert bound(importing, ["?", 3, "?", "?"], (1, 3, 48, 192)) == (1, 3, 48, 192)


def test_an_open_batch_is_one(importing: Importing) -> None:
    assert bound(importing, ["N", 3, 4, 5]) == (1, 3, 4, 5)
    assert bound(importing, [-1, 3, 4, 5]) == (1, 3, 4, 5)
    assert bound(importing, [0, 3, 4, 5]) == (1, 3, 4, 5)


def test_a_fixed_batch_can_be_made_one(importing: Importing) -> None:
    assert bound(importing, [8, 3, 4, 5], (1, 3, 4, 5)) == (1, 3, 4, 5)


def test_an_open_rank_takes_any_shape(importing: Importing) -> None:
    assert bound(importing, None, (1, 2, 3)) == (1, 2, 3)


@pytest.mark.parametrize(
    ("dims", "shapes", "says"),
    [
        (["N", 3, "H", "W"], (), "leaves part of the shape of input 'x' open: [?,3,?,?]"),
        (None, (), "leaves the shape of input 'x' open"),
        (["N", 3, "H", "W"], ((1, 3, 48),), "it has 4 dimensions"),
        (["N", 3, "H", "W"], ((1, 48, 48, 3),), "dimension 1 is 3"),
        ([1, 3, 24, 24], ((1, 3, 32, 32),), "dimension 2 is 24"),
    ],
)
def test_shapes_that_do_not_fit(importing: Importing, dims: Any, shapes: Any, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        bound(importing, dims, *shapes)
    assert says in str(caught.value)
    assert caught.value.where == "INPUT_SHAPE"
    assert caught.value.hint


def test_more_shapes_than_inputs(importing: Importing) -> None:
    with pytest.raises(ConfigError, match="2 entries for 1 input"):
        bound(importing, [1, 3], (1, 3), (1, 3))


def two(importing: Importing, second: Any, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Relu", ["z"], ["w"])]
    return importing(nodes, {"x": [1, 3, None, None], "z": second}, ["y", "w"], cfg={"input_shape": shapes}).graph.types["w"].shape


def test_the_last_shape_serves_the_inputs_that_follow(importing: Importing) -> None:
    assert two(importing, ["N", 3, "H", "W"], (1, 3, 8, 9)) == (1, 3, 8, 9)


def test_but_not_an_input_it_cannot_be_meant_for(importing: Importing) -> None:
    assert two(importing, [1, 10], (1, 3, 8, 9)) == (1, 10)


def test_stale_shapes_in_the_file_are_not_believed(importing: Importing) -> None:
    model = make_model([*RELU, helper.make_node("Tanh", ["y"], ["z"])], {"x": ["N", 3]}, ["z"])
    model.graph.value_info.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [16, 7]))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 9]))
    types = importing(model).graph.types
    assert types["y"] == types["z"] == TensorType((1, 3))


def test_a_trial_run_tells_what_inference_cannot(importing: Importing) -> None:
    """The sizes of this Reshape depend on arithmetic through a float, which inference does not follow."""
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=1, axes=[0, 1]),
        helper.make_node("Mul", ["sum", "zero"], ["nought"]),
        helper.make_node("Add", ["nought", "half"], ["halves"]),
        helper.make_node("Cast", ["halves"], ["size"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["size", "flat"], ["target"]),
        helper.make_node("Reshape", ["x", "target"], ["r"]),
        helper.make_node("Relu", ["r"], ["y"]),
    ]
    constants = {"zero": np.zeros((1, 1), np.float32), "half": np.array([[2.0, 6.0]], np.float32), "flat": np.array([-1])}
    found = importing(nodes, {"x": [1, 12]}, ["y"], constants, opset=11)
    assert found.graph.types["y"] == TensorType((2, 6))
    assert found.warnings == ()


def test_sizes_that_the_data_decides_stay_unknown(importing: Importing) -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["where"]), helper.make_node("Cast", ["where"], ["y"], to=TensorProto.FLOAT)]
    assert "y" not in importing(nodes, {"x": [1, 12]}, ["y"]).graph.types


def test_types_of_contrib_operators_come_from_the_trial(importing: Importing) -> None:
    nodes = [
        helper.make_node("FusedGemm", ["x", "w"], ["h"], domain="com.microsoft", activation="Relu"),
        helper.make_node("Tanh", ["h"], ["y"]),
    ]
    found = importing(nodes, {"x": [1, 3]}, ["y"], {"w": np.ones((3, 5), np.float32)}, domains={"com.microsoft": 1})
    assert found.graph.types["h"] == found.graph.types["y"] == TensorType((1, 5))
    assert [n.op for n in found.graph] == ["Float", "Tanh"]


@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("NoSuchOperator", ["x"], ["y"])],
        [helper.make_node("Relu", ["x"], ["y"], domain="no.such.domain")],
        [helper.make_node("Conv", ["x"], ["y"])],
        [helper.make_node("Concat", ["x", "x"], ["y"])],
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
    ],
)
def test_what_onnxruntime_cannot_run_is_a_model_error(importing: Importing, nodes: Any) -> None:
    constants = {"w": np.ones((7, 7), np.float32)}
    with pytest.raises(ModelError, match="onnxruntime cannot run") as caught:
        importing(nodes, {"x": [1, 3, 4, 5]}, ["y"], constants, domains={"no.such.domain": 1})
    assert "x [1,3,4,5]" in caught.value.hint


def test_a_shape_that_the_model_was_not_made_for(importing: Importing) -> None:
    nodes = [helper.make_node("Reshape", ["x", "target"], ["y"])]
    with pytest.raises(ModelError, match=r"\[1,3,4,6\] cannot be reshaped to \[1,60\]"):
        importing(nodes, {"x": [1, 3, "h", "w"]}, ["y"], {"target": np.array([1, 60])}, cfg={"input_shape": ((1, 3, 4, 6),)})


def test_an_input_that_is_no_tensor(importing: Importing) -> None:
    model = make_model([helper.make_node("SequenceAt", ["s", "i"], ["y"])], {"i": ([], TensorProto.INT64)}, ["y"])
    model.graph.input.append(helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, [1, 3]))
    with pytest.raises(ModelError, match="'s' is no tensor"):
        importing(model)
