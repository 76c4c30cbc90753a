"""Allocation of widths: a multiple-choice knapsack, solved exactly.

Every unit takes one of its options; costs add, noises add. Merging unit by unit, and dropping what another point beats in both, leaves
every plan that is the cheapest for some noise (Nemhauser and Ullmann, 1969). The front has a few thousand points for a hundred units:
numpy merges it in well under a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MOST = 1 << 16
"""Points that are kept; of a longer front (some 400 units) evenly many, and it is no longer exact."""

SAME = 1e-12
"""Noises that differ by less, relatively, differ by rounding."""


@dataclass(frozen=True, slots=True)
class Option:
    """One width of one unit: what it costs, and the noise power it adds at the output."""

    bits: int
    cost: float
    noise: float


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """The cheapest plans: `costs` ascend, `noises` fall, strictly. `exact` is False when the front was thinned."""

    costs: npt.NDArray[np.float64]
    noises: npt.NDArray[np.float64]
    exact: bool
    options: tuple[tuple[Option, ...], ...]
    steps: tuple[tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]], ...]

    def __len__(self) -> int:
        return len(self.costs)

    def bits(self, index: int) -> tuple[int, ...]:
        """Return the width of every unit at one point, in the order the options were given."""
        found = []
        for (parents, choices), options in zip(reversed(self.steps), reversed(self.options), strict=True):
            found.append(options[choices[index]].bits)
            index = int(parents[index])
        return tuple(reversed(found))


def cheapest(options: Sequence[Sequence[Option]], most: int = MOST) -> Front:
    """Return the front of all ways to take one option of each unit. Every unit needs an option, every number is finite."""
    costs, noises, exact = np.zeros(1), np.zeros(1), True
    steps = []
    for each in options:
        size = len(costs)
        every_cost = np.concatenate([costs + o.cost for o in each])
        every_noise = np.concatenate([noises + o.noise for o in each])
        kept = _undominated(every_cost, every_noise)
        if len(kept) > most:
            kept, exact = kept[np.linspace(0, len(kept) - 1, most).round().astype(np.int64)], False
        costs, noises = every_cost[kept], every_noise[kept]
        steps.append(((kept % size).astype(np.int32), (kept // size).astype(np.int16)))
    return Front(costs, noises, exact, tuple(map(tuple, options)), tuple(steps))


def _undominated(costs: npt.NDArray[np.float64], noises: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the indices of the points that no other beats, by ascending cost."""
    order = np.lexsort((noises, costs))
    sorted_noises = noises[order]
    least = np.minimum.accumulate(sorted_noises)
    better = np.ones(len(order), bool)
    better[1:] = sorted_noises[1:] < least[:-1] * (1 - SAME)
    return np.asarray(order[better], np.int64)
