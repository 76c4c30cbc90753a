"""The pane of layers by samples."""

from __future__ import annotations

from textual.app import ComposeResult

from magik_tui import events as ev
from magik_tui.core import State
from magik_tui.panes.base import LayerPane
from magik_tui.widgets.heatmap import Heatmap


class HeatmapPane(LayerPane):
    """The table as a heatmap; its cursor is the layer that other panes show."""

    def compose(self) -> ComposeResult:
        """Return the heatmap."""
        yield Heatmap(id="heatmap")

    def show(self, state: State) -> None:
        """Draw the table."""
        self.query_one(Heatmap).show(state)

    @property
    def page(self) -> int:
        """How many rows are in sight."""
        return self.query_one(Heatmap).page

    def hints(self, state: State) -> tuple[str, ...]:
        """Return the jump to a bad layer, where there is one."""
        return ("bad.next",) if state.table.any_bad else ()

    def on_rows_row_chosen(self, message: Heatmap.RowChosen) -> None:
        """Move the cursor to the row that was clicked."""
        self.desk.dispatch(ev.MovedTo(message.row))


PANE = HeatmapPane
