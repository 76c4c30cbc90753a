"""Resize: nearest neighbours; every output pixel is a copy of one input pixel, so nothing is rounded and the quantization stays.

Output position o of an axis comes from x = the coordinate transformation of o, then from the integer that `nearest_mode` makes of x,
kept inside the input. Source: ONNX operator Resize.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array
from .base import Example, Operator, Origin, Parameters, Shared, qnode, random_levels, random_params
from .lowering import Builder
from .view import Decline, Match, View


class Resize(Operator):
    """The attribute `axes` lists the axes that change, and the array `i<axis>` the input index of each of their output positions."""

    type = "Resize"
    sources = ("Resize", "Upsample")

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        source, target = view.type(raw.inputs[0]), view.type(raw.outputs[0])
        mode = raw.attrs.get("mode", "nearest")
        if mode != "nearest":
            return Decline(f"{mode} interpolation, or these options of it, have no integer form here")
        if source is None or target is None or source.dtype != "float32" or len(source.shape) != len(target.shape):
            return Decline("the type or size of its input or output is not known")
        scales = scales_of(raw, view, source.shape, target.shape)
        if isinstance(scales, Decline):
            return scales
        params: dict[str, Array] = {}
        for axis, (n, out, scale) in enumerate(zip(source.shape, target.shape, scales, strict=True)):
            if n == out and scale == 1.0:
                continue
            found = _indices(raw, n, out, scale)
            if isinstance(found, Decline):
                return found
            params[f"i{axis}"] = found
        axes = tuple(int(name[1:]) for name in params)
        attrs = {"axes": axes, "factors": _factors(params, source.shape)}
        return Match(Node(self.type, raw.outputs[0], raw.inputs[:1], raw.outputs[:1], attrs, params), (raw,))

    def origin(self, node: Node) -> Origin:
        return Shared()

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        b.finish(_enlarged(node.inputs[0], node.attrs, types[node.inputs[0]], b) or _gathered(node, node.params, b), node.outputs[0])

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        return qnode(self.type, node, p, {**node.attrs, "rank": len(p.types[node.inputs[0]].shape)}, **node.params)

    def lower_int(self, q: QNode, b: Builder) -> None:
        kind = TensorType((1,) * q.attrs["rank"], "uint8")
        in_bytes = q.outs[0] is not None and q.outs[0].bits <= 8
        fast = _enlarged(q.inputs[0], q.attrs, kind, b) if in_bytes else None
        b.finish(fast or _gathered(q, q.arrays, b), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        out = inputs[0]
        for axis in q.attrs["axes"]:
            out = np.take(out, q.arrays[f"i{axis}"], axis)
        return out.astype(np.int64), out

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape = (1, 2, int(rng.integers(1, 6)), int(rng.integers(1, 6)))
        params: dict[str, Array] = {}
        for axis in (2, 3)[int(rng.integers(2)) :]:
            if rng.integers(2):
                params[f"i{axis}"] = np.repeat(np.arange(shape[axis]), int(rng.integers(2, 4)))
            else:
                params[f"i{axis}"] = np.sort(rng.integers(0, shape[axis], int(rng.integers(1, 9))))
        source = random_params(rng, bits)
        made = tuple(len(params[f"i{a}"]) if f"i{a}" in params else n for a, n in enumerate(shape))
        attrs = {"axes": tuple(int(name[1:]) for name in params), "factors": _factors(params, shape)}
        node = Node(self.type, "y", ("x",), ("y",), attrs, params)
        types = {"x": TensorType(shape), "y": TensorType(made)}
        return Example(node, types, (source,), source, (random_levels(rng, source, shape),))


def _gathered(layer: Node | QNode, indices: Mapping[str, Array], b: Builder) -> str:
    """Append a resize as one gather per axis; from the last axis on, since a row is cheaper to copy than its pixels."""
    value = layer.inputs[0]
    for axis in reversed(layer.attrs["axes"]):
        value = b.op("Gather", value, b.const(indices[f"i{axis}"], np.int64), axis=axis)
    return value


def _enlarged(tensor: str, attrs: Mapping[str, Any], kind: TensorType, b: Builder) -> str:
    """Append onnxruntime's own resize where every pixel is repeated a whole number of times (forty times faster), else return ""."""
    if not attrs["factors"]:
        return ""
    scales = np.ones(len(kind.shape), np.float32)
    scales[list(attrs["axes"])] = attrs["factors"]
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return b.op("Resize", tensor, "", b.const(scales), **how)


def _factors(indices: Mapping[str, Array], shape: Sequence[int]) -> tuple[int, ...]:
    """Return how often each pixel is repeated along each axis that changes; () when that is no whole number everywhere."""
    factors = []
    for name, found in indices.items():
        n = shape[int(name[1:])]
        factor = len(found) // n
        if not np.array_equal(found, np.repeat(np.arange(n), factor)):
            return ()
        factors.append(factor)
    return tuple(factors)


def scales_of(raw: RawNode, view: View, source: Sequence[int], target: Sequence[int]) -> list[float] | Decline:
    """Return output size / input size of every axis as the operator means it: the scales it is given, else those of its sizes."""
    if raw.attrs.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        return Decline("it keeps the aspect ratio")
    place = 2 if raw.op == "Resize" and raw.opset != 10 else 1
    if view.reads_computed(raw, 1):
        return Decline("its scales or sizes are computed at run time")
    given = view.argument(raw, place, "scales")
    if given is None or given.size == 0:
        return [float(np.float32(o) / np.float32(n)) for n, o in zip(source, target, strict=True)]
    axes = [int(a) % len(source) for a in raw.attrs.get("axes") or range(len(source))]
    scales = [1.0] * len(source)
    for axis, value in zip(axes, given.reshape(-1), strict=True):
        scales[axis] = float(value)
    return scales


Real = type[np.float32] | type[np.float64]
Transform = Callable[[Array, float, int, int, Real], Array]

TRANSFORMS: dict[str, Transform] = {
    "half_pixel": lambda o, s, n, out, f: (o + f(0.5)) / f(s) - f(0.5),
    "pytorch_half_pixel": lambda o, s, n, out, f: (o + f(0.5)) / f(s) - f(0.5) if out > 1 else o * f(0),
    "asymmetric": lambda o, s, n, out, f: o / f(s),
    "tf_half_pixel_for_nn": lambda o, s, n, out, f: (o + f(0.5)) / f(s),
    "align_corners": lambda o, s, n, out, f: o * f(n - 1) / f(out - 1) if out > 1 else o * f(0),
    "half_pixel_symmetric": lambda o, s, n, out, f: (o + f(0.5)) / f(s) - f(0.5),
}
"""Where an output position comes from: (positions, scale, input size, output size, precision) -> real input positions."""

NEAREST: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - x.dtype.type(0.5)),
    "round_prefer_ceil": lambda x: np.floor(x + x.dtype.type(0.5)),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _indices(raw: RawNode, n: int, out: int, scale: float) -> Array | Decline:
    """Return the input index of every output position of one axis.

    Where single and double precision disagree, runtimes do too: then the layer is left to the float runtime.
    """
    old = raw.op == "Upsample" or raw.opset == 10
    transform = "asymmetric" if old else str(raw.attrs.get("coordinate_transformation_mode", "half_pixel"))
    # version 10 left the choice open; onnxruntime takes the pixel after the position when it shrinks
    simple = "floor" if scale >= 1.0 else "ceil"
    nearest = simple if old else str(raw.attrs.get("nearest_mode", "round_prefer_floor"))
    if transform not in TRANSFORMS or nearest not in NEAREST:
        return Decline(f"{transform} with {nearest} has no integer form here")
    if transform == "half_pixel_symmetric" and scale * n != out:
        return Decline("its positions are shifted by a fraction of a pixel, so that float precision decides")
    single, double = (
        np.clip(NEAREST[nearest](TRANSFORMS[transform](np.arange(out, dtype=f), scale, n, out, f)), 0, n - 1).astype(np.int64)
        for f in (np.float32, np.float64)
    )
    if not np.array_equal(single, double):
        return Decline("its positions fall so close between two pixels that float precision decides")
    return single
