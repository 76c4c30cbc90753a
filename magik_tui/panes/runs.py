"""The pane of the project's history: every finished run, the output's cosine over time, one run against the table."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from magik_tui.core import State
from magik_tui.core.history import (
    ComparedAsked,
    ForgetAsked,
    History,
    HistorySeen,
    NoteGiven,
    Past,
    PastMoved,
    RestoreAsked,
)
from magik_tui.panes.base import Pane
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


class RunsPane(Pane):
    """The history."""

    DEFAULT_CSS = """
    RunsPane #runs-sparks { height: 1; }
    RunsPane #runs { height: 1fr; }
    RunsPane #runs-compared { height: 0; background: $surface; }
    RunsPane Input { display: none; height: 1; border: none; padding: 0 1; }
    RunsPane.-noting Input { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,c", "compare", "compare", id="runs.compare", key_display="Enter", tooltip="Compare this run with the table"),
        Binding("u", "restore", "restore", id="runs.restore", tooltip="Take back magik.cfg and the bit file of this run"),
        Binding("t", "note", "note", id="runs.note", tooltip="Write a note to this run"),
        Binding("D", "forget", id="runs.forget", show=False, tooltip="Delete this run from the history"),
        Binding("j,down", "move(1)", id="runs.next", show=False, tooltip="Next run"),
        Binding("k,up", "move(-1)", id="runs.previous", show=False, tooltip="Previous run"),
        Binding("pagedown", "page(1)", id="runs.page_next", show=False, tooltip="A page down"),
        Binding("pageup", "page(-1)", id="runs.page_previous", show=False, tooltip="A page up"),
        Binding("g,home", "go(0)", id="runs.first", show=False, tooltip="The newest run"),
        Binding("G,end", "go(-1)", id="runs.last", show=False, tooltip="The oldest run"),
        Binding("escape", "leave", id="runs.leave", show=False, tooltip="Leave the note"),
    ]

    def compose(self) -> ComposeResult:
        """Return the line of cosines, the list, the comparison, and the place to write a note."""
        yield Lines(id="runs-sparks")
        yield RunsList()
        yield Lines(id="runs-compared")
        yield Input(placeholder="a note; Enter keeps it, Esc leaves it", compact=True)

    def keys(self) -> Widget:
        """Return what has the focus: the note while one is written."""
        return self.query_one(Input) if self.has_class("-noting") else self.query_one(RunsList)

    def hints(self, state: State) -> tuple[str, ...]:
        """Return what can be done with a run."""
        return ("runs.compare", "runs.restore", "runs.note") if state.of(History).runs else ()

    def show(self, state: State) -> None:
        """Draw the history; the first time it is in sight it is asked for."""
        history = state.of(History)
        if history.runs is None and not history.asked:
            self.call_later(self.desk.dispatch, HistorySeen())
        self.query_one("#runs-sparks", Lines).show((sparkline(history, self.size.width),))
        compared = compared_lines(state, self.size.width)
        box = self.query_one("#runs-compared", Lines)
        if box.styles.height is None or box.styles.height.value != len(compared):
            box.styles.height = len(compared)
        box.show(compared)
        self.query_one(RunsList).show(history)

    def on_rows_row_chosen(self, message: Rows.RowChosen) -> None:
        """Move the cursor to the run that was clicked."""
        self.desk.dispatch(PastMoved(to=message.row))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Keep the note."""
        self.desk.dispatch(NoteGiven(message.value.strip()))
        self.action_leave()

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.desk.dispatch(PastMoved(by))

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.desk.dispatch(PastMoved(by * self.query_one(RunsList).page))

    def action_go(self, place: int) -> None:
        """Move the cursor to a place."""
        self.desk.dispatch(PastMoved(to=place))

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
        chosen = self.state.of(History).chosen
        if chosen is None:
            return
        box = self.query_one(Input)
        box.value = clean(chosen.note)
        box.cursor_blink = False
        self.add_class("-noting")
        box.focus()

    def action_leave(self) -> None:
        """Leave the note; where none is written, Esc does what it does everywhere."""
        if self.has_class("-noting"):
            self.remove_class("-noting")
            self.query_one(RunsList).focus()
        else:
            from magik_tui import events as ev

            self.desk.dispatch(ev.CancelAsked())


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
