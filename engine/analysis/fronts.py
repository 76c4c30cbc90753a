"""Places on a predicted front: evenly spread, by noise, by cost, in the widest gap."""

from __future__ import annotations

import itertools
from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from .allocation import Front

Floats = npt.NDArray[np.float64]


def _along(front: Front) -> Floats:
    """Return how far along the front each point is, 0 to 1: cost and the logarithm of noise count the same over their ranges."""
    costs, logs = front.costs, np.log(np.maximum(front.noises, 1e-30))
    steps = np.hypot(np.diff(costs) / (np.ptp(costs) or 1.0), np.diff(logs) / (np.ptp(logs) or 1.0))
    far = np.concatenate([[0.0], np.cumsum(steps)])
    return np.asarray(far / (far[-1] or 1.0))


def spread(front: Front, count: int) -> list[int]:
    """Return up to `count` indices evenly along the front, both ends among them."""
    along = _along(front)
    near = [int(np.abs(along - place).argmin()) for place in np.linspace(0.0, 1.0, count)]
    return list(dict.fromkeys(near))


def guess(front: Front, between: tuple[int, int], noises: tuple[float, float], target: float) -> int:
    """Return the index strictly between two where the noise should be `target`, given the noises measured at both.

    What the sums predict is bent so that it fits at both ends: linearly in the logarithms.
    """
    low, high = between
    predicted = np.log(np.maximum(front.noises[low : high + 1], 1e-30))
    first, last = (float(np.log(max(power, 1e-30))) for power in noises)
    run = float(predicted[-1] - predicted[0]) or -1.0
    bent = first + (predicted - predicted[0]) / run * (last - first)
    reached = np.flatnonzero(bent <= np.log(max(target, 1e-30)))
    index = low + (int(reached[0]) if len(reached) else high - low)
    return min(max(index, low + 1), high - 1)


def last_within(front: Front, cost: float) -> int:
    """Return the index of the dearest point that costs at most `cost`, or 0."""
    return max(0, int(np.searchsorted(front.costs, cost * (1 + 1e-9), side="right")) - 1)


def widest_gap(front: Front, places: Collection[int]) -> int | None:
    """Return the index in the middle of the widest stretch between two of `places`, None where there is nothing between any."""
    along = _along(front)
    gaps = [(float(along[b] - along[a]), a, b) for a, b in itertools.pairwise(sorted(places)) if b - a > 1]
    if not gaps:
        return None
    _, low, high = max(gaps)
    middle = int(np.abs(along - (along[low] + along[high]) / 2).argmin())
    return min(max(middle, low + 1), high - 1)


def between(front: Front, low: float, high: float, places: Collection[int]) -> int | None:
    """Return the index in the middle of the points that cost more than `low` and less than `high` and are not in `places`, if any."""
    inside = np.flatnonzero((front.costs > low * (1 + 1e-9)) & (front.costs < high * (1 - 1e-9)))
    free = inside[~np.isin(inside, list(places))]
    if not len(free):
        return None
    along = _along(front)[free]
    return int(free[np.abs(along - (along[0] + along[-1]) / 2).argmin()])
