"""Convolutions as matrix products of integers: exact at every width, and taken only where sums fit and the product pays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.ir import Node, QNode, TensorType
from engine.numerics import QParams
from engine.ops import gemm
from engine.ops.base import REGISTRY, Example
from engine.ops.conv2d import convolve
from engine.ops.lowering import Builder
from engine.ort.selftest import exact_kernels
from tests.engine.ops.cases import Both, layer_of

FAST = frozenset({gemm.KERNEL})

here = pytest.mark.skipif(gemm.KERNEL not in exact_kernels(), reason="this CPU's sums of uint8 * int8 saturate")


def case_of(bits: tuple[int, int], kernel: tuple[int, int], seed: int = 0, channels: int = 24, **changes: Any) -> tuple[Example, QNode]:
    """Return a convolution of one-signed weights on levels at the top of their range, and its integer layer."""
    rng = np.random.default_rng(seed)
    attrs = {"strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0), "group": 1, **changes}
    weight = np.abs(rng.normal(0, 1, (5, channels // attrs["group"], *kernel))).astype(np.float32)
    weight[1::2] *= -1
    source = QParams(0.5, ((1 << bits[0]) - 1) // 3, bits[0])
    spread = float(np.abs(weight).reshape(5, -1).sum(1).max()) * source.scale * source.qmax
    target = QParams(float(np.float32(2 * spread / (1 << bits[1]))), (1 << bits[1]) // 2, bits[1])
    params = {"weight": weight, "bias": rng.normal(0, 40, 5).astype(np.float32)}
    low, high = -np.inf, np.inf
    node = Node("Conv2D", "y", ("x",), ("y",), {**attrs, "low": low, "high": high, "function": ""}, params)
    shape = (1, channels, 9, 11)
    types = {"x": TensorType(shape), "y": TensorType(convolve(np.zeros(shape), weight, attrs).shape)}
    levels = rng.integers(source.qmax * 3 // 4, source.qmax + 1, shape).astype(source.dtype)
    case = Example(node, types, (source,), target, (levels,), None, 8)
    return case, layer_of("Conv2D", case)


def kernels(q: QNode, fast: frozenset[str] = FAST) -> set[str]:
    """Return the operators that a layer is lowered to."""
    b = Builder(fast)
    REGISTRY[q.op].lower_int(q, b)
    return {s.op for s in b.steps}


@here
@pytest.mark.parametrize("bits", [(8, 12), (12, 8), (12, 12), (10, 9), (16, 16), (4, 10)])
@pytest.mark.parametrize(
    ("kernel", "changes"),
    [
        ((1, 1), {}),
        ((1, 1), {"strides": (2, 3)}),
        ((1, 1), {"pads": (1, 0, 2, 1)}),
        ((3, 3), {"pads": (1, 1, 1, 1)}),
        ((3, 2), {"pads": (0, 2, 1, 0), "strides": (2, 1), "dilations": (2, 3)}),
        ((3, 3), {"strides": (2, 2), "pads": (1, 1, 1, 1)}),
        ((2, 3), {"dilations": (1, 4), "strides": (3, 2)}),
    ],
)
def test_sums_and_outputs_are_exact(bits: tuple[int, int], kernel: tuple[int, int], changes: dict[str, Any]) -> None:
    both = Both(FAST)
    for seed in range(3):
        case, q = case_of(bits, kernel, seed, **changes)
        if gemm.fits(Builder(FAST), q.attrs, q.arrays["weight"]):
            assert kernels(q) >= {gemm.KERNEL}
        both.add(str(seed), case, q)
        plain = replace(q, arrays={**q.arrays, "bias": np.zeros_like(q.arrays["bias"])})
        both.add(f"{seed} without bias", case, plain)
    both.check()


def test_it_is_taken_for_widths_that_the_8_bit_kernel_does_not_have() -> None:
    everything = FAST | {"QLinearConv"}
    assert kernels(case_of((8, 8), (3, 3))[1], everything) == {"QLinearConv"}
    assert "Conv" not in kernels(case_of((8, 12), (3, 3))[1], everything)
    assert "Conv" not in kernels(case_of((12, 8), (3, 3))[1], everything)


@pytest.mark.parametrize(
    ("kernel", "changes"),
    [
        ((3, 3), {"channels": 8}),
        ((3, 3), {"channels": 32, "group": 1, "fast": frozenset({"QLinearConv"})}),
        ((5, 5), {}),
    ],
)
def test_it_is_not_taken_where_it_does_not_pay(kernel: tuple[int, int], changes: dict[str, Any]) -> None:
    fast = changes.pop("fast", FAST)
    assert gemm.KERNEL not in kernels(case_of((12, 12), kernel, **changes)[1], fast)


def test_it_is_not_taken_where_sums_do_not_fit() -> None:
    q = case_of((12, 12), (3, 3))[1]
    for name, value in (("bound", 1 << 31), ("weight_sum", 1 << 23)):
        assert gemm.KERNEL not in kernels(replace(q, attrs={**q.attrs, name: value}))
