"""The start-up test that decides which integer kernels of onnxruntime may be used on this machine.

QLinearConv multiplies and rounds as we do, and MatMulInteger only sums, but on some CPUs sums of uint8 * int8 saturate. Worst-case operands
(all 255 against all ±127, over many channels) and random ones are compared with plain int64 sums; one wrong integer and the kernel is not
used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import WorkError
from ..numerics import Array, QParams, requantize
from ..ops.conv2d import convolve
from ..ops.lowering import Builder
from .session import run_steps

CASES = (
    ((1, 32, 9, 9), (24, 32, 3, 3), 1),
    ((1, 48, 5, 7), (16, 48, 1, 1), 1),
    ((1, 40, 9, 9), (40, 1, 3, 3), 40),
    ((1, 3, 12, 12), (8, 3, 5, 5), 1),
)

PRODUCTS = ((49, 288, 40, 0), (7, 577, 24, 255), (33, 64, 7, 3), (1, 2304, 16, 128))


def exact_kernels() -> frozenset[str]:
    """Return the names of the kernels that gave every integer right; an onnxruntime without them gives the empty set."""
    tests = {"QLinearConv": _convolutions, "MatMulInteger": _products}
    return frozenset(name for name, test in tests.items() if _right(*test()))


def _right(b: Builder, feeds: dict[str, Array], expected: list[Array]) -> bool:
    """Tell whether the steps make of the feeds exactly what is expected under y0, y1 and so on."""
    try:
        found = run_steps(b, feeds, [f"y{i}" for i in range(len(expected))])
    except WorkError:
        return False
    return all(np.array_equal(a, e) for a, e in zip(found, expected, strict=True))


def _convolutions() -> tuple[Builder, dict[str, Array], list[Array]]:
    b = Builder()
    feeds: dict[str, Array] = {}
    expected: list[Array] = []
    for index, (x, weight, bias, m, out, attrs) in enumerate(_operands()):
        b.begin(str(index))
        feeds[f"x{index}"] = x
        one = b.const(1.0, np.float32)
        levels = b.op(
            "QLinearConv",
            *(f"x{index}", one, b.const(3, np.uint8), b.const(weight), b.const(m), b.const(0, np.int8)),
            *(one, b.const(out.zero, np.uint8), b.const(bias)),
            **attrs,
        )
        b.finish(levels, f"y{index}")
        acc = convolve(x.astype(np.int64) - 3, weight.astype(np.int64), attrs) + bias.reshape(1, -1, 1, 1)
        expected.append(requantize(acc, m.reshape(1, -1, 1, 1), out))
    return b, feeds, expected


def _products() -> tuple[Builder, dict[str, Array], list[Array]]:
    """Return products with and without a zero point, over rows of any length."""
    b, rng = Builder(), np.random.default_rng(8)
    feeds: dict[str, Array] = {}
    expected: list[Array] = []
    for index, (rows, inner, columns, zero) in enumerate(PRODUCTS):
        x = np.full((1, 2, rows, inner), 255, np.uint8)
        x[:, 1] = rng.integers(0, 256, x[:, 1].shape)
        weight = np.where(np.arange(columns) % 2, 127, -127).astype(np.int8) * np.ones((inner, 1), np.int8)
        weight[:, columns // 2 :] = rng.integers(-127, 128, (inner, columns - columns // 2))
        b.begin(str(index))
        feeds[f"x{index}"] = x
        b.finish(b.op("MatMulInteger", f"x{index}", b.const(weight), b.const(zero, np.uint8)), f"y{index}")
        expected.append((x.astype(np.int64) - zero) @ weight.astype(np.int64))
    return b, feeds, expected


def _operands() -> Iterator[tuple[Array, Array, Array, Array, QParams, dict[str, Any]]]:
    rng = np.random.default_rng(7)
    for shape, kernel, group in CASES:
        attrs: dict[str, Any] = {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 1, 1, 1), "group": group}
        for kind in range(3):
            x = rng.integers(0, 256, shape).astype(np.uint8) if kind else np.full(shape, 255, np.uint8)
            weight = rng.integers(-127, 128, kernel).astype(np.int8)
            if kind < 2:
                weight = np.where(np.arange(kernel[0]).reshape(-1, 1, 1, 1) % 2, 127, -127).astype(np.int8) * np.ones(kernel, np.int8)
            bias = rng.integers(-5000, 5000, kernel[0]).astype(np.int32)
            # multipliers that keep the largest sums off the clamp, so that a wrong sum shows
            reach = 255.0 * 127 * np.prod(kernel[1:]) + 5000
            m = (rng.uniform(0.8, 1.0, kernel[0]) * 120 / reach).astype(np.float32)
            yield x, weight, bias, m, QParams(1.0, 127, 8), attrs
