"""Hashes tell different content apart; keys follow content along the graph, and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ir import Graph, Node, QGraph, QNode, RawNode, TensorType, digest, fields_key, keys
from engine.numerics import QParams

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=4), st.binary(max_size=4))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


def kind(value: Any) -> Any:
    """A value with its types, so that 1, 1.0 and True, or 0.0 and -0.0, are not equal."""
    if isinstance(value, tuple):
        return ("t", *map(kind, value))
    if isinstance(value, dict):
        return ("m", *((k, kind(v)) for k, v in sorted(value.items())))
    return (type(value).__name__, value, math.copysign(1, value) if isinstance(value, float) else 0)


@given(VALUES, VALUES)
def test_equal_hashes_mean_equal_structures(a: Any, b: Any) -> None:
    assert (digest(a) == digest(b)) == (kind(a) == kind(b))


@given(st.lists(SCALARS, max_size=4), st.integers(0, 4))
def test_where_a_tuple_ends_counts(items: list[Any], at: int) -> None:
    cut = min(at, len(items))
    assert digest(tuple(items)) != digest(tuple(items[:cut]), tuple(items[cut:]))
    assert digest((*items, ())) != digest(tuple(items))


PAIRS = {
    "parts": (("ab",), ("a", "b")),
    "text and bytes": (("a",), (b"a",)),
    "a text that looks like a tag": (("s1;a",), ("a",)),
    "dtype": ((np.zeros(2, np.int8),), (np.zeros(2, np.uint8),)),
    "byte order": ((np.array([1], "<u2"),), (np.array([256], ">u2"),)),
    "shape": ((np.zeros((2, 3)),), (np.zeros((3, 2)),)),
    "scalar": ((np.zeros(()),), (np.zeros(1),)),
    "nothing": ((np.zeros((0, 2)),), (np.zeros((0, 3)),)),
    "last bit": ((np.float32(1),), (np.nextafter(np.float32(1), np.float32(2)),)),
    "quantization": ((QParams(0.5, 3, 8),), (QParams(0.5, 3, 9),)),
    "strings": ((np.array(["a", "b"], object),), (np.array(["a", "c"], object),)),
    "cut strings": ((np.array(["ab", ""], object),), (np.array(["a", "b"], object),)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_told_apart(name: str) -> None:
    one, other = PAIRS[name]
    assert digest(*one) != digest(*other)


def test_what_is_the_same() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest(np.arange(6).reshape(2, 3)) == digest(np.asfortranarray(np.arange(6).reshape(2, 3)))
    assert digest(np.arange(12)[::2]) == digest(np.arange(12)[::2].copy())
    assert digest(np.int64(3), np.float64(0.5), np.bool_(True)) == digest(3, 0.5, True)
    assert digest(np.array(["x" * 9, "y"], object)) == digest(np.array(["x" * 9, "y"], object).copy())


def test_what_cannot_be_hashed_says_so() -> None:
    with pytest.raises(TypeError, match="cannot hash a set"):
        digest({1})


EDGES = (("a", ("x",)), ("b", ("x",)), ("c", ("a", "b")), ("d", ("b",)), ("e", ("c", "d")), ("f", ("c",)))
BELOW = {"a": "acef", "b": "bcdef", "c": "cef", "d": "de", "e": "e", "f": "f"}
LEAVES = {"x": digest("sample")}


def node(name: str, inputs: tuple[str, ...], weight: Any = 0.5) -> Node:
    weights = np.full((2, 2), weight, np.float32)
    return Node("Conv2D", name, inputs, (name,), {"pads": (0, 0), "scale": 1.0}, {"weight": weights}, reason="")


def graph(**changed: Any) -> Graph:
    """Six layers, two of which meet twice; `changed` replaces layers."""
    nodes = tuple(changed.get(name) or node(name, inputs, index + 1.0) for index, (name, inputs) in enumerate(EDGES))
    return Graph(("x",), ("e", "f"), nodes, {t: TensorType((1, 2)) for t in "xabcdef"})


def changes(one: dict[str, str], other: dict[str, str]) -> str:
    return "".join(t for t in sorted(one) if one[t] != other[t])


def test_different_layers_have_different_keys() -> None:
    found = keys(graph(), LEAVES, "float")
    assert len(set(found.values())) == len(found) == 7


@pytest.mark.parametrize("name", "abcdef")
def test_one_bit_of_a_weight_changes_the_layer_and_what_depends_on_it(name: str) -> None:
    index = "abcdef".index(name)
    before = node(name, EDGES[index][1], index + 1.0)
    weight = before.params["weight"].copy()
    weight.view(np.uint32)[1, 1] ^= 1
    other = graph(**{name: replace(before, params={"weight": weight})})
    assert changes(keys(graph(), LEAVES, "float"), keys(other, LEAVES, "float")) == BELOW[name]


@pytest.mark.parametrize("name", "abcdef")
@pytest.mark.parametrize("change", [{"op": "MatMul"}, {"attrs": {"pads": (0, 1), "scale": 1.0}}, {"attrs": {"pads": (0, 0)}}])
def test_any_field_that_computes_changes_the_layer_and_what_depends_on_it(name: str, change: dict[str, Any]) -> None:
    index = "abcdef".index(name)
    other = graph(**{name: replace(node(name, EDGES[index][1], index + 1.0), **change)})
    assert changes(keys(graph(), LEAVES, "float"), keys(other, LEAVES, "float")) == BELOW[name]


def test_other_data_changes_everything() -> None:
    assert changes(keys(graph(), LEAVES, "float"), keys(graph(), {"x": digest("another")}, "float")) == "abcdefx"
    assert changes(keys(graph(), LEAVES, "float"), keys(graph(), LEAVES, "int")) == "abcdef"


def test_other_arithmetic_changes_everything_that_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys(graph(), LEAVES, "float"), keys(integers(), LEAVES, "int")
    monkeypatch.setattr("engine.ir.NUMERICS", "another")
    assert changes(before[0], keys(graph(), LEAVES, "float")) == "abcdef"
    assert changes(before[1], keys(integers(), LEAVES, "int")) == "ab"


def test_names_and_reasons_are_in_no_key() -> None:
    def other(t: str) -> str:
        return t if t == "x" else f"renamed/{t}"

    renamed = tuple(
        replace(n, name=other(n.name), inputs=tuple(map(other, n.inputs)), outputs=tuple(map(other, n.outputs)), reason="why not")
        for n in graph().nodes
    )
    before, after = keys(graph(), LEAVES, "float"), keys(Graph(("x",), (), renamed, {}), LEAVES, "float")
    assert after == {other(t): key for t, key in before.items()}


def test_the_order_of_inputs_and_which_output_is_read_count() -> None:
    split = Node("Float", "p", ("x",), ("p", "q"), raw=(RawNode("Split", ("x",), ("p", "q"), payload=b"s"),))
    reads = [Node("Sub", "y", pair, ("y",)) for pair in (("p", "q"), ("q", "p"), ("p", "p"))]
    found = [keys(Graph(("x",), ("y",), (split, n), {}), LEAVES, "float") for n in reads]
    assert len({f["y"] for f in found}) == 3
    assert found[0]["p"] != found[0]["q"]


def test_an_inner_tensor_has_a_key_of_its_own() -> None:
    found = keys(graph(a=replace(node("a", ("x",)), inner="sum")), LEAVES, "float")
    assert found["sum"] not in {v for t, v in found.items() if t != "sum"}


def test_an_opaque_layer_is_its_payload_its_version_and_its_constants() -> None:
    def key(payload: bytes = b"body", opset: int = 13, constant: float = 1.0) -> str:
        raw = RawNode("Loop", ("x", "k"), ("y",), domain="", opset=opset, payload=payload)
        layer = Node("Float", "y", ("x", "k"), ("y",), {"op_type": "Loop"}, raw=(raw,))
        return keys(Graph(("x",), ("y",), (layer,), {}, {"k": np.array([constant])}), LEAVES, "float")["y"]

    assert len({key(), key(payload=b"bodz"), key(opset=11), key(constant=2.0)}) == 4
    assert key() == key()


def integers(**changed: Any) -> QGraph:
    q = QParams(0.5, 0, 8)
    first = QNode(
        "Conv2D", "a", ("x",), ("a",), (q,), (q,), {"low": 0}, {"weight": np.ones((2, 2), np.int8), "bias": np.zeros(2, np.int32)}
    )
    second = QNode("Flatten", "b", ("a",), ("b",), (q,), (q,))
    return QGraph(("x",), ("b",), (replace(first, **changed), second), {}, {})


@pytest.mark.parametrize(
    "changed",
    [
        {"outs": (QParams(0.5, 0, 9),)},
        {"ins": (QParams(0.5, 1, 8),)},
        {"outs": (QParams(float(np.nextafter(0.5, 1)), 0, 8),)},
        {"attrs": {"low": 1}},
        {"arrays": {"weight": np.ones((2, 2), np.int8), "bias": np.array([0, 1], np.int32)}},
        {"source": node("a", ("x",))},
    ],
)
def test_integer_layers_have_their_quantization_in_their_key(changed: dict[str, Any]) -> None:
    before, after = keys(integers(), LEAVES, "int"), keys(integers(**changed), LEAVES, "int")
    assert changes(before, after) == "ab"


def test_the_hash_of_a_layer_is_remembered_and_belongs_to_that_layer_alone() -> None:
    layer = node("a", ("x",))
    assert fields_key(layer) is fields_key(layer)
    assert fields_key(layer) == fields_key(node("other", ("y",)))
    assert fields_key(layer) != fields_key(replace(layer, params={"weight": np.zeros((2, 2), np.float32)}))


def test_who_makes_and_who_reads_a_tensor() -> None:
    g = graph(f=node("f", ("c", "c")))
    assert {t: n.name for t, n in g.producers().items()} == {t: t for t in "abcdef"}
    assert {t: [n.name for n in ns] for t, ns in g.consumers().items()} == {
        "x": ["a", "b"],
        "a": ["c"],
        "b": ["c", "d"],
        "c": ["e", "f"],
        "d": ["e"],
    }
    assert [n.name for n in g] == list("abcdef")


@pytest.mark.parametrize(("shape", "size"), [((), 1), ((0, 3), 0), ((1, 65536, 65536), 1 << 32)])
def test_size(shape: tuple[int, ...], size: int) -> None:
    assert TensorType(shape).size == size
