"""What a model remembers of its training is found where it is, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from engine.config import Config
from engine.errors import ModelError
from engine.frontends.statistics import Remembered, remembered

WEIGHTS = {
    "w": np.ones((4, 3, 1, 1)),
    "u": np.ones((4, 4, 1, 1)),
    "b": np.array([1.0, 2.0, 3.0, 4.0]),
    "b4": np.ones((1, 4, 1, 1)),
    "zero": np.zeros(4),
    "g": np.ones(4),
    "g3": np.ones(3),
    "m": np.array([1.0, 2.0, 3.0, 4.0]),
    "m3": np.array([1.0, 2.0, 3.0]),
    "v": np.array([4.0, 9.0, 16.0, 0.0]),
    "inf": np.array([4.0, np.inf, 16.0, 0.0]),
}

CONV = helper.make_node("Conv", ["x", "w"], ["c"])
RELU = helper.make_node("Relu", ["c"], ["r"])


def bn(source: str = "c", made: str = "n", variance: str = "v", **attrs: Any) -> NodeProto:
    return helper.make_node("BatchNormalization", [source, "g", "b", "m", variance], [made], **attrs)


def found(tmp_path: Path, nodes: Sequence[NodeProto], output: str, config: Config | None = None, name: str = "x") -> Remembered | None:
    inputs = [helper.make_tensor_value_info(t, TensorProto.FLOAT, [1, 3, 4, 4]) for t in ("x", "y") if any(t in n.input for n in nodes)]
    weights = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in WEIGHTS.items()]
    graph = helper.make_graph(list(nodes), "g", inputs, [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "m.onnx")
    return remembered(tmp_path / "m.onnx", config or Config(), name)


def test_the_first_normalization_is_found_with_its_epsilon(tmp_path: Path) -> None:
    known = found(tmp_path, [CONV, bn(epsilon=0.25), helper.make_node("Conv", ["n", "u", "b"], ["d"]), bn("d", "o")], "o")
    assert known is not None
    assert known.tensor == "c"
    assert known.mean is not None
    assert known.deviation is not None
    assert known.mean.tolist() == [1, 2, 3, 4]
    assert known.deviation == pytest.approx(np.sqrt([4.25, 9.25, 16.25, 0.25]))


@pytest.mark.parametrize("between", [RELU, helper.make_node("MaxPool", ["c"], ["r"], kernel_shape=[2, 2])])
def test_it_may_lie_behind_other_operators(tmp_path: Path, between: NodeProto) -> None:
    known = found(tmp_path, [CONV, between, bn("r")], "n")
    assert known is not None
    assert known.tensor == "r"


def test_where_it_is_folded_away_there_are_biases(tmp_path: Path) -> None:
    known = found(tmp_path, [helper.make_node("Conv", ["x", "w", "b"], ["c"]), RELU], "r")
    assert known is not None
    assert (known.tensor, known.mean) == ("c", None)
    assert known.bias is not None
    assert known.bias.tolist() == [1, 2, 3, 4]


BOTTLENECK = [
    helper.make_node("Conv", ["x", "w", "b"], ["c"]),
    RELU,
    helper.make_node("Conv", ["r", "u", "b"], ["d"]),
    helper.make_node("Conv", ["d", "u", "b"], ["e"]),
]


def test_a_bottleneck_between_convolutions_has_a_mean_of_zero(tmp_path: Path) -> None:
    summed = [*BOTTLENECK, helper.make_node("Add", ["d", "e"], ["s"]), helper.make_node("Conv", ["s", "u", "b"], ["o"])]
    known = found(tmp_path, summed, "o")
    assert known is not None
    assert (known.tensor, known.deviation) == ("d", None)
    assert known.mean is not None
    assert known.mean.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "last",
    [helper.make_node("Relu", ["d"], ["o"]), helper.make_node("Conv", ["d", "u"], ["o"]), helper.make_node("Add", ["d", "b4"], ["o"])],
    ids=["a nonlinear reader", "a reader that was not normalized", "an offset that is added"],
)
def test_what_something_else_reads_is_no_bottleneck(tmp_path: Path, last: NodeProto) -> None:
    known = found(
        tmp_path, [*BOTTLENECK[:3], last, helper.make_node("Conv", ["d", "u", "b"], ["e"]), helper.make_node("Add", ["o", "e"], ["q"])], "q"
    )
    assert known is not None
    assert (known.tensor, known.mean) == ("c", None)


def test_padding_whose_size_is_computed_hides_nothing(tmp_path: Path) -> None:
    shape = helper.make_node("Shape", ["x"], ["s"])
    pads = helper.make_node("Concat", ["s", "s"], ["p"], axis=0)
    nought = helper.make_node("Sub", ["p", "p"], ["q"])
    known = found(
        tmp_path, [shape, pads, nought, helper.make_node("Pad", ["x", "q"], ["z"]), helper.make_node("Conv", ["z", "w", "b"], ["c"])], "c"
    )
    assert known is not None
    assert known.tensor == "c"


@pytest.mark.parametrize(
    "nodes",
    [
        [CONV, RELU],
        [helper.make_node("Conv", ["x", "w", "zero"], ["c"]), RELU],
        [CONV, bn(variance="inf", made="r")],
        [helper.make_node("Relu", ["x"], ["r"])],
    ],
    ids=["no bias", "zero biases", "not finite", "no convolution"],
)
def test_there_may_be_nothing(tmp_path: Path, nodes: list[NodeProto]) -> None:
    assert found(tmp_path, nodes, "r") is None


def test_what_another_input_has_a_part_in_is_no_memory_of_this_one(tmp_path: Path) -> None:
    both = helper.make_node("Add", ["x", "y"], ["z"])
    nodes = [both, helper.make_node("Conv", ["z", "w"], ["c"]), bn()]
    assert found(tmp_path, nodes, "n") is None


def test_what_is_cut_off_is_not_there(tmp_path: Path) -> None:
    assert found(tmp_path, [CONV, RELU, bn("r")], "n", Config(output=("r",))) is None
    with pytest.raises(ModelError, match="nowhere"):
        found(tmp_path, [CONV, bn()], "n", Config(output=("nowhere",)))
