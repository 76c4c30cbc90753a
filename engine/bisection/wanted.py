"""What the user wants to know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..analysis.bisect import Goal, Heading
from ..analysis.scoring import METRICS
from ..errors import UsageError
from .byhand import NOTHING, ByHand

DEFAULTS: Mapping[str, float] = {"cosine_avg": 0.99, "cosine_min": 0.99, "sqnr": 20.0}
"""The target of each metric where none is given: the guide's threshold, and about the same in dB."""

TIMEOUT = 600.0
"""Seconds a program has to judge one step."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of a bisection; None leaves one to the log that is replayed, or to the default.

    `metric` is one of `METRICS` or the command line of a program, `at` a node, `timeout` in seconds. `fresh` forgets what an earlier
    run answered, `replay` is a log to take the answers from, `text` one that is no file. `hand` is what a person does before the search
    goes on, `steps` the networks judged at most before it pauses.
    """

    metric: str | None = None
    target: float | None = None
    at: str | None = None
    timeout: float = TIMEOUT
    fresh: bool = False
    replay: Path | None = None
    text: str | None = None
    hand: ByHand = NOTHING
    steps: int | None = None

    @property
    def pauses(self) -> bool:
        """Whether the search is to be taken up where it stands, even at its end."""
        return self.steps is not None or bool(self.hand)

    def goal(self, heading: Heading | None = None) -> Goal:
        """Return the goal, that of a log where nothing else is given; UsageError where it makes no sense or is not that of the log."""
        given = heading.goal if heading else None
        for name in ("metric", "target", "at") if given else ():
            mine, logged = getattr(self, name), getattr(given, name)
            if mine is not None and mine != logged:
                hint = f"leave --{name} out, or --replay"
                raise UsageError(f"{mine!r} is not what the log was made for, which is {logged!r}", where=f"--{name}", hint=hint)
        goal = given or Goal(self.metric or METRICS[0], self.target, self.at or "")
        if not goal.measured:
            self._check_command(goal)
            return goal
        target = DEFAULTS[goal.metric] if goal.target is None else goal.target
        if not math.isfinite(target):
            raise UsageError(f"expected a number, got {target}", where="--target")
        return replace(goal, target=target)

    def _check_command(self, goal: Goal) -> None:
        if goal.target is not None:
            raise UsageError("a program judges by itself, without a target", where="--target", hint=f"or --metric {', '.join(METRICS)}")
        if goal.at:
            raise UsageError("a program judges the network's outputs", where="--at", hint=f"or --metric {', '.join(METRICS)}")
