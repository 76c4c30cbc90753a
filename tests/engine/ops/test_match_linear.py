"""What is recognised as MatMul, BatchNormScale and the element-wise layers, what they absorb, and why they decline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.ir import TensorType
from engine.ops.base import REGISTRY
from engine.ops.batch_norm_scale import front
from engine.ops.lowering import Builder
from engine.ort.session import run_steps
from tests.engine.ops.models import matched, raw, reason, view

W = np.arange(12.0).reshape(3, 4)
"""A MatMul's constant: 3 inputs, 4 outputs."""

PICTURE = (1, 2, 3, 3)


def test_a_matmul_absorbs_bias_scale_and_relu_and_is_named_after_the_last() -> None:
    nodes = [raw("MatMul", "x w", "a"), raw("Add", "a b", "c"), raw("Mul", "s c", "d"), raw("Relu", "d", "y")]
    seen = view(nodes, {"x": (1, 3), **dict.fromkeys("acdy", (1, 4))}, {"w": W, "b": [1.0, 2.0, 3.0, 4.0], "s": 2.0})
    match = matched(nodes, seen)
    assert (match.node.op, match.node.name, match.node.inputs, match.absorbed) == ("MatMul", "y", ("x",), tuple(nodes))
    assert np.array_equal(match.node.params["weight"], 2 * W.T)
    assert np.array_equal(match.node.params["bias"], [2, 4, 6, 8])
    assert (match.node.attrs["low"], match.node.attrs["high"]) == (0.0, float("inf"))


@pytest.mark.parametrize(
    "attrs", [{}, {"transB": 1}, {"transA": 1}, {"alpha": 0.5, "beta": 2.0}, {"alpha": -1.0, "beta": 0.0, "transA": 1, "transB": 1}]
)
def test_a_gemm_computes_what_onnxruntime_computes(attrs: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    feature = rng.normal(0, 1, (3, 2) if attrs.get("transA") else (2, 3)).astype(np.float32)
    weight = rng.normal(0, 1, (4, 3) if attrs.get("transB") else (3, 4)).astype(np.float32)
    bias = rng.normal(0, 1, 4).astype(np.float32)
    nodes = [raw("Gemm", "x w b", **attrs)]
    node = matched(nodes, view(nodes, {"x": feature.shape, "y": (2, 4)}, {"w": weight, "b": bias})).node
    b = Builder()
    b.begin("gemm")
    b.finish(b.op("Gemm", "x", b.const(weight), b.const(bias), **attrs), "theirs")
    REGISTRY["MatMul"].lower_float(node, b, {"x": TensorType(feature.shape), "y": TensorType((2, 4))})
    theirs, ours = run_steps(b, {"x": feature}, ["theirs", "y"])
    assert ours == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize(
    ("nodes", "constants", "why"),
    [
        ([raw("Gemm", "x z")], {}, "both its operands are computed"),
        ([raw("Gemm", "w x")], {"w": W}, "left operand is constant"),
        ([raw("Gemm", "x w")], {"w": np.ones((2, 3, 4))}, "not one matrix"),
        ([raw("Gemm", "x w z")], {"w": W}, "bias is computed at run time, or not one number per channel"),
        ([raw("Gemm", "x w b")], {"w": W, "b": np.ones((2, 4))}, "not one number per channel"),
        ([raw("Gemm", "u w")], {"w": W}, "type or shape of its input"),
        ([raw("MatMul", "x u")], {}, "types of its operands are not known"),
        ([raw("MatMul", "x v")], {"v": np.ones(3)}, "one is a vector"),
    ],
)
def test_a_matmul_says_why_it_declines(nodes: list[Any], constants: dict[str, Any], why: str) -> None:
    assert why in reason(nodes, view(nodes, {"x": (2, 3), "z": (3, 4), "y": (2, 4)}, constants))


def test_a_batched_matmul_takes_a_bias_on_its_last_axis() -> None:
    nodes = [raw("MatMul", "x w", "a"), raw("Add", "a b")]
    seen = view(nodes, {"x": (1, 5, 3), "a": (1, 5, 4), "y": (1, 5, 4)}, {"w": W[None], "b": [1.0, 2.0, 3.0, 4.0]})
    match = matched(nodes, seen)
    assert match.node.name == "y"
    assert match.node.params["bias"].tolist() == [1, 2, 3, 4]


def test_nothing_is_absorbed_that_others_read_or_that_leaves_the_model() -> None:
    nodes = [raw("MatMul", "x w", "a"), raw("Relu", "a", "y"), raw("Sigmoid", "a", "z")]
    types = {"x": (1, 3), **dict.fromkeys("ayz", (1, 4))}
    assert matched(nodes, view(nodes, types, {"w": W}, ["y", "z"])).absorbed == (nodes[0],)
    assert matched(nodes[:2], view(nodes[:2], types, {"w": W}, ["a", "y"])).absorbed == (nodes[0],)


def test_a_lone_batch_normalization_is_a_scale_and_absorbs_what_follows() -> None:
    nodes = [raw("BatchNormalization", "x g b m v", "a", epsilon=0.0), raw("Clip", "a low high")]
    constants = {"g": [2.0, 3.0], "b": [1.0, 0.0], "m": [1.0, 2.0], "v": [4.0, 9.0], "low": 0.0, "high": 6.0}
    match = matched(nodes, view(nodes, dict.fromkeys("xay", PICTURE), constants))
    assert (match.node.op, match.node.name) == ("BatchNormScale", "y")
    assert match.node.params["weight"].tolist() == [[1.0], [1.0]]
    assert match.node.params["bias"].tolist() == [0.0, -2.0]
    assert (match.node.attrs["axis"], match.node.attrs["rank"], match.node.attrs["high"]) == (1, 4, 6.0)


@pytest.mark.parametrize(
    ("op", "inputs", "constant", "weight", "bias"),
    [
        ("Add", "x c", 3.0, [1, 1], [3, 3]),
        ("Sub", "x c", [[[3.0]], [[4.0]]], [1, 1], [-3, -4]),
        ("Sub", "c x", [[[[3.0]], [[4.0]]]], [-1, -1], [3, 4]),
        ("Mul", "c x", 0.5, [0.5, 0.5], [0, 0]),
        ("Div", "x c", [4.0], [0.25, 0.25], [0, 0]),
    ],
)
def test_arithmetic_with_a_number_per_channel_is_a_scale(
    op: str, inputs: str, constant: Any, weight: list[float], bias: list[float]
) -> None:
    nodes = [raw(op, inputs)]
    node = matched(nodes, view(nodes, dict.fromkeys("xy", PICTURE), {"c": constant})).node
    assert node.op == "BatchNormScale"
    assert node.params["weight"].reshape(-1).tolist() == weight
    assert node.params.get("bias", np.zeros(2)).tolist() == bias


def test_a_vector_on_the_last_axis_is_a_scale_of_that_axis() -> None:
    nodes = [raw("Mul", "x c")]
    node = matched(nodes, view(nodes, dict.fromkeys("xy", (1, 5, 3)), {"c": [1.0, 2.0, 3.0]})).node
    assert (node.op, node.attrs["axis"], node.params["weight"].reshape(-1).tolist()) == ("BatchNormScale", 2, [1, 2, 3])


@pytest.mark.parametrize(
    ("nodes", "constants", "why"),
    [
        ([raw("Div", "x c")], {"c": 0.0}, "not one finite scale"),
        ([raw("Div", "c x")], {"c": 1.0}, "not one finite scale"),
        ([raw("BatchNormalization", "x g b m z")], {"g": [1.0] * 2, "b": [0.0] * 2, "m": [0.0] * 2}, "computed at run time"),
        (
            [raw("BatchNormalization", "x g b m v", training_mode=1)],
            {"g": [1.0] * 2, "b": [0.0] * 2, "m": [0.0] * 2, "v": [1.0] * 2},
            "not one finite scale",
        ),
    ],
)
def test_a_scale_says_why_it_declines(nodes: list[Any], constants: dict[str, Any], why: str) -> None:
    seen = view(nodes, {**dict.fromkeys("xy", PICTURE), "z": (2,)}, constants)
    answer = REGISTRY["BatchNormScale"].match(nodes[0], seen)
    assert why in getattr(answer, "reason", "it matched")


def test_the_front_normalizes_pixels() -> None:
    node = front("data/BatchNormScale", "data", [1.0, 2.0, 3.0], [2.0], 3)
    assert (node.op, node.name, node.inputs, node.outputs) == ("BatchNormScale", "data/BatchNormScale", ("data",), ("data/BatchNormScale",))
    b = Builder()
    b.begin(node.name)
    REGISTRY[node.op].lower_float(node, b, {})
    pixels = np.full((1, 3, 1, 1), 9.0, np.float32)
    assert run_steps(b, {"data": pixels}, [node.name])[0].reshape(-1).tolist() == [4.0, 3.5, 3.0]


@pytest.mark.parametrize(("op", "layer"), [("Add", "EltwiseAdd"), ("Sum", "EltwiseAdd"), ("Sub", "EltwiseSub"), ("Mul", "EltwiseMul")])
def test_two_features_meet_in_an_element_wise_layer_that_absorbs_a_clamp(op: str, layer: str) -> None:
    nodes = [raw(op, "a b", "c"), raw("Relu", "c")]
    match = matched(nodes, view(nodes, dict.fromkeys("abcy", PICTURE)))
    assert (match.node.op, match.node.name, match.node.inputs, match.node.attrs["low"]) == (layer, "y", ("a", "b"), 0.0)
    assert match.absorbed == tuple(nodes)


def test_an_element_wise_layer_does_not_absorb_a_sigmoid() -> None:
    nodes = [raw("Add", "a b", "c"), raw("Sigmoid", "c", "s"), raw("Mul", "c s")]
    assert matched(nodes, view(nodes, dict.fromkeys("abcsy", PICTURE))).absorbed == (nodes[0],)


def test_a_tensor_may_meet_itself() -> None:
    nodes = [raw("Mul", "x x")]
    assert matched(nodes, view(nodes, dict.fromkeys("xy", PICTURE))).node.inputs == ("x", "x")


def test_a_whole_tensor_of_constants_is_an_operand() -> None:
    nodes = [raw("Sub", "c x")]
    node = matched(nodes, view(nodes, dict.fromkeys("xy", PICTURE), {"c": np.arange(18.0).reshape(PICTURE)})).node
    assert (node.op, node.inputs, node.attrs["constant"], node.params["constant"].shape) == ("EltwiseSub", ("x",), 0, PICTURE)


def test_what_no_element_wise_layer_takes() -> None:
    nodes = [raw("Sum", "a b c")]
    assert "3 tensors" in reason(nodes, view(nodes, dict.fromkeys("abcy", PICTURE)))
    nodes = [raw("Add", "x c")]
    infinite = {"c": np.full(PICTURE, np.inf)}
    assert "not finite" in reason(nodes, view(nodes, dict.fromkeys("xy", PICTURE), infinite))
    assert "types of its inputs" in reason(nodes, view(nodes, {"y": PICTURE}, {"c": np.ones(PICTURE)}))
