"""The values of a bisection: what is looked for, among what, what is asked and what is answered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from ..scoring import METRICS, Unit

Mark = Literal["good", "bad", "skip"]
MARKS: tuple[Mark, ...] = ("good", "bad", "skip")

Phase = Literal["start", "types", "operators", "parts", "check", "again"]

Floats = frozenset[str]
"""Names of the operators that are in float."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a good network is: one whose `metric` reaches `target`; a metric that is no figure of ours is judged by somebody else."""

    metric: str
    target: float | None = None
    at: str = ""

    @property
    def measured(self) -> bool:
        """Whether a number decides."""
        return self.metric in METRICS

    def judge(self, value: float | None) -> Mark:
        """Return the mark of a value of the metric; of one that does not exist nobody can tell."""
        if value is None or self.target is None:
            return "skip"
        return "good" if value >= self.target else "bad"

    def noise(self, value: float | None) -> float | None:
        """Return noise power over signal power at that value, infinite where nothing of the signal is left; None without a number.

        An error that has nothing to do with the signal gives cosine^2 = 1 / (1 + noise).
        """
        if value is None or not self.measured:
            return None
        if self.metric == "sqnr":
            return math.exp(-value * math.log(10) / 10)
        return max(1 / (value * value) - 1, 0.0) if value > 1e-6 else math.inf

    @property
    def budget(self) -> float | None:
        """The noise that the target allows; below zero where not even a float network meets it."""
        if self.target is None or not self.measured:
            return None
        return -1.0 if self.metric != "sqnr" and self.target > 1 else self.noise(self.target)


@dataclass(frozen=True, slots=True)
class Operator:
    """One layer that is integer now; `error` is its noise power over its signal power when it alone is quantized."""

    name: str
    op: str
    error: float = 0.0


@dataclass(frozen=True, slots=True)
class Group:
    """Operators that go into float together: one, a tied group of them, or all of one type.

    `shadow` is the suspicion that falls on it from outside: a layer may do badly because of the levels it is fed with, which are those of
    the layer before it. A `suspect` is what a person wants to be tried first.
    """

    name: str
    members: tuple[Operator, ...]
    shadow: float = 0.0
    suspect: bool = False

    @property
    def suspicion(self) -> float:
        """What the order goes by."""
        return max(self.error, self.shadow)

    @property
    def error(self) -> float:
        return sum(member.error for member in self.members)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.members)


@dataclass(frozen=True)
class Problem:
    """The operators to search, in tied groups in graph order, and the goal."""

    goal: Goal
    groups: tuple[Group, ...]

    @classmethod
    def of(
        cls,
        goal: Goal,
        units: Iterable[Unit],
        errors: Mapping[str, float],
        *,
        ops: Mapping[str, str] | None = None,
        feeders: Mapping[str, Iterable[str]] | None = None,
    ) -> Problem:
        """Return the problem over the layers of `units` that `errors` knows: those that are integer now.

        `ops` gives the operator type of every layer; without it a layer has the type of its unit. `feeders` gives the layers whose
        outputs a layer reads.
        """
        kinds = ops or {}
        groups = []
        for unit in units:
            members = tuple(Operator(n, kinds.get(n, unit.op), errors[n]) for n in unit.nodes if n in errors)
            if members:
                groups.append(Group(unit.name, members))
        return cls(goal, _shadowed(groups, feeders or {}))

    @cached_property
    def operators(self) -> Mapping[str, Operator]:
        """Every operator by name, in graph order of the groups."""
        return {member.name: member for group in self.groups for member in group.members}

    @cached_property
    def types(self) -> Mapping[str, tuple[Group, ...]]:
        """The groups of every operator type; a group has the type of its first operator."""
        table: dict[str, list[Group]] = {}
        for group in self.groups:
            table.setdefault(group.members[0].op, []).append(group)
        return {kind: tuple(groups) for kind, groups in table.items()}

    @cached_property
    def kinds(self) -> Mapping[str, tuple[str, ...]]:
        """The operators of every type by name, whatever they are tied to."""
        table: dict[str, list[str]] = {}
        for name, operator in self.operators.items():
            table.setdefault(operator.op, []).append(name)
        return {kind: tuple(names) for kind, names in table.items()}

    def floats(self, types: Iterable[str], names: Iterable[str]) -> Floats:
        """Return the operators in float: all groups of some types, and some by name."""
        return frozenset((*(name for kind in types for group in self.types[kind] for name in group.names), *names))


SHADOW = 0.1
"""How much of a layer's error falls on those that feed it: enough to stand before healthy layers, not before guilty ones."""


def _shadowed(groups: Iterable[Group], feeders: Mapping[str, Iterable[str]]) -> tuple[Group, ...]:
    groups = tuple(groups)
    home = {member.name: group.name for group in groups for member in group.members}
    shadows: dict[str, float] = {}
    for group in groups:
        for member in group.members:
            for name in feeders.get(member.name, ()):
                feeder = home.get(name, group.name)
                if feeder != group.name:
                    shadows[feeder] = max(shadows.get(feeder, 0.0), SHADOW * member.error)
    return tuple(replace(group, shadow=shadows.get(group.name, 0.0)) for group in groups)


@dataclass(frozen=True, slots=True)
class Question:
    """Is the network good with these operators in float?

    `types` names the operator types that makes, while types are searched. `left` of the `phase` are undecided, about `steps` questions
    will decide them. `without` is the member of the found set that is integer again, while the set is checked. `coming` are the sets that
    will be asked next unless an answer changes that: who can may judge them side by side.
    """

    floats: Floats
    phase: Phase
    left: int
    steps: int
    types: tuple[str, ...] = ()
    without: str = ""
    coming: tuple[Floats, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A mark, and the number behind it if there is one; `note` is what a program said."""

    mark: Mark
    value: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One answered question."""

    floats: Floats
    answer: Answer
    types: tuple[str, ...] = ()
