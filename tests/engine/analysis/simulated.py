"""An evaluator that is a formula: every unit has noise of its weights and of its levels, and noises add, or very nearly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.analysis.noise import value_of
from engine.analysis.scoring import Score, Unit
from engine.plan import Choice, Plan

DEFAULT = Plan(Choice(8, 8, None, "MAX_ABS", skip=""))


@dataclass
class Simulated:
    """Per unit a noise power of its weights, and one of its levels at 8 bits that falls by 6.02 dB a bit.

    `coupled` pairs of units add as much again as they have together when both are at 8 bits or fewer. `asked` counts plans.
    """

    units: tuple[Unit, ...]
    weights: Mapping[str, float]
    levels: Mapping[str, float]
    base: Plan = DEFAULT
    coupled: tuple[tuple[str, str], ...] = ()
    asked: list[Plan] = field(default_factory=list)
    stop: int | None = None

    def noise(self, plan: Plan) -> float:
        """Return the noise power at the output."""
        parts: dict[str, float] = {}
        choices = plan.resolve((name, u.op) for u in self.units for name in u.nodes).choices
        for unit in self.units:
            choice = choices[unit.name]
            if not choice.skip:
                parts[unit.name] = self.weights[unit.name] + self.levels[unit.name] * 4.0 ** (8 - (choice.feature_bits or 8))
        tied = sum(
            parts.get(a, 0.0) + parts.get(b, 0.0) for a, b in self.coupled if all((choices[n].feature_bits or 8) <= 8 for n in (a, b))
        )
        return sum(parts.values()) + tied

    def score(self, plan: Plan, at: str = "") -> Score:
        if self.stop is not None and len(self.asked) >= self.stop:
            from engine.errors import Cancelled

            raise Cancelled
        self.asked.append(plan)
        power = self.noise(plan)
        return Score(value_of(power, "cosine_avg"), value_of(2 * power, "cosine_avg"), -10 * math.log10(max(power, 1e-99)))

    def scores(self, plans: Iterable[Plan], at: str = "") -> Iterator[Score]:
        return (self.score(plan, at) for plan in plans)

    def local_errors(self) -> Mapping[str, float]:
        return {u.name: self.weights[u.name] + self.levels[u.name] for u in self.units}


def network(count: int, seed: int, **changes: object) -> Simulated:
    """Return a network of `count` units with random work and noise, spread over orders of magnitude; every fifth moves values only."""
    random = np.random.default_rng(seed)
    units = tuple(
        Unit(f"n{i}", "EltwiseAdd" if i % 5 == 4 else "Conv2D", (f"n{i}", f"p{i}") if i % 7 == 3 else (f"n{i}",), macs, 1000)
        for i, macs in enumerate(0 if i % 5 == 4 else int(10 ** random.uniform(4, 7)) for i in range(count))
    )
    levels = {u.name: float(10 ** random.uniform(-6, -3)) for u in units}
    weights = {u.name: levels[u.name] * float(random.uniform(0.001, 0.1)) for u in units}
    return Simulated(units, weights, levels, **changes)  # type: ignore[arg-type]
