"""What a search for widths shall reach, as it is typed in one line: a target, and behind it words as `budget=1.3 bits=8,10`. Pure."""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from magik_tui.core.hunt import METRICS

WORDS = ("budget", "bits", "metric", "at")
EXAMPLE = "0.995 budget=1.3 bits=8,12 metric=cosine_min at=NODE"
HERE = "."  # at=. is the layer under the cursor


@dataclass(frozen=True, slots=True)
class Place:
    """What a line is read with: the layer under the cursor, the layers and the legal widths, as far as they are known."""

    here: str = ""
    layers: Collection[str] = field(default=())
    widths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted; None and empty leave it to the engine. `trouble` says why a line makes no sense, "" where it does."""

    target: float | None = None
    budget: float | None = None
    bits: tuple[int, ...] = ()
    metric: str = METRICS[0]
    at: str = ""
    trouble: str = ""

    def fields(self) -> dict[str, Any]:
        """Return the fields of the request."""
        asked = {"target": self.target, "budget": self.budget, "bits": list(self.bits) or None, "at": self.at or None}
        return {**{k: v for k, v in asked.items() if v is not None}, **({"metric": self.metric} if self.metric != METRICS[0] else {})}

    def options(self) -> tuple[str, ...]:
        """Return the options of the command line that ask for the same."""
        said: list[str] = []
        for key, value in self.fields().items():
            text = ",".join(map(str, value)) if key == "bits" else f"{value:.12g}" if isinstance(value, float) else value
            said += (f"--{key}", text)
        return tuple(said)


def goal_of(text: str, place: Place) -> Goal:
    """Return what a line asks for."""
    try:
        words = shlex.split(text)
    except ValueError:
        return Goal(trouble="a quotation mark is not closed")
    goal, seen = Goal(), set()
    figures: list[str] = []
    for word in words:
        key, sign, value = word.partition("=")
        key = key if sign else "target"
        value = value if sign else word
        if key in seen:
            return Goal(trouble=f"{key} is said twice, at {word!r}")
        seen.add(key)
        if key == "target":
            figures.append(value)
            continue
        goal = _with(goal, key, value, place)
        if goal.trouble:
            return goal
    if not figures and goal.budget is None:
        return Goal(trouble=f"there is no target: {_legal(goal.metric)} is expected, as in {EXAMPLE}")
    return _aimed(goal, figures[0]) if figures else goal


def _aimed(goal: Goal, text: str) -> Goal:
    """Return a goal with its target; what one may be depends on the metric, which may be named behind it."""
    value = _number(text)
    if value is None or not (goal.metric == "sqnr" or 0 < value <= 1):
        return Goal(trouble=f"{text!r} is no target: {_legal(goal.metric)} is expected, as in {EXAMPLE}")
    return replace(goal, target=value)


def _legal(metric: str) -> str:
    return "a number of dB" if metric == "sqnr" else "a cosine above 0 and at most 1"


def _with(goal: Goal, key: str, value: str, place: Place) -> Goal:
    """Return a goal with what one word says."""
    match key:
        case "budget":
            budget = _number(value)
            if budget is None or budget <= 0:
                return Goal(trouble=f"{value!r} is no budget: a number above 0 is expected, 1 is everything at 8 bits")
            return replace(goal, budget=budget)
        case "bits":
            return _of_widths(goal, value, place.widths)
        case "metric":
            if value not in METRICS:
                return Goal(trouble=f"{value!r} is no metric: {', '.join(METRICS)} are")
            return replace(goal, metric=value)
        case "at":
            name = place.here if value == HERE and HERE not in place.layers else value
            if not name or (place.layers and name not in place.layers):
                return Goal(trouble=f"there is no layer {value!r}; at={HERE} is the one under the cursor")
            return replace(goal, at=name)
    return Goal(trouble=f"{key!r} means nothing here: a target, then {', '.join(f'{word}=' for word in WORDS)} are understood")


def _of_widths(goal: Goal, value: str, legal: tuple[int, ...]) -> Goal:
    try:
        bits = tuple(sorted({int(part) for part in value.split(",")}))
    except ValueError:
        return Goal(trouble=f"{value!r} are no widths: numbers of bits are expected, as in 8,10,12")
    wrong = [width for width in bits if legal and width not in legal]
    return Goal(trouble=f"no {wrong[0]} bits here: {', '.join(map(str, legal))} are legal") if wrong else replace(goal, bits=bits)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
