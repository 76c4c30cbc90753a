"""Running a piece of the source model as it is, with onnxruntime's own meaning of every operator: optimizations are off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
import onnxruntime as ort
from onnx import helper

from ..ir import RawNode
from ..numerics import Array
from .protos import dtype_name
from .raw import Declared, RawGraph, reads
from .writing import SMALL, small_model


class Refused(Exception):
    """onnxruntime does not load or does not run a piece of a model; the message is its own, one line."""


def run_piece(graph: RawGraph, nodes: Sequence[RawNode], feeds: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Any]:
    """Run some operators of `graph` on its constants and on `feeds`; return the wanted tensors (a list for a sequence)."""
    return Piece(graph, nodes, {name: Declared(value.shape, dtype_name(value)) for name, value in feeds.items()}, wanted).run(feeds)


class Piece:
    """Some operators of a model, loaded into onnxruntime. Raises Refused."""

    def __init__(self, graph: RawGraph, nodes: Sequence[RawNode], feeds: Mapping[str, Declared], wanted: Sequence[str]) -> None:
        read = {t for n in nodes for t in reads(n)}
        large = {t: graph.constants[t] for t in read if t in graph.constants and t not in feeds}
        self._large = {t: v for t, v in large.items() if v.nbytes > SMALL}
        self._wanted = tuple(wanted)
        self._session = _open(small_model(graph, nodes, feeds, wanted))

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Any]:
        """Run on these arrays and return the wanted tensors."""
        try:
            found = self._session.run(list(self._wanted), {**self._large, **feeds})
        except Exception as error:  # onnxruntime has errors of its own without a common base
            raise Refused(_words(error)) from error
        return dict(zip(self._wanted, found, strict=True))


def _open(model: onnx.ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has errors of its own without a common base
        raise Refused(_words(error)) from error


def _words(error: Exception) -> str:
    """Return onnxruntime's message without its banner and source positions."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].split("] : ")[-1].split(" : ", 2)[-1][:400]


def refusal(opset: int, ir_version: int) -> str:
    """Return onnxruntime's words when it refuses models of this operator set or IR version, "" when it takes them."""
    info = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    body = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "probe", [info], [onnx.ValueInfoProto(name="y")])
    try:
        _open(helper.make_model(body, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version))
    except Refused as error:
        return str(error)
    return ""
