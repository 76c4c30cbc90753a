"""ResizeBilinear: linear interpolation along each axis that changes, with weights in fixed point.

Output position o lies at x = the coordinate transformation of o, kept inside the input, between the pixels i = floor(x) and i + 1. Their
weights are w = rint((x - i) * 2^k) and 2^k - w, so that along `a` axes

    y = rint(float32(acc) * 2^(-k a)) + z,   acc = the exact sum of (q - z) times its weights;

the result lies between the pixels, so the quantization stays. k is the least number up to 8 that makes the weights exact (2 for a resize by
two), else 11 for features of up to 8 bits, which fits a board's 32-bit sums, and 18 for wider ones. Source: ONNX operator Resize.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import FLOAT_EXACT, Array, requantize
from .base import Example, Operator, Origin, Parameters, Shared, qnode, quantization, random_levels, random_params
from .batch_matmul import DOUBLE, DOUBLE_EXACT
from .linear import FLOAT, reach
from .lowering import Builder
from .resize import TRANSFORMS, scales_of
from .view import Decline, Match, View

COARSE, FINE, WIDE = 8, 11, 18


class ResizeBilinear(Operator):
    """`axes` lists those that change; for each of their output positions, `x<axis>` tells where in the input it lies.

    `scales` is empty where the model gives sizes: no scale in float32 is sure to give them.
    Of an integer layer, `i<axis>` are the pixels before and `w<axis>` the weights of those behind, in units of 2^-k.
    """

    type = "ResizeBilinear"
    sources = ("Resize", "Upsample")
    priority = 1

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        source, target = view.type(raw.inputs[0]), view.type(raw.outputs[0])
        if raw.attrs.get("mode", "nearest") not in ("linear", "bilinear") or raw.attrs.get("antialias"):
            return Decline("it is no plain linear interpolation")
        if source is None or target is None or source.dtype != "float32" or len(source.shape) != len(target.shape):
            return Decline("the type or size of its input or output is not known")
        scales = scales_of(raw, view, source.shape, target.shape)
        if isinstance(scales, Decline):
            return scales
        old = raw.op == "Upsample" or raw.opset == 10
        transform = "asymmetric" if old else str(raw.attrs.get("coordinate_transformation_mode", "half_pixel"))
        if transform not in TRANSFORMS:
            return Decline(f"{transform} has no integer form here")
        params: dict[str, Array] = {}
        for axis, (n, out, scale) in enumerate(zip(source.shape, target.shape, scales, strict=True)):
            if n != out or scale != 1.0:
                params[f"x{axis}"] = positions(transform, n, out, scale)
        sized = raw.op == "Resize" and len(raw.inputs) > 3 and bool(raw.inputs[3])
        axes, rank = tuple(int(name[1:]) for name in params), len(source.shape)
        if not axes or min(axes) < rank - 2:
            return Decline("it changes other axes than the last two")
        attrs = {"axes": axes, "rank": rank, "transform": transform, "scales": () if sized else tuple(scales), "shape": target.shape}
        return Match(Node(self.type, raw.outputs[0], raw.inputs[:1], raw.outputs[:1], attrs, params), (raw,))

    def origin(self, node: Node) -> Origin:
        return Shared()

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        scales, shape = node.attrs["scales"], node.attrs["shape"]
        size = ("", b.const(scales, np.float32)) if scales else ("", "", b.const(shape, np.int64))
        how = {"mode": "linear", "coordinate_transformation_mode": node.attrs["transform"]}
        b.finish(b.op("Resize", node.inputs[0], *size, **how), node.outputs[0])

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        (source,), axes, shape = p.features(), node.attrs["axes"], p.types[node.inputs[0]].shape
        exact = (k for k in range(COARSE + 1) if all(_fits(node.params[f"x{a}"], k) for a in axes))
        k = next(exact, FINE if source.bits <= 8 else WIDE)
        bound = reach(source) << (k * len(axes))
        if bound >= DOUBLE_EXACT:
            return Decline(f"its sums over {len(axes)} axes are too long to be exact")
        arrays: dict[str, Array] = {}
        for axis in axes:
            x = node.params[f"x{axis}"]
            low = arrays[f"i{axis}"] = np.floor(x).astype(np.int32)
            arrays[f"w{axis}"] = np.rint((x - low) * (1 << k)).astype(np.int32)
        factors = _factors(node, shape) if k <= COARSE and bound < FLOAT_EXACT else ()
        attrs = {"axes": axes, "sizes": tuple(shape[a] for a in axes), "rank": node.attrs["rank"], "k": k, "bound": bound}
        attrs |= {"transform": node.attrs["transform"], "factors": factors}
        return qnode(self.type, node, p, attrs, **arrays)

    def lower_int(self, q: QNode, b: Builder) -> None:
        (source,), target = quantization(q)
        value = b.centre(q.inputs[0], source)
        if q.attrs["factors"]:
            # weights and sums are multiples of a power of two that float32 holds: onnxruntime's own interpolation is exact
            how = {"mode": "linear", "coordinate_transformation_mode": q.attrs["transform"]}
            b.finish(b.settle(b.op("Resize", value, "", b.const(q.attrs["factors"], np.float32), **how), target), q.outputs[0])
            return
        kind: np.dtype[Any] = np.dtype(np.float32)
        bound = reach(source)
        for axis, n in reversed(list(zip(q.attrs["axes"], q.attrs["sizes"], strict=True))):
            bound <<= q.attrs["k"]
            if bound >= FLOAT_EXACT and kind == np.float32:
                value, kind = b.op("Cast", value, to=DOUBLE), np.dtype(np.float64)
            value = _along(value, axis, n, q, kind, b)
        acc = b.accumulator(value)
        b.finish(b.requantize(acc if kind == np.float32 else b.op("Cast", acc, to=FLOAT), _unit(q), target), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        (source,), target = quantization(q)
        acc = inputs[0].astype(np.int64) - source.zero
        one = 1 << q.attrs["k"]
        for axis, n in zip(q.attrs["axes"], q.attrs["sizes"], strict=True):
            low, weight = (q.arrays[f"{name}{axis}"].astype(np.int64) for name in "iw")
            along = weight.reshape(-1, *([1] * (acc.ndim - 1 - axis)))
            acc = np.take(acc, low, axis) * (one - along) + np.take(acc, np.minimum(low + 1, n - 1), axis) * along
        return acc, requantize(acc, _unit(q), target)

    def macs(self, node: Node, types: Mapping[str, TensorType]) -> int:
        return int(2 * len(node.attrs["axes"]) * types[node.outputs[0]].size)

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape = (1, 2, int(rng.integers(1, 7)), int(rng.integers(1, 7)))
        made, params = list(shape), {}
        doubled = bool(rng.integers(2))
        transform = str(rng.choice(["half_pixel", "asymmetric"] if doubled else sorted(TRANSFORMS)))
        for axis in (2, 3)[int(rng.integers(2)) :]:
            made[axis] = int(rng.choice([2, 4])) * shape[axis] if doubled else int(rng.choice([2 * shape[axis], 1, 5, 9]))
            params[f"x{axis}"] = positions(transform, shape[axis], made[axis], made[axis] / shape[axis])
        scales = tuple(m / n for m, n in zip(made, shape, strict=True))
        axes = tuple(int(name[1:]) for name in params)
        attrs = {"axes": axes, "rank": 4, "transform": transform, "scales": scales, "shape": tuple(made)}
        source = random_params(rng, bits)
        node = Node(self.type, "y", ("x",), ("y",), attrs, params)
        types = {"x": TensorType(shape), "y": TensorType(tuple(made))}
        return Example(node, types, (source,), source, (random_levels(rng, source, shape),))


def positions(transform: str, n: int, out: int, scale: float) -> Array:
    """Return where each of `out` output positions lies among the `n` of the input, float64 in [0, n - 1]."""
    x = TRANSFORMS[transform](np.arange(out, dtype=np.float64), scale, n, out, np.float64)
    if transform == "half_pixel_symmetric":
        x = x + n / 2 * (1 - out / (scale * n))
    return np.clip(x, 0, n - 1)


def _along(value: str, axis: int, n: int, q: QNode, kind: np.dtype[Any], b: Builder) -> str:
    """Append the interpolation along one axis of `n` pixels: a product with a matrix along the last, two gathers of rows along another."""
    low, weight, one = q.arrays[f"i{axis}"].astype(np.int64), q.arrays[f"w{axis}"], 1 << q.attrs["k"]
    after = np.minimum(low + 1, n - 1)
    if axis == q.attrs["rank"] - 1:
        table, columns = np.zeros((n, len(low)), kind), np.arange(len(low))
        table[low, columns] = one - weight
        table[after, columns] += weight
        return b.op("MatMul", value, b.const(table))
    sides = ((low, one - weight), (after, weight))
    parts = [b.op("Mul", b.op("Gather", value, b.const(i), axis=axis), b.const(w.reshape(-1, 1), kind)) for i, w in sides]
    return b.op("Add", *parts)


def _fits(x: Array, k: int) -> bool:
    """Tell whether positions are multiples of 2^-k."""
    return bool(np.all(x * (1 << k) % 1.0 == 0.0))


def _factors(node: Node, shape: Sequence[int]) -> tuple[float, ...]:
    """Return the scale of every axis where all are powers of two that give the output's size, else ()."""
    factors = [made / n for n, made in zip(shape, node.attrs["shape"], strict=True)]
    simple = all(np.frexp(f)[0] == 0.5 for f in factors) and node.attrs["transform"] in ("half_pixel", "asymmetric")
    same = not node.attrs["scales"] or tuple(factors) == tuple(node.attrs["scales"])
    return tuple(factors) if simple and same else ()


def _unit(q: QNode) -> Array:
    """Return the multiplier of the requantization: a power of two."""
    return np.asarray(2.0 ** (-q.attrs["k"] * len(q.attrs["axes"])), np.float32)
