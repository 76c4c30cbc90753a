"""One bisection from the options to the document: open or resume its log, answer what is asked, say what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..analysis.bisect import Answer, Found, Goal, Heading, Problem, Question, Session, Unreachable, read_log
from ..errors import Cancelled, UsageError
from ..events import Log
from ..jsontext import shown
from ..lab import Lab
from ..plan import Choice
from ..project import FOLDER
from .command import Program
from .judging import judge_of, value_of
from .kept import Keeper, kept_steps, logged, place_of
from .suspects import identity, problem_of
from .telling import Teller
from .wanted import Wanted

SCHEMA = 1
WIDEST = 12


@dataclass(frozen=True, slots=True, eq=False)
class Hunt:
    """A finished bisection of a project; `log` is the file it can be replayed from."""

    lab: Lab
    session: Session
    found: Found
    log: str

    @property
    def goal(self) -> Goal:
        return self.session.problem.goal

    def document(self) -> dict[str, Any]:
        """Return the document of `magik-tui bisect --json`."""
        found, asked = self.found, self.session.asked()
        goal, config = self.goal, self.lab.config
        return {
            "schema": SCHEMA,
            "target": goal.target,
            "metric": goal.metric,
            "baseline": found.baseline.value,
            "healed": found.healed.value,
            "culprit_types": list(found.types),
            "culprits": [self._culprit(index) for index in range(len(found.culprits))],
            "evaluations": len(asked),
            "minimal": found.minimal,
            "interacting": found.interacting,
            "log": [_logged(number, question, answer) for number, (question, answer) in enumerate(asked, 1)],
            "config": {
                "QUANT_OP_SKIP": list(config.quant_op_skip),
                "QUANT_NODE_SKIP": [*config.quant_node_skip, *(c.name for c in found.culprits)],
            },
        }

    def _culprit(self, index: int) -> dict[str, Any]:
        culprit, whole = self.found.culprits[index], frozenset(c.name for c in self.found.culprits)
        places = [question.floats for question, _ in self.session.asked()]
        evidence = {
            "before": culprit.without.value,
            "after": self.found.healed.value,
            "mark": culprit.without.mark,
            "step": places.index(whole - {culprit.name}) + 1,
            "local_error": culprit.error,
        }
        return {"name": culprit.name, "op": culprit.op, "evidence": evidence}

    @property
    def widest(self) -> int:
        """The widest feature the chip has."""
        return max(self.lab.profile.feature_bits) if self.lab.profile else WIDEST

    def widened(self, names: Iterable[str]) -> Answer:
        """Return how the network does with some operators at that width, integer like all others; for a metric, not for a program."""
        plan = self.lab.base
        for name in names:
            plan = plan.with_node(name, Choice(feature_bits=self.widest).over(plan.nodes.get(name, Choice())))
        value = value_of(self.lab.score(plan, self.goal.at), self.goal)
        return Answer(self.goal.judge(value), value)


def _logged(number: int, question: Question, answer: Answer) -> dict[str, Any]:
    return {
        "step": number,
        "phase": question.phase,
        "mark": answer.mark,
        "value": answer.value,
        "types": list(question.types),
        "nodes": [] if question.types else sorted(question.floats),
        "note": answer.note,
    }


Heard = Callable[[Question, Answer | None], None]
"""Hears each question when it is asked (no answer yet) and when it is answered."""


def bisect(lab: Lab, wanted: Wanted, heard: Heard = lambda question, answer: None) -> Hunt:
    """Find the least layers that have to stay in float for a goal, telling the lab's hook of every step.

    What was answered before, by a run that was stopped or in the log to replay, is not asked again. UsageError where the goal cannot be
    met, or makes no sense; what the hook raises passes through, and the next call goes on from there.
    """
    heading, session = _begun(lab, wanted)
    goal = heading.goal
    keeper = Keeper(place_of(lab.job.root, lab.job.variant, heading), heading, lab.job.root, lab.report)
    teller = Teller(goal, lab.report)
    session = _resumed(session, keeper, wanted, lab)
    teller.begin(session)

    def told(now: Session, question: Question, answer: Answer) -> None:
        keeper.keep(now)
        teller.answered(now, question, answer)
        heard(question, answer)

    folder = lab.job.root / FOLDER / "bisect"
    with judge_of(lab, goal, folder, wanted.timeout, len(session.steps)) as judge:

        def asked(question: Question) -> Answer:
            teller.asking(question)
            heard(question, None)
            return judge(question)

        try:
            session = session.carried_out(asked, told)
        except Cancelled as stop:
            hint = f"{keeper.path} has what was answered; the same command goes on from there" if keeper.path.exists() else ""
            raise Cancelled(stop.message, hint=hint) from stop
    keeper.keep(session)
    position = session.position()
    if isinstance(position, Unreachable):
        raise _unreachable(position, goal, session.problem, keeper)
    if not isinstance(position, Found):
        raise TypeError("a search that was carried out has an end")
    return Hunt(lab, session, position, str(keeper.path))


def _begun(lab: Lab, wanted: Wanted) -> tuple[Heading, Session]:
    """Return what is looked for, and the session with the answers of the log to replay."""
    key = identity(lab)
    if wanted.replay is None:
        goal = _checked(wanted.goal(), wanted)
        return Heading(goal, key), Session(problem_of(lab, goal))
    source, heading = logged(wanted.replay)
    goal = _checked(wanted.goal(heading), wanted)
    problem = problem_of(lab, goal)
    steps = read_log(source, problem)
    if heading.of and heading.of != key:
        text = "this log was made with another model, configuration or set of samples; its marks are taken as they stand"
        lab.report(Log(f"{wanted.replay}: {text}", "warning", "bisect"))
    return Heading(goal, key), Session(problem, steps)


def _checked(goal: Goal, wanted: Wanted) -> Goal:
    """Return the goal; UsageError where its program is not there, before any work is done for it."""
    if not goal.measured:
        Program.parse(goal.metric, wanted.timeout)
    return goal


def _resumed(session: Session, keeper: Keeper, wanted: Wanted, lab: Lab) -> Session:
    """Return the session with what an earlier run of the same bisection answered; one that a program finished is not taken up."""
    if wanted.replay is not None:
        lab.report(Log(f"replaying {len(session.steps)} steps of {wanted.replay}"))
        return session
    if wanted.fresh:
        return session
    before = Session(session.problem, kept_steps(keeper.path, session.problem))
    over = not before.steps or (not keeper.heading.goal.measured and not isinstance(before.position(), Question))
    if over:
        return session
    lab.report(Log(f"going on after {len(before.steps)} steps of {keeper.path} (--fresh begins again)"))
    return before


def _unreachable(end: Unreachable, goal: Goal, problem: Problem, keeper: Keeper) -> UsageError:
    count = len(problem.operators)
    if not goal.measured:
        said = f', saying "{end.best.note}"' if end.best.note else ""
        verdict = "cannot tell" if end.best.mark == "skip" else "calls it bad"
        text = f"even with all {count} operators in float the command {verdict}{said}"
        return UsageError(text, where="--metric", hint="it has to end with exit code 0 for the float network")
    best = "no number at all" if end.best.value is None else f"{end.best.value:.5f} at best"
    where = goal.at or "the outputs"
    hint = end.best.note or f"choose a target up to {_floor(end.best.value)}"
    text = f"{goal.metric} of {shown(where) if goal.at else where} cannot reach {goal.target:g}"
    return UsageError(f"{text}: even with all {count} operators in float it is {best}", where="--target", hint=hint)


def _floor(value: float | None) -> str:
    """Return a number with five decimals that is not above the value."""
    return f"{int((value or 0.0) * 1e5) / 1e5:g}"
