"""Binding INPUT_SHAPE to the inputs, and inferring the type of every tensor from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import onnx

from ..errors import ModelError
from ..ir import TensorType
from .loops import results as loop_results
from .protos import constant_type, declared_types
from .raw import Declared, RawGraph
from .writing import small_model, value_info


def bind(graph: RawGraph, shapes: Sequence[tuple[int, ...] | None], explicit: int) -> RawGraph:
    """Return the graph with the types of its inputs known.

    `shapes` holds one shape per input, None where the model decides. Dimensions are bound by position, never by symbol: exporters give
    height and width one name. An open first dimension is a batch of one. The first `explicit` shapes were written for their
    input; a later one is the last of them again, and yields where the model says otherwise. ModelError where a dimension stays open.
    """
    types: dict[str, TensorType] = {}
    for index, (name, shape) in enumerate(zip(graph.inputs, shapes, strict=True)):
        declared = graph.declared[name]
        misfit = "" if shape is None else _misfit(declared, shape)
        if misfit and index < explicit:
            hint = f"the model says {declared}; INPUT_SHAPE is in the model's layout (NCHW)"
            raise ModelError(f"{_listed(shape)} does not fit input {name!r}: {misfit}", where="INPUT_SHAPE", hint=hint)
        types[name] = TensorType(shape, declared.dtype) if shape is not None and not misfit else _own(name, declared)
    return replace(graph, types=types)


def _misfit(declared: Declared, shape: tuple[int, ...]) -> str:
    """Say why a shape cannot be that of an input, "" when it can; a batch may be made one."""
    if declared.dims is None:
        return ""
    if len(shape) != len(declared.dims):
        return f"it has {len(declared.dims)} dimensions"
    for axis, (given, own) in enumerate(zip(shape, declared.dims, strict=True)):
        if own is not None and given != own and not (axis == 0 and given == 1 and len(shape) > 1):
            return f"dimension {axis} is {own}"
    return ""


def _own(name: str, declared: Declared) -> TensorType:
    """Return the type of an input as the model has it, with a batch of one."""
    if declared.dims is None:
        raise ModelError(f"the model leaves the shape of input {name!r} open", where="INPUT_SHAPE", hint="give its shape in INPUT_SHAPE")
    first, *rest = declared.dims or (1,)
    dims = declared.dims if first is not None else (1, *rest)
    kind = Declared(dims, declared.dtype).static()
    if kind is None:
        hint = f'give all of it, such as "INPUT_SHAPE": {_listed(tuple(d or 224 for d in dims))}'
        raise ModelError(f"the model leaves part of the shape of input {name!r} open: {declared}", where="INPUT_SHAPE", hint=hint)
    return kind


def _listed(shape: tuple[int, ...] | None) -> str:
    return "[" + ",".join(str(d) for d in shape or ()) + "]"


def infer(graph: RawGraph) -> dict[str, TensorType]:
    """Return the types of all tensors that follow from those in `graph.types` for its inputs."""
    feeds = {t: Declared(graph.types[t].shape, graph.types[t].dtype) for t in graph.inputs}
    types = {t: graph.types[t] for t in graph.inputs}
    types |= {t: kind for t, kind in ((t, d.static()) for t, d in infer_open(graph, feeds).items()) if kind is not None}
    return types | {t: constant_type(value) for t, value in graph.constants.items()}


def infer_open(graph: RawGraph, feeds: Mapping[str, Declared] | None = None) -> dict[str, Declared]:
    """Return what follows about the tensors inside from the declared types of the inputs, open dimensions included."""
    given = graph.declared if feeds is None else feeds
    model = small_model(graph, graph.nodes, given, graph.outputs)
    told: dict[str, Declared] = {}
    while True:
        try:
            done = onnx.shape_inference.infer_shapes(model, check_type=False, strict_mode=False, data_prop=True)
        except (onnx.shape_inference.InferenceError, ValueError, RuntimeError):
            return {}  # onnx gives up on the whole model: a trial run tells the types
        found = told | declared_types(done.graph)
        more = loop_results(graph, {**given, **found})
        if not more:
            return found
        told |= more
        model.graph.value_info.extend(value_info(name, kind) for name, kind in more.items())


def check_reshapes(graph: RawGraph) -> None:
    """Raise ModelError for a Reshape whose static target does not hold its input: inference takes the target at its word."""
    for node in graph.nodes:
        if node.op != "Reshape" or node.domain:
            continue
        before, after = graph.types.get(node.inputs[0]), graph.types.get(node.outputs[0])
        if before and after and before.size != after.size:
            message = f"{_listed(before.shape)} cannot be reshaped to {_listed(after.shape)} as {node.outputs[0]!r} asks"
            raise ModelError(message, where=node.op, hint=inputs_hint(graph))


def inputs_hint(graph: RawGraph) -> str:
    """Say what the inputs are, for errors that a wrong INPUT_SHAPE causes."""
    return "check INPUT_SHAPE; the inputs are " + ", ".join(f"{t} {_listed(graph.types[t].shape)}" for t in graph.inputs[:4])
