"""The rows above and below the table: what is open, what the verdict is, what happens now, what went wrong."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import PurePath

from magik_tui.core import State
from magik_tui.core.hunt import Bisection
from magik_tui.core.live import Live
from magik_tui.core.pace import seconds_left
from magik_tui.core.requests import Request, Requests, heavy_at_work
from magik_tui.numerals import duration, fixed
from magik_tui.table import Verdict, judge, unquantized
from magik_tui.text import clean, cut, elide
from magik_tui.widgets.ink import Line, Role, justified, line_width

NOTE_LINES = {"error": 3}  # other notes take one
NARROW, ROOMY = 72, 100  # below and above these widths the header says things more shortly, and in full
STAGES = (30, 30, 12)  # cells for the name of a stage
PHASES = {"start": "the start", "parts": "tied layers", "again": "one by one"}  # phases of a bisection that are called otherwise
_MARKS: dict[str, Role] = {"+": "good", "~": "warn", "x": "bad"}
_NOTES: dict[str, Role] = {"error": "bad", "warning": "warn", "info": "dim"}


def header_line(state: State, width: int) -> Line:
    """Return the row at the top: project, SOC (or variant), settings and model at the left, the verdict at the right."""
    verdict = _verdict(state, width)
    room = width - line_width(verdict)
    left = next((line for line in _titles(state) if line_width(line) <= room), _titles(state)[-1])
    return justified(left, verdict, width)


def _titles(state: State) -> tuple[Line, ...]:
    """Return what is open, the settings in full or as a count and how many layers are changed on top, then without the model."""
    name = clean(PurePath(state.project).name or state.project)
    variant = state.variant if (state.variant or "").casefold() != state.soc.casefold() else ""
    place, model = " ".join(filter(None, (variant, state.soc))), PurePath(state.model).name
    plan = len(state.of(Live).plan)
    on_top = f"+{plan} changed" if plan else ""
    changed = " ".join((*(f"+{setting}" for setting in state.settings), on_top)).strip()
    fewer = " ".join(filter(None, (f"+{len(state.settings)} set" if state.settings else "", on_top)))
    choices = ((changed, model), (fewer, model), (fewer, ""))
    lines: list[Line] = []
    for settings, shown in choices:
        parts = [clean(" ".join(filter(None, (place, settings)))), clean(shown)]
        lines.append(((" ", "head"), (name, "strong"), *((f"  {part}", "text") for part in parts if part)))
    return tuple(lines)


def _verdict(state: State, width: int) -> Line:
    """Return what the table comes to: number and verdict, the number alone where it is old, and a plain word where it is no verdict."""
    if unquantized(state.table):
        return ((" not quantized ", "warn"),)
    if state.stale and not state.table.complete:
        return ((" partial ", "warn"),)
    outputs = [o.cosine_avg for o in state.outputs if o.cosine_avg is not None]
    number = fixed(min(outputs)) if outputs else ""
    if state.stale:
        return ((" stale ", "warn"), (f"{number} ", "dim")) if number else ((" stale ", "warn"),)
    verdict = judge(state.table, state.outputs)
    if verdict is None:
        return ()
    role = _MARKS[verdict.mark]
    label = " mean output cosine " if width >= NARROW else " output "
    line: Line = ((label, "label"), (number, role)) if number else ()
    line += ((f" {verdict.mark} {_said(verdict, width)} ", role),)
    advice = f"· {verdict.advice} "
    return (*line, (advice, "text")) if verdict.advice and line_width(line) + len(advice) < width * 3 // 5 else line


def _said(verdict: Verdict, width: int) -> str:
    """Return the verdict in words; where layers are below 0.98 their count is never left out, and on a narrow screen it is all."""
    if not verdict.low:
        return verdict.word
    if width < ROOMY:
        return f"{verdict.low} < 0.98"
    return ", ".join(filter(None, (verdict.word, f"{verdict.low} of {verdict.known} layers below 0.98")))


def hints(state: State, pane: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the ids of the bindings to hint at now, the most useful first; `pane` are those of the pane that has the keys."""
    log = ("log.open",) if state.warnings or state.phase == "failed" else ()
    if state.busy or heavy_at_work(state):
        return ("run.stop", *log, "help.open", "app.quit")
    ask = ("run.start",)
    first = (*log, *ask) if state.phase in ("failed", "cancelled") or not state.table.complete else (*pane, *log, *ask)
    return (*first, "help.open", "app.quit")


def status_line(state: State, width: int, keys: Sequence[tuple[str, str]]) -> Line:
    """Return the row at the bottom: the run at the left, the keys at the right; the run says less where they need the room.

    Where that is not enough the last key goes (to quit), then those before the one that is the last then (for help).
    """
    shown = [_hint(key, what) for key, what in keys]
    ways: list[Line] = [((" ", "text"), *_switch(state), *way) for way in _status(state)]
    room = width - sum(map(line_width, shown))
    left = next((way for way in ways if line_width(way) <= room), ways[-1])
    while shown and line_width(left) + sum(map(line_width, shown)) > width:
        shown.pop(-1 if len(shown) == len(keys) else max(0, len(shown) - 2))
    return justified(left, tuple(run for hint in shown for run in hint), width)


def _switch(state: State) -> Line:
    """Return that changes wait until they are asked for, and whether some do; nothing while they run at once."""
    live = state.of(Live)
    return () if live.auto else (("auto-run off, changes wait: " if live.wanted else "auto-run off: ", "warn"),)


def _hint(key: str, what: str) -> Line:
    return ((f" {key}", "key"), (f" {what} ", "dim"))


def _status(state: State) -> tuple[Line, ...]:
    """Return what the run does in words, and in fewer and fewer words."""
    heavy = heavy_at_work(state)
    if heavy is not None:
        return _working(state, heavy)
    time = f" {duration(state.elapsed)}"
    match state.phase:
        case "waiting":
            return ((("starting the engine", "strong"), (time, "text")), (("starting", "strong"), (time, "text")))
        case "running":
            return _timed(_progress(state), state, state.elapsed)
        case "cancelling":
            return ((("stopping", "warn"), (time, "text")),)
        case "done":
            return tuple((("done", "good"), (f"{size}{time}", "text")) for size in _sizes(state))
        case "failed":
            return ((("failed", "bad"), (time, "text")),)
        case "cancelled":
            return ((("stopped", "warn"), (time, "text")),)
        case _:
            return ((("idle", "dim"),),)


def _sizes(state: State) -> tuple[str, ...]:
    """Return how large the table is and how many of its layers are bad, most words first."""
    layers, samples = len(state.table.rows), len(state.table.samples)
    if layers and not any(worst is not None for worst in state.table.worst):
        return (f" {layers} layers, none measured in", "")
    low = sum(map(state.table.bad, range(layers)))
    warned = f", {state.warnings} warnings" if state.warnings > 1 else ", 1 warning" if state.warnings else ""
    return (
        f" {layers} layers, {samples} samples, {low} below 0.98{warned} in",
        f" {layers} layers, {samples} samples, {low} < 0.98 in",
        f" {layers} layers, {low} < 0.98 in",
        "",
    )


def _timed(ways: Sequence[Line], state: State, elapsed: float) -> tuple[Line, ...]:
    """Return what is at work with the seconds it took and, once they can be told, those it will take; the shortest way without these."""
    time, left = f" {duration(elapsed)}", seconds_left(state)
    plain = tuple((*way, (time, "text")) for way in ways)
    if left is None:
        return plain
    return (*((*way, (f"{time}, {duration(math.ceil(left))} left", "text")) for way in ways), plain[-1])


def _working(state: State, request: Request) -> tuple[Line, ...]:
    """Return what a heavy request does in words, and in fewer and fewer words."""
    elapsed = state.of(Requests).elapsed(request)
    if request.cancelled:
        return ((("stopping", "warn"), (f" {duration(elapsed)}", "text")),)
    label = clean(request.label)
    ways: tuple[Line, ...] = tuple(((f"{label}: ", "strong"), *way) for way in _steps(state, request)) if request.stage else ()
    return _timed((*ways, ((label, "strong"),)), state, elapsed)


def _steps(state: State, request: Request) -> tuple[Line, ...]:
    """Return how far a request is; a bisection in the steps of its phase."""
    asking = state.of(Bisection).asking
    if request.do != "bisect" or asking is None:
        return _progress(request)
    phase: Line = ((PHASES.get(asking.phase, clean(asking.phase)), "strong"),)
    return ((*phase, (f", about {asking.steps} step{'' if asking.steps == 1 else 's'} to go", "text")), phase)


def _progress(work: State | Request) -> tuple[Line, ...]:
    """Return the stage of a run or a request and how far it is."""
    if not work.stage:
        return ((("running", "strong"),),)
    if not work.total:
        return tuple(((elide(work.stage, size), "strong"),) for size in STAGES)
    share = max(0, min(100, 100 * work.done // work.total))
    counts = (f" {work.done}/{work.total} {share}%", f" {share}%", f" {share}%")
    return tuple(((elide(work.stage, size), "strong"), (count, "text")) for size, count in zip(STAGES, counts, strict=True))


def note_lines(state: State, width: int) -> tuple[Line, ...]:
    """Return what went wrong (up to three lines) or is worth knowing (one); nothing when there is nothing to say."""
    note = state.note
    if note is None:
        return ()
    role = _NOTES.get(note.level, "text")
    head = f" {note.level}: " if note.level != "info" else " "
    source = f"{clean(note.source)}: " if note.source else ""
    parts = textwrap.wrap(source + clean(note.text), max(10, width - len(head) - 1)) or [""]
    most = NOTE_LINES.get(note.level, 1)
    if len(parts) > most:
        rest = " ".join(parts[most - 1 :])
        parts = [*parts[: most - 1], cut(rest, max(10, width - len(head) - 5)) + " (w)"]
    indent = " " * len(head)
    return tuple(((head if y == 0 else indent, role), (part, "text")) for y, part in enumerate(parts))
