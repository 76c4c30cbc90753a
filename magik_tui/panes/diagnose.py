"""The pane of the diagnosis: what was found, the fixes with what they gain and cost, and one key to write a fix."""

from __future__ import annotations

from pathlib import PurePath
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from magik_tui import events as ev
from magik_tui.core import State
from magik_tui.core.diagnose import (
    DiagnoseAsked,
    Diagnosis,
    EntryClosed,
    EntryMoved,
    EntryOpened,
    FixUndone,
    PartAsked,
    ReportAsked,
    fix_line,
)
from magik_tui.core.twin import twin
from magik_tui.diagnosis import FULL, head_lines, line_of, more_lines, sheet_of
from magik_tui.panes.base import ListPane, walk_keys
from magik_tui.sheets import Sheet
from magik_tui.widgets.ink import Line, Lines
from magik_tui.widgets.rows import Rows

MORE = 3  # lines under the rows, at most
TALL, LOW, FLAT = 14, 10, 7  # rows of a pane from which on it has all lines over and under its rows, fewer, and more than one


class Findings(Rows):
    """The rows of the diagnosis."""

    HEAD = 0

    def __init__(self) -> None:
        super().__init__(id="diagnose")
        self._mine = Diagnosis()
        self._rows = self._mine.entries

    def show(self, mine: Diagnosis) -> None:
        """Draw the rows; while it works the last one is in sight."""
        self._mine, self._rows = mine, mine.entries
        self.count = len(self._rows)
        self.cursor = self.count - 1 if mine.job is not None else mine.cursor
        self.redraw()

    def row(self, index: int) -> Line:
        """Return one row."""
        return line_of(self._mine, self._rows[index], self.room, here=index == self.cursor)


class DiagnosePane(ListPane):
    """The diagnosis; Enter goes where a row leads."""

    DEFAULT_CSS = """
    DiagnosePane #diagnose-head { height: 3; }
    DiagnosePane #diagnose { height: 1fr; }
    DiagnosePane #diagnose-more { height: 0; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "diagnose", "diagnose", id="diagnose.start", tooltip="Find out why it lost its accuracy, and what mends it"),
        Binding("enter", "open", "open", id="diagnose.open", key_display="Enter",
                tooltip="Open a fix, once more to write it; go to the layer or sample of a row"),
        Binding("backspace", "close", "back", id="diagnose.back", key_display="Backspace", tooltip="From a fix back to the list"),
        Binding("u", "undo", "undo", id="diagnose.undo", tooltip="Take back the fix that was written"),
        Binding("m", "markdown", "markdown", id="diagnose.markdown", tooltip="Copy the diagnosis as Markdown, to paste into a ticket"),
        Binding("n", "part(1)", id="diagnose.next", show=False, tooltip="Next part: what was found, fixes, operators, samples"),
        Binding("N", "part(-1)", id="diagnose.previous", show=False, tooltip="Previous part of the diagnosis"),
        *walk_keys("row"),
    ]  # fmt: skip

    def compose(self) -> ComposeResult:
        """Return what is said first, the rows, and the row under the cursor in full."""
        yield Lines(id="diagnose-head")
        yield Findings()
        yield Lines(id="diagnose-more")

    def hints(self, state: State) -> tuple[str, ...]:
        """Return what can be done now."""
        mine = state.of(Diagnosis)
        if mine.found is None:
            return ("diagnose.start",)
        undo = ("diagnose.undo",) if mine.before else ()
        return ("diagnose.open", "diagnose.back", *undo) if mine.opened else ("diagnose.open", *undo, "diagnose.markdown", "diagnose.start")

    def why_not(self, id_: str, state: State) -> str:
        """Return why a key can do nothing now."""
        mine = state.of(Diagnosis)
        if id_ == "diagnose.start":
            return "a diagnosis is at work" if mine.job is not None else ""
        if id_ == "diagnose.undo":
            return "" if mine.before else "no fix was written"
        if id_ == "diagnose.back":
            return "" if mine.opened else "no fix is open"
        return "" if mine.found is not None and mine.job is None else "there is no diagnosis yet" if id_ != "diagnose.open" else ""

    def sheet(self, state: State) -> Sheet | None:
        """Return the part of the diagnosis that the cursor is in."""
        return sheet_of(state.of(Diagnosis), f"diagnosis of {PurePath(state.project).name}")

    def line(self, state: State) -> str:
        """Return the command line that writes the opened fix, else the one that prints the diagnosis."""
        return fix_line(state) or twin(state, "diagnose")

    def show(self, state: State) -> None:
        """Draw the diagnosis."""
        mine, (width, tall) = state.of(Diagnosis), self.size
        self.query_one("#diagnose-head", Lines).show_whole(head_lines(mine, width, FULL if tall >= LOW else 2 if tall >= FLAT else 1))
        more = self.query_one("#diagnose-more", Lines)
        room = MORE if tall >= TALL else 2 if tall >= LOW else 1
        height = room if mine.found is not None and mine.job is None and not mine.opened else 0
        if more.styles.height is None or more.styles.height.value != height:
            more.styles.height = height
        more.show(more_lines(mine, width, height) if height else ())
        self.query_one(Findings).show(mine)

    def moved(self, by: int = 0, to: int | None = None) -> ev.Event:
        """Return the event that moves the cursor over the rows."""
        return EntryMoved(by, to)

    def action_diagnose(self) -> None:
        """Diagnose the project."""
        self.desk.dispatch(DiagnoseAsked())

    def action_open(self) -> None:
        """Go where the row leads."""
        self.desk.dispatch(EntryOpened())

    def action_close(self) -> None:
        """Go back to the list."""
        self.desk.dispatch(EntryClosed())

    def action_undo(self) -> None:
        """Take the fix back."""
        self.desk.dispatch(FixUndone())

    def action_markdown(self) -> None:
        """Copy the report."""
        self.desk.dispatch(ReportAsked())

    def action_part(self, step: int) -> None:
        """Go to another part."""
        self.desk.dispatch(PartAsked(step))


PANE = DiagnosePane
