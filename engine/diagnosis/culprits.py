"""Which operators: the bisection of the project, within a budget, for a target that follows from the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..analysis.bisect import Answer, Found, Goal, Question, Session
from ..analysis.bisect.problem import Floats
from ..analysis.diagnosis.diagnosis import SHARE, Culprit, Culprits
from ..analysis.diagnosis.document import BIT_FILE
from ..analysis.diagnosis.figures import HEALTHY, Figures, cosine_of, verdict
from ..analysis.diagnosis.trials import HALF, QUARTER, Change, Trial
from ..bisection.judging import judge_of
from ..bisection.suspects import problem_of, with_floats
from ..lab import Lab
from ..plan import Choice, Plan
from .trying import Bench

BUDGET = 32
"""Networks judged at most."""

AGAIN = 64
"""Networks judged at most where the target takes a crowd and the few are sought that take half of the noise."""

CROWD = 8
"""Up to so many culprits, or a tenth of the operators, are few enough to be named one by one."""

MANY = 0.5
"""More than this share of the operators are no culprits: the noise comes from everywhere."""


class _Enough(Exception):
    """The budget is spent."""


def target_of(figures: Figures) -> float:
    """Return the cosine that the outputs are to reach with the culprits in float: HEALTHY or, from there on, a quarter of the noise."""
    return HEALTHY if (figures.cosine_avg or 0.0) < HEALTHY else cosine_of(QUARTER * figures.noise)


def culprits(lab: Lab, figures: Figures) -> tuple[Culprits, ...]:
    """Return the operators that have to be in float for the target, where the budget ends the search the smallest good set seen.

    Where that takes a crowd of them, or none are found, the few that take half of the noise stand before it. A healthy network has none.
    """
    if verdict(figures) == "healthy":
        return (Culprits(HEALTHY, reason="the network is healthy"),)
    target, half = target_of(figures), cosine_of(HALF * figures.noise)
    known: dict[Floats, Answer] = {}
    whole = _searched(lab, target, known, BUDGET)
    if 0 < len(whole.members) <= max(CROWD, whole.operators // 10) or not half < target:
        return (whole,)
    part = _searched(lab, half, known, AGAIN)
    if not 0 < len(part.members) <= SHARE * part.operators or 0 < len(whole.members) <= 2 * len(part.members):
        return (whole,)
    part = replace(part, more=target, crowd=len(whole.members), evaluations=part.evaluations + whole.evaluations)
    return (part, whole) if whole.members else (part,)


def _searched(lab: Lab, target: float, known: dict[Floats, Answer], budget: int) -> Culprits:
    """Bisect for a target within a budget; `known` holds what was measured for others, and is added to."""
    goal = Goal("cosine_avg", target)
    session = Session(problem_of(lab, goal))
    steps: list[tuple[Question, Answer]] = []
    spent = 0
    with judge_of(lab, goal, lab.job.root, 0.0) as judge:

        def asked(question: Question) -> Answer:
            nonlocal spent
            if question.floats in known:
                return replace(known[question.floats], mark=goal.judge(known[question.floats].value))
            if spent >= budget:
                raise _Enough
            spent += 1
            known[question.floats] = answer = judge(question)
            return answer

        def told(now: Session, question: Question, answer: Answer) -> None:
            steps.append((question, answer))

        try:
            session = session.carried_out(asked, told)
        except _Enough:
            return replace(_best(session, known, goal), evaluations=spent)
    end = session.position()
    count = len(session.problem.operators)
    if not isinstance(end, Found):
        return Culprits(target, operators=count, evaluations=spent, reason="no set of operators in float reaches the target")
    members = tuple(Culprit(c.name, c.op, c.error, c.without.value) for c in end.culprits)
    reason = "" if members else "the outputs reach the target as they are"
    return Culprits(target, end.healed.value, count, members, end.minimal, spent, reason)


def _best(session: Session, known: Mapping[Floats, Answer], goal: Goal) -> Culprits:
    """Return the smallest good set that was measured; what the outputs have without one of its members, where that was measured too."""
    operators = session.problem.operators
    good = [(f, a) for f, a in known.items() if goal.judge(a.value) == "good" and len(f) <= MANY * len(operators)]
    found = Culprits(goal.target or 0.0, operators=len(operators))
    if not good:
        return replace(found, reason="the noise comes from everywhere, no part of the operators was enough")
    floats, answer = min(good, key=lambda pair: len(pair[0]))
    again = {name: known[floats - {name}].value for name in floats if floats - {name} in known}
    members = [Culprit(name, operators[name].op, operators[name].error, again.get(name)) for name in operators if name in floats]
    members.sort(key=lambda m: -m.local_error)
    return replace(found, healed=answer.value, members=tuple(members))


def remedies(bench: Bench, found: Culprits, widest: int) -> list[Trial]:
    """Try the culprits at the widest width of the chip, and in float as QUANT_NODE_SKIP would have them."""
    if not found.members:
        return []
    lab, names = bench.lab, [m.name for m in found.members]
    trials = _wider(bench, names, widest)
    skip = [*lab.config.quant_node_skip, *names]
    change = Change("operators", f"{_counted(len(names))} in float", {"QUANT_NODE_SKIP": skip})
    return trials + bench.plan(change, with_floats(lab.base, names))


def mixed(bench: Bench, widest: int, enough: Callable[[Trial], bool]) -> list[Trial]:
    """Return the trial of the fewest operators, in the order of their suspicion, that are `enough` at the widest width.

    Nothing where half of them are not: the count doubles until they are, and is then halved into place.
    """
    problem = problem_of(bench.lab, Goal("cosine_avg", HEALTHY))
    names = [g.names[0] for g in sorted(problem.groups, key=lambda g: -g.suspicion)]
    least, most = 0, int(MANY * len(names))
    found: list[Trial] = []
    count = min(2, most)
    while least < count <= most:
        trials = _wider(bench, names[:count], widest)
        if any(map(enough, trials)):
            found, most = trials, count - 1
            count = (least + most + 1) // 2
        else:
            least = count
            count = min(2 * count, most) if not found else (least + most + 1) // 2
    return found


def _wider(bench: Bench, names: Sequence[str], widest: int) -> list[Trial]:
    plan, bits = _widened(bench.lab, names, widest)
    if not bits:
        return []
    loads = bench.lab.config.load_op_quant_bit
    do = "add these to what the file says" if loads else ""
    if not loads and (bench.lab.job.root / BIT_FILE).exists():
        do = f"{BIT_FILE} lies there and is not in use: these have to be all of its entries"
    title = f"{widest} bits for {_counted(len(bits))}"
    return bench.plan(Change("operators", title, {} if loads else {"LOAD_OP_QUANT_BIT": True}, bits, do=do), plan)


def _widened(lab: Lab, names: Sequence[str], widest: int) -> tuple[Plan, dict[str, int]]:
    """Return the plan with the units of these layers at a width, and the nodes whose bits that changes."""
    unit = {n: u for u in lab.units for n in u.nodes}
    before = lab.resolve(lab.base).choices
    nodes = dict.fromkeys(n for name in names for n in (unit[name].nodes if name in unit else (name,)))
    bits = {n: widest for n in nodes if (before[n].feature_bits or 8) < widest}
    plan = lab.base
    for name in bits:
        plan = plan.with_node(name, replace(plan.nodes.get(name, Choice()), feature_bits=widest))
    return plan, bits


def _counted(count: int) -> str:
    return "1 operator" if count == 1 else f"{count} operators"
