"""The search for widths, on networks that are formulas: held to the best of all plans, to what was asked, to what was run."""

from __future__ import annotations

import itertools
import pickle
import random
from dataclasses import replace

import pytest

from engine.analysis.costs import relative_cost, work
from engine.analysis.noise import noise_of, value_of
from engine.analysis.scoring import Metric, Score
from engine.analysis.trials import at_widths
from engine.analysis.tune import CLOSE, tune
from engine.analysis.tuning import Goal, Tuned
from engine.errors import Cancelled, DataError, UsageError
from engine.events import silent
from engine.plan import Choice, Plan
from tests.engine.analysis.simulated import DEFAULT, Simulated, network

COSTS = {8: 1.0, 12: 2.0}
THREE = {8: 1.0, 10: 1.3, 12: 2.0}


def reachable(net: Simulated, share: float, costs: dict[int, float] = COSTS) -> float:
    """Return the cosine of the noise that lies at `share` of the way, in decibels, from the narrowest widths to the widest."""
    ends = [net.noise(at_widths(net.base, net.units, {u.name: bits for u in net.units})) for bits in (min(costs), max(costs))]
    return value_of(ends[0] ** (1 - share) * ends[1] ** share, "cosine_avg")


def search(net: Simulated, share: float | None = 0.5, costs: dict[int, float] = COSTS, **goal: object) -> Tuned:
    if share is not None:
        goal["target"] = reachable(net, share, costs)
    return tune(net, Goal(costs, 12, **goal), report=silent)  # type: ignore[arg-type]


def least_cost(net: Simulated, target: float, costs: dict[int, float]) -> float:
    """Return the cost of the cheapest plan that meets the target, by trying all of them."""
    names = [u.name for u in net.units]
    plans = (dict(zip(names, bits, strict=True)) for bits in itertools.product(costs, repeat=len(names)))
    limit = noise_of(target, "cosine_avg") * (1 + 1e-9)
    own = {(u.name, b): net.weights[u.name] + net.levels[u.name] * 4.0 ** (8 - b) for u in net.units for b in costs}
    return min(relative_cost(net.units, plan, costs) for plan in plans if sum(own[item] for item in plan.items()) <= limit)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("count", "costs"), [(10, COSTS), (6, THREE)], ids=["two widths", "three widths"])
def test_where_noises_add_it_finds_the_cheapest_plan(seed: int, count: int, costs: dict[int, float]) -> None:
    net = network(count, seed)
    for share in (0.1, 0.5, 0.9):
        found = search(net, share, costs)
        assert found.met
        assert found.goal.target is not None
        assert found.chosen.cost <= least_cost(net, found.goal.target, costs) + CLOSE


@pytest.mark.parametrize("seed", range(4))
def test_what_it_says_is_what_a_run_says(seed: int) -> None:
    """Every point of the front was run; the front rises; the chosen plan is on it, or dearer than none that does as well."""
    net = network(30, seed)
    found = search(net)
    assert len(found.front) >= 8
    for point in found.points:
        plan = at_widths(net.base, net.units, point.widths)
        assert net.score(plan) == point.score
        assert plan in net.asked
        assert point.cost == relative_cost(net.units, point.widths, COSTS)
    for a, b in itertools.pairwise(found.front):
        assert a.cost < b.cost
        assert a.value < b.value
    assert not any(p.cost < found.chosen.cost and p.value >= found.chosen.value for p in found.points)
    assert found.goal.target is not None
    assert found.met == (found.chosen.value >= found.goal.target)
    assert found.runs == len(net.asked) - len(found.points)


@pytest.mark.parametrize("seed", range(6))
def test_where_errors_interact_the_target_is_met_by_a_real_run(seed: int) -> None:
    """Pairs that hurt more together than apart: no sum of single noises knows it."""
    net = network(24, seed)
    worst = sorted(net.levels, key=lambda name: -net.levels[name])
    net = replace(net, coupled=tuple(itertools.pairwise(worst[:8])))
    found = search(net, 0.6)
    assert found.met
    assert found.chosen.cost < 2
    cheaper = [
        {**found.chosen.widths, unit.name: 8}
        for unit in found.units
        if found.chosen.widths[unit.name] == 12 and work(unit) > CLOSE * sum(map(work, net.units))
    ]
    limit = noise_of(found.goal.target or 0, "cosine_avg")
    assert all(net.noise(at_widths(net.base, net.units, widths)) > limit for widths in cheaper), "one unit less would have done"


@pytest.mark.parametrize("seed", range(4))
def test_where_luck_decides_there_is_a_front_all_the_same(seed: int) -> None:
    """An output of few values: errors cancel or not, and each plan's noise is off by up to a factor of four."""

    class Lucky(Simulated):
        def noise(self, plan: Plan) -> float:
            drawn = random.Random(f"{seed} {sorted((n, c.feature_bits) for n, c in plan.nodes.items())}").uniform(-1, 1)
            return super().noise(plan) * 4.0**drawn

    net = network(60, seed)
    found = search(Lucky(net.units, net.weights, net.levels), 0.5)
    assert len(found.front) >= 8
    assert found.met
    assert all(a.cost < b.cost and a.value < b.value for a, b in itertools.pairwise(found.front))


def test_the_narrowest_widths_will_do() -> None:
    net = network(12, 0)
    found = search(net, None, target=0.5)
    assert (found.met, found.chosen.cost, set(found.chosen.widths.values())) == (True, 1.0, {8})
    assert found.limit is None


def test_a_target_out_of_reach_of_the_weights() -> None:
    """It says what the best is, that wider features would not do, and whose weights they are."""
    net = network(12, 1)
    found = search(net, None, target=0.99999999)
    assert not found.met
    assert found.limit
    assert found.limit.by == "weights"
    assert found.limit.reachable == max(p.value for p in found.points) == found.chosen.value
    assert found.limit.finest is not None
    assert found.limit.reachable < found.limit.finest < 0.99999999
    names = [name for name, _ in found.limit.units]
    widest = {name: net.weights[name] + net.levels[name] / 256 for name in net.weights}
    assert names == sorted(widest, key=lambda name: -widest[name])[: len(names)]
    assert sum(share for _, share in found.limit.units) <= 1


def test_a_target_out_of_reach_of_the_features() -> None:
    net = network(12, 1)
    found = search(replace(net, weights=dict.fromkeys(net.weights, 0.0)), 1.1)
    assert not found.met
    assert found.limit
    assert (found.limit.by, found.limit.finest is not None and found.limit.finest >= (found.goal.target or 1)) == ("features", True)


def test_a_target_out_of_the_budget() -> None:
    """The best plan within the budget is chosen, never a dearer one."""
    net = network(30, 2)
    found = search(net, 0.95, budget=1.05)
    assert not found.met
    assert found.limit
    assert found.limit.by == "budget"
    assert found.chosen.cost <= 1.05
    assert found.chosen.value == found.limit.reachable == max(p.value for p in found.points if p.cost <= 1.05)


def test_a_budget_alone_buys_the_best() -> None:
    net = network(10, 3)
    found = search(net, None, budget=1.4)
    own = {(u.name, b): net.weights[u.name] + net.levels[u.name] * 4.0 ** (8 - b) for u in net.units for b in COSTS}
    names = [u.name for u in net.units]
    plans = [dict(zip(names, bits, strict=True)) for bits in itertools.product(COSTS, repeat=10)]
    least = min(sum(own[item] for item in plan.items()) for plan in plans if relative_cost(net.units, plan, COSTS) <= 1.4)
    assert found.met
    assert noise_of(found.chosen.value, "cosine_avg") == pytest.approx(least, rel=1e-6)


def test_a_budget_that_buys_nothing() -> None:
    with pytest.raises(UsageError, match=r"a budget of 0.5 buys nothing: everything at 8 bits costs 1"):
        search(network(4, 0), budget=0.5)


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 10, 40, 60, 70, 80])
def test_it_can_be_stopped_anywhere(stop: int) -> None:
    """The best plan so far is one that was run, and meets the target from the moment the widest widths were tried."""
    net = network(24, 4, stop=stop)
    found = search(net)
    assert found.interrupted == (len(net.asked) == stop)
    assert found.met == (stop > 1)
    assert found.chosen in found.points
    if stop > 1:
        assert at_widths(net.base, net.units, found.chosen.widths) in net.asked


def test_stopped_before_anything_is_known() -> None:
    with pytest.raises(Cancelled):
        search(network(24, 4, stop=0))


def test_a_stop_after_more_work_is_never_worse() -> None:
    costs = [search(network(24, 5, stop=stop)).chosen.cost for stop in (3, 52, 60, 70, None)]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0] == 2.0


def test_what_the_configuration_skips_stays_in_float() -> None:
    base = replace(DEFAULT, types={"EltwiseAdd": Choice(skip="skipped by QUANT_OP_SKIP")})
    found = search(network(12, 6, base=base))
    assert {u.name for u in found.units} == {f"n{i}" for i in range(12) if i % 5 != 4} == set(found.chosen.widths)


def test_nothing_to_choose_from() -> None:
    skipped = replace(DEFAULT, default=replace(DEFAULT.default, skip="QUANT_DATASET_PATH is not set"))
    with pytest.raises(UsageError, match="no layer is quantized"):
        search(network(5, 0, base=skipped), None, target=0.9)


def test_a_network_that_cannot_be_judged() -> None:
    class Silent(Simulated):
        def score(self, plan, at=""):  # type: ignore[no-untyped-def]
            return Score()

    net = network(3, 0)
    with pytest.raises(DataError, match="no debug sample gives the outputs"):
        tune(Silent(net.units, net.weights, net.levels), Goal(COSTS, 12, 0.99), report=silent)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tiny_networks_have_a_front_of_all_there_is(count: int) -> None:
    found = search(network(count, 8))
    assert found.met
    assert 2 <= len(found.front) <= 2**count


@pytest.mark.parametrize(("metric", "target"), [("sqnr", 35.0), ("cosine_min", 0.999)])
def test_other_metrics(metric: Metric, target: float) -> None:
    net = network(20, 9)
    found = search(net, None, target=target, metric=metric)
    assert found.met == (found.chosen.value >= target)
    assert found.chosen.value == found.chosen.score.of(metric)
    assert found.met


def test_its_result_crosses_to_other_processes() -> None:
    found = search(network(8, 0))
    assert pickle.loads(pickle.dumps(found)) == found
