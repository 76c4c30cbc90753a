"""ONNX messages -> plain values: operators, constants, types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
import onnx.inliner
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..errors import ModelError
from ..ir import Attr, RawNode, TensorType
from ..numerics import Array
from .onnx_file import opsets_of
from .raw import Declared, RawGraph, topological

DTYPES = {
    int(kind): "str" if kind == TensorProto.STRING else np.dtype(helper.tensor_dtype_to_np_dtype(kind)).name
    for kind in TensorProto.DataType.values()
    if kind != TensorProto.UNDEFINED
}


def raw_graph(model: ModelProto, weights: Mapping[str, Array] | None = None) -> RawGraph:
    """Return the model, and `weights` that were read apart from it, as plain values.

    Its constants move out of `model`, so that their bytes are not copied about.
    """
    opsets = opsets_of(model)
    constants = {**(weights or {}), **take_constants(model.graph)}
    if model.functions:
        model = _inlined(model)
        opsets |= opsets_of(model)
        constants |= take_constants(model.graph)
    nodes: list[RawNode] = []
    labels: dict[str, tuple[str, ...]] = {}
    for proto in model.graph.node:
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        value = _constant(proto) if proto.op_type == "Constant" and not domain else None
        if value is not None:
            constants[proto.output[0]] = value
        else:
            nodes.append(raw_node(proto, domain, opsets.get(domain, 1)))
        if proto.name:
            labels.setdefault(proto.name, tuple(t for t in proto.output if t))
    inputs = {i.name: _declared(i) for i in model.graph.input if i.name not in constants}
    outputs = tuple(dict.fromkeys(o.name for o in model.graph.output))
    nodes += _computed_outputs(outputs, constants, opsets)
    order = topological(nodes, (*inputs, *constants))
    graph = RawGraph(order, tuple(inputs), outputs, constants, inputs, opsets, model.ir_version, labels=labels)
    known = {*inputs, *graph.producers()}
    for name in outputs:
        if name not in known:
            raise ModelError(f"nothing makes the model's output {name!r}")
    return graph


def _computed_outputs(outputs: Iterable[str], constants: dict[str, Array], opsets: Mapping[str, int]) -> list[RawNode]:
    """Give every output that is a constant an operator that makes it; the constant moves to a name no model has."""
    copies = []
    for name in outputs:
        if name in constants:
            constants[f"{name}\x1fvalue"] = constants[name]
            copies.append(identity(f"{name}\x1fvalue", name, opsets[""]))
            del constants[name]
    return copies


def _inlined(model: ModelProto) -> ModelProto:
    """Replace calls of the model's own functions by their bodies."""
    flat = onnx.inliner.inline_local_functions(model, convert_version=False)
    if flat.functions:
        flat = onnx.inliner.inline_local_functions(model, convert_version=True)
    if flat.functions:
        names = ", ".join(f.name for f in flat.functions[:3])
        raise ModelError(f"the model's functions {names} use another operator set than the model and cannot be inlined")
    return flat


def take_constants(graph: GraphProto) -> dict[str, Array]:
    """Return the initializers and clear their bytes from the message."""
    table = {}
    for tensor in graph.initializer:
        table[tensor.name] = array_of(tensor)
    for sparse in graph.sparse_initializer:
        table[sparse.values.name] = _dense(sparse)
    del graph.initializer[:]
    del graph.sparse_initializer[:]
    return table


def array_of(tensor: TensorProto) -> Array:
    """Return a tensor's value, read-only; strings become an array of fixed-width text."""
    try:
        value: Array = np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise ModelError(f"constant {tensor.name!r} is broken: {error}") from error
    if value.dtype == object:
        value = value.astype(np.str_)
    value.flags.writeable = False
    return value


def _dense(sparse: onnx.SparseTensorProto) -> Array:
    values, indices = array_of(sparse.values), array_of(sparse.indices)
    dense = np.zeros(tuple(sparse.dims), values.dtype)
    try:
        if indices.ndim == 1:
            dense.reshape(-1)[indices] = values
        else:
            dense[tuple(indices.T)] = values
    except IndexError as error:
        raise ModelError(f"sparse constant {sparse.values.name!r} is broken: {error}") from error
    return dense


def _constant(node: NodeProto) -> Array | None:
    """Return the value of a Constant operator, None when it holds none that is known here."""
    for a in node.attribute:
        if a.name == "value":
            return array_of(a.t)
        if a.name == "sparse_value":
            return _dense(a.sparse_tensor)
        if a.name in ("value_float", "value_floats"):
            return np.asarray(plain(a), np.float32)
        if a.name in ("value_int", "value_ints"):
            return np.asarray(plain(a), np.int64)
        if a.name in ("value_string", "value_strings"):
            return np.asarray(plain(a), np.str_)
    return None


def raw_node(proto: NodeProto, domain: str, opset: int) -> RawNode:
    attrs = {a.name: plain(a) for a in proto.attribute if not _is_structure(a)}
    inner = sorted(_outer_reads(proto))
    return RawNode(proto.op_type, tuple(proto.input), tuple(proto.output), attrs, domain, opset, proto.SerializeToString(), tuple(inner))


def _is_structure(a: AttributeProto) -> bool:
    """Tell whether an attribute holds a graph or a type, which only the payload keeps."""
    kinds = AttributeProto
    return a.type in (kinds.GRAPH, kinds.GRAPHS, kinds.TYPE_PROTO, kinds.TYPE_PROTOS, kinds.SPARSE_TENSOR, kinds.SPARSE_TENSORS)


def plain(a: AttributeProto) -> Attr:
    """Return an attribute's value: numbers, text, tuples of them, arrays; bytes where they are no text."""
    kinds = AttributeProto
    if a.type == kinds.INT:
        return a.i
    if a.type == kinds.FLOAT:
        return a.f
    if a.type == kinds.STRING:
        return _text(a.s)
    if a.type == kinds.INTS:
        return tuple(a.ints)
    if a.type == kinds.FLOATS:
        return tuple(a.floats)
    if a.type == kinds.STRINGS:
        return tuple(_text(s) for s in a.strings)
    if a.type == kinds.TENSOR:
        return array_of(a.t)
    if a.type == kinds.TENSORS:
        return tuple(array_of(t) for t in a.tensors)
    return None


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def subgraphs(node: NodeProto) -> Iterable[GraphProto]:
    """Yield the graphs an operator holds (the branches of an If, the body of a Loop)."""
    for a in node.attribute:
        if a.type == AttributeProto.GRAPH:
            yield a.g
        elif a.type == AttributeProto.GRAPHS:
            yield from a.graphs


def _outer_reads(node: NodeProto) -> set[str]:
    """Return the tensors outside that the subgraphs of an operator read."""
    found: set[str] = set()
    for graph in subgraphs(node):
        wanted = {t for n in graph.node for t in (*n.input, *_outer_reads(n))} | {o.name for o in graph.output}
        found |= wanted - own_names(graph) - {""}
    return found


def own_names(graph: GraphProto) -> set[str]:
    """Return the tensors that a subgraph makes or is given: names in it that mean nothing outside."""
    given = {i.name for i in graph.input} | {i.name for i in graph.initializer} | {s.values.name for s in graph.sparse_initializer}
    return given | {t for n in graph.node for t in n.output}


def _declared(info: onnx.ValueInfoProto) -> Declared:
    """Return what a model says of an input; ModelError for what is no tensor."""
    if info.type.WhichOneof("value") != "tensor_type":
        kind = (info.type.WhichOneof("value") or "untyped").removesuffix("_type")
        raise ModelError(f"input {info.name!r} is no tensor ({kind}): only tensors can be fed", hint="cut the graph behind it with INPUT")
    found = _tensor_type(info.type.tensor_type)
    # an input without elements is of no use: exporters write 0 for a size they do not know
    return found if found.dims is None else Declared(tuple(d or None for d in found.dims), found.dtype)


def _tensor_type(tensor: onnx.TypeProto.Tensor) -> Declared:
    dtype = DTYPES.get(tensor.elem_type, "")
    if not tensor.HasField("shape"):
        return Declared(None, dtype)
    return Declared(tuple(int(d.dim_value) if d.HasField("dim_value") and d.dim_value >= 0 else None for d in tensor.shape.dim), dtype)


def declared_types(graph: GraphProto) -> dict[str, Declared]:
    """Return what a graph says of its tensors, those with an element type."""
    table = {}
    for info in (*graph.value_info, *graph.output):
        if info.type.WhichOneof("value") == "tensor_type" and info.type.tensor_type.elem_type in DTYPES:
            table[info.name] = _tensor_type(info.type.tensor_type)
    return table


def dtype_name(value: Array) -> str:
    """Return the element type of an array as `TensorType` writes it."""
    return "str" if value.dtype.kind in "OSU" else value.dtype.name


def constant_type(value: Array) -> TensorType:
    """Return the type of a constant."""
    return TensorType(value.shape, dtype_name(value))


def identity(source: str, target: str, opset: int) -> RawNode:
    """Return an operator that copies one tensor to another."""
    return raw_node(helper.make_node("Identity", [source], [target]), "", opset)
