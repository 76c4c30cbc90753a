"""One small model of every family that has to convert, with the spelling of its operator set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from engine.numerics import Array
from tests.engine.frontends.models import make_model, value_info


@dataclass
class Family:
    """A model being written: `op` appends an operator and returns its output, `weight` a constant."""

    opset: int = 17
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    inputs: dict[str, list[int]] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    ir_version: int = 8
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(11))

    def op(self, kind: str, *reads: str, makes: str = "", count: int = 1, **attrs: Any) -> str:
        names = [makes or f"{kind.lower()}{len(self.nodes)}", *(f"{kind.lower()}{len(self.nodes)}.{i}" for i in range(1, count))]
        self.nodes.append(helper.make_node(kind, list(reads), names, **attrs))
        return names[0]

    def const(self, value: Any) -> str:
        name = f"const{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def number(self, value: float) -> str:
        return self.const(np.float32(value))

    def weight(self, *shape: int, mean: float = 0.0) -> str:
        spread = 1.0 / np.sqrt(max(1, np.prod(shape[1:]) if len(shape) > 2 else shape[0]))
        return self.const((self.rng.normal(0, spread, shape) + mean).astype(np.float32))

    def over(self, kind: str, x: str, axes: Sequence[int], since: int, **attrs: Any) -> str:
        """An operator whose axes are an attribute before operator set `since` and an input from there on."""
        if self.opset < since:
            return self.op(kind, x, axes=list(axes), **attrs)
        return self.op(kind, x, self.const(np.array(axes, np.int64)), **attrs)

    def split(self, x: str, sizes: Sequence[int], axis: int) -> list[str]:
        more, attrs = ([], {"split": list(sizes)}) if self.opset < 13 else ([self.const(np.array(sizes, np.int64))], {})
        first = self.op("Split", x, *more, count=len(sizes), axis=axis, **attrs)
        return [first, *self.nodes[-1].output[1:]]

    def model(self) -> onnx.ModelProto:
        proto = make_model(self.nodes, self.inputs, self.outputs, self.constants, opset=self.opset, ir_version=self.ir_version)
        if self.ir_version < 4:
            kinds = ((name, value) for name, value in self.constants.items())
            proto.graph.input.extend(value_info(n, v.shape, helper.np_dtype_to_tensor_dtype(v.dtype)) for n, v in kinds)
        return proto


def layer_norm(m: Family, x: str, size: int, whole: bool) -> str:
    gamma, beta = m.weight(size, mean=1.0), m.weight(size)
    if whole:
        return m.op("LayerNormalization", x, gamma, beta)
    d = m.op("Sub", x, m.over("ReduceMean", x, [-1] if m.opset > 10 else [2], 18))
    variance = m.over("ReduceMean", m.op("Pow", d, m.number(2.0)), [-1] if m.opset > 10 else [2], 18)
    y = m.op("Div", d, m.op("Sqrt", m.op("Add", variance, m.number(1e-5))))
    return m.op("Add", m.op("Mul", y, gamma), beta)


def gelu(m: Family, x: str) -> str:
    if m.opset >= 20:
        return m.op("Gelu", x)
    if m.opset < 9:
        return m.op("Mul", x, m.op("Sigmoid", m.op("Mul", x, m.number(1.702))))
    inner = m.op("Add", m.op("Erf", m.op("Div", x, m.number(np.sqrt(2.0)))), m.number(1.0))
    return m.op("Mul", m.op("Mul", x, inner), m.number(0.5))


def transformer(opset: int) -> Family:
    """One encoder block: 10 tokens of 16 features, two heads."""
    m = Family(opset, inputs={"x": [1, 10, 16]})
    x = layer_norm(m, "x", 16, opset >= 17)

    def projected(perm: list[int]) -> str:
        y = m.op("Add", m.op("MatMul", x, m.weight(16, 16)), m.weight(16))
        return m.op("Transpose", m.op("Reshape", y, m.const(np.array([1, 10, 2, 8]))), perm=perm)

    scores = m.op("Div", m.op("MatMul", projected([0, 2, 1, 3]), projected([0, 2, 3, 1])), m.number(np.sqrt(8.0)))
    context = m.op("MatMul", m.op("Softmax", scores, axis=3), projected([0, 2, 1, 3]))
    flat = m.op("Reshape", m.op("Transpose", context, perm=[0, 2, 1, 3]), m.const(np.array([1, 10, 16])))
    first = m.op("Add", "x", m.op("MatMul", flat, m.weight(16, 16)))
    second = layer_norm(m, first, 16, opset >= 17)
    wide = gelu(m, m.op("Add", m.op("MatMul", second, m.weight(16, 32)), m.weight(32)))
    m.outputs = [m.op("Add", first, m.op("MatMul", wide, m.weight(32, 16)), makes="y")]
    return m


def recurrent(kind: str, opset: int) -> Family:
    """A GRU or LSTM as one operator, over 5 steps, between two layers."""
    m = Family(opset, inputs={"x": [5, 1, 8]})
    x = m.op("Relu", m.op("MatMul", "x", m.weight(8, 8)))
    gates = {"GRU": 3, "LSTM": 4}[kind]
    weights = [m.weight(1, gates * 6, 8), m.weight(1, gates * 6, 6), m.weight(1, 2 * gates * 6)]
    sequence = m.over("Squeeze", m.op(kind, x, *weights, hidden_size=6), [1], 13)
    m.outputs = [m.op("MatMul", sequence, m.weight(6, 4), makes="y")]
    return m


def states(opset: int) -> Family:
    """A cell whose last states leave the network, and a split whose parts do: outputs that are not the first of their operator."""
    m = Family(opset, inputs={"x": [5, 1, 8]})
    x = m.op("Relu", m.op("MatMul", "x", m.weight(8, 8)))
    sequence = m.op("LSTM", x, m.weight(1, 24, 8), m.weight(1, 24, 6), m.weight(1, 48), hidden_size=6, count=3)
    last = m.nodes[-1].output[1:]
    parts = m.split(x, [2, 2, 4], 2)
    m.outputs = [m.op("MatMul", m.over("Squeeze", sequence, [1], 13), m.weight(6, 4), makes="y"), *last, parts[2], parts[0]]
    return m


def gru_step(opset: int) -> Family:
    """One step of a GRU in its parts: a picture's features and a state go in, the state comes out."""
    m = Family(opset, inputs={"x": [1, 8], "h": [1, 6]})
    gi = m.split(m.op("Gemm", "x", m.weight(18, 8), m.weight(18), transB=1), [6, 6, 6], 1)
    gh = m.split(m.op("Gemm", "h", m.weight(18, 6), m.weight(18), transB=1), [6, 6, 6], 1)
    r = m.op("Sigmoid", m.op("Add", gi[0], gh[0]))
    z = m.op("Sigmoid", m.op("Add", gi[1], gh[1]))
    n = m.op("Tanh", m.op("Add", gi[2], m.op("Mul", r, gh[2])))
    keep = m.op("Sub", m.number(1.0), z)
    m.outputs = [m.op("Add", m.op("Mul", keep, n), m.op("Mul", z, "h"), makes="state")]
    return m


def lstm_step(opset: int) -> Family:
    """One step of an LSTM in its parts; both of its states come out."""
    m = Family(opset, inputs={"x": [1, 8], "h": [1, 6], "c": [1, 6]})
    seen, known = m.op("Gemm", "x", m.weight(24, 8), m.weight(24), transB=1), m.op("Gemm", "h", m.weight(24, 6), m.weight(24), transB=1)
    i, o, f, g = m.split(m.op("Add", seen, known), [6, 6, 6, 6], 1)
    kept = m.op("Add", m.op("Mul", m.op("Sigmoid", f), "c"), m.op("Mul", m.op("Sigmoid", i), m.op("Tanh", g)), makes="cell")
    m.outputs = [m.op("Mul", m.op("Sigmoid", o), m.op("Tanh", kept), makes="state"), kept]
    return m


def detector(opset: int) -> Family:
    """A head with everything heads are made of: strided slices, two scales joined, a split, boxes picked and put on top of each other."""
    m = Family(opset, inputs={"x": [1, 3, 16, 16]})
    every = [m.op("Relu", _strided(m, "x", [i, j])) for j in (0, 1) for i in (0, 1)]
    x = m.op("Relu", m.op("Conv", m.op("Concat", *every, axis=1), m.weight(8, 12, 3, 3), m.weight(8), pads=[1, 1, 1, 1]))
    a, b = m.split(x, [4, 4], 1)
    small = m.op("MaxPool", b, kernel_shape=[2, 2], strides=[2, 2])
    up = _linear(m, small)
    wide = m.op("ConvTranspose", small, m.weight(4, 4, 2, 2), m.weight(4), strides=[2, 2])
    deep = m.op("DepthToSpace", m.op("Conv", small, m.weight(16, 4, 1, 1)), blocksize=2)
    x = m.op("Concat", a, b, up, wide, deep, axis=1)
    x = m.op("Conv", x, m.weight(8, 20, 3, 3), m.weight(8), pads=[1, 1, 1, 1])
    picked = m.op("Gather", x, m.const(np.array([0, 3, 5, 6])), axis=1)
    mean = m.over("ReduceMean", picked, [1], 18, keepdims=1)
    largest = m.over("ReduceMax", picked, [1], 18, keepdims=1)
    spread = m.op("Expand", largest, m.const(np.array([1, 4, 8, 8])))
    mask = m.const(np.arange(64).reshape(8, 8) % 3 > 0)
    chosen = m.op("Where", mask, m.op("Mul", picked, m.op("Sigmoid", mean)), m.op("Min", picked, spread))
    m.op("ArgMax", m.op("Flatten", chosen), axis=1, makes="best")
    m.op("Reshape", m.op("Sigmoid", chosen), m.const(np.array([1, 4, 64])), makes="y")
    m.outputs = ["y", "best"]
    return m


def _strided(m: Family, x: str, starts: list[int]) -> str:
    if m.opset < 10:
        raise ValueError("steps came with operator set 10")
    return m.op("Slice", x, *(m.const(np.array(v)) for v in (starts, [16, 16], [2, 3], [2, 2])))


def _linear(m: Family, x: str) -> str:
    scales = m.const(np.array([1, 1, 2, 2], np.float32))
    if m.opset == 10:
        return m.op("Resize", x, scales, mode="linear")
    return m.op("Resize", x, m.const(np.empty(0, np.float32)), scales, mode="linear", coordinate_transformation_mode="half_pixel")


def mobile(opset: int) -> Family:
    """A mobile block: depthwise convolution, squeeze and excite, HardSwish."""
    m = Family(opset, inputs={"x": [1, 8, 9, 9]})

    def hard_swish(x: str) -> str:
        if opset >= 14:
            return m.op("HardSwish", x)
        limits = ([], {"min": 0.0, "max": 6.0}) if opset < 11 else ([m.number(0.0), m.number(6.0)], {})
        six = m.op("Clip", m.op("Add", x, m.number(3.0)), *limits[0], **limits[1])
        return m.op("Div", m.op("Mul", x, six), m.number(6.0))

    x = hard_swish(m.op("Conv", "x", m.weight(8, 1, 3, 3), m.weight(8), group=8, pads=[1, 1, 1, 1]))
    squeezed = m.op("Relu", m.op("Conv", m.op("GlobalAveragePool", x), m.weight(4, 8, 1, 1), m.weight(4)))
    gate = m.op("HardSigmoid", m.op("Conv", squeezed, m.weight(8, 4, 1, 1), m.weight(8)), alpha=1.0 / 6.0)
    m.outputs = [m.op("Add", "x", m.op("Conv", m.op("Mul", x, gate), m.weight(8, 8, 1, 1)), makes="y")]
    return m


def sound(opset: int) -> Family:
    """A stack over time: padded causal convolutions along one axis with slopes per channel, and a mean over time."""
    m = Family(opset, inputs={"x": [1, 6, 40]})
    x = "x"
    for dilation in (1, 2):
        pads = [0, 0, 2 * dilation, 0, 0, 0]
        x = m.op("Pad", x, pads=pads) if opset < 11 else m.op("Pad", x, m.const(np.array(pads)))
        x = m.op("Conv", x, m.weight(6, 6, 3), m.weight(6), dilations=[dilation])
        x = m.op("PRelu", x, m.weight(6, 1, mean=0.2))
    m.outputs = [m.op("Gemm", m.over("ReduceMean", x, [2], 18, keepdims=0), m.weight(6, 5), m.weight(5), makes="y")]
    return m


def branch(name: str, nodes: Sequence[onnx.NodeProto], out: str, constants: dict[str, Array] | None = None) -> onnx.GraphProto:
    """A subgraph without inputs that makes one float tensor."""
    from onnx import numpy_helper

    tensors = [numpy_helper.from_array(v, n) for n, v in (constants or {}).items()]
    return helper.make_graph(list(nodes), name, [], [onnx.ValueInfoProto(name=out)], tensors)


def conditional(opset: int, decided: bool) -> Family:
    """A convolution in one branch, something else in the other; the condition is a matter of shapes, or of the data."""
    m = Family(opset, inputs={"x": [1, 3, 8, 8]})
    x = m.op("Relu", "x", makes="before")
    if decided:
        size = m.op("Gather", m.op("Shape", x), m.const(np.array(1)), axis=0)
        condition = m.op("Equal", size, m.const(np.array(3)))
    else:
        mean = m.over("ReduceMean", x, [0, 1, 2, 3], 18, keepdims=0)
        condition = m.op("Greater", mean, m.number(0.0))
    kernel = m.rng.normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32)
    then = branch("then", [helper.make_node("Conv", ["before", "kernel"], ["inside"], pads=[1, 1, 1, 1])], "inside", {"kernel": kernel})
    other = branch("else", [helper.make_node("Concat", ["before", "before"], ["inside"], axis=1)], "inside")
    y = m.op("If", condition, then_branch=then, else_branch=other)
    m.outputs = [m.op("Relu", y, makes="y")]
    return m


def loop(opset: int, grows: bool = False) -> Family:
    """A loop of three rounds between two layers; one whose state grows doubles it every time, whatever its body declares."""
    m = Family(opset, inputs={"x": [1, 6]})
    x = m.op("Relu", m.op("MatMul", "x", m.weight(6, 6)), makes="start")
    given = [value_info("n", [], TensorProto.INT64), value_info("keep", [], TensorProto.BOOL), value_info("state", [1, 6])]
    one_round = helper.make_node("Concat", ["state"] * 2, ["next"], axis=0) if grows else helper.make_node("Tanh", ["state"], ["next"])
    inner = [one_round, helper.make_node("Identity", ["keep"], ["go"])]
    body = helper.make_graph(inner, "body", given, [value_info("go", [], TensorProto.BOOL), value_info("next", [1, 6])])
    y = m.op("Loop", m.const(np.array(3)), "", x, body=body)
    m.outputs = [m.op("MatMul", y, m.weight(6, 4), makes="y")]
    return m
