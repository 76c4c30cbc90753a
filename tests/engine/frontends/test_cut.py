"""Cutting at INPUT and OUTPUT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from engine.errors import ModelError
from engine.frontends.importer import Imported
from tests.engine.frontends.models import layers

Importing = Callable[..., Imported]

CHAIN = [
    helper.make_node("Tanh", ["x"], ["a"], name="first"),
    helper.make_node("Sigmoid", ["a"], ["b"], name="second"),
    helper.make_node("Add", ["b", "z"], ["c"], name="third"),
    helper.make_node("Split", ["c"], ["d", "e"], name="fourth", axis=1),
    helper.make_node("Concat", ["d", "e"], ["y"], name="last", axis=1),
]
INPUTS = {"x": [1, 4, 5, 6], "z": [1, 4, 5, 6], "unused": [1, 2]}


def chain(importing: Importing, **cfg: Any) -> Imported:
    return importing(CHAIN, INPUTS, ["y"], cfg=cfg)


def test_without_names_the_model_is_whole_and_inputs_nobody_needs_are_gone(importing: Importing) -> None:
    found = chain(importing).graph
    assert found.inputs == ("x", "z")
    assert found.outputs == ("y",)


def test_output_is_a_tensor(importing: Importing) -> None:
    found = chain(importing, output=("b",)).graph
    assert layers(found) == [("Tanh", "a"), ("Sigmoid", "b")]
    assert (found.inputs, found.outputs) == (("x",), ("b",))


def test_output_is_an_operator_and_means_all_it_makes(importing: Importing) -> None:
    assert chain(importing, output=("fourth",)).graph.outputs == ("d", "e")


def test_a_tensor_comes_before_an_operator_of_its_name(importing: Importing) -> None:
    nodes = [helper.make_node("Tanh", ["x"], ["a"], name="b"), helper.make_node("Sigmoid", ["a"], ["b"], name="a")]
    assert importing(nodes, {"x": [1, 3]}, ["b"], cfg={"output": ("a",)}).graph.outputs == ("a",)


def test_input_inside_gets_its_own_type_and_comes_first(importing: Importing) -> None:
    found = chain(importing, input=("b",))
    assert found.graph.inputs == ("b", "z")
    assert found.graph.types["b"].shape == (1, 4, 5, 6)
    assert [s.name for s in found.specs] == ["b", "z"]
    assert [name for _, name in layers(found.graph)] == ["c", "d", "y"]


def test_input_inside_may_get_its_shape_from_the_configuration(importing: Importing) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Tanh", ["a"], ["y"])]
    found = importing(nodes, {"x": [None, 3, None, None]}, ["y"], cfg={"input": ("a",), "input_shape": ((1, 3, 8, 9),)})
    assert found.graph.types["y"].shape == (1, 3, 8, 9)


def test_one_output_of_an_operator_may_become_an_input(importing: Importing) -> None:
    found = chain(importing, input=("d",)).graph
    assert found.inputs == ("d", "x", "z")
    assert "d" not in found.producers()
    assert found.types["y"].shape == (1, 4, 5, 6)


def test_integer_input_inside(importing: Importing) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["a"], to=TensorProto.INT64), helper.make_node("Abs", ["a"], ["y"])]
    assert importing(nodes, {"x": [1, 3]}, ["y"], cfg={"input": ("a",)}).graph.types["a"].dtype == "int64"


@pytest.mark.parametrize(
    ("cfg", "says"),
    [
        ({"output": ("seconde",)}, "did you mean 'second'"),
        ({"output": ("nothing like it",)}, "own: y"),
        ({"output": ("x",)}, "is an input of the model"),
        ({"output": ("w",)}, "is a constant"),
        ({"input": ("xx1",), "output": ("b",)}, "own: x"),
        ({"input": ("firs",)}, "no tensor 'firs'"),
        ({"input": ("first",)}, "it makes a"),
        ({"input": ("w",)}, "is a constant"),
        ({"input": ("z",), "output": ("b",)}, "no output depends on 'z'"),
        ({"input": ("b",), "output": ("b",)}, "both an input and an output"),
    ],
)
def test_names_that_do_not_fit(importing: Importing, cfg: dict[str, Any], says: str) -> None:
    nodes = [*CHAIN, helper.make_node("Mul", ["y", "w"], ["y2"])]
    with pytest.raises(ModelError) as caught:
        importing(nodes, INPUTS, ["y", "y2"], {"w": np.ones(1, np.float32)}, cfg=cfg)
    assert says in str(caught.value)
    assert caught.value.where in ("INPUT", "OUTPUT")


def test_cutting_off_what_cannot_be_fed_or_run(importing: Importing) -> None:
    nodes = [helper.make_node("SequenceAt", ["s", "i"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    shape = {"input": ("a",), "input_shape": ((1, 3),)}
    assert importing(nodes, {"x": [1, 3], "i": ([], TensorProto.INT64), "s": [1]}, ["y"], cfg=shape).graph.inputs == ("a",)
