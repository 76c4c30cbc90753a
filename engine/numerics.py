"""The one file that rounds: scales, zero points, quantization and requantization.

The vendor's arithmetic is not public; this is the arithmetic of the common integer runtimes, written down. Whatever changes a
single integer changes `NUMERICS`, which is part of every key and every model file.

`rint` is round-half-to-even everywhere. Scales are computed in float64 and stored as float32; products that precede a rounding are
float32 products, without fused multiply-add.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMERICS = "magik-affine-1"

FEATURE_BITS = range(2, 17)
WEIGHT_BITS = range(2, 9)
INT32_MAX = 2**31 - 1
FLOAT_EXACT = 2**24
"""Integers of a magnitude up to this are exact in float32."""
FLOAT_MAX = float(np.finfo(np.float32).max)

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class QParams:
    """Unsigned affine parameters of one feature tensor: real = scale * (q - zero), q in [0, 2^bits - 1].

    `scale` is a float32 value held in a Python float, so it compares and hashes exactly.
    """

    scale: float
    zero: int
    bits: int

    @property
    def qmax(self) -> int:
        return qmax(self.bits)

    @property
    def dtype(self) -> np.dtype[Any]:
        return feature_dtype(self.bits)


def qmax(bits: int) -> int:
    """Return the largest level of an unsigned feature of `bits` bits."""
    return (1 << bits) - 1


def feature_dtype(bits: int) -> np.dtype[Any]:
    """Return the storage of a feature: uint8 up to 8 bits, uint16 above."""
    return np.dtype(np.uint8 if bits <= 8 else np.uint16)


def weight_level(bits: int) -> int:
    """Return the largest magnitude of a symmetric weight of `bits` bits (the most negative code is not used)."""
    return (1 << (bits - 1)) - 1


def affine(low: float, high: float, bits: int) -> QParams:
    """Return the parameters of the range [low, high], widened to contain 0.

    A range that is the single point 0, or so small that its scale is no normal float32, has scale 1 and zero point 0.
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"a range needs finite ends, not [{low}, {high}]")
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    exact = high / qmax(bits) - low / qmax(bits)
    if exact < float(np.finfo(np.float32).tiny):
        return QParams(1.0, 0, bits)
    scale = float(np.float32(min(exact, FLOAT_MAX)))
    zero = int(np.clip(np.rint(-low / scale), 0, qmax(bits)))
    return QParams(scale, zero, bits)


def quantize(x: Array, q: QParams) -> Array:
    """Quantize real values (any shape) to the levels of `q`: clamp(rint(x / scale) + zero), the quotient in float32."""
    with np.errstate(over="ignore"):  # an infinite quotient is clamped like a large one
        ratio = np.asarray(x, np.float32) / np.float32(q.scale)
    levels = np.rint(np.clip(ratio, np.float32(-q.zero), np.float32(q.qmax - q.zero)))
    stored: Array = (np.nan_to_num(levels, nan=0.0).astype(np.int32) + q.zero).astype(q.dtype)
    return stored


def dequantize(levels: Array, q: QParams) -> Array:
    """Return scale * (levels - zero) in float32."""
    return (levels.astype(np.int32) - q.zero).astype(np.float32) * np.float32(q.scale)


def quantize_weights(w: Array, scales: Array, bits: int) -> Array:
    """Quantize weights of shape (channels, ...) with one scale per channel to int8 levels in ±(2^(bits-1) - 1)."""
    level = weight_level(bits)
    per_channel = scales.astype(np.float32).reshape(-1, *([1] * (w.ndim - 1)))
    levels = np.divide(w, per_channel, dtype=np.float32)  # one array for all steps: of large weights every further one costs a millisecond
    np.clip(np.rint(levels, out=levels), -level, level, out=levels)
    stored: Array = levels.astype(np.int8)
    return stored


def weight_scales_that_hold_bias(scales: Array, bias: Array, input_scale: float) -> Array:
    """Grow the weight scale of each channel whose bias, in units of input_scale * scale, would leave half of int32.

    The other half is left to the sum of products: kernels that add both in int32, the board's and onnxruntime's, then hold them. Shapes
    (channels,); float32 in and out. No scale leaves float32; a bias that would need more is clamped.
    """
    room = float(INT32_MAX // 2)
    needed = np.minimum(np.abs(bias.astype(np.float64)) / (float(input_scale) * room), FLOAT_MAX)
    grown = np.where(needed > scales, needed, scales.astype(np.float64)).astype(np.float32)
    # float32 rounding may land a hair below what is needed: one step up is always enough
    safe: Array = np.where(needed > grown, np.nextafter(grown, np.float32(FLOAT_MAX)), grown).astype(np.float32)
    return safe


def scales_of_dead_channels(bias: Array, input_scale: float) -> Array:
    """Return the scale of channels without any weight, shape (channels,) float32: their value is their bias, which gets 22 bits.

    In units of input_scale * 1 a bias of 0.4 would vanish; 22 bits are more than a float32 sum needs and keep it exact.
    """
    exact = np.abs(bias.astype(np.float64)) / (float(input_scale) * 2.0**22)
    tiny = float(np.finfo(np.float32).tiny)
    return np.where(bias == 0, 1.0, np.clip(exact, tiny, FLOAT_MAX)).astype(np.float32)


def quantize_bias(bias: Array, input_scale: float, scales: Array) -> Array:
    """Return the bias as int32 in units of input_scale * scales[channel] (float64 quotient, clamped to int32)."""
    exact = np.rint(bias.astype(np.float64) / (float(input_scale) * scales.astype(np.float64)))
    return np.clip(exact, -INT32_MAX, INT32_MAX).astype(np.int32)


def multiplier(numerator: Array | float, denominator: Array | float) -> Array:
    """Return numerator / denominator, computed in float64 and rounded once to float32, at most its largest: the m of a requantization."""
    exact = np.asarray(np.asarray(numerator, np.float64) / np.asarray(denominator, np.float64))
    return np.asarray(np.minimum(exact, FLOAT_MAX), np.float32)


def scaled(acc: Array, m: Array | float) -> Array:
    """Return float32(acc) * m as a float32 product: an accumulator in units of the output's levels, not rounded yet."""
    with np.errstate(over="ignore"):  # an infinite product is clamped like a large one
        return np.asarray(acc).astype(np.float32) * np.asarray(m, np.float32)


def settle(real: Array, q: QParams, low: int = 0, high: int | None = None) -> Array:
    """Return clamp(rint(real) + zero, low, high) in the storage of `q`; `real` is float32 in units of levels."""
    top = q.qmax if high is None else high
    # the clamp comes first, with integer ends: it commutes with rint and keeps the conversion inside int32
    bounded = np.clip(real, np.float32(low - q.zero), np.float32(top - q.zero))
    stored: Array = (np.rint(bounded).astype(np.int32) + q.zero).astype(q.dtype)
    return stored


def requantize(acc: Array, m: Array | float, q: QParams, low: int = 0, high: int | None = None) -> Array:
    """Return clamp(rint(float32(acc) * m) + zero, low, high), the requantization of an exact integer accumulator."""
    return settle(scaled(acc, m), q, low, high)


def level_of(value: float, q: QParams) -> int:
    """Return the level nearest to a real constant such as the 6 of ReLU6, clamped to [0, qmax]; infinities give the ends."""
    if value == float("inf"):
        return q.qmax
    if value == float("-inf"):
        return 0
    return int(np.clip(np.rint(np.float64(value) / q.scale) + q.zero, 0, q.qmax))


def lookup_table(function: Any, source: QParams, target: QParams) -> Array:
    """Tabulate a unary real function between two quantizations: 2^bits entries in the storage of `target`.

    `function` maps a float64 array to a float64 array. Evaluating in float64 and rounding once to float32 makes the table the same on
    every machine whose libm is right to a unit in the last place of a double.
    """
    levels = np.arange(source.qmax + 1, dtype=np.int64)
    real = (levels - source.zero).astype(np.float64) * source.scale
    with np.errstate(over="ignore"):
        values = (np.asarray(function(real), np.float64) / target.scale).astype(np.float32)
    return settle(values, target)
