"""What stands between float and integers, bit for bit, and products that an optimizer would merge with their multiplier."""

from __future__ import annotations

import numpy as np
import pytest

from engine.ir import Node, QNode, TensorType
from engine.numerics import FEATURE_BITS, Array, QParams, dequantize, quantize
from engine.ops.base import Example
from engine.ops.lowering import Builder
from engine.ort.session import run_steps
from engine.simulate import lower_int_node
from tests.engine.ops.cases import Both, layer_of

SCALES = (0.25, 1.0 / 3.0, 0.013, 2.0**-100, 3e30, 1.1754944e-38)


def converted(q: QParams, x: Array, kind: str) -> Array:
    """Run one conversion as a layer of an integer graph."""
    b = Builder()
    params = ((None,), (q,)) if kind == "Quantize" else ((q,), (None,))
    lower_int_node(QNode(kind, "y", ("x",), ("y",), *params), b, {})
    return run_steps(b, {"x": x}, ["y"])[0]


def awkward(q: QParams) -> Array:
    """Ties of every level and their neighbours, numbers of every size, infinities, and what is no number."""
    halves = (np.arange(-3, 2 * q.qmax + 4) / 2 - q.zero).astype(np.float32)
    with np.errstate(over="ignore"):
        ties = halves * np.float32(q.scale)
    sizes = np.float32(10.0) ** np.arange(-44, 39, dtype=np.float32)
    rest = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1e-45, 3.4e38, -3.4e38], np.float32)
    random = np.random.default_rng(q.bits).normal(0, q.qmax * min(q.scale, 1e30), 500).astype(np.float32)
    sides = np.nextafter(ties, np.float32(np.inf)), np.nextafter(ties, np.float32(-np.inf))
    found: Array = np.concatenate([ties, *sides, sizes, -sizes, rest, random])
    return found


@pytest.mark.parametrize("width", FEATURE_BITS)
def test_quantize_and_dequantize_are_those_of_numerics(width: int) -> None:
    top = 2**width - 1
    for scale in SCALES:
        for zero in (0, top // 3, top):
            q = QParams(float(np.float32(scale)), zero, width)
            x = awkward(q)
            found = converted(q, x, "Quantize")
            assert found.dtype == q.dtype
            assert np.array_equal(found, quantize(x, q)), q
            levels = np.arange(top + 1).astype(q.dtype)
            real, expected = converted(q, levels, "Dequantize"), dequantize(levels, q)
            assert real.dtype == expected.dtype == np.float32
            assert np.array_equal(real.view(np.uint32), expected.view(np.uint32)), q


def test_a_product_is_summed_before_it_is_scaled() -> None:
    """A multiplier that joins its product scales parts of the sum, and their sum is another float."""
    q, k, n = QParams(0.5, 32, 6), 1000, 64
    rng = np.random.default_rng(0)
    shapes = {"a": (1, n, k), "b": (1, k, n)}
    types = {t: TensorType(s) for t, s in {**shapes, "y": (1, n, n)}.items()}
    attrs = {"constant": -1, "alpha": 1.0, "low": -np.inf, "high": np.inf, "function": ""}
    levels = tuple(rng.integers(0, 64, s).astype(np.uint8) for s in shapes.values())
    out = QParams(float(np.float32(0.3)), 32768, 16)  # the multiplier is 5/6: many products are ties
    case = Example(Node("BatchMatMul", "y", ("a", "b"), ("y",), attrs), types, (q, q), out, levels)
    both = Both()
    both.add("", case, layer_of("BatchMatMul", case))
    both.check()
    assert np.unique(both.outputs[":y"]).size > 1000
