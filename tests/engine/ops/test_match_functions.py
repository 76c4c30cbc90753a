"""What is recognised as a function of one tensor: single operators, and the ways in which models spell one with several."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.ops.base import REGISTRY
from engine.ops.lowering import Builder
from engine.ort.session import run_steps
from tests.engine.ops.models import matched, raw, reason, view

SHAPE = (1, 2, 3, 3)
C = {"zero": 0.0, "half": 0.5, "one": 1.0, "three": 3.0, "six": 6.0, "sixth": 1 / 6, "root": 2**0.5, "k": 0.044715, "r": (2 / np.pi) ** 0.5}

SPELLINGS: dict[str, tuple[str, list[Any]]] = {
    "add, clip, mul, div": (
        "HardSwish",
        [raw("Add", "x three", "a"), raw("Clip", "a zero six", "b"), raw("Mul", "x b", "c"), raw("Div", "c six")],
    ),
    "add, clip, div, mul": (
        "HardSwish",
        [raw("Add", "three x", "a"), raw("Clip", "a zero six", "b"), raw("Div", "b six", "c"), raw("Mul", "c x")],
    ),
    "add, clip, mul 1/6, mul": (
        "HardSwish",
        [raw("Add", "x three", "a"), raw("Clip", "a", "b", opset=6, min=0.0, max=6.0), raw("Mul", "b sixth", "c"), raw("Mul", "x c")],
    ),
    "hard-sigmoid, mul": ("HardSwish", [raw("HardSigmoid", "x", "a", alpha=1 / 6, beta=0.5), raw("Mul", "x a")]),
    "mul, add, clip": ("HardSigmoid", [raw("Mul", "x sixth", "a"), raw("Add", "a half", "b"), raw("Clip", "b zero one")]),
    "add, clip, div": ("HardSigmoid", [raw("Add", "x three", "a"), raw("Clip", "a zero six", "b"), raw("Div", "b six")]),
    "sigmoid, mul": ("SiLU", [raw("Sigmoid", "x", "a"), raw("Mul", "a x")]),
    "softplus, tanh, mul": ("Mish", [raw("Softplus", "x", "a"), raw("Tanh", "a", "b"), raw("Mul", "x b")]),
    "div, erf, add, mul, mul": (
        "Gelu",
        [raw("Div", "x root", "a"), raw("Erf", "a", "b"), raw("Add", "b one", "c"), raw("Mul", "x c", "d"), raw("Mul", "d half")],
    ),
    "the tanh form": (
        "Gelu",
        [
            *(raw("Pow", "x three", "a"), raw("Mul", "a k", "b"), raw("Add", "x b", "c"), raw("Mul", "c r", "d"), raw("Tanh", "d", "e")),
            *(raw("Add", "e one", "f"), raw("Mul", "x f", "g"), raw("Mul", "g half")),
        ],
    ),
}


def types(nodes: list[Any]) -> dict[str, tuple[int, ...]]:
    return {t: SHAPE for n in nodes for t in ("x", *n.outputs)}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_is_its_function(spelling: str) -> None:
    op, nodes = SPELLINGS[spelling]
    match = matched(nodes, view(nodes, types(nodes), C))
    assert (match.node.op, match.node.name, match.node.inputs) == (op, "y", ("x",))
    assert match.absorbed == tuple(nodes)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_gives_the_values_of_its_operators(spelling: str) -> None:
    op, nodes = SPELLINGS[spelling]
    node = matched(nodes, view(nodes, types(nodes), C)).node
    x = np.linspace(-8, 8, 18).astype(np.float32).reshape(SHAPE)
    b = Builder()
    b.constants |= {k: np.float32(v) for k, v in C.items()}
    b.begin("layer")
    REGISTRY[op].lower_float(node, b, {})
    made: dict[str, str] = {}
    for n in nodes:
        # the attribute form of Clip is older than the operator set that lowered steps use
        inputs, attrs = (("zero", "six"), {}) if n.op == "Clip" and n.attrs else (n.inputs[1:], n.attrs)
        made[n.outputs[0]] = b.op(n.op, *(made.get(t, t) for t in (n.inputs[0], *inputs)), **attrs)
    b.finish(made["y"], "theirs")
    ours, theirs = run_steps(b, {"x": x}, ["y", "theirs"])
    assert ours == pytest.approx(theirs, abs=2e-5)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_value_inside_that_others_need_breaks_the_pattern(spelling: str) -> None:
    _, nodes = SPELLINGS[spelling]
    for inner in [n.outputs[0] for n in nodes[:-1]]:
        watched = [*nodes, raw("Sin", inner, "z")]
        match = matched(watched, view(watched, {**types(nodes), "z": SHAPE}, C, ["y", "z"]))
        assert inner not in {t for n in match.absorbed[:-1] for t in n.outputs}, (inner, match.node.op)
        leaving = view(nodes, types(nodes), C, ["y", inner])
        assert inner not in {t for n in matched(nodes, leaving).absorbed[:-1] for t in n.outputs}


def test_another_constant_is_another_function() -> None:
    nodes = [raw("Add", "x three", "a"), raw("Clip", "a zero six", "b"), raw("Mul", "x b", "c"), raw("Div", "c three")]
    match = matched(nodes, view(nodes, types(nodes), C))
    assert match.node.op == "BatchNormScale"
    assert match.absorbed == (nodes[0], nodes[1])


def test_a_gate_of_another_tensor_is_no_silu() -> None:
    nodes = [raw("Sigmoid", "x", "a"), raw("Mul", "a z")]
    assert matched(nodes, view(nodes, {**types(nodes), "z": SHAPE}, C)).node.op == "Sigmoid"


def test_the_longest_spelling_wins() -> None:
    nodes = SPELLINGS["add, clip, div, mul"][1]
    assert matched(nodes, view(nodes, types(nodes), C)).node.op == "HardSwish"
    alone = [*nodes[:2], raw("Div", "b six")]
    assert matched(alone, view(alone, types(alone), C)).node.op == "HardSigmoid"


SINGLE = [
    *("Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "Mish", "Gelu", "LeakyRelu", "Relu", "Elu", "Celu", "Selu", "ThresholdedRelu"),
    *("Softplus", "Softsign", "Exp", "Erf", "Abs", "Neg", "Sqrt", "Sin", "Cos"),
]


@pytest.mark.parametrize("op", SINGLE)
def test_an_operator_alone_is_its_layer(op: str) -> None:
    nodes = [raw(op, "x")]
    match = matched(nodes, view(nodes, types(nodes), C))
    assert (match.node.op, match.absorbed) == (op, (nodes[0],))


@pytest.mark.parametrize("op", SINGLE)
def test_the_mathematics_are_onnxruntimes(op: str) -> None:
    nodes = [raw(op, "x")]
    node = matched(nodes, view(nodes, types(nodes), C)).node
    x = np.linspace(0 if op == "Sqrt" else -6, 6, 18).astype(np.float32).reshape(SHAPE)
    b = Builder()
    b.finish(b.op(op, "x"), "y")
    (theirs,) = run_steps(b, {"x": x}, ["y"])
    assert REGISTRY[op].f(x.astype(np.float64), node.attrs) == pytest.approx(theirs, rel=2e-6, abs=2e-6)


@pytest.mark.parametrize(
    ("node", "op", "attrs"),
    [
        (raw("LeakyRelu", "x", alpha=0.25), "LeakyRelu", {"alpha": 0.25}),
        (raw("PRelu", "x half"), "LeakyRelu", {"alpha": 0.5}),
        (raw("HardSigmoid", "x", alpha=0.25, beta=0.75), "HardSigmoid", {"alpha": 0.25, "beta": 0.75}),
        (raw("Clip", "x zero -"), "Clip", {"low": 0.0, "high": float("inf")}),
        (raw("Clip", "x", opset=6, min=-1.0, max=2.0), "Clip", {"low": -1.0, "high": 2.0}),
        (raw("Pow", "x three"), "Pow", {"exponent": 3.0}),
        (raw("Gelu", "x", opset=20, approximate="tanh"), "Gelu", {"approximate": "tanh"}),
        (raw("Gelu", "x", domain="com.microsoft"), "Gelu", {"approximate": "none"}),
        (raw("QuickGelu", "x", domain="com.microsoft", alpha=1.5), "QuickGelu", {"alpha": 1.5}),
    ],
)
def test_attributes_are_read(node: Any, op: str, attrs: dict[str, Any]) -> None:
    found = matched([node], view([node], types([node]), C)).node
    assert (found.op, dict(found.attrs)) == (op, attrs)


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (raw("PRelu", "x z"), "slopes are computed at run time"),
        (raw("Pow", "x half"), "power of 0.5"),
        (raw("Clip", "x z six"), "limits are computed"),
        (raw("Clip", "x six zero"), "crossed"),
        (raw("Tanh", "i"), "not known to be a float tensor"),
        (raw("Sin", "half"), "not known to be a float tensor"),
    ],
)
def test_why_a_function_declines(node: Any, why: str) -> None:
    seen = view([node], {"x": SHAPE, "y": SHAPE, "z": ()}, {**C, "slopes": [[[1.0]], [[2.0]]]})
    assert why in reason([node], seen)
