"""Mixed widths: the cheapest width of every unit that meets a target.

The noise of each unit alone, at each width, seeds an exact allocation; real runs verify it and place the front; what they leave to gain, or
have to mend where errors do not add up, is done greedily, each step by a real run. The best plan so far stands at every moment.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import Cancelled, UsageError
from ..events import Log, Progress, Report
from ..plan import Plan
from .allocation import Front, Option, cheapest
from .costs import relative_cost, work
from .fronts import between, guess, last_within, spread, widest_gap
from .noise import noise, noise_of, value_of
from .scoring import Evaluator, Score, Unit, figure
from .sensitivity import alone_scores, require
from .trials import at_widths, skipped, width_of
from .tuning import Goal, Limit, Point, Tuned, affordable, meets, rank, undominated

STAGE = "Tune"
POINTS, FEWEST, MORE = 12, 8, 48
"""Places of the predicted front that are run; points the measured front should have; runs that may be added to get them."""
SHARES = (1.0, 0.9, 0.8)
"""Parts of a budget that are tried: errors do not quite add up, and the dearest plan need not be the best."""
BRACKETING = 12
"""Runs that look for the target between two points of the front."""
CLOSE = 1e-3
"""Plans nearer in cost than this share of 8 bits everywhere need not be told apart."""
STEPS = 24
"""Greedy steps that are tried, or one for every unit where there are more."""
HOPE = 1.5
"""A step is tried while the noise it is expected to add is below this much of what is left to the target."""
WORST = 5
"""Units that are named where the target is out of reach."""
FINEST = 16
"""Feature bits that the engine simulates at most."""

Widths = tuple[int, ...]


def tune(evaluator: Evaluator, goal: Goal, *, report: Report) -> Tuned:
    """Return the best plan found, and the front around it.

    When `report` raises Cancelled, what is known by then is returned; before anything is known, it passes through. UsageError when no unit
    is integer or the budget is too small for anything, DataError when the base plan has no figure.
    """
    units = tuple(u for u in evaluator.units if not skipped(evaluator.base, u))
    if not units:
        raise UsageError("no layer is quantized: there is no width to choose", hint="QUANT_DATASET_PATH names the calibration set")
    search = _Search(evaluator, goal, units, report)
    try:
        search.start()
        search.run()
    except Cancelled:
        if not search.best:
            raise
        return search.result(interrupted=True)
    return search.result(interrupted=False)


@dataclass(slots=True)
class _Search:
    """What is known while the search goes on. Plans are tuples of widths, in the order of `units`."""

    evaluator: Evaluator
    goal: Goal
    units: tuple[Unit, ...]
    report: Report
    base: Score = field(default_factory=Score)
    points: dict[Widths, Point] = field(default_factory=dict)
    noises: dict[str, dict[int, float]] = field(default_factory=dict)
    front: Front | None = None
    places: dict[int, Widths] = field(default_factory=dict)
    limit: Limit | None = None
    best: Widths = ()
    runs: int = 0

    def start(self) -> None:
        """Run the plans that bound all others, before which nothing can be said."""
        costs, count = self.goal.costs, len(self.units)
        low, high = min(costs, key=lambda b: (costs[b], -b)), max(costs)
        least = self._cost((low,) * count)
        if self.goal.budget is not None and least > self.goal.budget * (1 + 1e-9):
            raise UsageError(f"a budget of {self.goal.budget:g} buys nothing: everything at {low} bits costs {least:g}")
        self.base = self._score(self.evaluator.base)
        require(self.base, self.goal.metric, self.goal.at)
        asked = tuple(width_of(self.evaluator.base, u) for u in self.units)
        if set(asked) <= set(costs):
            self._keep(asked, self.base)
        self.measure([(low,) * count, (high,) * count])

    def run(self) -> None:
        """Measure every unit alone, then place the front, find the target on it, go on from there greedily."""
        goal, widths = self.goal, tuple(self.goal.costs)
        for name, bits, score in alone_scores(self.evaluator, self.units, widths, goal.finest, report=self.report, at=goal.at):
            self.noises.setdefault(name, {})[bits] = noise(score, goal.metric)
            self.runs += 1
        self.front = front = cheapest([self._options(u) for u in self.units])
        self._place(front, spread(front, POINTS))
        if goal.budget is not None:
            least, room = front.costs[0], goal.budget * self._whole() - front.costs[0]
            self._place(front, [last_within(front, least + room * share) for share in SHARES])
        if goal.target is not None:
            target = noise_of(goal.target, goal.metric)
            self._bracket(front, target)
            self._descend(target)
        self._fill(front)
        if goal.target is not None and not meets(self.points[self.best], goal):
            self.limit = self._limit(goal.target)
        self.report(Progress(STAGE, len(self.points), len(self.points)))

    def result(self, *, interrupted: bool) -> Tuned:
        """Return what is known."""
        chosen = self.points[self.best]
        return Tuned(
            self.goal,
            self.units,
            self.base,
            chosen,
            meets(chosen, self.goal),
            tuple(self.points.values()),
            self.runs,
            {name: dict(table) for name, table in self.noises.items()},
            self.limit,
            self.front is None or self.front.exact,
            interrupted,
        )

    def measure(self, asked: Iterable[Widths]) -> None:
        """Run the plans that were not run yet; each counts as soon as its score is there."""
        fresh = list(dict.fromkeys(bits for bits in asked if bits not in self.points))
        plans = (at_widths(self.evaluator.base, self.units, self._named(bits)) for bits in fresh)
        for bits, score in zip(fresh, self.evaluator.scores(plans, self.goal.at), strict=True):
            self.runs += 1
            self._keep(bits, score)

    def _score(self, plan: Plan) -> Score:
        self.runs += 1
        return self.evaluator.score(plan, self.goal.at)

    def _keep(self, bits: Widths, score: Score) -> None:
        value = score.of(self.goal.metric)
        predicted = value_of(self._predicted(bits), self.goal.metric) if self.front else None
        self.points[bits] = Point(self._named(bits), self._cost(bits), score, float("-inf") if value is None else value, predicted)
        if not self.best or rank(self.points[bits], self.goal) > rank(self.points[self.best], self.goal):
            self.best = bits
            point = self.points[bits]
            self.report(
                Log(
                    f"best so far: {self.goal.metric} {figure(point.value, self.goal.metric, self.goal.target)} at {point.cost:.4f} "
                    "times the cost of 8 bits",
                    source="tune",
                )
            )
        if self.front:
            self.report(Progress(STAGE, len(self.points), max(len(self.points) + 1, POINTS + BRACKETING + STEPS)))

    def _place(self, front: Front, indices: Sequence[int]) -> None:
        self.places |= {i: front.bits(i) for i in indices}
        self.measure(self.places[i] for i in indices)

    def _bracket(self, front: Front, target: float) -> None:
        """Look for the cheapest point of the front that meets the target, between the nearest two that were run."""
        for run in range(BRACKETING):
            noises = {i: self._noise(bits) for i, bits in self.places.items()}
            high = min((i for i, power in noises.items() if power <= target), default=None)
            low = max((i for i in noises if high is not None and i < high), default=None)
            if high is None or low is None or high - low < 2 or front.costs[high] - front.costs[low] < CLOSE * self._whole():
                return
            halve = run % 3 == 2  # where errors do not add up, one end would move by little steps for ever
            self._place(front, [(low + high) // 2 if halve else guess(front, (low, high), (noises[low], noises[high]), target)])

    def _descend(self, target: float) -> None:
        """Take bits away from one unit after another while the target is met: the dearest first, of those that can be expected to hold."""
        tried: set[Widths] = set()
        for _ in range(max(STEPS, len(self.units))):
            if not meets(self.points[self.best], self.goal):
                return
            step = self._step(target, tried)
            if step is None:
                return
            tried.add(step)
            self.measure([step])

    def _step(self, target: float, tried: set[Widths]) -> Widths | None:
        """Return the cheapest plan not tried that differs from the best in one unit and may hold, None when there is none."""
        power = self._noise(self.best)
        growth = power / max(self._predicted(self.best), 1e-30)
        found: list[tuple[float, float, Widths]] = []
        for index, (unit, here) in enumerate(zip(self.units, self.best, strict=True)):
            table = self.noises[unit.name]
            for bits in (b for b, cost in self.goal.costs.items() if cost < self.goal.costs[here]):
                plan, added = (*self.best[:index], bits, *self.best[index + 1 :]), (table[bits] - table[here]) * growth
                if plan not in tried and plan not in self.points and added <= HOPE * (target - power):
                    found.append((self._cost(plan), added, plan))
        return min(found)[2] if found else None

    def _fill(self, front: Front) -> None:
        """Run more points of the front until enough of them are beaten by no other.

        Most lie in the widest gap between two that are not beaten, in cost and figure: where errors cancel, a cheap plan may beat most
        dearer ones, and points elsewhere would seldom count. Every third lies where fewest were run, since luck may be there too.
        """
        for run in range(MORE):
            unbeaten = undominated(tuple(self.points.values()))
            if len(unbeaten) >= FEWEST:
                return
            pairs = sorted(itertools.pairwise(unbeaten), key=lambda pair: -self._apart(*pair))
            middles = (between(front, a.cost * self._whole(), b.cost * self._whole(), self.places) for a, b in pairs)
            index = next((i for i in middles if i is not None), None) if run % 3 < 2 else None
            index = widest_gap(front, self.places) if index is None else index
            if index is None:
                return
            self._place(front, [index])

    def _apart(self, a: Point, b: Point) -> float:
        """Return how far two points are apart: cost and the logarithm of noise, over the ranges of all."""
        costs = [p.cost for p in self.points.values()]
        logs = {p.value: math.log(max(noise(p.score, self.goal.metric), 1e-30)) for p in self.points.values()}
        span = (max(costs) - min(costs) or 1.0, max(logs.values()) - min(logs.values()) or 1.0)
        return math.hypot((b.cost - a.cost) / span[0], (logs[b.value] - logs[a.value]) / span[1])

    def _limit(self, target: float) -> Limit:
        """Find out what keeps the target out of reach."""
        goal = self.goal
        if any(p.value >= target for p in self.points.values()):
            return Limit(max(p.value for p in self.points.values() if affordable(p, goal)), None, "budget")
        reachable = max(p.value for p in self.points.values())
        finest = dict.fromkeys((u.name for u in self.units), FINEST)
        value = self._score(at_widths(self.evaluator.base, self.units, finest)).of(goal.metric)
        widest = {name: table[max(table)] for name, table in self.noises.items()}
        whole = sum(widest.values()) or 1.0
        worst = sorted(widest, key=lambda name: -widest[name])[:WORST]
        by = "features" if value is not None and value >= target else "weights"
        return Limit(reachable, value, by, tuple((name, widest[name] / whole) for name in worst))

    def _options(self, unit: Unit) -> list[Option]:
        return [Option(bits, work(unit) * cost, self.noises[unit.name][bits]) for bits, cost in self.goal.costs.items()]

    def _predicted(self, bits: Widths) -> float:
        return sum(self.noises[u.name][b] for u, b in zip(self.units, bits, strict=True))

    def _noise(self, bits: Widths) -> float:
        return noise(self.points[bits].score, self.goal.metric)

    def _named(self, bits: Widths) -> dict[str, int]:
        return {u.name: b for u, b in zip(self.units, bits, strict=True)}

    def _cost(self, bits: Widths) -> float:
        return relative_cost(self.units, self._named(bits), self.goal.costs)

    def _whole(self) -> float:
        return float(sum(map(work, self.units)))
