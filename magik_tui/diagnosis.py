"""The rows of a diagnosis as lines, and as tables for elsewhere. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from magik_tui.core.diagnose import Diagnosis
from magik_tui.core.findings import Cost, Diagnosed, Entry, Finding, Fix, Operator, Sample, Untried
from magik_tui.numerals import fixed
from magik_tui.sheets import Cell, Sheet
from magik_tui.text import clean, cut, fit
from magik_tui.widgets.ink import Line, Role, shortened

MARKS: dict[str, tuple[str, Role]] = {
    "bad": ("x", "bad"), "hint": ("!", "warn"), "help": ("+", "good"), "fine": (".", "dim"), "unknown": ("?", "warn"),
}  # fmt: skip
VERDICTS: dict[str, Role] = {"healthy": "good", "doubtful": "warn", "unhealthy": "bad"}
TOPIC = 21  # cells of a finding's name
HEADS = {
    "found": "what was found  (x at fault, ! suspect, + helps, . fine, ? cannot be told)",
    "operators": "operators to blame",
    "samples": "samples to look at",
}
AGAIN = ", with the outputs' cosine once one alone is quantized again"
WRITTEN = "written"
MUCH = 0.05  # of the work in float is said in place of what a fix does, where that has no column
TITLE = 24  # cells that the title of a fix has at least
FULL = 3  # lines over the rows, where there is room
Column = tuple[str, int]
COLUMNS: tuple[Column, ...] = (("gain", 9), ("outputs", 19), ("cost", 7), ("noise left", 11), ("better", 9), ("in float", 9), ("", 13))
WORTH = ("gain", "", "cost", "outputs", "noise left", "better", "in float")
"""The columns of the fixes, the most useful first: where there is no room the others are left out."""

START = "Why did it lose its accuracy, and what mends it? d finds out: every cause and every fix is tried on the live engine and measured."
NONE = "nothing that was tried gains enough to be advised"
GONE_ON = "d goes on from there: what was measured is kept."


def columns(width: int) -> tuple[Column, ...]:
    """Return the columns of the fixes for which there is room beside the title."""
    room, chosen = width - 4 - TITLE, set()
    for name in WORTH:
        size = dict(COLUMNS)[name]
        if size > room:
            break
        chosen.add(name)
        room -= size
    return tuple(column for column in COLUMNS if column[0] in chosen)


def line_of(mine: Diagnosis, entry: Entry, width: int, *, here: bool) -> Line:
    """Return the row of an entry in `width` cells; `here` is the cursor."""
    return shortened(_line_of(mine, entry, width, here=here), width)


def _line_of(mine: Diagnosis, entry: Entry, width: int, *, here: bool) -> Line:
    role: Role = "cursor" if here else "text"
    value, at = entry.value, ">" if here else " "
    if isinstance(value, Finding):
        mark, ink = MARKS.get(value.level, MARKS["unknown"])
        return ((f"{at}{mark} ", ink), (fit(value.topic.replace("_", " "), TOPIC), role), (_cell(value.claim, width - TOPIC - 3), role))
    if isinstance(value, Untried):
        return ((f"{at}- ", "dim"), (_cell(f"not tried: {value.what}: {value.why}", width - 3), role if here else "dim"))
    if isinstance(value, Fix):
        return _fix_line(mine, value, width, role, at)
    if isinstance(value, Operator):
        again = f"{fixed(value.again):>9}" if _measured(mine) else ""
        figures = f"{again}  local error {fixed(value.local_error)}  {clean(value.op)}"
        room = max(8, width - len(figures) - 4)
        return ((f"{at}x ", "bad"), (fit(value.name, room), role), (_cell(figures, width - room - 3), role))
    if isinstance(value, Sample):
        mark, ink = ("x", "bad") if value.poor else ("!", "warn")
        said = f"{'' if value.key else fixed(value.cosine):>8}  "
        room = max(8, min(40, width - 3 - len(said)))
        about = ", ".join(filter(None, ("does badly" if value.poor else "", value.fault, f"in {value.key}" if value.key else "")))
        rest = _cell(f" {about}", width - room - len(said) - 3)
        return ((f"{at}{mark} ", ink), (said, role), (fit(value.sample, room), role), (rest, role))
    if entry.kind == "head":
        return ((at if here else "", "cursor"), *_head_line(mine, entry, width - here))
    return ((_cell(f"{at}{entry.text}", width), role),)


def _measured(mine: Diagnosis) -> bool:
    """Tell whether the outputs were measured with any one operator quantized again."""
    return mine.found is not None and any(each.again is not None for each in mine.found.operators.culprits)


def _cell(text: str, width: int) -> str:
    """Return the beginning of a text in exactly `width` cells."""
    return fit(cut(text, max(0, width)), max(0, width))


def _head_line(mine: Diagnosis, entry: Entry, width: int) -> Line:
    if entry.text != "fixes":
        again = AGAIN if entry.text == "operators" and _measured(mine) else ""
        return ((_cell(HEADS[entry.text] + again, width), "head"),)
    if mine.found is None or not mine.found.fixes:
        return ((_cell(f"fixes: {NONE}", width), "head"),)
    wanted = mine.found.cause != "none" or mine.found.hint
    title = "fixes, the most advisable first" if wanted else "none is needed; what would gain all the same"
    shown = columns(width)
    room = width - sum(size for _, size in shown)
    return ((_cell(title, room) + "".join(fit(name, size, right=True) for name, size in shown), "head"),)


def _fix_line(mine: Diagnosis, fix: Fix, width: int, role: Role, at: str) -> Line:
    cells = {
        "gain": "-" if fix.gain is None else f"{fix.gain:+.5f}",
        "outputs": f"{fixed(fix.before.cosine_avg)} > {fixed(fix.after.cosine_avg)}",
        "cost": price(fix.cost),
        "noise left": "-" if fix.noise_left is None else f"{fix.noise_left:.0%}",
        "better": f"{fix.better} of {fix.samples}",
        "in float": f"{fix.cost.floats:.0%}",
        "": word(mine, fix),
    }
    shown = columns(width)
    much = fix.cost.floats >= MUCH and "in float" not in dict(shown) and cells[""] != WRITTEN
    cells |= {"": f"{cells['in float']} in float"} if much else {}
    room = max(0, width - 4 - sum(size for _, size in shown))
    figures = "".join(fit(cells[name], size, right=True) for name, size in shown if name)
    said = "".join(fit(cells[name], size, right=True) for name, size in shown if not name)
    good: Role = "warn" if fix.caution or much else "good" if fix.heals or fix.restores else "text"
    return ((f"{at}{fix.rank:<2} ", "strong"), (_cell(fix.title, room), role), (figures, role), (said, good))


def price(cost: Cost) -> str:
    """Return the cost of features and weights together, relative to 8 bits everywhere."""
    if cost.features is None:
        return "-"
    value = cost.features * (1.0 if cost.weights is None else cost.weights)
    return f"x{value:.2f}" if value == 1 or abs(value - 1) >= 0.005 else f"x{value:.3f}"  # told from 1, where it is not


def word(mine: Diagnosis, fix: Fix) -> str:
    """Return what is to be known of a fix before all."""
    if mine.applied == fix.rank and mine.before:
        return WRITTEN
    return "with caution" if fix.caution else "heals" if fix.heals else "good outputs" if fix.restores else "helps"


def wrapped(text: str, width: int, most: int, role: Role) -> tuple[Line, ...]:
    """Return a text in at most `most` lines; what does not fit is cut."""
    parts = textwrap.wrap(clean(text), max(10, width - 1)) or [""]
    if len(parts) > most:
        parts = [*parts[: most - 1], cut(" ".join(parts[most - 1 :]), max(10, width - 1))]
    return tuple(((fit(f" {part}", width), role),) for part in parts)


def head_lines(mine: Diagnosis, width: int, most: int) -> tuple[Line, ...]:
    """Return what stands over the rows: what to do, what is at work, what went wrong, or what comes first of the diagnosis."""
    if mine.job is not None:
        count = f"{len(mine.steps)} tried so far" if mine.steps else "opening the project"
        return wrapped(f"Diagnosing: {count}; Esc stops it, and what was measured is kept.", width, 1, "strong")
    lines: tuple[Line, ...] = ()
    if mine.error:
        said = f"{mine.error[:1].upper()}{mine.error[1:]}; {GONE_ON}" if mine.stopped else f"{mine.error}. Mend that, then d tries again."
        lines = wrapped(said, width, 2, "warn" if mine.stopped else "bad")
    if mine.found is None:
        return lines or wrapped(START, width, most, "dim")
    if mine.stale and not mine.error and not (mine.opened and mine.opened == mine.applied):
        lines = wrapped("Files or variant changed since this was measured: d diagnoses again.", width, 1, "warn")
    if mine.opened and mine.fix is not None:
        return (*lines, *_opened_lines(mine, mine.fix, width, 2 if most >= FULL else 1))
    said = headline(mine.found, (width - 2) * (most - len(lines)))
    return (*lines, *wrapped(said, width, most - len(lines), VERDICTS.get(mine.found.verdict, "text")))


def headline(found: Diagnosed, room: int) -> str:
    """Return verdict, cause and first fix; where there is no room the evidence goes, which is among the findings."""
    claim = found.headline.claim
    because = found.headline.numbers.get("because")
    if len(claim) > room * 9 // 10 and because:  # lines are not filled to their ends
        claim = claim.replace(f" ({because})", "")
    return f"{claim[:1].upper()}{claim[1:]}"


def _opened_lines(mine: Diagnosis, fix: Fix, width: int, most: int) -> tuple[Line, ...]:
    figures = [f"outputs {fixed(fix.before.cosine_avg)} -> {fixed(fix.after.cosine_avg)}"]
    figures += [f"gain {fix.gain:+.5f}"] if fix.gain is not None else []
    figures += [f"{fix.noise_left:.0%} of the noise left"] if fix.noise_left is not None else []
    figures += [f"better on {fix.better} of {fix.samples} samples", f"cost {price(fix.cost)}"]
    figures += [f"{fix.cost.floats:.0%} in float"] if fix.cost.floats else []
    figures += ["heals"] if fix.heals else ["good outputs"] if fix.restores else []
    if mine.applied == fix.rank:
        do = "Written; u takes it back, Backspace goes back to the list."
    elif fix.written:
        do = "Enter writes these lines, u takes them back; Backspace goes back to the list."
    else:
        do = "No file says this: it is yours to do. Backspace goes back to the list."
    return (
        *wrapped(f"{fix.rank}. {fix.title}", width, 1, "strong"),
        *wrapped(", ".join(figures), width, most, "text"),
        *wrapped(do, width, most, "key"),
    )


def more_lines(mine: Diagnosis, width: int, most: int) -> tuple[Line, ...]:
    """Return the row under the cursor in full."""
    value = mine.chosen.value if mine.chosen and mine.found is not None and mine.job is None else None
    match value:
        case Finding():
            said = value.claim
        case Untried():
            said = f"not tried: {value.what}: {value.why}"
        case Fix():
            said = "; ".join(filter(None, (value.title, lines_said(value), value.do, f"caution: {value.caution}" if value.caution else "")))
        case Operator():
            said = f"{value.name} ({value.op}): local error {fixed(value.local_error)}; Enter shows the layer"
        case Sample():
            said = f"{value.sample}: Enter shows the sample"
        case _:
            return ()
    return wrapped(said, width, most, "text")


def lines_said(fix: Fix) -> str:
    """Return in few words what a fix writes."""
    keys = [f"{key} {'taken out' if value is None else json.dumps(value, ensure_ascii=False)}" for key, value in fix.config.items()]
    if fix.bit_file:
        keys.append(f"{len(fix.bit_file)} nodes in magik_node_quant_bit_info.json")
    return ", ".join(keys)


def sheet_of(mine: Diagnosis, title: str) -> Sheet | None:
    """Return the part of the diagnosis that the cursor is in as a table; as Markdown or JSON it is written whole."""
    found = mine.found
    if found is None or mine.job is not None:
        return None
    document = {k: v for k, v in mine.document.items() if k not in ("markdown", "recipes")}
    whole = {"md": found.markdown, "json": json.dumps(document) + "\n"}
    heads, rows, cells = _table(mine, found)
    row = rows.index(mine.cursor) if mine.cursor in rows else 0
    return Sheet(heads, tuple(cells), row, 0, title=title, whole=whole)


def _table(mine: Diagnosis, found: Diagnosed) -> tuple[tuple[str, ...], list[int], list[tuple[Cell, ...]]]:
    """Return heads, the places of the rows, and their cells, of the part that the cursor is in."""
    entries = mine.entries
    if mine.opened:
        return ("line",), list(range(len(entries))), [(entry.text,) for entry in entries]
    start = next((at for at in range(min(mine.cursor, len(entries) - 1), -1, -1) if entries[at].kind == "head"), 0)
    end = next((at for at in range(start + 1, len(entries)) if entries[at].kind == "head"), len(entries))
    rows = list(range(start + 1, end))
    heads: Sequence[str] = {
        "found": ("topic", "level", "claim"),
        "fixes": ("fix", "before", "after", "gain", "noise left", "better", "samples", "cost", "weights", "in float", "heals", "writes"),
        "operators": ("operator", "type", "quantized again", "local error"),
        "samples": ("sample", "set", "cosine", "does badly", "fault"),
    }[entries[start].text]
    return tuple(heads), rows, [_cells(entries[at]) for at in rows]


def _cells(entry: Entry) -> tuple[Cell, ...]:
    match entry.value:
        case Finding(topic=topic, level=level, claim=claim):
            return topic, level, claim
        case Untried(what=what, why=why):
            return what, "not tried", why
        case Fix() as fix:
            figures = (fix.before.cosine_avg, fix.after.cosine_avg, fix.gain, fix.noise_left, fix.better, fix.samples)
            return fix.title, *figures, fix.cost.features, fix.cost.weights, fix.cost.floats, str(fix.heals).lower(), lines_said(fix)
        case Operator() as each:
            return each.name, each.op, each.again, each.local_error
        case Sample() as each:
            return each.sample, each.key or "DEBUG_PATH", each.cosine, str(each.poor).lower(), each.fault
    return ()
