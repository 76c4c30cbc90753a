"""Layers with weights whose sums leave float32, then 32 bits: found by what they carry, so that tomorrow's are among them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from engine.ir import Node, TensorType
from engine.numerics import FEATURE_BITS, FLOAT_EXACT, INT32_MAX, Array, QParams
from engine.ops.base import REGISTRY, Example
from engine.ops.resize_bilinear import positions
from tests.engine.ops.cases import Both, draw, layer_of

WEIGHTED = [name for name in sorted(REGISTRY) if "weight_sum" in draw(name, 0)[1].attrs]
WEIGHT_SUM = 66_000
"""Times 2^8 it is just beyond what float32 holds, times 2^16 beyond 32 bits."""
LEVEL, MEAN = 127, 95
OPEN = {"low": -np.inf, "high": np.inf, "function": ""}


def simple(name: str) -> Example:
    """Return a case of an operator with several channels in one group, one step from window to window, and no activation."""
    for seed in itertools.count():
        case = REGISTRY[name].example(np.random.default_rng(seed), 8)
        a, weight = case.node.attrs, case.node.params["weight"]
        if a.get("group", 1) == 1 and not a.get("transpose") and set(a.get("strides", ())) <= {1} and len(weight) > 1:
            return replace(case, node=replace(case.node, attrs={**a, **OPEN}, inner=""), inner=None, weight_bits=8)
    raise AssertionError(name)


def one_signed(case: Example, bits: int, repeats: int, bias_level: int) -> Example:
    """Return a case with `repeats` times the inputs, nearly all at one end; every channel's weights and bias have one sign."""
    rng = np.random.default_rng(bits)
    axis = REGISTRY[case.node.op].channel_axis(case.node)
    shape, before = list(case.types["x"].shape), case.node.params["weight"].shape
    assert axis is not None
    if repeats > 1:
        shape[axis] *= repeats
    top = (1 << bits) - 1
    source = QParams(0.5, top if bits % 2 else 0, bits)
    x = np.where(rng.random(shape) < 0.02, rng.integers(0, top + 1, shape), top - source.zero).astype(source.dtype)
    sign = np.resize([1.0, -1.0], before[0]).reshape(-1, *([1] * (len(before) - 1)))
    weight = (rng.uniform(0.5, 1.0, (before[0], before[1] * repeats, *before[2:])) * sign).astype(np.float32)
    params = {"weight": weight}
    spread = float(np.abs(weight).reshape(before[0], -1).sum(axis=1).max()) * source.scale * top
    if bias_level:
        scales = np.abs(weight).reshape(before[0], -1).max(axis=1) / LEVEL
        # of the sign of the sums: levels below the zero point make them the opposite of their weights'
        params["bias"] = (bias_level * scales * source.scale * sign.reshape(-1) * (-1 if source.zero else 1)).astype(np.float32)
        spread += float(np.abs(params["bias"]).max())
    out = QParams(float(np.float32(spread / 32700)), 32768, 16)
    types = {**case.types, "x": TensorType(tuple(shape))}
    return replace(case, node=replace(case.node, params=params), types=types, ins=(source,), out=out, inputs=(x,))


def large(name: str) -> Iterator[Example]:
    """Yield cases that leave float32 by the number of their products, at every width, and by their bias."""
    case = simple(name)
    axis, weight = REGISTRY[name].channel_axis(case.node), case.node.params["weight"]
    assert axis is not None
    if case.types["x"].shape[axis] == weight.shape[1]:  # others read one number for each they make
        repeats = -(-WEIGHT_SUM // (MEAN * weight[0].size))
        yield from (one_signed(case, bits, repeats, 0) for bits in FEATURE_BITS)
    for bits in (8, 15, 16):
        yield from (one_signed(case, bits, 1, level) for level in (FLOAT_EXACT + 1, 2**29 + 3, INT32_MAX))


@pytest.mark.parametrize("name", WEIGHTED)
def test_large_sums_are_exact(name: str) -> None:
    both, found, cases = Both(), list[int](), list(large(name))
    for index, case in enumerate(cases):
        found.append(int(np.abs(both.add(str(index), case, layer_of(name, case))).max()))
    both.check()
    assert any(FLOAT_EXACT <= v < 2 * FLOAT_EXACT for v in found), "float32 holds the even ones of these"
    assert any(2**26 < v <= INT32_MAX for v in found)
    # a bias may take half of 32 bits, so one product and a bias never leave them
    assert any(v > INT32_MAX for v in found) == any(case.node.params["weight"][0].size > 1 for case in cases)
    assert all(np.unique(v).size > 1 for v in both.outputs.values())


def test_every_layer_with_weights_is_found() -> None:
    assert {"BatchNormScale", "Conv1D", "Conv2D", "ConvTranspose2D", "MatMul"} <= set(WEIGHTED)


def test_sums_beyond_32_bits_are_those_of_plain_integers() -> None:
    """700 products of the largest levels reach 5.8e9: the sum is carried in limbs and added in 64 bits."""
    k, q = 700, QParams(0.5, 0, 16)
    weight = np.stack([np.ones(k), -np.ones(k), np.linspace(0.1, 1.0, k)]).astype(np.float32)
    x: Array = np.full((1, k), q.qmax, np.uint16)
    x[0, :3] = (0, 1, 12345)
    node = Node("MatMul", "y", ("x",), ("y",), {"transpose": False, **OPEN}, {"weight": weight})
    types = {"x": TensorType((1, k)), "y": TensorType((1, 3))}
    case = Example(node, types, (q,), QParams(1000.0, 32768, 16), (x,))
    layer = layer_of("MatMul", case)
    assert layer.attrs["bound"] > INT32_MAX
    both = Both()
    acc = both.add("", case, layer)
    assert acc.tolist()[0] == [sum(int(a) * int(w) for a, w in zip(x[0], row, strict=True)) for row in layer.arrays["weight"]]
    both.check()
    assert len(set(both.outputs[":y"][0].tolist()) - {0, q.qmax}) == 3


def test_an_interpolation_beyond_what_float_holds_is_exact() -> None:
    """Sixteen steps between pixels, along both axes: 10 bits on top of 16."""
    n, k, q = 2, 16, QParams(0.5, 0, 16)
    x = positions("half_pixel", n, n * k, float(k))
    shape = (1, 1, n * k, n * k)
    attrs = {"axes": (2, 3), "rank": 4, "transform": "half_pixel", "scales": (1.0, 1.0, float(k), float(k)), "shape": shape}
    node = Node("ResizeBilinear", "y", ("x",), ("y",), attrs, {"x2": x, "x3": x})
    levels = np.array([65535, 65534, 65521, 65533], np.uint16).reshape(1, 1, n, n)
    case = Example(node, {"x": TensorType(levels.shape), "y": TensorType(shape)}, (q,), q, (levels,))
    layer = layer_of("ResizeBilinear", case)
    assert FLOAT_EXACT <= layer.attrs["bound"] < 4 * FLOAT_EXACT
    both = Both()
    both.add("", case, layer)
    both.check()
