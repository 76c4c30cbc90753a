"""Random models: graphs drawn from templates of source operators, in every spelling the operator sets from 7 to 22 have for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto, helper

OPSETS = tuple(range(7, 23))
Shape = tuple[int, ...]


@dataclass
class Draft:
    """A model being drawn; every template appends operators that read `last` and sets it anew, with its shape."""

    rng: np.random.Generator
    opset: int
    last: str = "x"
    shape: Shape = (1, 6, 8, 9)
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    count: int = 0

    def fresh(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def const(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def weight(self, *shape: int) -> str:
        return self.const(self.rng.normal(0, 0.5, shape).astype(np.float32))

    def op(self, kind: str, *inputs: str, **attrs: Any) -> str:
        name = self.fresh()
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attrs))
        return name

    def then(self, kind: str, *more: str, shape: Shape | None = None, **attrs: Any) -> None:
        self.last = self.op(kind, self.last, *more, **attrs)
        self.shape = self.shape if shape is None else shape

    def ends(self, name: str, values: list[int], since: int) -> tuple[list[str], dict[str, list[int]]]:
        """A list of integers as an attribute before operator set `since`, as an input from there on."""
        return ([], {name: values}) if self.opset < since else ([self.const(np.array(values, np.int64))], {})

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]


def convolution(d: Draft) -> None:
    channels, height, width = d.shape[1:]
    group = d.pick(1, 1, 2 if channels % 2 == 0 else 1, channels)
    kernel, strides = [d.pick(1, 2, 3), d.pick(1, 3)], [d.pick(1, 2), 1]
    out = group * d.pick(1, 2, 3)
    where = d.pick(
        {"pads": [1, 0, 2, 1]}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}, {"pads": [2, 2, 2, 2], "dilations": [2, 1]}
    )
    top, left, bottom, right = where.get("pads", [0, 0, 0, 0])
    down = where.get("dilations", [1, 1])[0]
    made = (height + top + bottom - down * (kernel[0] - 1) - 1) // strides[0] + 1, width + left + right - kernel[1] + 1
    if "auto_pad" in where:
        made = -(-height // strides[0]), width
    if min(made) < 1:
        return
    bias = [d.weight(out)] if d.rng.integers(2) else []
    weight = d.weight(out, channels // group, *kernel)
    d.then("Conv", weight, *bias, group=group, strides=strides, kernel_shape=kernel, shape=(1, out, *made), **where)


def normalization(d: Draft) -> None:
    c = d.shape[1]
    variance = d.const(np.abs(d.rng.normal(1, 0.3, c)).astype(np.float32) + 0.1)
    d.then("BatchNormalization", d.weight(c), d.weight(c), d.weight(c), variance, epsilon=1e-3)


def activation(d: Draft) -> None:
    simple = ["Relu", "LeakyRelu", "Sigmoid", "Tanh", "Elu", "Selu", "Softplus", "Softsign", "HardSigmoid", "ThresholdedRelu", "Abs", "Neg"]
    newer = {8: [], 9: ["Erf", "Sin", "Cos"], 12: ["Celu"], 14: ["HardSwish"], 18: ["Mish"], 20: ["Gelu"]}
    d.then(d.pick(*simple, *(name for since, names in newer.items() if since <= d.opset for name in names)))


def clip(d: Draft) -> None:
    low, high = d.pick((0.0, 6.0), (-0.5, 0.5), (0.0, None), (None, 1.0))
    if d.opset < 11:
        d.then("Clip", **{k: v for k, v in (("min", low), ("max", high)) if v is not None})
    else:
        d.then("Clip", *("" if v is None else d.const(np.float32(v)) for v in (low, high)))


def spelled_activation(d: Draft) -> None:
    x = d.last
    kind = d.pick("silu", "hardswish", "gelu", "mish", "quick")
    if kind == "silu":
        d.then("Mul", d.op("Sigmoid", x))
    elif kind == "quick":
        d.then("Mul", d.op("Sigmoid", d.op("Mul", x, d.const(np.float32(1.702)))))
    elif kind == "mish":
        d.then("Mul", d.op("Tanh", d.op("Softplus", x)))
    elif kind == "gelu" and d.opset >= 9:
        half = d.op("Erf", d.op("Div", x, d.const(np.float32(np.sqrt(2)))))
        product = d.op("Mul", x, d.op("Add", half, d.const(np.float32(1))))
        d.last = d.op("Mul", product, d.const(np.float32(0.5)))
    else:
        shifted = d.op("Add", x, d.const(np.float32(3)))
        limits = {"min": 0.0, "max": 6.0} if d.opset < 11 else {}
        ends = [] if limits else [d.const(np.float32(0)), d.const(np.float32(6))]
        d.last = d.op("Div", d.op("Mul", x, d.op("Clip", shifted, *ends, **limits)), d.const(np.float32(6)))


def powers(d: Draft) -> None:
    bounded = d.op("Sigmoid", d.last)
    if d.rng.integers(2):
        d.last = d.op("Pow", bounded, d.const(np.float32(d.pick(2, 3, 0.5))))
    else:
        d.last = d.op(d.pick("Sqrt", "Exp", "Log"), bounded)


def constant_arithmetic(d: Draft) -> None:
    kind = d.pick("Add", "Sub", "Mul", "Div")
    c, h, w = d.shape[1:]
    shape = d.pick((1, c, 1, 1), (c, 1, 1), (1,), (), (w,), (1, c, h, w))
    value = d.const((np.abs(d.rng.normal(0, 1, shape)) + 0.5).astype(np.float32))
    left, right = (d.last, value) if d.rng.integers(2) else (value, d.last)
    if kind == "Div" and left == value:
        right = d.op("Exp", d.op("Tanh", right))
    d.last = d.op(kind, left, right)


def two_branches(d: Draft) -> None:
    kind = d.pick("Add", "Sub", "Mul", "Sum", "Max", "Min", "Div")
    first = d.op("Tanh", d.last)
    second = d.op("Sigmoid", d.last)
    if d.rng.integers(3) == 0 and (d.opset > 7 or kind in ("Add", "Sub", "Mul", "Div")):
        second = d.op("GlobalAveragePool", second)
    d.last = d.op(kind, first, second)
    if d.rng.integers(2):
        d.then("Relu")


def join(d: Draft) -> None:
    parts = [d.last, d.op("Relu", d.last), *([d.weight(*d.shape)] if d.rng.integers(2) else [])]
    d.last = d.op("Concat", *parts, axis=1)
    d.shape = (1, d.shape[1] * len(parts), *d.shape[2:])


def split(d: Draft) -> None:
    if d.shape[1] % 2:
        return
    half = d.shape[1] // 2
    sizes, attrs = d.ends("split", [half, half], 13)
    names = [d.fresh(), d.fresh()]
    d.nodes.append(helper.make_node("Split", [d.last, *sizes], names, axis=1, **attrs))
    d.last, d.shape = d.op("Mul", *names), (1, half, *d.shape[2:])


def pool(d: Draft) -> None:
    if min(d.shape[2:]) < 3:
        return
    kind = d.pick("MaxPool", "AveragePool")
    attrs: dict[str, Any] = {"kernel_shape": [2, 3], "strides": [d.pick(1, 2), 2], "pads": d.pick([0, 0, 0, 0], [1, 1, 0, 1])}
    if d.opset >= 10:
        attrs["ceil_mode"] = d.pick(0, 1)
    if kind == "AveragePool":
        attrs["count_include_pad"] = d.pick(0, 1)
    d.then(kind, **attrs)
    d.nodes.append(helper.make_node("GlobalAveragePool" if d.rng.integers(2) else "GlobalMaxPool", [d.last], [d.fresh()]))
    d.last, d.shape = f"t{d.count}", (*d.shape[:2], 1, 1)


def pad(d: Draft) -> None:
    amounts = d.pick([0, 0, 1, 0, 0, 0, 0, 2], [0, 1, 0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0, 1, 1])
    inputs, attrs = d.ends("pads", amounts, 11)
    mode = d.pick("constant", "reflect" if min(d.shape[2:]) > 2 and not amounts[1] else "edge")
    d.then("Pad", *inputs, mode=mode, **attrs)
    d.shape = tuple(size + amounts[i] + amounts[i + 4] for i, size in enumerate(d.shape))


def resize(d: Draft) -> None:
    scales = d.const(np.array([1, 1, 2, d.pick(1, 2)], np.float32))
    factors = d.constants[scales]
    if d.opset < 9:
        d.constants.pop(scales)
        d.then("Upsample", mode="nearest", scales=[float(v) for v in factors])
    elif d.opset < 11:
        d.then("Upsample" if d.opset == 9 else "Resize", scales, mode="nearest")
    else:
        region = "" if d.opset > 12 else d.const(np.empty(0, np.float32))
        d.then("Resize", region, scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    d.shape = tuple(int(size * factor) for size, factor in zip(d.shape, factors, strict=True))


def layout(d: Draft) -> None:
    kind = d.pick("Transpose", "Slice", "Squeeze", "Reshape", "Shape")
    n, c, h, w = d.shape
    if kind == "Transpose":
        d.then("Transpose", perm=[0, 1, 3, 2], shape=(n, c, w, h))
    elif kind == "Slice" and h > 2:
        if d.opset < 10:
            d.then("Slice", axes=[2], starts=[1], ends=[1000], shape=(n, c, h - 1, w))
        else:
            ends = [d.const(np.array([v])) for v in (-1, -1000, 2, -1)]
            d.then("Slice", *ends, shape=(n, c, h, w))
    elif kind == "Squeeze":
        inputs, attrs = d.ends("axes", [0], 13)
        d.then("Squeeze", *inputs, **attrs)
        d.then("Unsqueeze", *inputs, **attrs)
    elif kind == "Reshape":
        d.then("Reshape", d.const(np.array([0, -1, w, h])), shape=(n, c, w, h))
    else:
        size = d.op("Shape", d.last)
        d.then("Reshape", d.op("Mul", size, d.const(np.ones(4, np.int64))))


def product(d: Draft) -> None:
    """The core of attention; its softmax is there half of the time."""
    c, h, w = d.shape[1:]
    scores = d.op("MatMul", d.last, d.op("Transpose", d.last, perm=[0, 1, 3, 2]))
    scores = d.op("Div", scores, d.const(np.float32(np.sqrt(w))))
    if d.rng.integers(2):
        scores = d.op("Softmax", scores, axis=3)
    d.last = d.op("MatMul", scores, d.last) if d.rng.integers(2) else d.op("MatMul", d.weight(c, h, h), d.last)


def reduction(d: Draft) -> None:
    kind = d.pick("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin")
    axes, attrs = d.ends("axes", [d.pick(1, -3)], 13 if kind == "ReduceSum" else 18)
    whole = d.shape
    d.then(kind, *axes, keepdims=1, shape=(1, 1, *d.shape[2:]), **attrs)
    if d.opset >= 8 and d.rng.integers(2):
        d.then("Expand", d.const(np.array(whole)), shape=whole)
    elif d.rng.integers(2):
        d.then("Tile", d.const(np.array([1, 3, 1, 1])), shape=(1, 3, *whole[2:]))


def picking(d: Draft) -> None:
    axis, places = d.pick(1, 2, -1), d.rng.integers(0, min(d.shape[1:]), d.pick(2, 4))
    shape = list(d.shape)
    shape[axis] = len(places)
    d.then("Gather", d.const(places), axis=axis, shape=tuple(shape))


def blocks(d: Draft) -> None:
    c, h, w = d.shape[1:]
    for axis, size in ((2, h), (3, w)):
        if size % 2:
            d.then("Gather", d.const(np.arange(2 * ((size + 1) // 2)) % size), axis=axis)
    h, w = 2 * ((h + 1) // 2), 2 * ((w + 1) // 2)
    d.then("SpaceToDepth", blocksize=2, shape=(1, 4 * c, h // 2, w // 2))
    if d.rng.integers(2):
        mode = {"mode": d.pick("DCR", "CRD")} if d.opset >= 11 else {}
        d.then("DepthToSpace", blocksize=2, shape=(1, c, h, w), **mode)


def choice(d: Draft) -> None:
    if d.opset < 9:
        return
    condition = d.const(d.rng.integers(0, 2, d.shape[3:]).astype(bool))
    other = d.pick(d.const(np.float32(0.5)), d.op("Tanh", d.last))
    d.last = d.op("Where", condition, *d.pick((d.last, other), (other, d.last)))


def one_axis(d: Draft) -> None:
    n, c, h, w = d.shape
    d.then("Reshape", d.const(np.array([n, c, h * w])))
    where = d.pick({"pads": [2, 0]}, {"auto_pad": "SAME_UPPER"}, {"pads": [2, 2], "dilations": [2]})
    d.then("Conv", d.weight(2 * c, 1, 3), group=c, kernel_shape=[3], **where)
    if d.rng.integers(2):
        d.then("Relu")
    d.then("Reshape", d.const(np.array([n, 2 * c, h, w])), shape=(n, 2 * c, h, w))


def interpolation(d: Draft) -> None:
    n, c, h, w = d.shape
    scales = d.const(np.array([1, 1, 2, d.pick(1, 1.5)], np.float32))
    made = (n, c, 2 * h, int(np.floor(np.float32(w) * d.constants[scales][3])))
    if d.opset < 9:
        d.then("Upsample", mode="linear", scales=[float(v) for v in d.constants.pop(scales)], shape=made)
    elif d.opset < 11:
        d.then("Upsample" if d.opset == 9 else "Resize", scales, mode="linear", shape=made)
    else:
        region = "" if d.opset > 12 else d.const(np.empty(0, np.float32))
        how = d.pick("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")
        sizes = [d.const(np.empty(0, np.float32)) if d.opset < 13 else "", d.const(np.array([n, c, 2 * h - 1, w + 3]))]
        ends, made = ([scales], made) if d.rng.integers(2) else (sizes, (n, c, 2 * h - 1, w + 3))
        d.then("Resize", region, *ends, mode="linear", coordinate_transformation_mode=how, shape=made)


def opaque(d: Draft) -> None:
    kind = d.pick("Softmax", "InstanceNormalization", "LRN", "DepthToSpace", "ConvTranspose", "PRelu", "Identity", "Dropout", "Cast")
    c = d.shape[1]
    if kind == "InstanceNormalization":
        d.then(kind, d.weight(c), d.weight(c))
    elif kind == "LRN":
        d.then(kind, size=3)
    elif kind == "DepthToSpace" and c % 4 == 0:
        d.then(kind, blocksize=2, shape=(1, c // 4, d.shape[2] * 2, d.shape[3] * 2))
    elif kind == "ConvTranspose":
        d.then(kind, d.weight(c, 2, 2, 2), strides=[2, 2], shape=(1, 2, d.shape[2] * 2, d.shape[3] * 2))
    elif kind == "PRelu":
        d.then(kind, d.weight(c, 1, 1))
    elif kind == "Cast":
        d.then(kind, to=TensorProto.DOUBLE)
        d.then(kind, to=TensorProto.FLOAT)
    else:
        d.then("Softmax" if kind == "DepthToSpace" else kind)


def head(d: Draft) -> None:
    if d.rng.integers(3) == 0:
        axes, attrs = d.ends("axes", [2, 3], 18)
        d.then("ReduceMean", *axes, keepdims=1, shape=(*d.shape[:2], 1, 1), **attrs)
    size = int(np.prod(d.shape))
    d.then("Flatten", shape=(1, size))
    if d.rng.integers(2):
        d.then("Gemm", d.weight(5, size), d.weight(5), transB=1, alpha=0.5, shape=(1, 5))
    else:
        d.then("MatMul", d.weight(size, 5), shape=(1, 5))
        if d.rng.integers(2):
            d.then("Add", d.weight(5))
    if d.rng.integers(2):
        d.then("Softmax")


TEMPLATES: tuple[Callable[[Draft], None], ...] = (
    *(
        convolution,
        convolution,
        normalization,
        activation,
        activation,
        activation,
        activation,
        activation,
        clip,
        spelled_activation,
        powers,
        constant_arithmetic,
    ),
    *(two_branches, join, split, pool, pad, resize, layout, opaque),
    *(product, reduction, reduction, picking, blocks, choice, one_axis, interpolation),
)


def draw(seed: int) -> Draft:
    rng = np.random.default_rng(seed)
    draft = Draft(rng, OPSETS[seed % len(OPSETS)])
    for _ in range(int(rng.integers(2, 7))):
        TEMPLATES[int(rng.integers(len(TEMPLATES)))](draft)
    if rng.integers(2):
        head(draft)
    if draft.last == "x":
        draft.then("Relu")
    return draft
