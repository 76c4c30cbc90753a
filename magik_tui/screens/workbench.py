"""The screen that people live in: header, heatmap, layer, messages, status."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events as ui
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Static

from magik_tui import events as ev
from magik_tui.panes.bars import header_line, hints, note_lines, status_line
from magik_tui.panes.layer import layer_lines
from magik_tui.state import State
from magik_tui.widgets.heatmap import Heatmap
from magik_tui.widgets.ink import Lines

WIDE, BROAD = 110, 170
LEAST_WIDTH, LEAST_HEIGHT = 60, 15


class WorkbenchScreen(Screen[None]):
    """Draws a `State`, and turns keys into events for `dispatch`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", id="help.open", key_display="?", tooltip="This help"),
        Binding("q", "quit", "quit", id="app.quit", tooltip="Stop the engine and quit"),
        Binding("r", "ask_run", "run", id="run.start", tooltip="Make the table anew"),
        Binding("escape", "cancel", "stop", id="run.stop", key_display="Esc", tooltip="Stop the run; clear the message"),
        Binding("n", "bad(1)", "bad", id="bad.next", tooltip="Next layer below 0.98"),
        Binding("N", "bad(-1)", id="bad.previous", show=False, tooltip="Previous layer below 0.98"),
        Binding("w", "log", "log", id="log.open", tooltip="Warnings and log of the last run"),
        Binding("j,down", "move(1)", id="row.next", show=False, tooltip="Next layer"),
        Binding("k,up", "move(-1)", id="row.previous", show=False, tooltip="Previous layer"),
        Binding("pagedown", "page(1)", id="page.next", show=False, tooltip="A page down"),
        Binding("pageup", "page(-1)", id="page.previous", show=False, tooltip="A page up"),
        Binding("g,home", "move_to(0)", id="row.first", show=False, tooltip="First layer"),
        Binding("G,end", "move_to(-1)", id="row.last", show=False, tooltip="Last layer"),
        Binding("l,right", "column(1)", id="sample.next", show=False, tooltip="Next sample"),
        Binding("h,left", "column(-1)", id="sample.previous", show=False, tooltip="Previous sample"),
    ]

    def __init__(self, dispatch: Callable[[ev.Event], None], state: State, clock: Callable[[], float]) -> None:
        super().__init__()
        self._dispatch, self._state, self._clock = dispatch, state, clock

    def compose(self) -> ComposeResult:
        """Return the parts of the screen from top to bottom."""
        yield Lines(id="header")
        with Container(id="body"):
            yield Heatmap(id="heatmap")
            yield Lines(id="layer")
        yield Lines(id="note")
        yield Lines(id="status")
        yield Static(id="small", markup=False)

    def on_resize(self, event: ui.Resize) -> None:
        """Choose the layout for the new size."""
        width, height = event.size
        small = width < LEAST_WIDTH or height < LEAST_HEIGHT
        self.set_class(width >= WIDE, "-wide")
        self.set_class(width >= BROAD, "-broad")
        self.set_class(small, "-small")
        if small:
            text = f"This terminal is {width}x{height}.\nThe workbench needs at least {LEAST_WIDTH}x{LEAST_HEIGHT}."
            self.query_one("#small", Static).update(text)
        self.call_after_refresh(self._show_again)

    def _show_again(self) -> None:
        self.show(self._state)

    def show(self, state: State) -> None:
        """Draw `state`; each part redraws what differs."""
        self._state = state
        size = self.app.size
        note = self.query_one("#note", Lines)
        lines = note_lines(state, size.width)
        if len(lines) != len(note.lines):
            note.styles.height = len(lines)
            self.call_after_refresh(self.show_table)
        note.show(lines)
        found = {b.id: (b.key_display or b.key, b.description) for b in self.BINDINGS if isinstance(b, Binding)}
        keys = [found[id_] for id_ in hints(state)]
        self.query_one("#header", Lines).show((header_line(state, size.width),))
        self.query_one("#status", Lines).show((status_line(state, size.width, keys),))
        self.show_table()

    def show_table(self) -> None:
        """Draw the table and the selected layer for the places they have now."""
        self.query_one(Heatmap).show(self._state)
        layer = self.query_one("#layer", Lines)
        beside = self.has_class("-wide")
        layer.show(layer_lines(self._state, layer.size.width, layer.size.height, beside=beside))

    def on_heatmap_row_chosen(self, message: Heatmap.RowChosen) -> None:
        """Move the cursor to the row that was clicked."""
        self._dispatch(ev.MovedTo(message.row))

    def action_ask_run(self) -> None:
        """Make the table anew."""
        self._dispatch(ev.RunAsked(self._clock()))

    def action_cancel(self) -> None:
        """Stop the run."""
        self._dispatch(ev.CancelAsked())

    def action_bad(self, step: int) -> None:
        """Go to the next (1) or previous (-1) bad layer."""
        self._dispatch(ev.BadAsked(step))

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self._dispatch(ev.Moved(by))

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self._dispatch(ev.Moved(by * self.query_one(Heatmap).page))

    def action_move_to(self, row: int) -> None:
        """Move the cursor to a row."""
        self._dispatch(ev.MovedTo(row))

    def action_column(self, by: int) -> None:
        """Move the sample cursor."""
        self._dispatch(ev.ColumnMoved(by))

    def action_log(self) -> None:
        """Open the log of the last run, if there is one."""
        self._dispatch(ev.LogAsked())
        if not self._state.log:
            return
        from magik_tui.screens.overlay import log_overlay

        self.app.push_screen(log_overlay(self._state))

    def action_help(self) -> None:
        """Open the help, made from the bindings that work now."""
        from magik_tui.screens.overlay import help_overlay

        self.app.push_screen(help_overlay(self.active_bindings.values(), self.app.size.width))

    def action_quit(self) -> None:
        """Leave the workbench."""
        self.app.exit(return_code=0)
