"""What every layer with weights shares: integer parameters, and sums that stay exact on a floating-point engine.

onnxruntime carries integers in float32 only where every partial sum is proved to stay below 2^24; beyond it the features are split
into limbs of fewer bits, each summed exactly, and the sums are added in wider integers. Any order, blocking or thread count then gives
the same sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..numerics import (
    FLOAT_EXACT,
    INT32_MAX,
    Array,
    QParams,
    multiplier,
    quantize_bias,
    quantize_weights,
    scales_of_dead_channels,
    weight_scales_that_hold_bias,
)
from .base import Parameters
from .lowering import Builder
from .view import Decline

INT32, INT64, FLOAT = 6, 7, 1
"""ONNX element types, as the attribute `to` of Cast wants them."""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Integer parameters of a layer with `channels` outputs: int8 weights in the shape given, int32 bias, float32 multipliers.

    `weight_sum` is the largest sum of |weight| of a channel, `bound` the largest magnitude any sum of products and bias can reach.
    """

    weight: Array
    bias: Array
    m: Array
    weight_sum: int
    bound: int


def reach(q: QParams) -> int:
    """Return the largest |level - zero|."""
    return max(q.zero, q.qmax - q.zero)


def integer_weights(weight: Array, bias: Array | None, p: Parameters, target: QParams) -> Weights | Decline:
    """Quantize weights of shape (channels, ...) and their bias of shape (channels,) for the requantization to `target`."""
    source = p.features()[0]
    channels = weight.shape[0]
    flat = weight.reshape(channels, -1)
    if not np.isfinite(flat).all() or (bias is not None and not np.isfinite(bias).all()):
        return Decline("its weights are not all finite")
    real_bias = np.zeros(channels, np.float32) if bias is None else bias.astype(np.float32)
    wanted = np.where(flat.any(axis=1), p.weight_scales(flat), scales_of_dead_channels(real_bias, source.scale))
    scales = weight_scales_that_hold_bias(wanted, real_bias, source.scale)
    grown = int(np.count_nonzero(scales > wanted))
    if grown:
        p.note(f"the weight scale of {grown} channels grew so that their bias fits in half of int32")
    levels = quantize_weights(weight, scales, p.weight_bits)
    int_bias = quantize_bias(real_bias, source.scale, scales)
    sums = np.abs(levels.reshape(channels, -1)).sum(axis=1, dtype=np.int64)  # int8 holds them: -128 is no level
    bound = int((sums * reach(source) + np.abs(int_bias.astype(np.int64))).max(initial=0))
    weight_sum = int(sums.max(initial=0))
    if weight_sum >= FLOAT_EXACT:
        return Decline("its weights are too many for exact sums")
    m = multiplier(np.float64(source.scale) * scales.astype(np.float64), target.scale)
    return Weights(levels, int_bias, m, weight_sum, bound)


def carried_sum(b: Builder, x: str, source: QParams, weight_sum: int, bound: int, bias: Array, apply: Callable[[str], str]) -> str:
    """Append exact sums and return them as float32 (rounded once when beyond 2^24).

    `apply` appends the linear operator without bias to a float32 tensor of integers; `bias` is int32, shaped to broadcast.
    """
    centred = b.centre(x, source)
    if bound < FLOAT_EXACT:
        total = apply(centred)
        if bias.any():
            total = b.op("Add", total, b.const(bias, np.float32))
        return b.accumulator(total)
    parts = limbs(b, centred, reach(source), weight_sum)
    # the highest limb is rounded down, so its own sum may exceed the whole by one step of it
    wide = bound + weight_sum * parts[-1][1] > INT32_MAX
    integer, dtype = (INT64, np.int64) if wide else (INT32, np.int32)
    total = ""
    for limb, weight in parts:
        part = b.op("Cast", apply(limb), to=integer)
        if weight > 1:
            part = b.op("Mul", part, b.const(weight, dtype))
        total = b.op("Add", total, part) if total else part
    if bias.any():
        total = b.op("Add", total, b.const(bias, dtype))
    return b.op("Cast", b.accumulator(total), to=FLOAT)


def limbs(b: Builder, centred: str, largest: int, weight_sum: int) -> list[tuple[str, int]]:
    """Split integers of magnitude up to `largest` into float32 limbs small enough that weight_sum * limb stays below 2^24.

    Returns (limb, weight) pairs: the tensor is the sum of limb * weight. The last limb is signed, the others are not negative.
    """
    room = (FLOAT_EXACT - 1) // max(weight_sum, 1)
    width = max(1, (room + 1).bit_length() - 1)
    step = 1 << width
    parts, weight, rest = [], 1, centred
    while largest > room:
        high = b.op("Floor", b.op("Mul", rest, b.const(1.0 / step, np.float32)))
        parts.append((b.op("Sub", rest, b.op("Mul", high, b.const(step, np.float32))), weight))
        # the floor of a negative number is the farther one; so a largest of 1 stays 1, which any room holds
        rest, weight, largest = high, weight * step, -(-largest // step)
    parts.append((rest, weight))
    return parts
