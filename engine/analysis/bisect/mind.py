"""What a search has been answered so far, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field

from .problem import Answer, Floats, Group, Phase, Problem, Question

Asking = Generator[Question, Answer, Answer]


@dataclass(slots=True)
class Mind:
    """What has been answered."""

    problem: Problem
    answers: dict[Floats, Answer] = field(default_factory=dict)

    def ask(
        self,
        floats: Floats,
        phase: Phase,
        left: int,
        *,
        steps: int = 0,
        types: Sequence[str] = (),
        without: str = "",
        coming: Iterable[Floats] = (),
    ) -> Asking:
        """Return the answer for a set, asking only what nobody has answered."""
        known = self.answers.get(floats)
        if known is None:
            about = steps or max(1, math.ceil(math.log2(left + 1)))
            later = tuple(each for each in coming if each not in self.answers)
            known = yield Question(floats, phase, left, about, tuple(types), without, later)
            self.answers[floats] = known
        return known

    def hopeless(self, floats: Floats) -> bool:
        """Tell whether a set nobody judged lies in one that was bad: less in float is taken to be no better."""
        return floats not in self.answers and any(answer.mark == "bad" and floats <= other for other, answer in self.answers.items())

    def noise(self, floats: Floats) -> float | None:
        return self.problem.goal.noise(self.answers[floats].value)

    def too_much(self, groups: Sequence[Group]) -> bool:
        """Tell whether the errors of some groups, if they added up at the output, would exceed what the target allows."""
        budget, whole = self.problem.goal.budget, self.noise(frozenset())
        total = sum(group.error for group in self.problem.groups)
        if budget is None or whole is None or not total:
            return False
        return min(whole / total, 1.0) * sum(group.error for group in groups) > budget

    def interacting(self) -> bool:
        """Tell whether more in float ever was bad where less was good, or lost more than a decibel."""
        return any(_worse(self.problem, a, b) for a, b in self.ordered())

    def cancelling(self, found: Floats) -> bool:
        """Tell whether errors may cancel in a found set.

        So it is where a good set lies in a bad one, or where the network with one member quantized again, but the others in float, is
        worse than with all of them quantized.
        """
        if any(a.mark == "good" and b.mark == "bad" for a, b in self.ordered()):
            return True
        nothing = self.answers[frozenset()]
        return any(_worse(self.problem, nothing, self.answers[found - {name}]) for name in found)

    def ordered(self) -> list[tuple[Answer, Answer]]:
        """Return the answers of every two sets of which the second holds the first."""
        items = list(self.answers.items())
        return [(a, b) for small, a in items for large, b in items if small < large]


DECIBEL = 10**0.1
"""A noise that grows by more shows that errors interact."""


def _worse(problem: Problem, less: Answer, more: Answer) -> bool:
    """Tell whether a network got worse although more of it is in float."""
    if less.mark == "good" and more.mark == "bad":
        return True
    before, after, budget = (problem.goal.noise(less.value), problem.goal.noise(more.value), problem.goal.budget)
    if before is None or after is None or budget is None or more.mark != "bad":
        return False
    return after > before * DECIBEL
