"""The ONNX file: written operator by operator as the exporter writes it, BatchNormalization folded."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from recipe.topology import FIELDS, HEIGHT, INPUT, NODES, OUTPUTS, STRIDES, WIDTH, Node

OPSET, IR_VERSION = 12, 7

Parameters = Mapping[str, npt.NDArray[np.float32]]


def _window(kernel: int, stride: int) -> dict[str, list[int]]:
    return {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [kernel // 2] * 4}


def _constants(node: Node) -> dict[str, npt.NDArray[Any]]:
    """Return the constant operands of a node, by name; equal names have equal values."""
    match node.op:
        case "Slice":
            axis, start = node.attrs["axis"], node.attrs["start"]
            values = {f"start_{start}": start, "end": np.iinfo(np.int64).max, f"axis_{axis}": axis, "step_2": 2}
            return {name: np.array([value], np.int64) for name, value in values.items()}
        case "Resize":
            return {"roi": np.zeros(0, np.float32), "twice": np.array([1, 1, 2, 2], np.float32)}
        case "Reshape":
            return {f"shape_{node.name}": np.array(node.attrs["shape"], np.int64)}
    return {}


def _attributes(node: Node) -> dict[str, Any]:
    match node.op:
        case "Conv":
            return {**_window(node.attrs["kernel"], node.attrs["stride"]), "dilations": [1, 1], "group": 1}
        case "MaxPool":
            return _window(node.attrs["kernel"], 1)
        case "Resize":
            return {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        case "Concat" | "Transpose":
            return dict(node.attrs)
    return {}


def _operator(node: Node, constants: Sequence[str]) -> onnx.NodeProto:
    weights = [f"{node.name}.weight", f"{node.name}.bias"] if node.op == "Conv" else []
    inputs = [*node.inputs, *weights, *constants]
    return helper.make_node(node.op, inputs, [node.name], f"{node.op}_{node.name}", **_attributes(node))


def build(parameters: Parameters) -> onnx.ModelProto:
    """Return the checked model: `images` float32 (1, 3, HEIGHT, WIDTH) to three maps (1, 3, h, w, FIELDS), one for each stride."""
    operands = [_constants(node) for node in NODES]
    arrays = {name: value for found in operands for name, value in found.items()} | dict(parameters)
    weights = [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in arrays.items()]
    operators = [_operator(node, tuple(found)) for node, found in zip(NODES, operands, strict=True)]
    images = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])
    shapes = [[1, 3, HEIGHT // stride, WIDTH // stride, FIELDS] for stride in STRIDES]
    maps = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in zip(OUTPUTS, shapes, strict=True)]
    graph = helper.make_graph(operators, "yolov5s_shapes", [images], maps, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="make_sample")
    onnx.checker.check_model(model, full_check=True)
    return model
