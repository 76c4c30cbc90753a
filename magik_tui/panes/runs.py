"""The pane of the project's history: every finished run, the output's cosine over time, one run against the table."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from magik_tui import events as ev
from magik_tui.core import State
from magik_tui.core.history import (
    ComparedAsked,
    ForgetAsked,
    History,
    HistorySeen,
    NoteAsked,
    Past,
    PastMoved,
    RestoreAsked,
)
from magik_tui.panes.base import ListPane, walk_keys
from magik_tui.text import clean, fit, fixed
from magik_tui.widgets.ink import Line, Lines, Role
from magik_tui.widgets.rows import Rows

BARS = "▁▂▃▄▅▆▇█"
SPARKS = 60  # runs in the line of cosines, at most
COMPARED = 8  # layers that differ most, under the list
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
        return ((fit("  when              kind  chip   cosine   bad  changed, note", self.room), "head"),)

    def row(self, index: int) -> Line:
        """Return one run."""
        run = (self._history.runs or ())[index]
        other = self._history.other
        mark = "=" if other is not None and other.id == run.id else " "
        role: Role = "cursor" if index == self.cursor else "text"
        when = datetime.fromtimestamp(run.time).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        text = f"{mark} {when[2:]} {clean(run.kind):<5} {clean(run.variant):<6}{fixed(run.cosine):>8} {run.bad:>4}  {_changed(run)}"
        return ((fit(text, self.room) if len(text) <= self.room else text[: self.room - 1] + "…", role),)


def _changed(run: Past) -> str:
    parts = [*run.settings, *(f"{name}: {_said(choice)}" for name, choice in run.plan.get("nodes", {}).items())]
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
        Binding("enter,c", "compare", "compare", id="runs.compare", key_display="Enter", tooltip="Compare this run with the table"),
        Binding("u", "restore", "restore", id="runs.restore", tooltip="Take back magik.cfg and the bit file of this run"),
        Binding("t", "note", "note", id="runs.note", tooltip="Write a note to this run"),
        Binding("D", "forget", id="runs.forget", show=False, tooltip="Delete this run from the history"),
        *walk_keys("run"),
    ]

    def compose(self) -> ComposeResult:
        """Return the line of cosines, the list and the comparison."""
        yield Lines(id="runs-sparks")
        yield RunsList()
        yield Lines(id="runs-compared")

    def hints(self, state: State) -> tuple[str, ...]:
        """Return what can be done with a run."""
        return ("runs.compare", "runs.restore", "runs.note") if state.of(History).runs else ()

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

    def action_restore(self) -> None:
        """Take back the files of the run."""
        self.desk.dispatch(RestoreAsked())

    def action_forget(self) -> None:
        """Delete the run."""
        self.desk.dispatch(ForgetAsked())

    def action_note(self) -> None:
        """Write a note."""
        self.desk.dispatch(NoteAsked())


def sparkline(history: History, width: int) -> Line:
    """Return the output's cosine over the runs, the oldest at the left, and what it went from and to."""
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
    return ((fit(f"output cosine {fixed(low)} {drawn} {fixed(high)}", width), "strong"),)


def compared_lines(state: State, width: int) -> tuple[Line, ...]:
    """Return the layers that differ most between the chosen run and the table, and how many do."""
    other = state.of(History).other
    if other is None:
        return ()
    then = {row.name: row.cosine_avg for row in other.document.nodes}
    moved: list[tuple[float, str, float, float]] = []
    for place, row in enumerate(state.table.rows):
        before, now = then.get(row.name), state.table.mean(place)
        if before is not None and now is not None and abs(now - before) >= LEAST:
            moved.append((now - before, row.name, before, now))
    moved.sort(key=lambda each: -abs(each[0]))
    better = sum(each[0] > 0 for each in moved)
    same = len(state.table.rows) - len(moved)
    head = f"{better} layers better, {len(moved) - better} worse, {same} as before, against {clean(other.id)}"
    lines: list[Line] = [((fit(head, width), "head"),)]
    for change, name, before, now in moved[:COMPARED]:
        role: Role = "good" if change > 0 else "bad"
        lines.append(((f"{change:+.5f} ", role), (fit(f"{fixed(before)} -> {fixed(now)}  {clean(name)}", width - 9), "text")))
    return tuple(lines)


PANE = RunsPane
