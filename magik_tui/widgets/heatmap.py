"""The heatmap: layers by samples in one line-API widget, with a map of the whole net at its right edge."""

from __future__ import annotations

from textual import events as ui

from magik_tui.core import State
from magik_tui.core.heat import Heat, view
from magik_tui.core.looking import Looks
from magik_tui.figures import map_levels
from magik_tui.table import Table
from magik_tui.viewing import View
from magik_tui.widgets.grid import DOWN, UP, Extent, Grid, extent, head_line, lay_out, map_cell, row_line
from magik_tui.widgets.ink import Line, shortened
from magik_tui.widgets.rows import Rows

MAP = 2  # cells of the map and the blank before it


class Heatmap(Rows):
    """Draws the table of a `State` as its view says; the line over it stays when the rows scroll.

    Where there are more rows than fit, the column at the right edge is the whole net in the height of the rows: the worst level of each
    part, and a bar where the rows are that are in sight. It takes the place of the scrollbar: a click goes there.
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(id=id)
        self._table, self._heat = Table(), Heat()
        self._view: View | None = None
        self._row = self._column = 0
        self._stale = self._low = False
        self._extent = Extent()
        self._grid: Grid = lay_out(self._extent, 80, 0)
        self._map: tuple[int | None, ...] = ()
        self._mapped: tuple[View | None, int] = (None, 0)

    def show(self, state: State) -> None:
        """Draw `state`, redrawing only the lines that differ from what is on the screen."""
        if state.table.rows is not self._table.rows or len(state.table.samples) != self._extent.samples:
            self._extent = extent(state.table)
        self._table, self._heat, self._view = state.table, state.of(Heat), view(state)
        self._row, self._column = state.cursor, state.column
        self._stale, self._low = state.stale, state.of(Looks).low
        self.cursor, self.count = self._view.places.get(state.cursor), len(self._view.order)
        self.redraw()

    @property
    def room(self) -> int:
        """How many cells a line has beside the map."""
        return self.size.width - (MAP if self.count > self.page else 0)

    def lay_out(self) -> None:
        """Choose the columns' sizes, with the chosen sample in sight, and part the net into the slots of the map."""
        self._grid = lay_out(self._extent, self.room, self._column, self._grid.first, digits=self._low)
        wanted = self._view, self.page
        if wanted[0] is not self._mapped[0] or wanted[1] != self._mapped[1]:
            self._mapped, self._map = wanted, ()
            if self._view is not None and self.count > self.page:
                levels = self._view.figures.levels
                shown = [levels[row] for row in self._view.order]
                self._map = map_levels(shown, self.page, difference=self._view.figures.difference)

    def head(self) -> Line:
        """Return the names of the columns; the one that orders the layers is marked."""
        heat = self._heat
        sort = heat.sort if heat.sort != "graph" or heat.back else ""
        if self._view is not None and sort in ("worst", "mean") and not self._view.figures.low_is_bad:
            return head_line(self._grid, self._column, sort, UP if heat.back else DOWN)
        return head_line(self._grid, self._column, "name" if sort == "graph" else sort, DOWN if heat.back else UP)

    def line(self, y: int) -> Line:
        """Return what line `y` of the widget says, with its part of the map."""
        line = super().line(y)
        if not self.HEAD <= y < self.HEAD + len(self._map) or self._view is None or not self.size.width:
            return line
        top, difference = int(self.scroll_offset.y), self._view.figures.difference
        cell = map_cell(self._map, y - self.HEAD, top, self.page, self.count, difference=difference)
        return (*shortened(line, self.size.width - 1), cell)

    def row(self, index: int) -> Line:
        """Return the line of the layer at a place."""
        if self._view is None:
            return ()
        row = self._view.order[index]
        return row_line(self._table, row, self._grid, selected=row == self._row, stale=self._stale, shown=self._view.figures)

    def on_click(self, event: ui.Click) -> None:
        """Choose the row under the mouse, or go where the map was clicked."""
        slot = event.y - self.HEAD
        if self._map and event.x == self.size.width - 1 and 0 <= slot < len(self._map):
            event.prevent_default()
            self.post_message(self.RowChosen(slot * self.count // len(self._map)))
