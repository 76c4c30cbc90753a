"""Plain values -> ONNX messages: operators renamed, and small models for inference, folding and trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..ir import RawNode
from .protos import DTYPES, dtype_name, own_names, subgraphs
from .raw import Declared, RawGraph

SMALL = 1024
"""Constants up to this many bytes travel inside the small models; larger ones are fed."""

_KINDS = {name: kind for kind, name in DTYPES.items()}


def renamed(node: RawNode, names: Mapping[str, str]) -> RawNode:
    """Return an operator with its tensors renamed, in its payload and subgraphs too as far as those do not hide a name."""
    if not any(t in names for t in (*node.inputs, *node.outputs, *node.captured)):
        return node
    proto = NodeProto.FromString(node.payload)
    _rename(proto, names)
    captured = tuple(names.get(t, t) for t in node.captured)
    return replace(node, inputs=tuple(proto.input), outputs=tuple(proto.output), payload=proto.SerializeToString(), captured=captured)


def _rename(node: NodeProto, names: Mapping[str, str]) -> None:
    node.input[:] = [names.get(t, t) for t in node.input]
    node.output[:] = [names.get(t, t) for t in node.output]
    for graph in subgraphs(node):
        hidden = own_names(graph)
        seen = {old: new for old, new in names.items() if old not in hidden}
        for inner in graph.node:
            _rename(inner, seen)
        for out in graph.output:
            out.name = seen.get(out.name, out.name)


def small_model(
    graph: RawGraph,
    nodes: Iterable[RawNode],
    feeds: Mapping[str, Declared],
    outputs: Iterable[str],
) -> ModelProto:
    """Return a model of some operators of `graph` that carries only small constants; large ones are among its inputs, like `feeds`."""
    nodes = tuple(nodes)
    read = {t for n in nodes for t in (*n.inputs, *n.captured)}
    inputs = [value_info(name, kind) for name, kind in feeds.items()]
    tensors = []
    for name, value in graph.constants.items():
        if name not in read or name in feeds:
            continue
        if value.nbytes <= SMALL:
            tensors.append(numpy_helper.from_array(value, name))
        else:
            inputs.append(value_info(name, Declared(value.shape, dtype_name(value))))
    protos = [NodeProto.FromString(n.payload) for n in nodes]
    body = helper.make_graph(protos, "part", inputs, [onnx.ValueInfoProto(name=name) for name in outputs], tensors)
    domains = [helper.make_opsetid(d, v) for d, v in graph.opsets.items()]
    return helper.make_model(body, opset_imports=domains, ir_version=max(graph.ir_version, 4))


def value_info(name: str, kind: Declared) -> onnx.ValueInfoProto:
    """Return a tensor's name and type as ONNX writes them."""
    shape: Any = None if kind.dims is None else [d if d is not None else "" for d in kind.dims]
    return helper.make_tensor_value_info(name, _KINDS.get(kind.dtype, TensorProto.UNDEFINED), shape)
