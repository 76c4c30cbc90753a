"""Values of the search for widths: what is asked for, what was measured, what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .scoring import Metric, Score, Unit


@dataclass(frozen=True, slots=True)
class Goal:
    """What a plan has to reach: a `metric` of at least `target` at the outputs, or at the layer `at`, for a cost of at most `budget`.

    Without a target the best that the budget buys is looked for. `costs` are the widths to choose from with their relative costs,
    `finest` is the widest width of the chip.
    """

    costs: Mapping[int, float]
    finest: int
    target: float | None = None
    budget: float | None = None
    metric: Metric = "cosine_avg"
    at: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One plan that was run: the width of every unit, what it costs, how it does; `value` is the figure of the goal's metric.

    `predicted` is the figure the sum of single noises led to expect, None before there were any.
    """

    widths: Mapping[str, int]
    cost: float
    score: Score
    value: float
    predicted: float | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """Why a target was not reached.

    `by` is "budget" when a dearer plan reaches it, and `reachable` the best figure within it; else `reachable` is the best of all, and
    `by` is "features" when only features of 16 bits, more than any chip has, do; else "weights".
    `finest` is the figure with those 16 bits, None where it was not asked for. `units` are those with the most noise at their widest,
    (name, share of the sum), the worst first.
    """

    reachable: float
    finest: float | None
    by: str
    units: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Tuned:
    """The result of a search. `chosen` is the best of all `points`: the cheapest that meets the goal, else the best within the budget.

    `met` tells which, `runs` counts the plans that were scored. `front` has the points that no other beats, by ascending cost. `noises`
    are those of each unit alone, by width. `exact` is False where the allocation had to be thinned, `interrupted` says that somebody
    stopped the search before its end.
    """

    goal: Goal
    units: tuple[Unit, ...]
    base: Score
    chosen: Point
    met: bool
    points: tuple[Point, ...]
    runs: int = 0
    noises: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    limit: Limit | None = None
    exact: bool = True
    interrupted: bool = False

    @property
    def front(self) -> tuple[Point, ...]:
        return undominated(self.points)


def meets(point: Point, goal: Goal) -> bool:
    """Tell whether a plan reaches the target within the budget; without a target, whether it keeps to the budget."""
    return affordable(point, goal) and (goal.target is None or point.value >= goal.target)


def affordable(point: Point, goal: Goal) -> bool:
    """Tell whether a plan keeps to the budget."""
    return goal.budget is None or point.cost <= goal.budget * (1 + 1e-9)


def rank(point: Point, goal: Goal) -> tuple[float, ...]:
    """Return what makes one plan better than another: larger is better.

    Within the budget before beyond it; then meeting the target; of those the cheaper, of the others the better one.
    """
    if not affordable(point, goal):
        return 0.0, 0.0, -point.cost
    if goal.target is not None and point.value >= goal.target:
        return 1.0, 1.0, -point.cost, point.value
    return 1.0, 0.0, point.value, -point.cost


def undominated(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Return the points that no other beats in both cost and figure, by ascending cost."""
    found: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.value)):
        if not found or point.value > found[-1].value:
            found.append(point)
    return tuple(found)
