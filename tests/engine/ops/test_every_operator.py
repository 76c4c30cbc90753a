"""Every registered operator, those of tomorrow too: its reference and its onnxruntime lowering give the same integers, bit for bit.

Accumulators are compared as well as outputs, because a clamp hides a wrong sum.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import engine.ops
from engine.numerics import FEATURE_BITS, FLOAT_EXACT, dequantize
from engine.ops.base import REGISTRY, Example, Shared
from engine.ops.lowering import Builder
from engine.ort.selftest import exact_kernels
from engine.ort.session import run_steps
from tests.engine.ops.cases import SEEDS, Both, draw, farthest, layer_of


@pytest.mark.parametrize("fast", [frozenset(), exact_kernels()], ids=["plain", "fast"])
@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_reference_and_onnxruntime_agree_bit_for_bit(name: str, fast: frozenset[str]) -> None:
    both = Both(fast)
    for seed in SEEDS:
        case, q = draw(name, seed)
        both.add(str(seed), case, q)
        for tensor in case.node.outputs:
            out = both.outputs[f"{seed}:{tensor}"]
            assert out.dtype == case.out.dtype
            assert out.shape == case.types[tensor].shape
            assert int(out.max(initial=0)) <= case.out.qmax
    both.check()


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_all_widths_are_drawn_and_the_output_has_its_own(name: str) -> None:
    cases = [draw(name, seed)[0] for seed in SEEDS]
    assert {q.bits for case in cases for q in case.ins} == set(FEATURE_BITS)
    if not isinstance(REGISTRY[name].origin(cases[0].node), Shared):
        assert any(case.out.bits < case.ins[0].bits for case in cases)
        assert any(case.out.bits > case.ins[0].bits for case in cases)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_no_levels_take_a_sum_beyond_its_bound(name: str) -> None:
    bounds = []
    for seed in SEEDS:
        case, q = draw(name, seed)
        if q.attrs.get("bound") is not None:
            assert farthest(q, case) <= q.attrs["bound"]
            bounds.append((q.attrs["bound"], "weight_sum" in q.attrs))
    # layers with weights have larger ones in a file of their own
    assert all(weighted for _, weighted in bounds) or min(bounds)[0] < FLOAT_EXACT <= max(bounds)[0], bounds


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


def test_an_operator_needs_an_example_and_a_type_of_its_own() -> None:
    from engine.ops.max_pool import MaxPool

    with pytest.raises(TypeError, match=re.escape("operator Nothing has no adversarial example")):
        type("Nothing", (engine.ops.base.Operator,), {"type": "Nothing"})
    with pytest.raises(TypeError, match="operator MaxPool is defined twice"):
        type("MaxPoolAgain", (MaxPool,), {"type": "MaxPool"})
    assert type(REGISTRY["MaxPool"]) is MaxPool
