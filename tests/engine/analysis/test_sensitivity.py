"""Every unit alone and in float, on a network that is a formula."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from engine.analysis.noise import noise
from engine.analysis.sensitivity import sensitivity
from engine.errors import Cancelled, DataError
from engine.events import Event, Progress, silent
from engine.plan import Choice
from tests.engine.analysis.simulated import DEFAULT, Simulated, network


def test_every_figure_is_the_units_own() -> None:
    net = network(8, 0)
    whole = sum(net.weights.values()) + sum(net.levels.values())
    found = sensitivity(net, (8, 10, 12), 12, report=silent)
    assert noise(found.base, "cosine_avg") == pytest.approx(whole)
    assert [each.unit for each in found.units] == list(net.units)
    assert (found.runs, found.interrupted) == (len(net.asked), False)
    for each in found.units:
        name = each.unit.name
        own = {bits: net.weights[name] + net.levels[name] * 4.0 ** (8 - bits) for bits in (8, 10, 12)}
        assert each.bits == 8
        assert each.local_error == pytest.approx(own[8])
        assert {bits: noise(score, "cosine_avg") for bits, score in each.alone.items()} == pytest.approx(own)
        assert each.in_float
        assert noise(each.in_float, "cosine_avg") == pytest.approx(whole - own[8], rel=1e-6)


def test_a_skipped_unit_is_measured_alone_all_the_same() -> None:
    """Its score in float is that of the base plan: it need not be run."""
    net = network(4, 1, base=replace(DEFAULT, nodes={"n2": Choice(skip="skipped by QUANT_NODE_SKIP")}))
    found = sensitivity(net, (8,), 12, report=silent).units[2]
    assert found.skipped == "skipped by QUANT_NODE_SKIP"
    assert noise(found.alone[8], "cosine_avg") == pytest.approx(net.weights["n2"] + net.levels["n2"])
    assert found.in_float is None
    assert len(net.asked) == 1 + 4 + 3


def test_the_widths_of_the_configuration_come_first() -> None:
    """Stopped on the way, it gives what it knows: all units at the width they have, before any other."""
    net = network(6, 2, base=replace(DEFAULT, default=replace(DEFAULT.default, feature_bits=10)), stop=9)
    found = sensitivity(net, (8, 10, 12), 12, report=silent)
    assert found.interrupted
    assert found.runs == len(net.asked) == 9
    assert [list(each.alone) for each in found.units] == [[10]] * 6
    assert [each.in_float is not None for each in found.units] == [True, True, False, False, False, False]


def test_stopped_before_anything_is_known() -> None:
    with pytest.raises(Cancelled):
        sensitivity(network(6, 2, stop=0), (8,), 12, report=silent)


def test_without_a_figure_there_is_nothing_to_say() -> None:
    class Silent(Simulated):
        def score(self, plan, at=""):  # type: ignore[no-untyped-def]
            return replace(super().score(plan, at), cosine_avg=None)

    net = network(3, 0)
    with pytest.raises(DataError, match="no debug sample gives fc a cosine_avg"):
        sensitivity(Silent(net.units, net.weights, net.levels), (8,), 12, report=silent, at="fc")


def test_progress_is_told_to_the_end() -> None:
    told: list[Event] = []
    found = sensitivity(network(5, 3), (8, 12), 12, report=told.append)
    steps = [event for event in told if isinstance(event, Progress)]
    assert [event.done for event in steps] == list(range(steps[-1].total + 1))
    assert found.runs == steps[-1].total + 1


def test_results_and_plans_cross_to_other_processes() -> None:
    net = network(5, 3)
    found = sensitivity(net, (8, 12), 12, report=silent)
    assert pickle.loads(pickle.dumps((found, net.asked))) == (found, net.asked)
