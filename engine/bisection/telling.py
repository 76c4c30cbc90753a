"""The narration of a bisection, in the words of git's: what is asked, how it did, how much is left."""

from __future__ import annotations

from itertools import islice

from ..analysis.bisect import Answer, Goal, Question, Session
from ..analysis.scoring import figure
from ..events import Log, Report
from ..jsontext import printable

NAMED = 3
"""Operators named at most; more are counted."""

STATE = {"good": "+ good", "bad": "x bad ", "skip": "~ skip "}
WHAT = {"types": "operator types", "operators": "operators", "parts": "layers of tied groups"}


class Teller:
    """Tells a hook of one bisection. Of contradictions it tells the first."""

    def __init__(self, goal: Goal, report: Report) -> None:
        self.goal, self.report = goal, report
        self._told = False

    def begin(self, session: Session) -> None:
        """Say what is looked for."""
        problem, goal = session.problem, self.goal
        place = printable(goal.at, 200) or "the outputs"
        wanted = f"{goal.metric} {goal.target:.12g} at {place}" if goal.target is not None else f"the command {printable(goal.metric)}"
        count, types = len(problem.operators), len(problem.types)
        self.report(Log(f"Which of {counted(count, 'operator')} ({counted(types, 'type')}) must stay in float for {wanted}?"))

    def asking(self, question: Question) -> None:
        """Say where the search stands."""
        self.report(Log(stand(question)))

    def answered(self, session: Session, question: Question, answer: Answer) -> None:
        """Say how a step went, and where it contradicts another one."""
        self.report(Log(f"  {answer_line(question, answer, session)}"))
        self.contradictions(session)

    def contradictions(self, session: Session) -> None:
        """Say where the marks of a session contradict each other, once."""
        first = next(iter(contradictions(session)), None)
        if first is not None and not self._told:
            self._told = True
            self.report(Log(first, "warning", "bisect"))


MOST = 3
"""Contradictions that are told at most."""


def contradictions(session: Session) -> list[str]:
    """Return the first few contradictions between marks in words: of a step that is good and one that is bad, of a person and the steps."""
    told = []
    for name, good, bad in islice(session.refuted(), MOST):
        text = f"{printable(name, 200)} is held to be good, but step {good + 1} is good with it in float and step {bad + 1}"
        told.append(f"{text}, with it quantized again, is bad")
    for good, bad in islice(session.contradictions(), MOST - len(told)):
        more = len(session.steps[bad].floats) - len(session.steps[good].floats)
        text = f"step {good + 1} is good; step {bad + 1} has all of its operators in float and {more} more, and is bad"
        told.append(f"{text}: quantization errors are not monotone, here they interact")
    return told


def stand(question: Question) -> str:
    """Return where a search stands: what is searched, how much is left, about how many steps that takes."""
    about = f"(about {counted(question.steps, 'step')})"
    match question.phase:
        case "start":
            return "Judging the network as it is" if not question.floats else "Judging the network with everything in float"
        case "check":
            return f"Checking the found operators: {question.left} left {about}"
        case "again":
            return f"Errors interact; picking the found operators anew, one by one: {question.left} left in this round"
        case phase:
            return f"Bisecting {WHAT[phase]}: {question.left} left {about}"


def answer_line(question: Question, answer: Answer, session: Session) -> str:
    """Return how a step went."""
    goal = session.problem.goal
    value = "" if answer.value is None else f"  {figure(answer.value, goal.metric, goal.target)}"
    note = f"  ({printable(answer.note, 200)})" if answer.note else ""
    return f"{STATE[answer.mark]}{value}  {described(question, session)}{note}"


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
    if question.phase == "start":
        held = len(session.problem.operators) - len(question.floats)
        return f"everything in float but {counted(held, 'operator')} held to be good"
    names = [name for name in session.problem.operators if name in question.floats]
    named = ", ".join(printable(name, 200) for name in names[:NAMED])
    return f"in float: {named}" + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def counted(count: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{count} {what}{'s' if count != 1 else ''}"
