"""The lines over the rows of a bisection: what is looked for, where the search stands, the last steps, the verdict with its evidence."""

from __future__ import annotations

from magik_tui.core import State
from magik_tui.core.hunt import Answered, Asking, Bisection, Evidence, Mark, kinds, marks
from magik_tui.core.requests import Requests
from magik_tui.numerals import fixed, short
from magik_tui.sheets import Cell, Sheet
from magik_tui.text import clean, cut, elide
from magik_tui.widgets.ink import Line, Role

PHASES = {
    "types": "Bisecting operator types", "operators": "Bisecting operators", "parts": "Bisecting layers of tied groups",
    "check": "Checking the found operators", "again": "Errors interact; operators one by one",
}  # fmt: skip
ROLES: dict[str, Role] = {"good": "good", "bad": "bad"}  # of steps; others are doubtful
HEAD = 6  # lines
RAISED = 12  # the bits that culprits are given
NAME = 8  # cells that a name gets at least
NAMED = 2  # operators of a set that are named; more are counted


def head_lines(state: State, width: int) -> tuple[Line, ...]:
    """Return the goal, where the search stands, and its last steps, or its verdict; where marks contradict each other, that."""
    mine = state.of(Bisection)
    said: list[tuple[str, Role]] = [(_goal(mine), "strong")]
    if mine.verdict is not None:
        said += verdict_lines(mine, width)
    else:
        said += _stand(mine, width, waits=_waits(state, mine))
        odd = _odd(mine)
        steps = list(enumerate(mine.steps, 1))[-(HEAD - len(said) - len(odd)) :]
        said += [*((_step(number, step, width), ROLES.get(step.mark, "warn")) for number, step in steps), *odd]
    return tuple(((cut(text, width), role),) for text, role in said[:HEAD])


def _odd(mine: Bisection) -> list[tuple[str, Role]]:
    """Return in a line why not to trust what is shown, where there is a reason."""
    if mine.old:
        return [("! files changed since; Enter bisects with them as they are now", "warn")]
    return [(f"! {clean(mine.contradictions[0])}", "warn")] if mine.contradictions else []


def _waits(state: State, mine: Bisection) -> bool:
    return any(request.id == mine.job and not request.sent for request in state.of(Requests).open)


def _goal(mine: Bisection) -> str:
    where = clean(mine.at) or "the outputs"
    wanted = f"{mine.metric} {mine.wanted:.12g} at {where}" if mine.wanted is not None else f"the command {clean(mine.metric)}"
    return f"Which operators must stay in float for {wanted}?"


def _stand(mine: Bisection, width: int, *, waits: bool) -> list[tuple[str, Role]]:
    """Return where the search stands, and what is judged now or next; one that `waits` has not been asked for yet."""
    if mine.error:
        lines: list[tuple[str, Role]] = [(clean(mine.error), "warn")]
    elif waits:
        lines = [("It waits until what is at work is done.", "dim")]
    elif mine.asking is None and mine.job is not None:
        lines = [("Looking where it stands.", "dim")]
    elif mine.asking is None:
        lines = [
            ("Space judges one network and pauses, Enter goes on by itself:", "dim"),
            ("types first, then the operators inside the guilty types. Say beforehand of", "dim"),
            ("a type or an operator that it is good (c), or to be tried first (!).", "dim"),
        ]
    else:
        paused = "" if mine.job is not None else "; paused"
        lines = [(f"{stand(mine.asking)}{paused}", "text")]
    if mine.asking is not None:
        lines.append((f"  > {'now' if mine.job is not None and not waits else 'next'}: {what(mine.asking, width - 10)}", "strong"))
    return lines


def stand(asking: Asking) -> str:
    """Return what is searched, how much is left, and about how many steps that takes."""
    if asking.phase == "start":
        return "Judging the network as it is" if not asking.floats else "Judging the network with everything in float"
    steps = f" (about {asking.steps} step{'' if asking.steps == 1 else 's'})"
    return f"{PHASES.get(asking.phase, clean(asking.phase))}: {asking.left} left{steps}"


def what(step: Asking | Answered, room: int) -> str:
    """Return which network a step is about, in about `room` cells."""
    floats = step.floats or (step.nodes if isinstance(step, Answered) else ())
    if step.without:
        return f"{elide(step.without, max(NAME, room - 16))} quantized again"
    if step.types:
        return f"in float: all {', '.join(map(clean, step.types))}"
    if step.phase == "start" and floats:
        return "everything in float"
    if not floats:
        return "as it is"
    shown = floats[:NAMED]
    more = f" and {len(floats) - len(shown)} more" if len(floats) > len(shown) else ""
    each = max(NAME, (room - len("in float: , ") - len(more)) // len(shown))
    return f"in float: {', '.join(elide(name, each) for name in shown)}{more}"


def _step(number: int, step: Answered, width: int) -> str:
    sign = {"good": "+", "bad": "x"}.get(step.mark, "~")
    note = f"  ({clean(step.note)})" if step.note else ""
    value = "" if step.value is None else f" {fixed(step.value)}"
    head = f"{number:>3} {sign}{value}  "
    return f"{head}{what(step, width - len(head) - len(note))}{note}"


def verdict_lines(mine: Bisection, width: int) -> list[tuple[str, Role]]:
    """Return the culprits with their evidence, and what can be done about them."""
    found = mine.verdict
    if found is None:
        return []
    evaluations = f"{found.evaluations} evaluation{'' if found.evaluations == 1 else 's'}"
    log: tuple[str, Role] = (f"log {clean(found.path)}", "dim")
    odd = _odd(mine)
    if not found.culprits:
        more = "; t asks for more" if mine.wanted is not None else ""
        return [(f"None: the network is good as it is, {fixed(found.baseline)} ({evaluations}){more}.", "good"), *odd, log]
    kind = "minimal" if found.minimal else "not proven minimal"
    more = ", errors interact" if found.interacting else ""
    lines: list[tuple[str, Role]] = [
        (f"{len(found.culprits)} must: {fixed(found.baseline)} -> {fixed(found.healed)}, {kind}{more}, {evaluations}", "bad")
    ]
    shown = found.culprits[: 2 - len(odd)]
    for culprit in shown:
        proof = f": quantized again {fixed(culprit.evidence.before)}, local error {short(culprit.evidence.local_error, 3)}"
        lines.append((f"  x {elide(f'{culprit.name} {culprit.op}', max(NAME, width - 4 - len(proof)))}{proof}", "text"))
    rest = f"+{len(found.culprits) - len(shown)} below; " if len(found.culprits) > len(shown) else ""
    advice = f"{rest}a writes them to magik.cfg, s keeps them in float, b gives them {RAISED} bits"
    return [*lines, *odd, (advice, "dim"), log]


WORDS: dict[Mark, str] = {"skip": "skipped"}  # marks that are called otherwise


def hunt_sheet(state: State) -> Sheet:
    """Return the operator types and the operators with what is known of each, and the evidence against the culprits."""
    mine, known = state.of(Bisection), marks(state)
    types = kinds(state, known)
    proofs = {culprit.name: culprit.evidence for culprit in mine.verdict.culprits} if mine.verdict is not None else {}
    heads = ("operator", "type", "state", "held to be", "mean cosine", "local cosine", "quantized again", "local error")
    rows: list[tuple[Cell, ...]] = [
        (f"all {kind.name}", kind.name, WORDS.get(kind.mark, kind.mark), mine.priors.types.get(kind.name), None, None, None, None)
        for kind in types
    ]
    for index, (row, mark) in enumerate(zip(state.table.rows, known, strict=True)):
        proof, held = proofs.get(row.name, Evidence()), mine.priors.nodes.get(row.name)
        figures = (state.table.mean(index), row.local_cosine, proof.before, proof.local_error)
        rows.append((row.name, row.op, WORDS.get(mark, mark), held, *figures))
    cursor = len(types) + state.cursor if mine.place is None or not types else min(mine.place, len(types) - 1)
    return Sheet(heads, tuple(rows), cursor, 2, frozenset((4, 5)), _goal(mine))
