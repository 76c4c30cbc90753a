"""Loops whose body keeps the shapes of its states: however often one runs, what comes out has the shapes of what went in."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import GraphProto, NodeProto, helper

from ..ir import RawNode
from .protos import constant_type, declared_types, subgraphs
from .raw import Declared, RawGraph
from .writing import value_info

COUNT, KEEP = Declared((), "int64"), Declared((), "bool")


def results(graph: RawGraph, types: Mapping[str, Declared]) -> dict[str, Declared]:
    """Return the types of states that leave a Loop, as far as they are new: `types` is what is known of tensors."""
    constants = {name: Declared(kind.shape, kind.dtype) for name, kind in ((n, constant_type(v)) for n, v in graph.constants.items())}
    known = {**constants, **types}
    found: dict[str, Declared] = {}
    for node in graph.nodes:
        states = node.inputs[2:]
        new = {t: known[s] for t, s in zip(node.outputs, states, strict=False) if t and s in known and not _is_static(known.get(t))}
        if node.op == "Loop" and not node.domain and new and _keeps(node, known, graph):
            found |= new
    return found


def _is_static(kind: Declared | None) -> bool:
    return kind is not None and kind.static() is not None


def _keeps(node: RawNode, known: Mapping[str, Declared], graph: RawGraph) -> bool:
    """Tell whether one round makes states of the types it was given, all of them: then so does every other round."""
    states = [known.get(t) for t in node.inputs[2:]]
    body = GraphProto()
    for inside in subgraphs(NodeProto.FromString(node.payload)):
        body.CopyFrom(inside)
    if len(body.input) != len(states) + 2 or not all(map(_is_static, states)):
        return False
    given = dict(zip((i.name for i in body.input), (COUNT, KEEP, *states), strict=True))
    fed = {**{t: known[t] for t in node.captured if t in known}, **given}
    del body.input[:], body.value_info[:]  # what the file says of shapes may be stale
    body.input.extend(value_info(name, kind) for name, kind in fed.items() if kind is not None)
    for out in body.output:
        out.ClearField("type")
    model = helper.make_model(body, opset_imports=[helper.make_opsetid(d, v) for d, v in graph.opsets.items()])
    try:
        made = {**fed, **declared_types(onnx.shape_inference.infer_shapes(model, data_prop=True).graph)}
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError):
        return False
    return [made.get(out.name) for out in body.output[1 : len(states) + 1]] == states
