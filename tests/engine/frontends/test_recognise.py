"""Which layers come out, under which names, in which order, and why some of them stay in float."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from engine.config import Config
from engine.frontends.importer import Imported, load
from engine.frontends.recognise import UNFIT
from tests.engine.frontends.models import layers, run_graph

Importing = Callable[..., Imported]
OPSETS = (7, 9, 11, 13, 17, 21, 22)
RNG = np.random.default_rng(5)


def weight(*shape: int) -> Any:
    return RNG.normal(0, 0.5, shape).astype(np.float32)


def conv_constants(channels: int = 4) -> dict[str, Any]:
    statistics = {k: weight(channels) for k in ("gamma", "beta", "mean")}
    return {"w": weight(channels, 3, 3, 3), "b": weight(channels), **statistics, "variance": np.abs(weight(channels)) + 0.5}


CONV_BN = [
    helper.make_node("Conv", ["x", "w", "b"], ["411"], pads=[1, 1, 1, 1]),
    helper.make_node("BatchNormalization", ["411", "gamma", "beta", "mean", "variance"], ["412"]),
]


@pytest.mark.parametrize("opset", OPSETS)
def test_convolution_normalization_and_relu_are_one_layer(importing: Importing, opset: int) -> None:
    nodes = [*CONV_BN, helper.make_node("Relu", ["412"], ["relu0_fwd"])]
    found = importing(nodes, {"x": [1, 3, 6, 6]}, ["relu0_fwd"], conv_constants(), opset=opset).graph
    assert layers(found) == [("Conv2D", "relu0_fwd")]
    assert not found.constants
    assert set(found.types) == {"x", "relu0_fwd"}


@pytest.mark.parametrize("opset", OPSETS)
def test_silu_is_fused_into_the_convolution(importing: Importing, opset: int) -> None:
    nodes = [*CONV_BN, helper.make_node("Sigmoid", ["412"], ["413"]), helper.make_node("Mul", ["412", "413"], ["414"])]
    found = importing(nodes, {"x": [1, 3, 6, 6]}, ["414"], conv_constants(), opset=opset).graph
    assert layers(found) == [("Conv2D", "414")]
    assert found.nodes[0].inner == "412"
    assert found.types["412"].shape == (1, 4, 6, 6)


def test_an_output_in_between_is_not_fused_away(importing: Importing) -> None:
    nodes = [*CONV_BN, helper.make_node("Relu", ["412"], ["y"])]
    found = importing(nodes, {"x": [1, 3, 6, 6]}, ["412", "y"], conv_constants()).graph
    assert layers(found) == [("Conv2D", "412"), ("Relu", "y")]


@pytest.mark.parametrize("opset", OPSETS)
def test_padding_is_fused_into_the_convolution(importing: Importing, opset: int) -> None:
    pads = [0, 0, 1, 2, 0, 0, 3, 4]
    pad = helper.make_node("Pad", ["x"], ["p"], pads=pads) if opset < 11 else helper.make_node("Pad", ["x", "pads"], ["p"])
    nodes = [pad, helper.make_node("Conv", ["p", "w"], ["y"], pads=[1, 0, 0, 1])]
    constants = {"w": weight(4, 3, 3, 3), **({} if opset < 11 else {"pads": np.array(pads)})}
    (layer,) = importing(nodes, {"x": [1, 3, 6, 6]}, ["y"], constants, opset=opset).graph.nodes
    assert (layer.op, layer.name, layer.attrs["pads"]) == ("Conv2D", "y", (2, 2, 3, 5))


@pytest.mark.parametrize("opset", OPSETS)
def test_relu6_is_fused_in_both_spellings(importing: Importing, opset: int) -> None:
    clip = (
        helper.make_node("Clip", ["412"], ["y"], min=0.0, max=6.0) if opset < 11 else helper.make_node("Clip", ["412", "lo", "hi"], ["y"])
    )
    limits = {} if opset < 11 else {"lo": np.float32(0), "hi": np.float32(6)}
    (layer,) = importing([*CONV_BN, clip], {"x": [1, 3, 6, 6]}, ["y"], {**conv_constants(), **limits}, opset=opset).graph.nodes
    assert (layer.attrs["low"], layer.attrs["high"]) == (0, 6)


def test_layers_of_parallel_branches_stand_where_their_last_operator_stood(importing: Importing) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c1"]),
        helper.make_node("Conv", ["x", "w"], ["c2"]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Exp", ["r2"], ["e2"]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Add", ["r1", "e2"], ["y"]),
    ]
    found = importing(nodes, {"x": [1, 3, 6, 6]}, ["y"], {"w": weight(4, 3, 3, 3)}).graph
    assert [name for _, name in layers(found)] == ["r2", "e2", "r1", "y"]


def test_layers_are_in_topological_order(importing: Importing) -> None:
    found = importing(CONV_BN, {"x": [1, 3, 6, 6]}, ["412"], conv_constants()).graph
    made = set(found.inputs) | set(found.constants)
    for node in found:
        assert made.issuperset(node.inputs)
        made.update(node.outputs)


def test_unknown_operators_stay_in_float_and_say_why(importing: Importing) -> None:
    nodes = [
        helper.make_node("Softmax", ["x"], ["p"], axis=1),
        helper.make_node("Conv", ["x", "kernel"], ["c"]),
        helper.make_node("Mul", ["p", "c"], ["m"]),
        helper.make_node("ReduceSum", ["m"], ["y"], keepdims=0),
    ]
    found = importing(nodes, {"x": [1, 3, 6, 6], "kernel": [3, 3, 1, 1]}, ["y"]).graph
    reasons = {n.attrs["op_type"]: n.reason for n in found if n.op == "Float"}
    assert reasons["Softmax"].startswith("softmax runs in float32: ")
    assert reasons["Conv"] == "its weights are computed at run time"
    assert [n.op for n in found] == ["Float", "Float", "EltwiseMul", "ReduceSum"]


def test_integer_arithmetic_has_nothing_to_explain(importing: Importing) -> None:
    nodes = [helper.make_node("Add", ["i", "one"], ["j"]), helper.make_node("Gather", ["x", "j"], ["y"], axis=1)]
    found = importing(nodes, {"x": [1, 3], "i": ([1], TensorProto.INT64)}, ["y"], {"one": np.array([1])}).graph
    add, gather = found.nodes
    assert (add.op, add.reason) == ("Float", "")
    assert gather.reason
    assert list(found.constants) == ["one"]


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_other_floats_stay_as_they_are(importing: Importing, kind: int) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Cast", ["a"], ["b"], to=TensorProto.FLOAT),
        helper.make_node("Tanh", ["b"], ["y"]),
    ]
    relu, cast, tanh = importing(nodes, {"x": ([1, 3], kind)}, ["y"]).graph
    assert relu.reason == cast.reason == f"it computes in {'float16' if kind == TensorProto.FLOAT16 else 'float64'}"
    assert tanh.op == "Tanh"


def test_arguments_that_fit_nothing_are_left_to_onnxruntime(importing: Importing) -> None:
    constants = {**conv_constants(), "gamma": weight(9)}
    found = importing(CONV_BN, {"x": [1, 3, 6, 6]}, ["412"], constants).graph
    assert layers(found) == [("Float:Conv", "411"), ("Float:BatchNormalization", "412")]
    assert all(n.reason.startswith(UNFIT) for n in found)


def test_an_opaque_layer_reads_what_its_subgraphs_read(importing: Importing) -> None:
    body = helper.make_graph(
        [helper.make_node("Add", ["state", "step"], ["next"]), helper.make_node("Identity", ["keep"], ["go"])],
        "body",
        [helper.make_tensor_value_info(t, k, []) for t, k in (("n", TensorProto.INT64), ("keep", TensorProto.BOOL))]
        + [helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("go", TensorProto.BOOL, []), helper.make_tensor_value_info("next", TensorProto.FLOAT, [1, 3])],
    )
    nodes = [helper.make_node("Tanh", ["x"], ["step"]), helper.make_node("Loop", ["four", "", "x"], ["y"], body=body)]
    found = importing(nodes, {"x": [1, 3]}, ["y"], {"four": np.array(4)}).graph
    loop = found.nodes[1]
    assert set(loop.inputs) == {"four", "x", "step"}
    assert loop.raw[0].inputs == ("four", "", "x")
    x = np.array([[0.5, -1, 2]], np.float32)
    np.testing.assert_allclose(run_graph(found, {"x": x}, ["y"])["y"], x + 4 * np.tanh(x), rtol=1e-6)


@pytest.mark.parametrize("name", ["名前", "a/b c", "\u202e[red]", "con:1", "%s{0}", "x" * 300, "..", "a\nb"])
def test_hostile_names(importing: Importing, name: str) -> None:
    inside = name + "'"
    nodes = [helper.make_node("Tanh", [name], [inside]), helper.make_node("Softmax", [inside], [name + '"'])]
    found = importing(nodes, {name: [1, 3]}, [name + '"']).graph
    assert layers(found) == [("Tanh", inside), ("Float:Softmax", name + '"')]
    feeds = {name: np.array([[1, 2, 3]], np.float32)}
    assert run_graph(found, feeds, found.outputs)[name + '"'].shape == (1, 3)


def test_resnet18_is_the_guides(resnet18_onnx: Path) -> None:
    config = Config(mean=((123.675, 116.28, 103.53),), normal=((58.395, 57.12, 57.375),))
    found = load(resnet18_onnx, config).graph
    kinds = {"BatchNormScale": 1, "Conv2D": 20, "EltwiseAdd": 8, "MaxPool": 1, "GlobalAvgPool": 1, "Flatten": 1, "MatMul": 1}
    assert Counter(n.op for n in found) == kinds
    assert not [n.reason for n in found if n.reason]
    assert layers(found) == guide()


def guide() -> list[tuple[str, str]]:
    """The layers of the guide's ResNet-18, in its order."""
    rows = [("BatchNormScale", "data/BatchNormScale"), ("Conv2D", "resnetv15_relu0_fwd"), ("MaxPool", "resnetv15_pool0_fwd")]
    for number in (1, 2, 3, 4):
        stage = f"resnetv15_stage{number}"
        first = ["relu0_fwd", "batchnorm1_fwd"] if number == 1 else ["relu0_fwd", "batchnorm1_fwd", "batchnorm2_fwd"]
        last = "batchnorm3_fwd" if number == 1 else "batchnorm4_fwd"
        rows += [("Conv2D", f"{stage}_{name}") for name in first]
        rows += [("EltwiseAdd", f"{stage}_activation0"), ("Conv2D", f"{stage}_relu1_fwd")]
        rows += [("Conv2D", f"{stage}_{last}"), ("EltwiseAdd", f"{stage}_activation1")]
    return [*rows, ("GlobalAvgPool", "resnetv15_pool1_fwd"), ("Flatten", "flatten_170"), ("MatMul", "resnetv15_dense0_fwd")]


def test_efficientnet_is_all_integer(shared: Path) -> None:
    found = load(shared / "models" / "efficientnet_lite0.onnx", Config(mean=((127.0,),), normal=((128.0,),))).graph
    kinds = {"BatchNormScale": 1, "Conv2D": 49, "EltwiseAdd": 9, "GlobalAvgPool": 1, "Reshape": 1, "MatMul": 1}
    assert Counter(n.op for n in found) == kinds
    assert not found.constants


def test_ppocr_is_all_integer_but_its_softmax(shared: Path) -> None:
    config = Config(input_shape=((1, 3, 48, 192),), mean=((127.5,),), normal=((127.5,),))
    found = load(shared / "models" / "ppocr_cls.onnx", config).graph
    kinds = {"BatchNormScale": 1, "Conv2D": 53, "HardSwish": 18, "HardSigmoid": 9, "EltwiseMul": 9, "EltwiseAdd": 7, "GlobalAvgPool": 10}
    assert Counter(n.op for n in found) == {**kinds, "MaxPool": 1, "Reshape": 1, "MatMul": 1, "Float": 1}
    assert layers(found)[-1] == ("Float:Softmax", "save_infer_model/scale_0.tmp_1")
