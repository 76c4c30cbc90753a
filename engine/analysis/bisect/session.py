"""A bisection as a value: the problem and the answers so far. Where the search stands follows from them.

Marking by hand, undoing, editing and replaying are all the same: another list of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from .priors import NOTHING_HELD, Priors, narrowed
from .problem import Answer, Floats, Problem, Question, Step
from .search import Found, Unreachable, search

Position = Question | Found | Unreachable

GOOD, BAD, CURRENT, SKIPPED, UNTESTED = "+", "x", ">", "~", "."


@dataclass(frozen=True, slots=True)
class Session:
    """A problem, the steps taken, and what a person holds of operators.

    Steps that the search does not ask for are kept and do no harm; of two of one set the last counts.
    """

    problem: Problem
    steps: tuple[Step, ...] = ()
    priors: Priors = NOTHING_HELD

    @property
    def searched(self) -> Problem:
        """The problem without what is held to be good."""
        return narrowed(self.problem, self.priors)

    def position(self) -> Position:
        """Return the next question, or the end."""
        walk = _Walk(self)
        return walk.position

    def asked(self) -> tuple[tuple[Question, Answer], ...]:
        """Return the questions the search asked, in order, with their answers."""
        return tuple(_Walk(self).asked)

    def marked(self, answer: Answer) -> Session:
        """Return the session with the next question answered; ValueError when there is none."""
        position = self.position()
        if not isinstance(position, Question):
            raise ValueError("the bisection is finished: there is nothing to mark")
        return self._with(position, answer)

    def undone(self, count: int = 1) -> Session:
        """Return the session without the last steps that its search asked for."""
        asked = self.asked()
        gone = {question.floats for question, _ in asked[max(0, len(asked) - count) :]}
        return replace(self, steps=tuple(step for step in self.steps if step.floats not in gone))

    def carried_out(
        self, judge: Callable[[Question], Answer], told: Callable[[Session, Question, Answer], None], most: int | None = None
    ) -> Session:
        """Return the finished session: every question is put to `judge`, and `told` hears of each step when it is taken.

        It pauses after `most` questions. What they raise passes through; the last session told has all that was answered.
        """
        session, walk = self, _Walk(self)
        while isinstance(question := walk.position, Question) and (most is None or len(session.steps) - len(self.steps) < most):
            answer = judge(question)
            session = session._with(question, answer)
            walk.answered(question, answer)
            told(session, question, answer)
        return session

    def contradictions(self) -> Iterator[tuple[int, int]]:
        """Yield the places of two steps, a good one and a bad one that has all of its operators in float and more."""
        final = {step.floats: index for index, step in enumerate(self.steps)}
        for i in final.values():
            for j in final.values():
                one, other = self.steps[i], self.steps[j]
                if one.answer.mark == "good" and other.answer.mark == "bad" and one.floats < other.floats:
                    yield i, j

    def refuted(self) -> Iterator[tuple[str, int, int]]:
        """Yield operators held to be good, each with the places of a good step that has it in float and a bad one with it quantized."""
        final = {step.floats: index for index, step in enumerate(self.steps)}
        for name in (name for name, prior in self.priors.of(self.problem).items() if prior == "good"):
            for floats, index in final.items():
                other = final.get(floats - {name}) if name in floats else None
                if other is not None and (self.steps[index].answer.mark, self.steps[other].answer.mark) == ("good", "bad"):
                    yield name, index, other
                    break

    def _with(self, question: Question, answer: Answer) -> Session:
        return replace(self, steps=(*self.steps, Step(question.floats, answer, question.types)))


def states(session: Session) -> Mapping[str, str]:
    """Return, per operator, what is known of it: CURRENT in the set in question, BAD needed, GOOD not needed, SKIPPED, UNTESTED.

    What is held to be good is GOOD.
    """
    held = {name for name, prior in session.priors.of(session.problem).items() if prior == "good"}
    position = session.position()
    current: Floats = frozenset()
    if isinstance(position, Question):
        current = frozenset((position.without,)) if position.without else position.floats
    marks = {step.floats: step.answer.mark for step in session.steps}
    good = [floats for floats, mark in marks.items() if mark == "good"]
    best = min(good, key=len, default=frozenset(session.searched.operators))
    skipped = {name for floats, mark in marks.items() if mark == "skip" for name in floats}
    found = frozenset(c.name for c in position.culprits) if isinstance(position, Found) else frozenset()

    def state(name: str) -> str:
        if name in current:
            return CURRENT
        if name in held:
            return GOOD
        if name in found or any(name in floats and marks.get(floats - {name}) == "bad" for floats in good):
            return BAD
        return GOOD if name not in best else SKIPPED if name in skipped else UNTESTED

    return {name: state(name) for name in session.problem.operators}


class _Walk:
    """The search of a session, run up to the first question that nobody has answered."""

    def __init__(self, session: Session) -> None:
        self._known = {step.floats: step.answer for step in session.steps}
        self._search = search(session.searched)
        self.asked: list[tuple[Question, Answer]] = []
        self.position: Position
        self._advance(None)

    def answered(self, question: Question, answer: Answer) -> None:
        """Go on with an answer to the question at hand."""
        self._known[question.floats] = answer
        self._advance_with(question)

    def _advance_with(self, question: Question) -> None:
        answer = self._known[question.floats]
        self.asked.append((question, answer))
        self._advance(answer)

    def _advance(self, answer: Answer | None) -> None:
        try:
            question = self._search.send(answer) if answer is not None else next(self._search)
            while question.floats in self._known:
                answer = self._known[question.floats]
                self.asked.append((question, answer))
                question = self._search.send(answer)
            self.position = question
        except StopIteration as end:
            self.position = end.value
