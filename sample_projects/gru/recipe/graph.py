"""The ONNX file, written operator by operator: the time GRU as the step it is when a stream is run, the rest as exporters write it.

Tensors are numbered as exporters do.  `spectrum` to `740` compresses the magnitudes; the configurations cut it off, since a board
does that beside its Fourier transform.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from recipe.sounds import BINS, EXPONENT, FLOOR
from recipe.topology import BANDS, CHANNELS, DECODER, ENCODER, FEATURES, GAIN, LAST_STATE, NEW_STATE, SPECTRUM, STATE

OPSET, IR_VERSION = 12, 7
FIRST_OF_FRONT, FIRST = 733, 523

Parameters = Mapping[str, npt.NDArray[np.float32]]


class Writer:
    """Nodes and weights in the order they are added; each result gets the next number as its name."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, onnx.TensorProto] = {}
        self.next = FIRST_OF_FRONT

    def numbers(self, count: int) -> list[str]:
        """Return the next names."""
        self.next += count
        return [str(number) for number in range(self.next - count, self.next)]

    def op(self, kind: str, *inputs: str, result: str = "", **attributes: object) -> str:
        """Append an operator with one result, by the next number unless named, and return that name."""
        result = result or self.numbers(1)[0]
        self.nodes.append(helper.make_node(kind, inputs, [result], f"{kind}_{result}", **attributes))
        return result

    def split(self, x: str, count: int, axis: int) -> list[str]:
        """Append a split into equal parts and return their names."""
        parts = self.numbers(count)
        self.nodes.append(helper.make_node("Split", [x], parts, f"Split_{parts[0]}", axis=axis))
        return parts

    def const(self, name: str, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add a constant once and return its name."""
        self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(value, dtype), name)
        return name

    def weight(self, name: str) -> str:
        """Add a parameter as it is and return its name."""
        return self.const(name, self.parameters[name])

    def linear(self, x: str, weight: str, bias: str) -> str:
        """Append x W' + b, on the last axis."""
        product = self.op("MatMul", x, self.const(f"{weight}.T", self.parameters[weight].T))
        return self.op("Add", product, self.weight(bias))

    def convolution(self, x: str, layer: str, kernel: int, stride: int = 1) -> str:
        """Append a convolution along the frequencies."""
        half = kernel // 2
        shape = {"kernel_shape": [1, kernel], "strides": [1, stride], "pads": [0, half, 0, half], "dilations": [1, 1], "group": 1}
        return self.op("Conv", x, self.weight(f"{layer}.weight"), self.weight(f"{layer}.bias"), **shape)


def _front(w: Writer) -> tuple[str, str]:
    """Append what makes the planes of `740` of a spectrum: its real and imaginary part, compressed, and its compressed magnitude."""
    power = w.op("ReduceSum", w.op("Mul", SPECTRUM, SPECTRUM), axes=[1], keepdims=1)
    magnitude = w.op("Sqrt", w.op("Add", power, w.const("floor", FLOOR)))
    compressed = w.op("Pow", magnitude, w.const("exponent", EXPONENT))
    return w.op("Mul", SPECTRUM, w.op("Div", compressed, magnitude)), compressed


def _gates(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return a GRU parameter with its gates in ONNX's order (update, reset, new) instead of PyTorch's (reset, update, new)."""
    reset, update, new = np.split(array, 3)
    return np.concatenate([update, reset, new])


def _bands_gru(w: Writer, x: str) -> str:
    """Append the GRU over the bands as ONNX's own operator, both ways, with its linear layer: (BANDS, 1, CHANNELS)."""

    def both(part: str) -> npt.NDArray[np.float32]:
        return np.stack([_gates(w.parameters[f"fgru.{part}_l0{way}"]) for way in ("", "_reverse")])

    stacked = {"W": both("weight_ih"), "R": both("weight_hh"), "B": np.concatenate([both("bias_ih"), both("bias_hh")], 1)}
    weights = [w.const(f"fgru.{name}", value) for name, value in stacked.items()]
    made = w.op("GRU", x, *weights, hidden_size=CHANNELS // 2, direction="bidirectional", linear_before_reset=1)
    flat = w.op("Transpose", made, perm=[0, 2, 1, 3])
    sides = w.op("Reshape", flat, w.const("both_ways", [BANDS, 1, CHANNELS], np.int64))
    return w.linear(sides, "fgru_out.weight", "fgru_out.bias")


def _time_step(w: Writer, x: str) -> str:
    """Append one step of the GRU over time, gate by gate, and return the new state (1, BANDS, STATE)."""
    inner = w.linear(x, "tgru.weight_ih_l0", "tgru.bias_ih_l0")
    kept = w.linear(LAST_STATE, "tgru.weight_hh_l0", "tgru.bias_hh_l0")
    inner_reset, inner_update, inner_new = w.split(inner, 3, axis=2)
    kept_reset, kept_update, kept_new = w.split(kept, 3, axis=2)
    reset = w.op("Sigmoid", w.op("Add", inner_reset, kept_reset))
    update = w.op("Sigmoid", w.op("Add", inner_update, kept_update))
    new = w.op("Tanh", w.op("Add", inner_new, w.op("Mul", reset, kept_new)))
    # (1 - update) * new + update * last
    return w.op("Add", new, w.op("Mul", update, w.op("Sub", LAST_STATE, new)), result=NEW_STATE)


def _network(w: Writer) -> None:
    x, shortcuts = FEATURES, []
    for index, (_, _, kernel) in enumerate(ENCODER):
        x = w.op("Relu", w.convolution(x, f"encoder.{index}", kernel, stride=2))
        shortcuts.append(x)
    bands = w.op("Transpose", w.op("Squeeze", x, axes=[2]), perm=[2, 0, 1])
    bands = w.op("Add", bands, _bands_gru(w, bands))
    times = w.op("Transpose", bands, perm=[1, 0, 2])
    times = w.op("Add", times, w.linear(_time_step(w, times), "tgru_out.weight", "tgru_out.bias"))
    x = w.op("Unsqueeze", w.op("Transpose", times, perm=[0, 2, 1]), axes=[2])
    everywhere, scales = w.const("roi", np.zeros(0)), w.const("twice", [1, 1, 1, 2])
    nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for index, (_, _, kernel) in enumerate(DECODER):
        x = w.op("Resize", x, everywhere, scales, **nearest)
        if index < 3:
            x = w.op("Concat", x, shortcuts[2 - index], axis=1)
        x = w.op("Relu", w.convolution(x, f"decoder.{index}", kernel))
    w.op("Sigmoid", w.convolution(x, "gain", 1), result=GAIN)


def build(parameters: Parameters) -> onnx.ModelProto:
    """Return the checked model: one frame's spectrum (1, 2, 1, BINS) and the last state to gains (1, 1, 1, BINS) and the new state."""
    w = Writer(parameters)
    w.op("Concat", *_front(w), axis=1, result=FEATURES)
    w.next = FIRST
    _network(w)
    shapes = {SPECTRUM: [1, 2, 1, BINS], LAST_STATE: [1, BANDS, STATE], GAIN: [1, 1, 1, BINS], NEW_STATE: [1, BANDS, STATE]}
    infos = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    inputs, outputs = [infos[SPECTRUM], infos[LAST_STATE]], [infos[GAIN], infos[NEW_STATE]]
    graph = helper.make_graph(w.nodes, "denoiser", inputs, outputs, list(w.weights.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="make_sample")
    onnx.checker.check_model(model, full_check=True)
    return model
