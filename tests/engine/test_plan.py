"""Default, operator type, layer: who decides what, and what is said of names that match nothing."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import Config
from engine.plan import Choice, Plan

LAYERS = (("stem", "Conv2D"), ("pool", "MaxPool"), ("head", "Conv2D"), ("scores", "MatMul"))

CHOICES = st.builds(
    Choice,
    st.none() | st.integers(2, 16),
    st.none() | st.integers(2, 8),
    st.none() | st.sampled_from(["KL", "MSE"]),
    st.none() | st.sampled_from(["MAX_ABS", "ADMM"]),
    st.none() | st.just(-1.0),
    st.none() | st.sampled_from([0.0, 1.0]),
    st.none() | st.sampled_from(["", "skipped"]),
)


def test_the_layer_decides_before_its_type_and_its_type_before_the_default() -> None:
    plan = Plan(Choice(8, 8, "KL", "MAX_ABS", skip=""), {"Conv2D": Choice(10, skip="why")}, {"head": Choice(12, skip="")})
    chosen = plan.resolve(LAYERS).choices
    assert chosen["stem"] == Choice(10, 8, "KL", "MAX_ABS", skip="why")
    assert chosen["head"] == Choice(12, 8, "KL", "MAX_ABS", skip="")
    assert chosen["pool"] == chosen["scores"] == plan.default
    assert list(chosen) == [name for name, _ in LAYERS]


@given(CHOICES, CHOICES, CHOICES)
def test_each_field_is_decided_by_the_narrowest_that_speaks(layer: Choice, kind: Choice, default: Choice) -> None:
    plan = Plan(default, {"Conv2D": kind}, {"stem": layer})
    chosen = plan.resolve(LAYERS).choices["stem"]
    for field in fields(Choice):
        said = [getattr(c, field.name) for c in (layer, kind, default)]
        assert getattr(chosen, field.name) == next((s for s in said if s is not None), None)


def test_zero_and_no_reason_to_skip_are_decisions() -> None:
    assert Choice(low=0.0, high=0.0, skip="").over(Choice(low=-1.0, high=1.0, skip="why")) == Choice(low=0.0, high=0.0, skip="")


def test_names_that_match_nothing_are_reported_with_the_nearest() -> None:
    plan = Plan(
        Choice(8),
        {"Conv2d": Choice(skip="why"), "MatMul": Choice(9), "LSTM": Choice(10)},
        {"haed": Choice(4), "nothing like it": Choice(4)},
    )
    assert plan.resolve(LAYERS).unmatched == (
        "no operator type 'Conv2d', did you mean 'Conv2D'?",
        f"no operator type 'LSTM', there are {', '.join(sorted({kind for _, kind in LAYERS}))}",
        "no layer 'haed', did you mean 'head'?",
        "no layer 'nothing like it'",
    )
    assert plan.resolve(LAYERS, {"nothing like it": "stem"}).unmatched[-1] == "no layer 'nothing like it', it is part of 'stem'"
    assert Plan(Choice(8)).resolve(LAYERS).unmatched == ()


def test_a_network_without_layers() -> None:
    resolved = Plan(Choice(8), nodes={"stem": Choice(4)}).resolve([])
    assert (resolved.choices, resolved.unmatched) == ({}, ("no layer 'stem'",))


def test_a_change_is_a_new_plan() -> None:
    first = Plan(Choice(8), nodes={"stem": Choice(4)})
    second = first.with_node("head", Choice(12))
    third = second.with_node("stem", Choice(6))
    assert first == Plan(Choice(8), nodes={"stem": Choice(4)})
    assert second.nodes == {"stem": Choice(4), "head": Choice(12)}
    assert third.nodes == {"stem": Choice(6), "head": Choice(12)}
    with pytest.raises(FrozenInstanceError):
        first.default = Choice(4)  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        first.default.feature_bits = 4  # type: ignore[misc]


def test_a_plan_does_not_follow_the_tables_it_was_made_from() -> None:
    table = {"stem": Choice(4)}
    plan = Plan(Choice(8), nodes=table)
    table["stem"] = Choice(2)
    assert plan.nodes["stem"] == Choice(4)


def test_a_configuration_as_a_plan() -> None:
    config = replace(Config(), quant_feature_bit=10, quant_weight_bit=6, quant_feature_method="MSE", quant_weight_method="ADMM")
    config = replace(config, quant_op_skip=("MatMul",), quant_node_skip=("stem",))
    chosen = Plan.of(config).resolve(LAYERS).choices
    assert chosen["head"] == Choice(10, 6, "MSE", "ADMM", skip="")
    reasons = {"stem": "skipped by QUANT_NODE_SKIP", "pool": "", "head": "", "scores": "skipped by QUANT_OP_SKIP"}
    assert {name: c.skip for name, c in chosen.items()} == reasons
    assert Plan.of(Config()).default == Choice(8, 8, Config().quant_feature_method, "MAX_ABS", skip="")
