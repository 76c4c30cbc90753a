"""How much work layers are: float ones count what the same layers count in integers, and the rest is counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from engine.ir import Graph
from engine.ops.work import macs
from tests.engine.networks import imported, op, weights

Case = tuple[str, dict[str, Any], dict[str, Any], dict[str, tuple[int, ...]], int]

CASES: dict[str, Case] = {
    "conv": ("Conv", {"group": 2, "strides": [2, 2]}, {"x": (1, 4, 9, 9)}, {"w": (6, 2, 3, 3)}, 6 * 4 * 4 * 2 * 9),
    "conv, three axes": ("Conv", {}, {"x": (1, 2, 5, 5, 5)}, {"w": (3, 2, 2, 2, 2)}, 3 * 4**3 * 2 * 8),
    "conv, weights computed": ("Conv", {}, {"x": (1, 2, 5, 5), "w": (3, 2, 2, 2)}, {}, 3 * 16 * 8),
    "transposed": ("ConvTranspose", {"strides": [2, 2], "group": 2}, {"x": (1, 4, 3, 5)}, {"w": (4, 3, 2, 2)}, 60 * 3 * 4),
    "transposed, three axes": ("ConvTranspose", {}, {"x": (1, 2, 2, 3, 4)}, {"w": (2, 5, 2, 2, 2)}, 48 * 5 * 8),
    "gemm": ("Gemm", {"transB": 1}, {"x": (1, 8)}, {"w": (5, 8)}, 40),
    "gemm, transposed features": ("Gemm", {"transA": 1}, {"x": (8, 3), "w": (8, 5)}, {}, 3 * 8 * 5),
    "matmul": ("MatMul", {}, {"x": (1, 2, 7, 8)}, {"w": (8, 5)}, 2 * 7 * 8 * 5),
    "matmul of features": ("MatMul", {}, {"x": (1, 2, 7, 8), "w": (1, 2, 8, 3)}, {}, 2 * 7 * 8 * 3),
    "einsum": ("Einsum", {"equation": "...ij,...jk->...ik"}, {"x": (1, 2, 7, 8), "w": (1, 2, 8, 3)}, {}, 2 * 7 * 8 * 3),
    "einsum of one": ("Einsum", {"equation": "bhij -> bj"}, {"x": (1, 2, 3, 4)}, {}, 24),
    "gru": ("GRU", {"hidden_size": 6}, {"x": (5, 1, 8)}, {"w": (1, 18, 8), "r": (1, 18, 6)}, 5 * 18 * 14),
    "lstm both ways": (
        "LSTM",
        {"hidden_size": 6, "direction": "bidirectional"},
        {"x": (5, 2, 8)},
        {"w": (2, 24, 8), "r": (2, 24, 6)},
        10 * 48 * 14,
    ),
    "rnn": ("RNN", {"hidden_size": 3}, {"x": (4, 1, 2)}, {"w": (1, 3, 2), "r": (1, 3, 3)}, 4 * 3 * 5),
    "softmax": ("Softmax", {}, {"x": (1, 10)}, {}, 0),
}


def layer(name: str, suffix: str = "") -> Graph:
    """A model of one operator."""
    kind, attrs, inputs, constants, _ = CASES[name]
    node = op(kind, " ".join([*inputs, *constants]), "y", **attrs)
    return imported([node], {t: list(s) for t, s in inputs.items()}, "y", {t: weights(*s) for t, s in constants.items()}, opset=17)


@pytest.mark.parametrize("name", CASES)
def test_multiply_accumulates_by_hand(name: str) -> None:
    graph = layer(name)
    assert sum(macs(node, graph.types) for node in graph) == CASES[name][-1]


def test_float_and_integer_layers_count_the_same() -> None:
    """Each of these is an integer layer as a model has it, and often an opaque one as soon as its weights are computed."""
    for name in ("conv", "transposed", "gemm", "matmul"):
        kind, attrs, inputs, constants, _ = CASES[name]
        shapes = {**inputs, **constants}
        plain = layer(name)
        computed = imported([op(kind, "x w", "y", **attrs)], {t: list(s) for t, s in shapes.items()}, "y", opset=17)
        assert "Float" not in {n.op for n in plain}, name
        assert [macs(n, plain.types) for n in plain] == [macs(n, computed.types) for n in computed], name


def test_what_only_the_run_knows_counts_nothing() -> None:
    graph = imported(
        [op("NonZero", "x", "i"), op("Cast", "i", "f", to=1), op("MatMul", "m f", "y")],
        {"x": [1, 4], "m": [3, 2]},
        "y",
        opset=17,
    )
    assert [macs(n, graph.types) for n in graph] == [0, 0, 0]


def test_types_are_never_guessed() -> None:
    graph = layer("conv, weights computed")
    types = {t: k for t, k in graph.types.items() if t != "w"}
    assert [macs(n, types) for n in graph] == [0]
