"""The heatmap: layers by samples in one line-API widget."""

from __future__ import annotations

from magik_tui.core import State
from magik_tui.core.looking import Looks
from magik_tui.table import Table
from magik_tui.widgets.grid import Extent, Grid, extent, head_line, lay_out, row_line
from magik_tui.widgets.ink import Line
from magik_tui.widgets.rows import Rows


class Heatmap(Rows):
    """Draws the table of a `State`; the line over it stays when the rows scroll."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(id=id)
        self._table = Table()
        self._column = 0
        self._stale = self._low = False
        self._extent = Extent()
        self._grid: Grid = lay_out(self._extent, 80, 0)

    def show(self, state: State) -> None:
        """Draw `state`, redrawing only the lines that differ from what is on the screen."""
        if state.table.rows is not self._table.rows or len(state.table.samples) != self._extent.samples:
            self._extent = extent(state.table)
        self._table, self.cursor, self._column = state.table, state.cursor, state.column
        self._stale, self._low = state.stale, state.of(Looks).low
        self.count = len(state.table.rows)
        self.redraw()

    def lay_out(self) -> None:
        """Choose the columns' sizes, with the chosen sample in sight."""
        self._grid = lay_out(self._extent, self.room, self._column, self._grid.first, digits=self._low)

    def head(self) -> Line:
        """Return the names of the columns."""
        return head_line(self._grid, self._column)

    def row(self, index: int) -> Line:
        """Return the line of a layer."""
        return row_line(self._table, index, self._grid, selected=index == self.cursor, stale=self._stale)
