"""Folding what follows a linear layer into its weights: batch normalization, a bias, a scale per channel.

y = w x + b followed by y * s + t is (w s) x + (b s + t); batch normalization has s = gamma / sqrt(variance + epsilon), t = beta - mean s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import RawNode
from ..numerics import Array
from .view import View

MASK = 1e4
"""What lies this far below zero hides what it is added to: no range holds it beside the features."""


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """Weights of shape (channels, ...) and a bias of shape (channels,), None when there is none."""

    weight: Array
    bias: Array | None = None

    def then(self, scale: Array, shift: Array) -> Affine:
        """Return this layer followed by y * scale + shift, both of shape (channels,), computed in float64."""
        s = scale.astype(np.float64)
        factor = s.reshape(-1, *([1] * (self.weight.ndim - 1)))
        # numpy casts blocks that stay in the cache: the same products as through float64 copies, many times faster
        weight = np.multiply(self.weight, factor, out=np.empty(self.weight.shape, np.float32), dtype=np.float64, casting="unsafe")
        before = 0.0 if self.bias is None else self.bias.astype(np.float64)
        return Affine(weight, (before * s + shift.astype(np.float64)).astype(np.float32))

    def params(self) -> dict[str, Array]:
        """Return the constants of the layer."""
        table = {"weight": np.ascontiguousarray(self.weight, np.float32)}
        if self.bias is not None and self.bias.any():
            table["bias"] = np.ascontiguousarray(self.bias, np.float32)
        return table


def normalization(raw: RawNode, view: View) -> tuple[Array, Array] | None:
    """Return (scale, shift) per channel of an inference-time BatchNormalization, None when its statistics are computed."""
    values = [view.const(t) for t in raw.inputs[1:5]]
    if len(values) != 4 or any(v is None for v in values) or raw.attrs.get("training_mode") or any(raw.outputs[1:]):
        return None
    gamma, beta, mean, variance = (v.astype(np.float64).reshape(-1) for v in values if v is not None)
    scale = gamma / np.sqrt(variance + float(raw.attrs.get("epsilon", 1e-5)))
    return scale, beta - mean * scale


def per_channel(value: Array | None, channels: int, rank: int, axis: int) -> Array | None:
    """Return a constant as one number per channel of a tensor of `rank` axes with channels at `axis`; None when it varies otherwise."""
    if value is None or value.dtype.kind != "f":
        return None
    if value.size == 1:
        return np.full(channels, float(value.reshape(-1)[0])) if value.ndim <= rank else None
    shape = (1,) * (rank - value.ndim) + value.shape
    if len(shape) != rank or shape[axis] != channels or value.size != channels:
        return None
    return value.reshape(-1).astype(np.float64)


def masks(constant: Array) -> bool:
    """Tell whether a constant hides some of the elements (in front of a softmax) by pushing them far below the others."""
    return bool(constant.size and constant.min() <= -MASK < constant.max())


def scale_and_shift(raw: RawNode, view: View, tensor: str, channels: int, axis: int) -> tuple[Array, Array] | None:
    """Return (scale, shift) per channel when `raw` is y * s + t of `tensor` with constants, None otherwise."""
    if raw.domain or not raw.inputs:
        return None
    if raw.op == "BatchNormalization":
        return normalization(raw, view) if raw.inputs[0] == tensor and axis == 1 else None
    if raw.op not in ("Add", "Sub", "Mul", "Div") or len(raw.inputs) != 2:
        return None
    first = raw.inputs[0] == tensor
    other = raw.inputs[1] if first else raw.inputs[0]
    c = per_channel(view.const(other), channels, view.rank(tensor), axis)
    ours, result = view.type(tensor), view.type(raw.outputs[0])
    if c is None or ours is None or result is None or ours.shape != result.shape or (raw.op in ("Add", "Sub") and masks(c)):
        return None
    one, zero = np.ones(channels), np.zeros(channels)
    if raw.op == "Add":
        return one, c
    if raw.op == "Sub":
        return (one, -c) if first else (-one, c)
    if raw.op == "Mul":
        return c, zero
    return (1.0 / c, zero) if first and np.all(c != 0) else None


def absorb_affine(view: View, tensor: str, layer: Affine, axis: int = 1) -> tuple[Affine, str, tuple[RawNode, ...]]:
    """Fold every scale, shift and normalization that follows `tensor` into `layer`; return it, the new output, what was absorbed."""
    absorbed: list[RawNode] = []
    while True:
        reader = view.only_reader(tensor)
        found = scale_and_shift(reader, view, tensor, layer.weight.shape[0], axis) if reader else None
        if reader is None or found is None or not all(np.isfinite(v).all() for v in found):
            return layer, tensor, tuple(absorbed)
        layer, tensor = layer.then(*found), reader.outputs[0]
        absorbed.append(reader)
