"""Lowered steps -> ONNX models, one per run of steps that share an operator-set version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper

from ..ir import TensorType
from ..numerics import Array
from ..ops.lowering import OPSET, Step

IR_VERSION = 10
LARGE = 4096
"""Constants of this many bytes and more are not copied into the serialized model."""
CONTRIB = {"com.microsoft": 1, "ai.onnx.ml": 3}


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Steps that run in one session; `reads` come from outside, `makes` is everything its steps produce."""

    opset: int
    steps: tuple[Step, ...]
    reads: tuple[str, ...]
    makes: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What a model is built for: the types of the tensors fed to it, the tensors wanted, and which of both lie as NHWC in memory.

    `open` gives the dtype of fed tensors whose shape is only known at run time.
    """

    feeds: Mapping[str, TensorType]
    wanted: Sequence[str]
    nhwc: frozenset[str] = field(default_factory=frozenset)
    open: Mapping[str, str] = field(default_factory=dict)


def opset_of(step: Step, opsets: Mapping[str, int]) -> int:
    """Return the operator-set version a step must run under: ours, unless it is a source operator whose meaning has changed since."""
    raw = step.raw
    if raw is None or raw.domain:
        return OPSET
    version = opsets.get("", OPSET)
    if version == OPSET:
        return OPSET
    try:
        then = onnx.defs.get_schema(raw.op, max_inclusive_version=version)
        now = onnx.defs.get_schema(raw.op, max_inclusive_version=OPSET)
    except onnx.defs.SchemaError:
        return version
    has_graph = any(a.type in (onnx.defs.OpSchema.AttrType.GRAPH, onnx.defs.OpSchema.AttrType.GRAPHS) for a in then.attributes.values())
    return OPSET if then.since_version == now.since_version and not has_graph else version


def segments(steps: Sequence[Step], constants: Mapping[str, Array], opsets: Mapping[str, int]) -> list[Segment]:
    """Split steps into runs of one version. Steps are in topological order; each joins the last run that may hold it."""
    runs: list[tuple[int, list[Step]]] = []
    place: dict[str, int] = {}
    for step in steps:
        version = opset_of(step, opsets)
        earliest = max((place.get(t, 0) for t in (*step.inputs, *(step.raw.captured if step.raw else ()))), default=0)
        index = next((i for i in range(len(runs) - 1, earliest - 1, -1) if runs[i][0] == version), None)
        if index is None:
            runs.append((version, []))
            index = len(runs) - 1
        runs[index][1].append(step)
        for t in step.outputs:
            place[t] = index
    return [_segment(version, run, constants) for version, run in runs]


def needed(steps: Sequence[Step], wanted: Sequence[str]) -> list[Step]:
    """Return the steps that the wanted tensors depend on, in their order."""
    live, kept = set(wanted), []
    for step in reversed(steps):
        if live.intersection(step.outputs):
            kept.append(step)
            live.update(step.inputs, step.raw.captured if step.raw else ())
    return kept[::-1]


def _segment(version: int, steps: list[Step], constants: Mapping[str, Array]) -> Segment:
    makes = frozenset(t for s in steps for t in s.outputs if t)
    reads = (t for s in steps for t in (*s.inputs, *(s.raw.captured if s.raw else ())) if t and t not in makes and t not in constants)
    return Segment(version, tuple(steps), tuple(dict.fromkeys(reads)), makes)


def nodes_of(step: Step) -> list[onnx.NodeProto]:
    """Return the ONNX nodes of one step."""
    if step.raw is None:
        attributes = [_attribute(name, value) for name, value in sorted(dict(step.attrs).items()) if value is not None]
        return [onnx.NodeProto(op_type=step.op, input=step.inputs, output=step.outputs, domain=step.domain, attribute=attributes)]
    node = onnx.NodeProto()
    node.ParseFromString(step.raw.payload)
    node.name = ""
    rename(node, dict(step.attrs.get("rename") or {}))
    return [node]


def _attribute(name: str, value: Any) -> onnx.AttributeProto:
    """Return an attribute; the kinds that layers are made of at once, since searches build models by the thousand."""
    kind = onnx.AttributeProto
    if type(value) is int:
        return onnx.AttributeProto(name=name, type=kind.INT, i=value)
    if type(value) is float:
        return onnx.AttributeProto(name=name, type=kind.FLOAT, f=value)
    if type(value) is str:
        return onnx.AttributeProto(name=name, type=kind.STRING, s=value.encode())
    if value and isinstance(value, list | tuple) and all(type(each) is int for each in value):
        return onnx.AttributeProto(name=name, type=kind.INTS, ints=value)
    return helper.make_attribute(name, value)


def rename(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    """Rename tensors that a node reads, in its subgraphs too (names are unique across nested scopes, so nothing is shadowed)."""
    if not names:
        return
    node.input[:] = [names.get(t, t) for t in node.input]
    for attribute in node.attribute:
        for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            for inner in graph.node:
                rename(inner, names)
            for out in graph.output:
                out.name = names.get(out.name, out.name)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A serialized model whose large constants stay outside it, where they already are in memory."""

    data: bytes
    weights: Mapping[str, Array]


def build(segment: Segment, request: Request, constants: Mapping[str, Array], opsets: Mapping[str, int]) -> Model:
    """Serialize one segment; feeds and wanted tensors named in `request.nhwc` are transposed at the border."""
    nodes: list[onnx.NodeProto] = []
    inputs, outputs = [], []
    for name in segment.reads:
        if name in request.open:
            inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(request.open[name])), None))
            continue
        kind = request.feeds[name]
        shape, fed = list(kind.shape), name
        if name in request.nhwc:
            shape = [shape[0], *shape[2:], shape[1]]
            fed = "\x1enhwc:" + name
            nodes.append(helper.make_node("Transpose", [fed], [name], perm=[0, 3, 1, 2]))
        inputs.append(helper.make_tensor_value_info(fed, helper.np_dtype_to_tensor_dtype(np.dtype(kind.dtype)), shape))
    for step in segment.steps:
        nodes += nodes_of(step)
    for name in request.wanted:
        if name not in segment.makes:
            continue
        given = name
        if name in request.nhwc:
            given = "\x1enhwc:" + name
            nodes.append(helper.make_node("Transpose", [name], [given], perm=[0, 2, 3, 1]))
        outputs.append(onnx.ValueInfoProto(name=given))
    used = {t for n in nodes for t in n.input} | {t for s in segment.steps if s.raw for t in s.raw.captured}
    shown = {name: value for name, value in constants.items() if name in used}
    weights = {name: np.ascontiguousarray(value) for name, value in shown.items() if value.nbytes >= LARGE and value.dtype.kind in "fiu"}
    tensors = [placeholder(name, weights[name]) if name in weights else tensor(name, value) for name, value in shown.items()]
    graph = helper.make_graph(nodes, "magik", inputs, outputs, tensors)
    domains = {**CONTRIB, **{d: v for d, v in opsets.items() if d}, "": segment.opset}
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(d, v) for d, v in domains.items()], ir_version=IR_VERSION)
    return Model(model.SerializeToString(), weights)


def placeholder(name: str, value: Array) -> onnx.TensorProto:
    """Return an initializer whose data onnxruntime is handed as memory."""
    proto = onnx.TensorProto(name=name, dims=value.shape, data_type=helper.np_dtype_to_tensor_dtype(value.dtype))
    proto.data_location = onnx.TensorProto.EXTERNAL
    proto.external_data.add(key="location", value="memory")
    proto.external_data.add(key="offset", value="0")
    proto.external_data.add(key="length", value=str(value.nbytes))
    return proto


def tensor(name: str, value: Array) -> onnx.TensorProto:
    """Return an array as an initializer."""
    value = np.ascontiguousarray(value) if value.ndim else value
    if value.dtype.kind in "OSU":
        return onnx.numpy_helper.from_array(value, name)
    proto = onnx.TensorProto(name=name, dims=value.shape, data_type=helper.np_dtype_to_tensor_dtype(value.dtype))
    proto.raw_data = value.tobytes()
    return proto
