"""Which set to judge next: a generator that yields questions, is sent answers and returns what it found.

It is a function of the problem and the answers alone, so a recorded list of answers replays it. The order is that of one local-error pass.

Layers that feed a guilty one come soon after it: what it does badly may be their levels.

    start      the network as it is: bad, or there is nothing to find
    types      operator types, worst first, until the network is good with them in float
    operators  the groups of those types in the same way; then the good set shrinks from its least suspicious end
    parts      the layers of a tied group one by one
    check      each member integer again while the others are float: every answer has to be "bad"
    again      where errors may cancel: members are picked one by one, each time the one that scores best, to see whether fewer do

Growing gallops: the first set is the one that should suffice if errors added up like noise powers (or the suspects, where a person
named any), later ones double. Shrinking is
QuickXplain (Junker, AAAI 2004) with pieces that gallop in place of halves: a piece that is not needed doubles the next, one that is
needed halves it, so a run of innocents costs a logarithm and neighbouring culprits one question each.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from .guess import cut, enough
from .mind import Mind
from .problem import Answer, Floats, Group, Phase, Problem, Question


@dataclass(frozen=True, slots=True)
class Culprit:
    """One member of the found set: the answer with it integer and the other members float, and where it was not "bad", that."""

    name: str
    op: str
    error: float
    without: Answer


@dataclass(frozen=True, slots=True)
class Found:
    """The end of a search. `culprits` is empty for a network that is good as it is.

    `minimal`: each member integer again made the network bad. `interacting`: answers contradicted each other.
    """

    culprits: tuple[Culprit, ...]
    types: tuple[str, ...]
    baseline: Answer
    healed: Answer
    minimal: bool
    interacting: bool


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Even with every operator in float the network is not good; `best` is the answer to that."""

    baseline: Answer
    best: Answer


def search(problem: Problem) -> Generator[Question, Answer, Found | Unreachable]:
    """Search a problem: yield questions, take answers, return the end."""
    mind = Mind(problem)
    everything = frozenset(problem.operators)
    baseline = yield from mind.ask(frozenset(), "start", len(everything))
    if baseline.mark == "good":
        return Found((), (), baseline, baseline, minimal=True, interacting=False)
    if not problem.goal.measured or not everything:
        best = yield from mind.ask(everything, "start", len(everything))
        if best.mark != "good":
            return Unreachable(baseline, best)
    guilty = yield from _types(mind)
    grown = yield from _grow(mind, _suspects(guilty), "operators", len(guilty))
    if grown is None:
        return Unreachable(baseline, mind.answers[everything])
    kept = yield from _shrink(mind, grown, "operators")
    kept = yield from _parts(mind, kept)
    kept = yield from _check(mind, kept)
    if mind.cancelling(_union(kept)):
        kept = yield from _again(mind, kept)
    return _found(mind, kept)


def _found(mind: Mind, kept: Sequence[Group]) -> Found:
    healed = mind.answers[_union(kept)]
    place = {name: index for index, name in enumerate(mind.problem.operators)}
    members = sorted((m for group in kept for m in group.members), key=lambda m: place[m.name])
    whole = _union(kept)
    culprits = tuple(Culprit(m.name, m.op, m.error, mind.answers[whole - {m.name}]) for m in members)
    types = tuple(sorted({m.op for m in members}))
    minimal = all(c.without.mark == "bad" for c in culprits)
    return Found(culprits, types, mind.answers[frozenset()], healed, minimal, mind.interacting())


FEW = 8
"""Members that are picked anew at most: k of them may take k^2 / 2 questions."""


def _suspects(groups: Sequence[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: -group.suspicion)


def _of_type(kind: str, groups: Sequence[Group]) -> Group:
    members = tuple(m for g in groups for m in g.members)
    return Group(kind, members, sum(g.suspicion for g in groups), any(g.suspect for g in groups))


def _union(groups: Sequence[Group]) -> Floats:
    return frozenset(name for group in groups for name in group.names)


def _types(mind: Mind) -> Generator[Question, Answer, list[Group]]:
    """Return the groups of the operator types that make the network good in float; where it takes all types, they need no question."""
    types = mind.problem.types
    order = _suspects([_of_type(kind, groups) for kind, groups in types.items()])
    grown = yield from _grow(mind, order, "types", len(order) - 1)
    return [group for kind in grown or order for group in types[kind.name]]


def _grow(mind: Mind, order: Sequence[Group], phase: Phase, most: int) -> Generator[Question, Answer, list[Group] | None]:
    """Return the beginning of the order, `most` members at most, that makes the network good; None when none does."""
    errors, budget = [group.error for group in order], mind.problem.goal.budget
    suspects = sum(group.suspect for group in order)  # they lead the order
    count, step = suspects or max(1, enough(errors, 0, (mind.noise(frozenset()), sum(errors)), budget)), 1
    while count <= most:  # from the outset more may be needed than may be asked for
        floats = _union(order[:count])
        types = [group.name for group in order[:count]] if phase == "types" else []
        answer = yield from mind.ask(floats, phase, len(order) - count + 1, types=types)
        if answer.mark == "good":
            return list(order[:count])
        if count == most:
            return None
        likely = enough(errors, count, (mind.noise(floats),), budget)
        count, step = cut([group.suspicion for group in order[:most]], count + step, max(likely, 2 * count + 2)), step * 2
    return None


def _shrink(mind: Mind, good: Sequence[Group], phase: Phase, held: Sequence[Group] = ()) -> Generator[Question, Answer, list[Group]]:
    """Return those of a good set's members that were needed, `held` beside them; the last ones are tried first."""
    rest, needed, size = list(good), list(held), 1
    while rest:
        size = max(1, min(size, len(rest)))
        while size > 1 and mind.too_much(rest[-size:]):
            size //= 2
        floats = _union(rest[:-size] + needed)
        mark = "bad"
        if not mind.hopeless(floats):
            mark = (yield from mind.ask(floats, phase, len(rest))).mark
        if mark == "good":
            del rest[-size:]
            size *= 2
        elif size > 1:
            size //= 2
        else:
            needed.append(rest.pop())
    return needed


def _parts(mind: Mind, kept: Sequence[Group]) -> Generator[Question, Answer, list[Group]]:
    """Return the kept groups with every tied one split into the layers of it that were needed."""
    split = [Group(m.name, (m,)) for group in kept if len(group.members) > 1 for m in group.members]
    single = [group for group in kept if len(group.members) == 1]
    return (yield from _shrink(mind, _suspects(split), "parts", single))


def _check(mind: Mind, kept: Sequence[Group]) -> Generator[Question, Answer, list[Group]]:
    """Return the members of a good set without any that the others do not need; every one left has been tried against the rest.

    Members are tried in turn; where one is not needed it goes, and the turn goes on until it has come round once without that.
    """
    waiting, tried = list(kept), list[Group]()
    while waiting:
        others = [_union([*waiting[:i], *waiting[i + 1 :], *tried]) for i in range(len(waiting))]
        left = len(waiting)
        answer = yield from mind.ask(others[0], "check", left, steps=left, without=waiting[0].names[0], coming=others[1:])
        group = waiting.pop(0)
        if answer.mark == "good":
            waiting, tried = [*waiting, *tried], []
        else:
            tried.append(group)
    return tried


def _again(mind: Mind, kept: Sequence[Group]) -> Generator[Question, Answer, list[Group]]:
    """Return a smaller good set out of this one where there is one: picked anew, each time the member with the best score.

    Errors that cancel keep one another in a set: with either in float alone the other's error shows. It ends where no pick improves.
    """
    chosen: list[Group] = []
    waiting = list(kept)
    before = mind.noise(frozenset())
    while len(chosen) + 1 < len(kept) <= FEW:
        scored: list[tuple[float, int]] = []
        for index, group in enumerate(waiting):
            answer = yield from mind.ask(_union([*chosen, group]), "again", len(waiting) - index)
            if answer.mark == "good":
                return (yield from _check(mind, [*chosen, group]))
            noise = mind.problem.goal.noise(answer.value)
            scored.append((math.inf if noise is None else noise, index))
        least, place = min(scored)
        if before is not None and least >= before:
            break
        before = None if before is None else least
        chosen.append(waiting.pop(place))
    return list(kept)
