"""The rows above and below the table: what is open, what the verdict is, what happens now, what went wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import PurePath

from magik_tui.state import State
from magik_tui.table import judge
from magik_tui.text import clean, cut, duration, elide, fixed
from magik_tui.widgets.ink import Line, Role, Run, justified, line_width

NOTE_LINES = {"error": 3}  # other notes take one
KEYS_LEAST = 16  # cells that the first keys get, whatever the status says
_MARKS: dict[str, Role] = {"+": "good", "~": "warn", "x": "bad"}
_NOTES: dict[str, Role] = {"error": "bad", "warning": "warn", "info": "dim"}


def header_line(state: State, width: int) -> Line:
    """Return the row at the top: project, variant, SOC and model at the left, the verdict at the right."""
    parts = [PurePath(state.project).name or state.project, state.variant, state.soc, PurePath(state.model).name]
    shown = [clean(part) for part in parts if part]
    left: list[Run] = [(" ", "head"), (shown[0], "strong")] if shown else []
    for part in dict.fromkeys(shown[1:]):
        left += [("  ", "text"), (part, "text")]
    return justified(tuple(left), _verdict(state, width), width)


def _verdict(state: State, width: int) -> Line:
    outputs = [o.cosine_avg for o in state.outputs if o.cosine_avg is not None]
    old: Line = ((" stale ", "warn"),) if state.stale and state.table.complete else ()
    old = ((" partial ", "warn"),) if state.stale and not state.table.complete else old
    verdict = judge(state.table, state.outputs)
    if verdict is None:
        return old
    role = _MARKS[verdict.mark]
    line = old
    if outputs:
        line += ((" output cosine ", "label"), (fixed(min(outputs)), role))
    line += ((f" {verdict.mark} {verdict.word} ", role),)
    advice = f"· {verdict.advice} "
    return (*line, (advice, "text")) if line_width(line) + len(advice) < width * 3 // 5 else line


def status_line(state: State, width: int, keys: Sequence[tuple[str, str]]) -> Line:
    """Return the row at the bottom: the run at the left, the most useful keys at the right."""
    left: Line = ((" ", "text"), *_status(state))
    hints: list[Run] = []
    room = max(width - line_width(left), KEYS_LEAST)
    for key, what in keys:
        more: list[Run] = [(f" {key}", "key"), (f" {what} ", "dim")]
        if line_width((*hints, *more)) >= room:
            break
        hints += more
    return justified(left, tuple(hints), width)


def _status(state: State) -> Line:
    time = f" {duration(state.elapsed)}"
    match state.phase:
        case "waiting":
            return (("starting the engine", "strong"), (time, "text"))
        case "running":
            return (*_progress(state), (time, "text"))
        case "cancelling":
            return (("stopping", "warn"), (time, "text"))
        case "done":
            low = sum(map(state.table.bad, range(len(state.table.rows))))
            warned = f", {state.warnings} warnings" if state.warnings > 1 else ", 1 warning" if state.warnings else ""
            size = f" {len(state.table.rows)} layers, {len(state.table.samples)} samples, {low} below 0.98{warned} in"
            return (("done", "good"), (f"{size}{time}", "text"))
        case "failed":
            return (("failed", "bad"), (time, "text"))
        case "cancelled":
            return (("stopped", "warn"), (time, "text"))
        case _:
            return (("idle", "dim"),)


def _progress(state: State) -> Line:
    if not state.stage:
        return (("running", "strong"),)
    stage = elide(state.stage, 30)
    if not state.total:
        return ((stage, "strong"),)
    share = max(0, min(100, 100 * state.done // state.total))
    return ((stage, "strong"), (f" {state.done}/{state.total} {share}%", "text"))


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


def log_lines(state: State) -> list[str]:
    """Return the run's log, oldest first, and where the engine's own log is."""
    said = [f"{n.level:<8}{n.source}: {n.text}" if n.source else f"{n.level:<8}{n.text}" for n in state.log]
    where = [f"What the engine wrote to stderr is in {state.engine_log}"] if state.engine_log else []
    return [*(said or ["Nothing was logged."]), "", *where]
