"""What a search asks for and gets: plans in, scores out.

The algorithms of this room (bisection, sensitivity, allocation, diagnosis) know no network, no samples and no processes: they hand plans to
an `Evaluator` and read scores. The engine's evaluator re-runs only what a plan changes; a test's may be a formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from ..plan import Plan

Metric = Literal["cosine_avg", "cosine_min", "sqnr"]

METRICS: tuple[Metric, ...] = ("cosine_avg", "cosine_min", "sqnr")


@dataclass(frozen=True, slots=True)
class Score:
    """How a quantized network does at one place, against the float one, over the debug samples.

    `cosine_avg` and `cosine_min` are in [-1, 1], `sqnr_db` in dB; None where no sample has the figure. Of several outputs it is the worst.
    """

    cosine_avg: float | None = None
    cosine_min: float | None = None
    sqnr_db: float | None = None

    def of(self, metric: Metric) -> float | None:
        """Return one figure; larger is better for each of them."""
        return self.sqnr_db if metric == "sqnr" else self.cosine_avg if metric == "cosine_avg" else self.cosine_min


def score_key(metric: str) -> str:
    """Return the key under which a document has the figure of a metric."""
    return "sqnr_db" if metric == "sqnr" else metric


MOST_DIGITS = 12


def figure(value: float, metric: str, target: float | None = None, digits: int = 5) -> str:
    """Return a figure as tables have it: dB with two digits, a cosine with `digits`, what a command said as short as it goes.

    Given a target the text is on the same side of it as the value: 0.999996 is no 1.00000 where 1 is wanted. It gets more digits for that.
    """
    if metric != "sqnr" and not metric.startswith("cosine"):
        return f"{value:g}"
    texts = [f"{value:.{count}f}" for count in range(2 if metric == "sqnr" else digits, MOST_DIGITS + 1)]
    told = next((text for text in texts if target is None or (float(text) >= target) == (value >= target)), texts[-1])
    return f"{told} dB" if metric == "sqnr" else told


@dataclass(frozen=True, slots=True)
class Unit:
    """Layers that move together: one with a range of its own, `name`, and those that keep the levels it makes.

    `op` is the operator type of `name`, `nodes` all of its layers in graph order, `macs` their multiply-accumulates for one picture and
    `values` the number of values `name` makes of it.
    """

    name: str
    op: str
    nodes: tuple[str, ...]
    macs: int = 0
    values: int = 0


class Evaluator(Protocol):
    """Tells how plans do. Plans are whole: what they say is all that holds."""

    @property
    def base(self) -> Plan:
        """The plan that the project's configuration asks for."""

    @property
    def units(self) -> tuple[Unit, ...]:
        """Every unit that can be integer, in graph order."""

    def score(self, plan: Plan, at: str = "") -> Score:
        """Return the score of a plan at the network's outputs, or at the layer `at`; what `report` raises passes through."""

    def scores(self, plans: Iterable[Plan], at: str = "") -> Iterator[Score]:
        """Yield the score of each plan, in order; they may be computed side by side."""

    def local_errors(self) -> Mapping[str, float]:
        """Return, per layer that is integer under the base plan, its noise power over its signal power when it alone is quantized.

        One pass over the samples: each layer is fed with float values.
        """
