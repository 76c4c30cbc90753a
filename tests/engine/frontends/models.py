"""Small models to import, and onnxruntime's own run of the original to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from engine.ir import Graph
from engine.ops.lowering import Builder
from engine.ort.session import Program
from engine.simulate import lower_float_node


def value_info(name: str, shape: Sequence[int | str | None] | None, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def make_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Any],
    outputs: Sequence[str],
    constants: Mapping[str, Any] | None = None,
    *,
    opset: int = 13,
    domains: Mapping[str, int] | None = None,
    functions: Sequence[onnx.FunctionProto] = (),
    ir_version: int = 8,
) -> onnx.ModelProto:
    """A model; an input is a shape, or (shape, element type)."""
    ins = [value_info(name, *(kind if isinstance(kind, tuple) else (kind,))) for name, kind in inputs.items()]
    tensors = [numpy_helper.from_array(np.asarray(v), name) for name, v in (constants or {}).items()]
    graph = helper.make_graph(list(nodes), "g", ins, [onnx.ValueInfoProto(name=t) for t in outputs], tensors)
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, v) for d, v in (domains or {}).items())]
    return helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=ir_version)


def layers(graph: Graph) -> list[tuple[str, str]]:
    """The (type, name) of every layer; an opaque one shows what the source calls it."""
    return [(f"Float:{n.attrs['op_type']}" if n.op == "Float" else n.op, n.name) for n in graph]


def run_graph(graph: Graph, feeds: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    """Run the imported float graph."""
    b = Builder()
    b.constants |= graph.constants
    for node in graph:
        lower_float_node(node, b, graph.types, {})
    types = {t: graph.types[t] for t in graph.inputs}
    found = Program(b, types, wanted, types=graph.types, opsets=graph.opsets).run(feeds)
    return {t: np.array(v) for t, v in found.items()}


def run_original(path: Path, feeds: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    """Run the model file as onnxruntime runs it, without optimizations; any of its tensors can be asked for."""
    model = onnx.load(path)
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=t) for t in wanted)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = {i.name for i in session.get_inputs()}
    return dict(zip(wanted, session.run(list(wanted), {t: v for t, v in feeds.items() if t in given}), strict=True))
