"""Integer graphs for the tests of the model file: one of every operator there is, and one with everything a graph can hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.calibrate.weights import weight_scales
from engine.ir import Node, QGraph, QNode, RawNode, TensorType, digest, fields_key
from engine.numerics import QParams
from engine.ops.base import REGISTRY, Parameters


def of_operator(op: str, seed: int, bits: int = 8) -> QGraph:
    """Return the graph of one layer, from the operator's own example."""
    e = REGISTRY[op].example(np.random.default_rng(seed), bits)
    p = Parameters(e.ins, e.out, e.inner, e.weight_bits, lambda w: weight_scales(w, e.weight_bits, "MAX_ABS"), e.types)
    made = REGISTRY[op].quantize(e.node, p)
    if not isinstance(made, QNode):
        raise TypeError(f"{op} declined its own example: {made.reason}")
    qparams = {t: q for t, q in zip((*made.inputs, *made.outputs), (*made.ins, *made.outs), strict=True) if q}
    return QGraph(made.inputs, made.outputs, (made,), e.types, qparams, {}, {"": 13})


def with_everything() -> QGraph:
    """Return a graph that is no network but has one of each thing a graph may hold."""
    q8, q12 = QParams(float(np.float32(0.1)), 128, 8), QParams(1.0, 0, 12)
    attrs = {
        "none": None,
        "yes": True,
        "int": -(2**63),
        "float": float("inf"),
        "nan": float("nan"),
        "text": "层\0\ud800",
        "bytes": b"\0\xff",
        "inner": q12,
        "nested": ((1, (2.5, "x", ())), (), None),
        "array": np.arange(6, dtype=np.int64).reshape(2, 3),
        "empty": (),
    }
    arrays = {
        "weight": np.arange(-8, 8, dtype=np.int8).reshape(2, 2, 2, 2),
        "bias": np.array([1, -(2**31)], np.int32),
        "scalar": np.array(3.5, np.float32),
        "none": np.zeros((0, 3), np.float16),
        "text": np.array([["a", "层"]]),
        "flags": np.array([True, False]),
        "strided": np.arange(12, dtype=np.uint16).reshape(3, 4).T,
    }
    raw = RawNode("Loop", ("a", "", "b"), ("c",), {"body": b"xyz"}, "com.example", 3, b"\x0a\x01c", ("outer",))
    params = {"w": np.ones(3, np.float32)}
    source = Node("Float", "c", ("a", "b"), ("c",), {"op_type": "Loop"}, params, "in", "unknown operator", (raw, raw))
    nodes = (
        QNode("Conv2D", "a/Ω", ("x",), ("a",), (q8,), (q12,), attrs, arrays),
        QNode("Dequantize", "b", ("a",), ("b",), (q12,), (None,)),
        QNode("Float", "c", ("b", ""), ("c",), (None, None), (None,), {"rename": (("a", "b"),)}, {}, source),
    )
    types = {"x": TensorType((1, 3, 4, 4), "uint8"), "a": TensorType((1, 2, 3, 3), "uint16"), "c": TensorType((), "str")}
    return QGraph(("x",), ("c",), nodes, types, {"x": q8, "a": q12}, {"outer": np.arange(3)}, {"": 21, "com.example": 3}, 9)


def content(graph: QGraph) -> list[Any]:
    """Return everything a graph holds as hashes and plain values that compare."""
    nodes = [
        (n.op, n.name, n.inputs, n.outputs, n.ins, n.outs, digest(n.attrs, n.arrays), fields_key(n), _source(n.source)) for n in graph.nodes
    ]
    tables = [dict(graph.types), dict(graph.qparams), digest(graph.constants), dict(graph.opsets)]
    return [graph.inputs, graph.outputs, graph.ir_version, *tables, *nodes]


def _source(node: Node | None) -> Any:
    if node is None:
        return None
    raws = [(r.op, r.inputs, r.outputs, digest(r.attrs), r.domain, r.opset, r.payload, r.captured) for r in node.raw]
    return (node.op, node.name, node.inputs, node.outputs, digest(node.attrs, node.params), node.inner, node.reason, raws)
