"""The heatmap: layers by samples in one line-API widget, opened as fast with a million rows as with ten."""

from __future__ import annotations

from textual import events as ui
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from magik_tui.state import State
from magik_tui.table import Table
from magik_tui.widgets.grid import Extent, Grid, extent, head_line, lay_out, row_line
from magik_tui.widgets.ink import Inked, Line

JUMP = 3  # a cursor that leaves the window takes a third of it along: scrolling redraws everything, so it is made rare


class Heatmap(Inked, ScrollView, can_focus=True, inherit_bindings=False):
    """Draws the table of a `State`; the line over it stays when the rows scroll."""

    class RowChosen(Message):
        """A row was clicked."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(id=id)
        self._table = Table()
        self._cursor = self._column = 0
        self._stale = False
        self._extent = Extent()
        self._grid: Grid = lay_out(self._extent, 80, 0)
        self._drawn: dict[int, Line] = {}

    @property
    def page(self) -> int:
        """How many rows are in sight."""
        return max(1, self.size.height - 1)

    @property
    def room(self) -> int:
        """How many cells a line has beside the scrollbar, which is there when the rows are more than a page."""
        return self.size.width - (len(self._table.rows) > self.page)

    def show(self, state: State) -> None:
        """Draw `state`, redrawing only the lines that differ from what is on the screen."""
        if state.table.rows is not self._table.rows or len(state.table.samples) != self._extent.samples:
            self._extent = extent(state.table)
        self._table, self._cursor, self._column = state.table, state.cursor, state.column
        self._stale = state.stale
        height = len(self._table.rows) + 1
        if self.virtual_size.height != height:
            self.virtual_size = Size(self.size.width, height)
        self._keep_in_sight()
        self._lay_out()

    def _lay_out(self) -> None:
        self._grid = lay_out(self._extent, self.room, self._column, self._grid.first)
        changed = [y for y in range(self.size.height) if self._drawn.get(y) != self.line(y)]
        for y in changed:
            self._drawn.pop(y, None)
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def _keep_in_sight(self) -> None:
        top, page = self.scroll_offset.y, self.page
        if self._cursor < top:
            target = self._cursor - page // JUMP
        elif self._cursor >= top + page:
            target = self._cursor - page + 1 + page // JUMP
        else:
            return
        self.scroll_to(y=max(0, min(target, len(self._table.rows) - page)), animate=False, force=True)

    def line(self, y: int) -> Line:
        """Return what line `y` of the widget says."""
        if y == 0:
            return head_line(self._grid, self._column)
        index = self.scroll_offset.y + y - 1
        if index >= len(self._table.rows):
            return ()
        return row_line(self._table, index, self._grid, selected=index == self._cursor, stale=self._stale)

    def render_line(self, y: int) -> Strip:
        """Return line `y` as it is drawn."""
        line = self._drawn[y] = self.line(y)
        return self.strip(line, self.size.width)

    def on_resize(self, event: ui.Resize) -> None:
        """Lay the columns out anew."""
        self.virtual_size = Size(self.size.width, len(self._table.rows) + 1)
        self._drawn.clear()
        self._keep_in_sight()
        self._lay_out()

    def on_click(self, event: ui.Click) -> None:
        """Choose the row under the mouse."""
        row = self.scroll_offset.y + event.y - 1
        if event.y and row < len(self._table.rows):
            self.post_message(self.RowChosen(row))
