"""The pane of the project's history: every finished run, the output's cosine over time, one run against the table."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from datetime import datetime
from pathlib import PurePath
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from magik_tui import events as ev
from magik_tui.core import State
from magik_tui.core.config import ConfigFile
from magik_tui.core.history import (
    ComparedAsked,
    ForgetAsked,
    History,
    HistorySeen,
    NoteAsked,
    Past,
    PastMarked,
    PastMoved,
    Whole,
)
from magik_tui.core.live import Live, plan_document
from magik_tui.core.restore import RestoreAsked, RestoreUndone, Restoring, plan_of
from magik_tui.core.twin import plan_arguments, twin
from magik_tui.numerals import fixed
from magik_tui.panes.base import ListPane, walk_keys
from magik_tui.sheets import Sheet
from magik_tui.text import clean, cut, fit
from magik_tui.widgets.ink import Line, Lines, Role, line_width, shortened
from magik_tui.widgets.rows import Rows

BARS = "▁▂▃▄▅▆▇█"
SPARKS = 60  # runs in the line of cosines, at most
COMPARED = 8  # layers that differ most, under the list
FILE_LINES = 6  # lines of the files that differ
LEAST = 0.0005  # a mean cosine that moved by less has not moved


class RunsList(Rows):
    """The runs, the newest first."""

    def __init__(self) -> None:
        super().__init__(id="runs")
        self._history = History()

    def show(self, history: History) -> None:
        """Draw the list."""
        self._history, self.count, self.cursor = history, len(history.runs or ()), history.cursor
        self.redraw()

    def head(self) -> Line:
        """Return the names of the columns."""
        return ((fit("  when              kind  variant cosine   bad  changed, note", self.room), "head"),)

    def row(self, index: int) -> Line:
        """Return one run."""
        run = (self._history.runs or ())[index]
        other = self._history.other
        base = self._history.base
        mark = "*" if base is not None and base.id == run.id else "=" if other is not None and other.id == run.id else " "
        role: Role = "cursor" if index == self.cursor else "text"
        when = datetime.fromtimestamp(run.time).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        text = f"{mark} {when[2:]} {clean(run.kind):<5} {clean(run.variant):<6}{fixed(run.cosine):>8} {run.bad:>4}  {_changed(run)}"
        return ((fit(text, self.room) if len(text) <= self.room else text[: self.room - 1] + "…", role),)


def _changes(run: Past) -> list[str]:
    return [*run.settings, *(f"{name}: {_said(choice)}" for name, choice in run.plan.get("nodes", {}).items())]


def _changed(run: Past) -> str:
    parts = _changes(run)
    told = ", ".join(parts[:3]) + (f" and {len(parts) - 3} more" if len(parts) > 3 else "")
    return clean(f"{told}  {run.note}".strip())


def _said(choice: object) -> str:
    return " ".join(f"{k}={v}" for k, v in choice.items()) if isinstance(choice, dict) else ""


class RunsPane(ListPane):
    """The history."""

    DEFAULT_CSS = """
    RunsPane #runs-sparks { height: 1; }
    RunsPane #runs { height: 1fr; }
    RunsPane #runs-compared { height: 0; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,c", "compare", "compare", id="runs.compare",
                tooltip="Compare this run with the marked one, or with the table"),
        Binding("space", "mark", "mark", id="runs.mark", tooltip="Mark this run: others are compared with it"),
        Binding("u", "restore", "restore", id="runs.restore", tooltip="Make files and plan what they were for this run"),
        Binding("U", "back", "back", id="runs.restore_back", show=False, tooltip="Take the last restoring back, or do it again"),
        Binding("t", "note", "note", id="runs.note", tooltip="Write a note to this run"),
        Binding("D", "forget", id="runs.forget", show=False, tooltip="Delete this run from the history"),
        *walk_keys("run"),
    ]  # fmt: skip

    def compose(self) -> ComposeResult:
        """Return the line of cosines, the list and the comparison."""
        yield Lines(id="runs-sparks")
        yield RunsList()
        yield Lines(id="runs-compared")

    def hints(self, state: State) -> tuple[str, ...]:
        """Return what can be done with a run."""
        if not state.of(History).runs:
            return ()
        back = ("runs.restore_back",) if state.of(Restoring).before else ()
        return ("runs.compare", "runs.mark", "runs.restore", *back, "runs.note")

    def why_not(self, id_: str, state: State) -> str:
        """Return why a key over runs can do nothing now."""
        if id_ == "runs.restore_back":
            return "" if state.of(Restoring).before else "nothing was restored"
        return "" if state.of(History).runs else "no run has been finished yet"

    def sheet(self, state: State) -> Sheet | None:
        """Return the history."""
        return runs_sheet(state)

    def line(self, state: State) -> str:
        """Return the command line that makes the run under the cursor again, on the files as they were."""
        chosen = state.of(History).chosen
        return run_line(state, chosen) if chosen is not None else twin(state, "run")

    def show(self, state: State) -> None:
        """Draw the history; the first time it is in sight it is asked for."""
        history = state.of(History)
        if history.runs is None and not history.asked:
            self.call_later(self.desk.dispatch, HistorySeen())
        self.query_one("#runs-sparks", Lines).show((sparkline(history, self.size.width),))
        self.query_one("#runs-compared", Lines).show_whole(compared_lines(state, self.size.width))
        self.query_one(RunsList).show(history)

    def moved(self, by: int = 0, to: int | None = None) -> ev.Event:
        """Return the event that moves the cursor over the runs."""
        return PastMoved(by, to)

    def action_compare(self) -> None:
        """Compare the run with the table."""
        self.desk.dispatch(ComparedAsked())

    def action_mark(self) -> None:
        """Mark the run."""
        self.desk.dispatch(PastMarked())

    def action_restore(self) -> None:
        """Restore the run."""
        self.desk.dispatch(RestoreAsked())

    def action_back(self) -> None:
        """Take the last restoring back."""
        self.desk.dispatch(RestoreUndone())

    def action_forget(self) -> None:
        """Delete the run."""
        self.desk.dispatch(ForgetAsked())

    def action_note(self) -> None:
        """Write a note."""
        self.desk.dispatch(NoteAsked())


def sparkline(history: History, width: int) -> Line:
    """Return the output's cosine over the runs, the oldest at the left, the lowest and the highest, and what counts as bad."""
    if history.runs is None:
        return ((fit("Reading the history.", width), "dim"),)
    if not history.runs:
        return ((fit("No run has been finished yet; r makes one.", width), "dim"),)
    known = [r.cosine for r in reversed(history.runs) if r.cosine is not None][-SPARKS:]
    if not known:
        return ((fit(f"{len(history.runs)} runs, none measured.", width), "dim"),)
    low, high = min(known), max(known)
    step = (high - low) / (len(BARS) - 1)
    drawn = "".join(BARS[round((v - low) / step) if step else len(BARS) - 1] for v in known)
    line: Line = ((f"output cosine {drawn} {fixed(low)} to {fixed(high)}", "strong"), ("  bad: below 0.98 on a sample", "dim"))
    return shortened(line if line_width(line) <= width else line[:1], width)


def run_line(state: State, run: Past) -> str:
    """Return the command line that makes a run again: with `--dry-run` what was changed on top of the files is only tried."""
    where = replace(state, variant=run.variant or state.variant, settings=tuple(run.settings))
    plan = plan_of(run, state)
    return twin(where, "apply", *plan_arguments(plan), "--dry-run") if plan else twin(where, "run")


def runs_sheet(state: State) -> Sheet:
    """Return the history as a table."""
    history = state.of(History)
    heads = ("run", "time", "kind", "variant", "output cosine", "layers", "below 0.98", "worst layer", "its cosine", "changed", "note")
    rows = tuple(
        (
            run.id, datetime.fromtimestamp(run.time).astimezone().isoformat(timespec="seconds"), run.kind, run.variant, run.cosine,
            run.layers, run.bad, run.worst.name if run.worst else None, run.worst.cosine_avg if run.worst else None,
            ", ".join(_changes(run)), run.note,
        )
        for run in history.runs or ()
    )  # fmt: skip
    return Sheet(heads, rows, history.cursor, 4, frozenset((4, 8)), f"{PurePath(state.project).name} runs")


def compared_lines(state: State, width: int) -> tuple[Line, ...]:
    """Return what differs between two runs, or a run and the table: outputs, the files, the layers that differ most."""
    history = state.of(History)
    other, base = history.other, history.base
    if other is None:
        return ()
    now = {row.name: row.cosine_avg for row in base.document.nodes} if base else _table_cosines(state)
    then = {row.name: row.cosine_avg for row in other.document.nodes}
    moved = [
        (after - before, name, before, after)
        for name, after in now.items()
        if after is not None and (before := then.get(name)) is not None and abs(after - before) >= LEAST
    ]
    moved.sort(key=lambda each: -abs(each[0]))
    better = sum(each[0] > 0 for each in moved)
    head = f"{better} layers better, {len(moved) - better} worse, {len(now) - len(moved)} as before"
    head += f": {clean(other.id)} -> {clean(base.id) if base else 'the table'}"
    lines: list[Line] = [((fit(cut(head, width), width), "head"),)]
    ends = other.cosine, base.cosine if base else min((o.cosine_avg for o in state.outputs if o.cosine_avg is not None), default=None)
    if ends[0] is not None and ends[1] is not None and abs(ends[1] - ends[0]) >= LEAST / 10:
        role: Role = "good" if ends[1] > ends[0] else "bad"
        lines.append(((f"{ends[1] - ends[0]:+.5f} ", role), (fit(f"{fixed(ends[0])} -> {fixed(ends[1])}  output", width - 9), "text")))
    files = file_changes(other, base, state)
    if len(files) > FILE_LINES:
        files = [*files[: FILE_LINES - 1], f"and {len(files) - FILE_LINES + 1} lines more of what they were made from"]
    lines += [((fit(cut(text, width), width), "text"),) for text in files]
    for change, name, before, after in moved[:COMPARED]:
        role = "good" if change > 0 else "bad"
        lines.append(((f"{change:+.5f} ", role), (fit(f"{fixed(before)} -> {fixed(after)}  {clean(name)}", width - 9), "text")))
    return tuple(lines)


def _table_cosines(state: State) -> dict[str, float | None]:
    return {row.name: state.table.mean(place) for place, row in enumerate(state.table.rows)}


def file_changes(other: Whole, base: Whole | None, state: State) -> list[str]:
    """Return what went (-) and came (+) between two runs: lines of magik.cfg, of the bit file, and what was changed on top of the files.

    Of the table that a run is compared with where `base` is None the bit file is not known here.
    """
    saved = state.of(ConfigFile).saved
    now = base.config if base else saved.text if saved else other.config
    lines = difflib.unified_diff(other.config.splitlines(), now.splitlines(), n=0, lineterm="")
    told = [f"magik.cfg {line[0]} {clean(line[1:].strip())}" for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    if base is not None and base.bits != other.bits:
        told += _gone_and_come("bit file", _entries(other.bits), _entries(base.bits))
    after = base or Past("", settings=state.settings, plan=plan_document(state.of(Live).plan))
    return told + _gone_and_come("on top", _changes(other), _changes(after))


def _gone_and_come(place: str, before: list[str], after: list[str]) -> list[str]:
    """Return what only one of the two has, each in a line that says where it stands."""
    gone = [f"{place} - {clean(text)}" for text in before if text not in after]
    return gone + [f"{place} + {clean(text)}" for text in after if text not in before]


def _entries(text: str) -> list[str]:
    """Return a bit file's layers with what it gives each, or its lines where it is none."""
    try:
        entries = json.loads(text or "{}")
    except ValueError:
        return text.splitlines()
    return [f"{name}: {_said(given)}" for name, given in entries.items()] if isinstance(entries, dict) else text.splitlines()


PANE = RunsPane
