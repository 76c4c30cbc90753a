"""What calibration remembers of a feature: exact extremes and a histogram that merges without loss.

A bin is `2**exponent` wide and the exponent follows from the largest magnitude alone, so any way of cutting the samples
into pieces, in any order, ends in the same bytes: when the range grows, neighbouring bins are added in pairs.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

HALF = 4096
"""Bins on each side of zero; the largest magnitude lies in the upper half of them."""

_FINEST = -126  # 2**126 is the largest power of two whose reciprocal is a normal float32
_BLOCK = 1 << 15  # values per step: block, scaled copy and indices stay in the second-level cache together
_HEADER = struct.Struct("<ddqqqhhHB")
_COUNT_TYPES = tuple(np.dtype(name) for name in ("<u1", "<u2", "<u4", "<u8"))


@dataclass(frozen=True, eq=False)
class Observation:
    """Everything calibration keeps of one feature; equal samples give equal bytes, whatever their order.

    `counts[j]` is the number of finite values whose signed bin is `first + j`. Bin k >= 0 holds k*w <= x < (k+1)*w and bin
    -1-k holds the mirror image -(k+1)*w < x <= -k*w, with w = `width` and zero of either sign in bin 0. The outer bins are
    never empty. `minimum` and `maximum` are exact; both are 0 while `count` is 0. `zeros` of the values are exactly zero,
    and `nonfinite` further ones were NaN or infinite and entered nothing else.
    """

    minimum: float
    maximum: float
    count: int
    zeros: int
    nonfinite: int
    exponent: int
    first: int
    counts: NDArray[np.int64]

    @property
    def width(self) -> float:
        """Return the width of a bin, a power of two."""
        return math.ldexp(1.0, self.exponent)

    @property
    def magnitude(self) -> float:
        """Return the largest absolute value seen."""
        return max(self.maximum, -self.minimum)

    def to_bytes(self) -> bytes:
        """Return a little-endian form without padding, counts in the narrowest unsigned integer that holds them all."""
        peak = int(self.counts.max(initial=0))
        code = next(i for i, kind in enumerate(_COUNT_TYPES) if peak <= np.iinfo(kind).max)
        head = _HEADER.pack(
            self.minimum,
            self.maximum,
            self.count,
            self.zeros,
            self.nonfinite,
            self.exponent,
            self.first,
            self.counts.size,
            code,
        )
        return head + self.counts.astype(_COUNT_TYPES[code]).tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Observation:
        """Return the observation `to_bytes` wrote; ValueError where the bytes are not one."""
        if len(data) < _HEADER.size:
            raise ValueError(f"an observation has at least {_HEADER.size} bytes, not {len(data)}")
        low, high, count, zeros, nonfinite, exponent, first, size, code = _HEADER.unpack_from(data)
        if code >= len(_COUNT_TYPES) or len(data) != _HEADER.size + size * _COUNT_TYPES[code].itemsize:
            raise ValueError(f"{len(data)} bytes are not an observation with {size} counts of kind {code}")
        counts = _frozen(np.frombuffer(data, _COUNT_TYPES[code], size, _HEADER.size))
        return cls(low, high, count, zeros, nonfinite, exponent, first, counts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Observation) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())


class Observer:
    """Gathers samples of one feature in place; `result` may be taken at any time and does not disturb it."""

    def __init__(self, previous: Observation | None = None) -> None:
        self._minimum, self._maximum = math.inf, -math.inf
        self._count = self._zeros = self._nonfinite = 0
        self._exponent = _FINEST
        self._bins = np.zeros(2 * HALF, np.int64)
        if previous is not None:
            self.absorb(previous)

    def update(self, x: NDArray[np.generic]) -> None:
        """Count the values of `x`: any shape, strides and real dtype; they are read as float32."""
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is reported as such
            for block in _blocks(x):
                self._update(block)

    def extremes(self, low: float, high: float, nonfinite: int = 0) -> None:
        """Take the exact extremes of values of which `count_part` counts a part, and the number that were NaN or infinite.

        `low` above `high` says that none was finite.
        """
        self._nonfinite += nonfinite
        if low <= high:
            self._widen(low, high)

    def count_part(self, x: NDArray[np.generic]) -> None:
        """Count a part of the values whose extremes have been taken already."""
        told = self._nonfinite
        self.update(x)
        self._nonfinite = told

    def absorb(self, other: Observation) -> None:
        """Add what another observation saw."""
        self._nonfinite += other.nonfinite
        if not other.count:
            return
        self._widen(other.minimum, other.maximum)
        bins = np.zeros(2 * HALF, np.int64)
        bins[HALF + other.first : HALF + other.first + other.counts.size] = other.counts
        self._bins += _coarser(bins, self._exponent - other.exponent)
        self._count += other.count
        self._zeros += other.zeros

    def result(self) -> Observation:
        """Return what was seen so far as a value of its own."""
        if not self._count:
            return Observation(0.0, 0.0, 0, 0, self._nonfinite, _FINEST, 0, _frozen(self._bins[:0]))
        filled = np.flatnonzero(self._bins)
        first, last = int(filled[0]), int(filled[-1])
        return Observation(
            self._minimum,
            self._maximum,
            self._count,
            self._zeros,
            self._nonfinite,
            self._exponent,
            first - HALF,
            _frozen(self._bins[first : last + 1]),
        )

    def _update(self, block: NDArray[np.float32]) -> None:
        low, high = float(block.min()), float(block.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            finite = block[np.isfinite(block)]
            self._nonfinite += block.size - finite.size
            if not finite.size:
                return
            block, low, high = finite, float(finite.min()), float(finite.max())
        self._widen(low, high)
        self._count += block.size
        self._zeros += block.size - int(np.count_nonzero(block != 0))
        # The product is exact unless it underflows, and then it is below one bin anyway: truncation commutes with halving.
        index = (block * np.float32(math.ldexp(1.0, -self._exponent))).astype(np.int32)
        if low < 0:
            index -= (block < 0).view(np.int8)
        # Equal neighbours (the zeros of a ReLU) would wait for each other's count; two lanes in turn do not.
        index += _LANES[: index.size]
        lanes: NDArray[np.int64] = np.bincount(index, minlength=4 * HALF).reshape(2, 2 * HALF)
        self._bins += lanes[0]
        self._bins += lanes[1]

    def _widen(self, low: float, high: float) -> None:
        self._minimum = min(self._minimum, low) + 0.0  # + 0.0: the sign of a zero must not depend on the order
        self._maximum = max(self._maximum, high) + 0.0
        exponent = _exponent(max(self._maximum, -self._minimum))
        self._bins = _coarser(self._bins, exponent - self._exponent)
        self._exponent = exponent


def observe(x: NDArray[np.generic], previous: Observation | None = None) -> Observation:
    """Return the observation of `x` together with what `previous` saw; `x` has any shape, strides and real dtype."""
    observer = Observer(previous)
    observer.update(x)
    return observer.result()


def merge(a: Observation, b: Observation) -> Observation:
    """Return the observation of all samples of both: associative, commutative, exact."""
    observer = Observer(a)
    observer.absorb(b)
    return observer.result()


_LANES = np.tile(np.array([HALF, 3 * HALF], np.int32), _BLOCK // 2)


def _exponent(magnitude: float) -> int:
    """Return e with HALF/2 <= magnitude / 2**e < HALF, but never finer than float32 can scale."""
    return max(math.frexp(magnitude)[1] - (HALF.bit_length() - 1), _FINEST) if magnitude else _FINEST


def _coarser(bins: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
    """Return the full histogram with bins 2**steps times as wide, zero still in the middle."""
    if not steps or not bins.any():
        return bins
    group = 1 << min(steps, HALF.bit_length() - 1)
    sums = bins.reshape(-1, group).sum(axis=1)
    wider = np.zeros_like(bins)
    wider[HALF - sums.size // 2 : HALF + sums.size // 2] = sums
    return wider


def _blocks(x: NDArray[np.generic]) -> Iterator[NDArray[np.float32]]:
    """Return the values of `x` as flat float32 blocks in memory order; float32 values in step are not copied."""
    flags: tuple[Literal["external_loop", "buffered", "zerosize_ok"], ...] = ("external_loop", "buffered", "zerosize_ok")
    blocks = np.nditer(x, flags, ["readonly"], np.float32, order="K", casting="same_kind", buffersize=_BLOCK)
    return cast("Iterator[NDArray[np.float32]]", blocks)


def _frozen(counts: NDArray[np.generic]) -> NDArray[np.int64]:
    own = counts.astype(np.int64)
    own.flags.writeable = False
    return own
