"""The ONNX file: written operator by operator, so that names, opset and unfused BatchNormalization are exact."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from recipe.topology import CLASSES, INPUT, OUTPUT, SIDE, Node, nodes

OPSET, IR_VERSION = 8, 3

_PARAMETERS = {
    "Conv": ("weight",),
    "BatchNormalization": ("gamma", "beta", "running_mean", "running_var"),
    "Gemm": ("weight", "bias"),
}
_ATTRIBUTES = {
    "BatchNormalization": {"epsilon": 1e-5, "momentum": 0.9},
    "Gemm": {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 1},
}


def _names(node: Node) -> list[str]:
    return [node.parameter(suffix) for suffix in _PARAMETERS.get(node.op, ())]


def build(parameters: Mapping[str, npt.NDArray[np.float32]]) -> onnx.ModelProto:
    """Return the checked model: ``data`` float32 (N, 3, SIDE, SIDE) to logits float32 (N, 10)."""
    plan = list(nodes())
    names = [name for node in plan for name in _names(node)]
    weights = [numpy_helper.from_array(np.ascontiguousarray(parameters[name]), name) for name in names]
    data = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", 3, SIDE, SIDE])
    logits = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", CLASSES])
    # IR version 3, as in the model zoo's file, wants every initializer among the inputs.
    weight_infos = [helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in weights]
    operators = [
        helper.make_node(node.op, [*node.inputs, *_names(node)], [node.name], node.name, **_ATTRIBUTES.get(node.op, node.attrs))
        for node in plan
    ]
    graph = helper.make_graph(operators, "resnet18_digits", [data, *weight_infos], [logits], weights)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="make_sample")
    onnx.checker.check_model(model, full_check=True)
    return model
