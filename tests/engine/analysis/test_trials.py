"""Plans made of plans say what they should of every layer, and leave the rest as it was."""

from __future__ import annotations

from engine.analysis.scoring import Unit
from engine.analysis.trials import alone, at_widths, in_float, skipped, width_of
from engine.plan import Choice, Plan

CONV = Unit("conv", "Conv2D", ("conv", "pool"), 100)
ADD = Unit("add", "EltwiseAdd", ("add",))
LAYERS = [("conv", "Conv2D"), ("pool", "MaxPool"), ("add", "EltwiseAdd"), ("fc", "MatMul")]
PLAN = Plan(
    Choice(8, 8, None, "MAX_ABS", skip=""),
    {"EltwiseAdd": Choice(feature_bits=10, skip="skipped by QUANT_OP_SKIP")},
    {"conv": Choice(feature_bits=12, low=-1.0, high=3.0), "fc": Choice(feature_bits=10, skip="skipped by QUANT_NODE_SKIP")},
)


def choices(plan: Plan) -> dict[str, Choice]:
    return dict(plan.resolve(LAYERS).choices)


def test_what_a_plan_says_of_a_unit() -> None:
    assert (width_of(PLAN, CONV), skipped(PLAN, CONV)) == (12, "")
    assert (width_of(PLAN, ADD), skipped(PLAN, ADD)) == (10, "skipped by QUANT_OP_SKIP")


def test_another_width_for_every_layer_of_a_unit() -> None:
    found = choices(at_widths(PLAN, [CONV, ADD], {"conv": 10}))
    assert (found["conv"].feature_bits, found["pool"].feature_bits) == (10, 10)
    assert (found["conv"].low, found["conv"].high, found["conv"].weight_bits) == (-1.0, 3.0, 8)
    assert {n: found[n] for n in ("add", "fc")} == {n: choices(PLAN)[n] for n in ("add", "fc")}


def test_a_unit_in_float_keeps_what_its_readers_see() -> None:
    found = choices(in_float(PLAN, CONV))
    assert all(found[n].skip for n in ("conv", "pool"))
    assert (found["conv"].feature_bits, found["conv"].low, found["conv"].high) == (12, -1.0, 3.0)
    assert {n: found[n] for n in ("add", "fc")} == {n: choices(PLAN)[n] for n in ("add", "fc")}


def test_a_unit_alone_has_fine_inputs_and_its_own_range() -> None:
    """Of everything else, whatever the plan says of it, nothing is quantized but what the unit reads, as finely as the chip can."""
    found = choices(alone(PLAN, CONV, 8, 12))
    assert [n for n, choice in found.items() if not choice.skip] == ["conv", "pool"]
    assert {n: choice.feature_bits for n, choice in found.items()} == {"conv": 8, "pool": 8, "add": 12, "fc": 12}
    assert (found["conv"].low, found["conv"].high) == (-1.0, 3.0)


def test_a_skipped_unit_alone_is_quantized() -> None:
    found = choices(alone(PLAN, ADD, 8, 12))
    assert [n for n, choice in found.items() if not choice.skip] == ["add"]
