"""The integers of a small network, whatever the machine: a file holds their digest beside the name of the arithmetic that made them.

Fixed numbers go in, no random ones, and no function whose last bit is the library's.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.calibrate.weights import weight_scales
from engine.ir import Node, QNode, TensorType, digest, fields_key
from engine.numerics import NUMERICS, Array, QParams, affine, dequantize, level_of, lookup_table, quantize, requantize
from engine.ops.base import REGISTRY, Parameters

GOLDEN = Path(__file__).parent.parent / "golden" / "integers.json"
SHAPE = (1, 4, 5, 5)
OPEN = {"low": -np.inf, "high": np.inf, "function": ""}


def fixed(*shape: int, step: float) -> Array:
    """Numbers between -1 and 1 in no order, the same everywhere."""
    found: Array = (((np.arange(np.prod(shape)) * step) % 2.0) - 1.0).astype(np.float32).reshape(shape)
    return found


def layer(node: Node, ins: tuple[QParams, ...], out: QParams, weight_bits: int = 8) -> QNode:
    types = {t: TensorType(SHAPE) for t in (*node.inputs, *node.outputs)}
    made = REGISTRY[node.op].quantize(
        node, Parameters(ins, out, None, weight_bits, lambda w: weight_scales(w, weight_bits, "MAX_ABS"), types)
    )
    assert isinstance(made, QNode), made
    return made


def network() -> tuple[list[QNode], QParams]:
    """A convolution with a dead channel and a bias that needs a coarser scale, one of few bits, their sum, a product, a scaling."""
    x, a, b, c, d = affine(-1.0, 1.0, 8), affine(-2.9, 5.3, 8), affine(-1.7, 3.1, 12), affine(-4.0, 6.0, 8), affine(-3.3, 3.4, 16)
    weight, bias = fixed(4, 4, 3, 3, step=0.3719), np.array([0.5, -0.41, 3.0, 0.0], np.float32)
    weight[1], weight[2] = 0.0, weight[2] * np.float32(1e-8)
    geometry = {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 1, 1, 1), "group": 1}
    conv = Node("Conv2D", "a", ("x",), ("a",), {**geometry, **OPEN, "low": 0.0, "high": 4.1}, {"weight": weight, "bias": bias})
    narrow = Node("Conv2D", "b", ("a",), ("b",), {**geometry, **OPEN}, {"weight": fixed(4, 4, 3, 3, step=0.1123)})
    total = Node("EltwiseAdd", "c", ("a", "b"), ("c",), {"constant": -1, **OPEN})
    product = Node("EltwiseMul", "d", ("c", "b"), ("d",), {"constant": -1, **OPEN})
    scaling = Node("BatchNormScale", "e", ("d",), ("e",), {"axis": 1, "rank": 4, **OPEN}, {"weight": fixed(4, 1, step=0.77)})
    layers = [layer(conv, (x,), a), layer(narrow, (a,), b, 4), layer(total, (a, b), c), layer(product, (c, b), d), layer(scaling, (d,), c)]
    return layers, x


def integers() -> str:
    """Return the digest of every integer: parameters, what runs make of fixed levels, tables, conversions."""
    layers, source = network()
    values = {"x": quantize(fixed(*SHAPE, step=0.2917), source)}
    for node in layers:
        values[node.outputs[0]] = REGISTRY[node.op].reference(node, [values[t] for t in node.inputs])[1]
    ranges = [affine(-0.1 * n, 7.0 / n, bits) for n in (1, 3, 11) for bits in range(2, 17)]
    tables = [lookup_table(lambda v: v * v, q, affine(-1.0, 26.0, 8)) for q in ranges]
    awkward = np.array([0.05, -0.0, 1e30, np.inf, -np.inf, np.nan, 0.15, -0.1, 2.5], np.float32)
    converted = [(quantize(awkward, q), dequantize(quantize(awkward, q), q), level_of(0.3, q)) for q in ranges]
    ties = [requantize(np.arange(-9, 10), 0.5, q) for q in ranges]
    return digest([fields_key(n) for n in layers], values, ranges, tables, converted, ties)


def test_integers_and_the_name_of_their_arithmetic_change_together() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    found = {"numerics": NUMERICS, "integers": integers()}
    same = [golden[k] == found[k] for k in ("numerics", "integers")]
    assert all(same), (
        f"{'NUMERICS' if same[1] else 'integers'} changed: what is stored under keys and in model files is told apart by NUMERICS alone. "
        f"Whoever changes an integer gives NUMERICS a new name in engine/numerics.py and, in the same commit, "
        f"writes tests/golden/{GOLDEN.name} anew: {json.dumps(found)}"
    )


def test_the_digest_sees_one_integer() -> None:
    layers, _ = network()
    for node in layers[:2]:
        bias = node.arrays["bias"].copy()
        bias[-1] += 1
        assert fields_key(replace(node, arrays={**node.arrays, "bias": bias})) != fields_key(node)
