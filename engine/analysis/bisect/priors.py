"""What a person holds of operators before they are tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from .problem import Group, Problem

Prior = Literal["good", "suspect", "untested"]
PRIORS: tuple[Prior, ...] = ("good", "suspect", "untested")


@dataclass(frozen=True, slots=True)
class Priors:
    """Operator types and nodes that are held to be "good" (they stay quantized, untried) or "suspect" (they are tried first).

    What is said of a node wins over what is said of its type; "untested" takes a node out of that.
    """

    types: Mapping[str, Prior] = field(default_factory=dict)
    nodes: Mapping[str, Prior] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.types or self.nodes)

    def marked(self, prior: Prior, problem: Problem, *, types: tuple[str, ...] = (), nodes: tuple[str, ...] = ()) -> Priors:
        """Return these with some types and nodes marked; what is said of a type replaces what was said of its nodes."""
        kinds, names = dict(self.types), dict(self.nodes)
        for kind in types:
            kinds[kind] = prior
            for name in problem.kinds[kind]:
                names.pop(name, None)
        for name in nodes:
            names[name] = prior
            if prior == "untested" and kinds.get(problem.operators[name].op, prior) == prior:
                del names[name]
        return Priors({kind: each for kind, each in kinds.items() if each != "untested"}, names)

    def of(self, problem: Problem) -> dict[str, Prior]:
        """Return what is held of each operator of a problem; those of which nothing is held are left out."""
        held: dict[str, Prior] = {}
        for kind, prior in self.types.items():
            held |= dict.fromkeys(problem.kinds[kind], prior)
        held |= self.nodes
        return {name: prior for name, prior in held.items() if prior != "untested"}


NOTHING_HELD = Priors()


def narrowed(problem: Problem, priors: Priors) -> Problem:
    """Return the problem without the operators that are held to be good, and with the suspects at the head of its order."""
    if not priors:
        return problem
    held = priors.of(problem)
    top = 1.0 + sum(group.suspicion for group in problem.groups)
    groups: list[Group] = []
    for group in problem.groups:
        members = tuple(member for member in group.members if held.get(member.name) != "good")
        suspect = any(held.get(member.name) == "suspect" for member in members)
        if members:
            groups.append(replace(group, members=members, shadow=top if suspect else group.shadow, suspect=suspect))
    return Problem(problem.goal, tuple(groups))
