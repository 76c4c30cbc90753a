"""The narration of a bisection, in the words of git's: what is asked, how it did, how much is left."""

from __future__ import annotations

from ..analysis.bisect import Answer, Goal, Question, Session
from ..events import Log, Report
from ..jsontext import printable

NAMED = 3
"""Operators named at most; more are counted."""

STATE = {"good": "+ good", "bad": "x bad ", "skip": "~ skip "}
WHAT = {"types": "operator types", "operators": "operators", "parts": "layers of tied groups"}


class Teller:
    """Tells a hook of one bisection. It remembers which contradictions it told."""

    def __init__(self, goal: Goal, report: Report) -> None:
        self.goal, self.report = goal, report
        self._told: set[tuple[int, int]] = set()

    def begin(self, session: Session) -> None:
        """Say what is looked for."""
        problem, goal = session.problem, self.goal
        place = printable(goal.at, 200) or "the outputs"
        wanted = f"{goal.metric} {goal.target:g} at {place}" if goal.target is not None else f"the command {printable(goal.metric)}"
        count, types = len(problem.operators), len(problem.types)
        self.report(Log(f"Which of {counted(count, 'operator')} ({counted(types, 'type')}) must stay in float for {wanted}?"))
        self._contradictions(session)

    def asking(self, question: Question) -> None:
        """Say where the search stands."""
        about = f"(about {counted(question.steps, 'step')})"
        if question.phase == "start":
            self.report(Log("Judging the network as it is" if not question.floats else "Judging the network with everything in float"))
        elif question.phase == "check":
            self.report(Log(f"Checking the found operators: {question.left} left {about}"))
        elif question.phase == "again":
            self.report(Log(f"Errors interact; picking the found operators anew, one by one: {question.left} left in this round"))
        else:
            self.report(Log(f"Bisecting {WHAT[question.phase]}: {question.left} left {about}"))

    def answered(self, session: Session, question: Question, answer: Answer) -> None:
        """Say how a step went, and where it contradicts another one."""
        value = "" if answer.value is None else f"  {figure(answer.value, self.goal.metric)}"
        note = f"  ({printable(answer.note, 200)})" if answer.note else ""
        self.report(Log(f"  {STATE[answer.mark]}{value}  {described(question, session)}{note}"))
        self._contradictions(session)

    def _contradictions(self, session: Session) -> None:
        """Tell of the first pair of steps that contradict each other."""
        for good, bad in session.contradictions():
            if not self._told:
                more = len(session.steps[bad].floats) - len(session.steps[good].floats)
                text = f"step {good + 1} is good; step {bad + 1} has all of its operators in float and {more} more, and is bad"
                self.report(Log(f"{text}: quantization errors are not monotone, here they interact", "warning", "bisect"))
            self._told.add((good, bad))


def described(question: Question, session: Session) -> str:
    """Return which network a question is about."""
    if question.without:
        return f"{printable(question.without, 200)} quantized again"
    if not question.floats:
        return "as it is"
    if question.types:
        return f"in float: all {', '.join(printable(t) for t in question.types)}"
    if len(question.floats) == len(session.problem.operators):
        return "everything in float"
    names = [name for name in session.problem.operators if name in question.floats]
    named = ", ".join(printable(name, 200) for name in names[:NAMED])
    return f"in float: {named}" + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def figure(value: float, metric: str) -> str:
    """Return a figure as the table has it."""
    return f"{value:.2f} dB" if metric == "sqnr" else f"{value:.5f}" if metric.startswith("cosine") else f"{value:g}"


def counted(count: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{count} {what}{'s' if count != 1 else ''}"
