"""Every registered operator, those of tomorrow too: its reference and its onnxruntime lowering give the same integers, bit for bit.

Accumulators are compared as well as outputs, because a clamp hides a wrong sum.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import engine.ops
from engine.calibrate.weights import weight_scales
from engine.ir import Node, QNode, TensorType
from engine.numerics import FLOAT_EXACT, INT32_MAX, Array, QParams, dequantize
from engine.ops.base import REGISTRY, Example, Parameters, Shared
from engine.ops.lowering import Builder
from engine.ort.selftest import exact_kernels
from engine.ort.session import run_steps

SEEDS = range(24)
BITS = (2, 16, 3, 8, 4, 12, 5, 8, 16, 7, 8, 16, 9, 10, 15)


def draw(name: str, seed: int) -> tuple[Example, QNode]:
    """Return an adversarial case of an operator and its integer layer."""
    case = REGISTRY[name].example(np.random.default_rng((seed, sum(name.encode()))), BITS[seed % len(BITS)])
    return case, layer_of(name, case)


def layer_of(name: str, case: Example) -> QNode:
    """Quantize a case."""
    bits = case.weight_bits
    p = Parameters(case.ins, case.out, case.inner, bits, lambda w: weight_scales(w, bits, "MAX_ABS"), case.types)
    made = REGISTRY[name].quantize(case.node, p)
    assert isinstance(made, QNode), made
    return made


@pytest.mark.parametrize("fast", [frozenset(), exact_kernels()], ids=["plain", "fast"])
@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_reference_and_onnxruntime_agree_bit_for_bit(name: str, fast: frozenset[str]) -> None:
    # one session for all cases: sessions are what takes time
    b = Builder(fast)
    feeds: dict[str, Array] = {}
    outputs: dict[str, Array] = {}
    sums: dict[str, Array] = {}
    for seed in SEEDS:
        case, q = draw(name, seed)
        tag = f"{seed}:"
        ins, outs = (tuple(tag + t for t in names) for names in (q.inputs, q.outputs))
        layer = replace(q, name=tag + q.name, inputs=ins, outputs=outs)
        b.begin(layer.name)
        REGISTRY[name].lower_int(layer, b)
        acc, first = REGISTRY[name].reference(q, case.inputs)
        made = REGISTRY[name].outputs(q, case.inputs)
        assert np.array_equal(made[0], first)
        for tensor, out in zip(case.node.outputs, made, strict=True):
            assert out.dtype == case.out.dtype
            assert out.shape == case.types[tensor].shape
            assert int(out.max(initial=0)) <= case.out.qmax
        feeds |= dict(zip(ins, case.inputs, strict=True))
        outputs |= dict(zip(outs, made, strict=True))
        if layer.name in b.accumulators:
            sums[b.accumulators[layer.name]] = acc
    # a sum that is asked for is a border that no optimizer crosses: what runs in earnest asks for the outputs alone
    check(b, feeds, outputs)
    check(b, feeds, sums | outputs)


def check(b: Builder, feeds: dict[str, Array], expected: dict[str, Array]) -> None:
    """Compare every tensor with what is expected of it; a sum beyond what float holds is its nearest float."""
    for (tensor, wanted), found in zip(expected.items(), run_steps(b, feeds, list(expected)), strict=True):
        as_carried = wanted.astype(np.float32) if found.dtype == np.float32 else wanted
        assert np.array_equal(found, as_carried), tensor


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_an_accumulator_in_float_is_one_that_float_holds(name: str) -> None:
    for seed in SEEDS:
        case, q = draw(name, seed)
        if q.attrs.get("bound") is None:
            continue
        acc, _ = REGISTRY[name].reference(q, case.inputs)
        assert np.abs(acc).max(initial=0) <= q.attrs["bound"]


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_a_shared_quantization_is_the_one_of_its_input(name: str) -> None:
    for seed in SEEDS:
        case, q = draw(name, seed)
        origin = REGISTRY[name].origin(case.node)
        if isinstance(origin, Shared):
            assert q.outs[0] == q.ins[origin.index]


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_float_and_integers_compute_the_same_function(name: str) -> None:
    """The dequantized integers are as close to the float layer, run on the dequantized inputs, as the steps and the weights allow."""
    b, feeds, cases = Builder(), {}, []
    for seed in range(30):
        case = REGISTRY[name].example(np.random.default_rng((seed, sum(name.encode()))), 12)
        if case.inner:
            continue
        tag = f"{seed}:"
        inputs, outputs = (tuple(tag + t for t in names) for names in (case.node.inputs, case.node.outputs))
        node = replace(case.node, inputs=inputs, outputs=outputs)
        feeds |= {t: dequantize(x, q) for t, x, q in zip(inputs, case.inputs, case.ins, strict=True)}
        b.begin(tag)
        REGISTRY[name].lower_float(node, b, {tag + t: kind for t, kind in case.types.items()})
        cases.append((case, outputs[0]))
    for (case, tensor), wanted in zip(cases, run_steps(b, feeds, [t for _, t in cases]), strict=True):
        assert wanted.shape == case.types[case.node.outputs[0]].shape
        _, levels = REGISTRY[name].reference(layer_of(name, case), case.inputs)
        found = dequantize(levels, case.out).astype(np.float64)
        bounded = np.clip(wanted, *((end - case.out.zero) * case.out.scale for end in (0, case.out.qmax)))
        known = np.isfinite(bounded)
        error = np.abs(found - bounded).max(initial=0, where=known)
        assert error <= slack(case) + 1e-5 * np.abs(bounded).max(initial=0, where=known) + 1e-9, tensor
    assert len(cases) >= 15


def slack(case: Example) -> float:
    """Return half a step of the output, and what levels cost in place of real weights or of a real constant operand."""
    reach = max(max(q.zero, q.qmax - q.zero) * q.scale for q in case.ins)
    cost = 0.51 * case.out.scale
    if "weight" in case.node.params:
        weight = case.node.params["weight"]
        level = (1 << (case.weight_bits - 1)) - 1
        cost += float(np.abs(weight).max() * weight[0].size * reach) / level
    if "constant" in case.node.params:
        cost += 2e-3 * (1.0 + reach)
    return cost


def test_no_layer_sums_in_float_beyond_what_float_holds() -> None:
    """A case with large sums exists for every layer with weights, so that the wider integers are tested at all."""
    for name in ("Conv2D", "ConvTranspose2D", "MatMul", "BatchMatMul", "BatchNormScale"):
        bounds = [draw(name, seed)[1].attrs["bound"] for seed in SEEDS]
        assert min(bounds) < FLOAT_EXACT <= max(bounds), (name, bounds)


def test_an_operator_needs_an_example_and_a_type_of_its_own() -> None:
    from engine.ops.max_pool import MaxPool

    with pytest.raises(TypeError, match=re.escape("operator Nothing has no adversarial example")):
        type("Nothing", (engine.ops.base.Operator,), {"type": "Nothing"})
    with pytest.raises(TypeError, match="operator MaxPool is defined twice"):
        type("MaxPoolAgain", (MaxPool,), {"type": "MaxPool"})
    assert type(REGISTRY["MaxPool"]) is MaxPool


def test_sums_beyond_32_bits_are_exact() -> None:
    """700 products of the largest levels reach 5.8e9: the sum is carried in limbs and added in 64 bits."""
    k, q = 700, QParams(0.5, 0, 16)
    weight = np.stack([np.ones(k), -np.ones(k), np.linspace(0.1, 1.0, k)]).astype(np.float32)
    x = np.full((1, k), q.qmax, np.uint16)
    x[0, :3] = (0, 1, 12345)
    out = QParams(1000.0, 32768, 16)
    attrs = {"transpose": False, "low": -np.inf, "high": np.inf, "function": ""}
    node = Node("MatMul", "y", ("x",), ("y",), attrs, {"weight": weight})
    case = Example(node, {"x": TensorType((1, k)), "y": TensorType((1, 3))}, (q,), out, (x,))
    layer = layer_of("MatMul", case)
    assert layer.attrs["bound"] > INT32_MAX
    acc, levels = REGISTRY["MatMul"].reference(layer, (x,))
    assert acc.tolist()[0] == [sum(int(a) * int(w) for a, w in zip(x[0], row, strict=True)) for row in layer.arrays["weight"]]
    b = Builder()
    b.begin("y")
    REGISTRY["MatMul"].lower_int(layer, b)
    check(b, {"x": x}, {"y": levels})
    check(b, {"x": x}, {"y": levels, b.accumulators["y"]: acc})
    assert len(set(levels[0].tolist()) - {0, q.qmax}) == 3
