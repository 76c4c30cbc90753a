"""One bisection from the options to its end, or to a pause: open or resume its log, answer what is asked, say what was found."""

from __future__ import annotations

from collections.abc import Callable

from ..analysis.bisect import Answer, Goal, Heading, Question, Session, Unreachable, read_log, read_priors
from ..errors import Cancelled, UsageError
from ..events import Log
from ..jsontext import shown
from ..lab import Lab
from ..project import FOLDER
from .byhand import NOTE
from .command import Program
from .documents import Hunt, Pause
from .judging import judge_of
from .kept import Keeper, kept_session, logged, place_of
from .suspects import identity, problem_of
from .telling import Teller, counted
from .wanted import Wanted

Heard = Callable[[Session, Question, Answer | None], None]
"""Hears each question when it is asked (no answer yet) and when it is answered, with the session as it is then."""


def silent(session: Session, question: Question, answer: Answer | None) -> None:
    """Hear nothing."""


def bisect(lab: Lab, wanted: Wanted, heard: Heard = silent) -> Hunt | Pause:
    """Find the least layers that have to stay in float for a goal, telling the lab's hook of every step.

    What was answered before, by a run that was stopped or in the log to replay, is not asked again. It pauses after `wanted.steps`
    networks. UsageError where the goal cannot be met, or makes no sense; what the hook raises passes through, and the next call goes on
    from there.
    """
    heading, session = _begun(lab, wanted)
    goal = heading.goal
    keeper = Keeper(place_of(lab.job.root, lab.job.variant, heading), heading, lab.job, lab.report)
    teller = Teller(goal, lab.report)
    session = wanted.hand.prepared(_resumed(session, keeper, wanted, lab))
    if wanted.steps != 0:
        teller.begin(session)
    teller.contradictions(session)

    def told(now: Session, question: Question, answer: Answer) -> None:
        keeper.keep(now)
        teller.answered(now, question, answer)
        heard(now, question, answer)

    by_hand = wanted.hand.answered(session)
    if by_hand is not None:
        session = session.marked(by_hand[1])
        told(session, *by_hand)
    elif wanted.hand or wanted.replay is not None or wanted.text is not None or wanted.fresh:
        keeper.keep(session)
    session = _carried_out(lab, session, wanted, keeper, teller, heard, told)
    position = session.position()
    if isinstance(position, Question):
        return Pause(session, keeper, position)
    keeper.keep(session)
    if isinstance(position, Unreachable):
        raise _unreachable(position, goal, session, keeper)
    return Hunt(session, keeper, position, lab)


def _carried_out(
    lab: Lab,
    session: Session,
    wanted: Wanted,
    keeper: Keeper,
    teller: Teller,
    heard: Heard,
    told: Callable[[Session, Question, Answer], None],
) -> Session:
    """Return the session after as many networks as are wanted."""
    if wanted.steps == 0:
        return session
    now = session
    with judge_of(lab, keeper.heading.goal, lab.job.root / FOLDER / "bisect", wanted.timeout, len(session.steps)) as judge:

        def asked(question: Question) -> Answer:
            teller.asking(question)
            heard(now, question, None)
            return judge(question)

        def taken(after: Session, question: Question, answer: Answer) -> None:
            nonlocal now
            now = after
            told(after, question, answer)

        try:
            return session.carried_out(asked, taken, wanted.steps)
        except Cancelled as stop:
            hint = f"{keeper.path} has what was answered; the same command goes on from there" if keeper.path.exists() else ""
            raise Cancelled(stop.message, hint=hint) from stop


def _begun(lab: Lab, wanted: Wanted) -> tuple[Heading, Session]:
    """Return what is looked for, and the session with the answers of the log to replay."""
    key = identity(lab)
    source, heading = logged(wanted)
    goal = _checked(wanted.goal(heading), wanted)
    problem = problem_of(lab, goal)
    if source is None or heading is None:
        return Heading(goal, key), Session(problem)
    if heading.of and heading.of != key:
        text = "this log was made with another model, configuration or set of samples; its marks are taken as they stand"
        lab.report(Log(f"{source.file}: {text}", "warning", "bisect"))
    return Heading(goal, key), Session(problem, read_log(source, problem), read_priors(source, problem))


def _checked(goal: Goal, wanted: Wanted) -> Goal:
    """Return the goal; UsageError where its program is not there, before any work is done for it."""
    if not goal.measured:
        Program.parse(goal.metric, wanted.timeout)
    return goal


def _resumed(session: Session, keeper: Keeper, wanted: Wanted, lab: Lab) -> Session:
    """Return the session with what an earlier run of the same bisection answered.

    One that a program finished is taken up only by a step of it, or by a person.
    """
    if wanted.replay is not None or wanted.text is not None:
        lab.report(Log(f"replaying {counted(len(session.steps), 'step')} of {wanted.replay or 'the edited log'}"))
        return session
    if wanted.fresh:
        return session
    before = kept_session(keeper.path, session.problem)
    ended = not keeper.heading.goal.measured and not isinstance(before.position(), Question)
    if not (before.steps or before.priors) or (ended and not wanted.pauses):
        return session
    if wanted.steps != 0:
        lab.report(Log(f"going on after {counted(len(before.steps), 'step')} of {keeper.path} (--fresh begins again)"))
    return before


def _unreachable(end: Unreachable, goal: Goal, session: Session, keeper: Keeper) -> UsageError:
    count, every = len(session.searched.operators), len(session.problem.operators)
    held = f"; {every - count} more are held to be good and stay quantized" if every > count else ""
    if not goal.measured:
        said = f', saying "{end.best.note}"' if end.best.note else ""
        verdict = "cannot tell" if end.best.mark == "skip" else "calls it bad"
        text = f"even with all {count} operators in float the command {verdict}{said}{held}"
        return UsageError(text, where="--metric", hint="it has to end with exit code 0 for the float network")
    best = "no number at all" if end.best.value is None else f"{end.best.value:.5f} at best"
    where = goal.at or "the outputs"
    text = f"{goal.metric} of {shown(where) if goal.at else where} cannot reach {goal.target:g}"
    if end.best.note == NOTE:
        best, hint = f"{end.best.mark}, {NOTE}", "--undo 1 takes the mark back"
    else:
        hint = end.best.note or f"choose a target up to {_floor(end.best.value)}"
    return UsageError(f"{text}: even with all {count} operators in float it is {best}{held}", where="--target", hint=hint)


def _floor(value: float | None) -> str:
    """Return a number with five decimals that is not above the value."""
    return f"{int((value or 0.0) * 1e5) / 1e5:g}"
