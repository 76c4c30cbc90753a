"""What reaches the rest of the engine: inputs and their preprocessing, warnings, a promise not to touch the file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from engine.config import Config
from engine.dataset import InputSpec
from engine.errors import ConfigError
from engine.events import Event, Log
from engine.frontends.importer import Imported, load
from tests.engine.frontends.models import layers, run_graph

Importing = Callable[..., Imported]
TANH = [helper.make_node("Tanh", ["x"], ["y"])]
PICTURE = {"x": [1, 3, 4, 5]}


def test_mean_and_normal_stand_behind_the_input(importing: Importing) -> None:
    found = importing(TANH, PICTURE, ["y"], cfg={"mean": ((1.0, 2.0, 3.0),), "normal": ((10.0,),), "color": ("BGR",)})
    assert found.specs == (InputSpec("x", (1, 3, 4, 5), (1.0, 2.0, 3.0), (10.0, 10.0, 10.0), "BGR"),)
    assert found.pictures == ("x",)
    assert layers(found.graph) == [("BatchNormScale", "x/BatchNormScale"), ("Tanh", "y")]
    assert found.graph.inputs == ("x",)
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 4, 5)).astype(np.float32)
    expected = np.tanh((x - np.array([1, 2, 3], np.float32).reshape(1, 3, 1, 1)) / np.float32(10))
    np.testing.assert_allclose(run_graph(found.graph, {"x": x}, ["y"])["y"], expected, atol=1e-6)


@pytest.mark.parametrize("cfg", [{}, {"mean": ((0.0,),), "normal": ((1.0,),)}, {"mean": ((),)}])
def test_nothing_to_subtract_and_nothing_to_divide_by_is_no_layer(importing: Importing, cfg: dict[str, Any]) -> None:
    assert layers(importing(TANH, PICTURE, ["y"], cfg=cfg).graph) == [("Tanh", "y")]


def test_preprocessing_reaches_opaque_layers_and_subgraphs(importing: Importing) -> None:
    branches = {
        f"{t}_branch": helper.make_graph([helper.make_node(op, ["x"], [t])], t, [], [helper.make_tensor_value_info(t, 1, None)])
        for t, op in (("then", "Neg"), ("else", "Abs"))
    }
    nodes = [
        helper.make_node("If", ["go"], ["a"], **branches),
        helper.make_node("Softmax", ["x"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    found = importing(nodes, {**PICTURE, "go": ([], TensorProto.BOOL)}, ["y", "a"], cfg={"mean": ((5.0,),)})
    feeds = {"x": np.full((1, 3, 4, 5), 7, np.float32), "go": np.array(True)}
    assert set(run_graph(found.graph, feeds, found.graph.outputs)["a"].reshape(-1)) == {-2.0}


def test_a_name_that_is_taken_is_not_used_twice(importing: Importing) -> None:
    nodes = [helper.make_node("Tanh", ["x"], ["x/BatchNormScale"])]
    found = importing(nodes, PICTURE, ["x/BatchNormScale"], cfg={"mean": ((1.0,),)}).graph
    assert len({name for _, name in layers(found)}) == 2
    assert found.outputs == ("x/BatchNormScale",)


def test_grey_pictures(importing: Importing) -> None:
    found = importing(TANH, {"x": [1, 1, 4, 5]}, ["y"], cfg={"mean": ((3.0,),)})
    assert found.specs == (InputSpec("x", (1, 1, 4, 5), (3.0,), (1.0,), "GRAY"),)


@pytest.mark.parametrize("kind", [[1, 3], [1, 12, 4, 5], ([1, 3, 4, 5], TensorProto.UINT8), ([1, 3, 4, 5], TensorProto.FLOAT16)])
def test_what_is_no_picture_is_fed_as_it_is(importing: Importing, kind: Any) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["a"]), helper.make_node("Identity", ["a"], ["y"])]
    found = importing(nodes, {"x": kind}, ["y"], cfg={"mean": ((3.0,),)})
    assert found.pictures == ()
    assert found.specs[0].mean == (0.0,)
    (warning,) = found.warnings
    assert "MEAN and NORMAL have no effect on input 'x'" in warning


def test_only_the_pictures_among_several_inputs_are_normalized(importing: Importing) -> None:
    nodes = [*TANH, helper.make_node("Tanh", ["v"], ["w"])]
    found = importing(nodes, {**PICTURE, "v": [1, 9]}, ["y", "w"], cfg={"mean": ((1.0, 2.0, 3.0),)})
    assert found.pictures == ("x",)
    assert found.warnings == ()
    assert [name for _, name in layers(found.graph)] == ["x/BatchNormScale", "y", "w"]


def test_a_mean_of_the_wrong_length(importing: Importing) -> None:
    with pytest.raises(ConfigError, match="2 numbers for input 0, which has 3 channels"):
        importing(TANH, PICTURE, ["y"], cfg={"mean": ((1.0, 2.0),)})


def test_warnings_are_reported(save: Callable[..., Path]) -> None:
    path = save(TANH, {"x": [1, 9]}, ["y"], opset=6)
    events: list[Event] = []
    found = load(path, Config(mean=((1.0,),)), events.append)
    assert len(found.warnings) == 2
    assert [e.text for e in events if isinstance(e, Log) and e.level == "warning"] == list(found.warnings)


def test_the_file_is_left_as_it_was(save: Callable[..., Path]) -> None:
    path = save(TANH, PICTURE, ["y"])
    before = path.read_bytes(), path.stat().st_mtime_ns
    path.chmod(0o444)
    load(path, Config(mean=((1.0,),)))
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert list(path.parent.iterdir()) == [path]


def test_two_imports_are_equal(save: Callable[..., Path]) -> None:
    path = save(TANH, PICTURE, ["y"])
    first, second = (load(path, Config()) for _ in range(2))
    assert layers(first.graph) == layers(second.graph)
    assert (first.specs, first.pictures) == (second.specs, second.pictures)


def test_libraries_are_loaded_when_a_model_is() -> None:
    code = "import sys, engine.frontends.importer; sys.exit(any(m in sys.modules for m in ('onnx', 'onnxruntime')))"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3]).returncode == 0
