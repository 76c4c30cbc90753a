"""The pane of layers by samples."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget

from magik_tui.core import State
from magik_tui.core.against import AgainstAsked
from magik_tui.core.heat import FilterTyped, Heat, LocalAsked, MeasureAsked, RowMoved, SortAsked, TurnAsked, view
from magik_tui.core.history import History
from magik_tui.panes.base import ViewPane
from magik_tui.sheets import Sheet
from magik_tui.text import clean, cut
from magik_tui.viewing import View
from magik_tui.widgets.filterline import FilterLine
from magik_tui.widgets.heatmap import Heatmap
from magik_tui.widgets.ink import Line, Lines

TURNED = {
    "graph": "last first", "worst": "best first", "mean": "best first", "sample": "best first", "name": "Z to A", "type": "Z to A",
    "bits": "most first",
}  # fmt: skip


class HeatmapPane(ViewPane):
    """The table as a heatmap; its cursor is the layer that other panes show."""

    DEFAULT_CSS = """
    HeatmapPane #heat-said { height: 0; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="heat.filter", key_display="/", tooltip="Show some layers only: part of a name or a type, "
                "cos<0.98, bits>8"),
        Binding("s", "sort", "sort", id="heat.sort", tooltip="Order by the next column: worst, mean, the sample at the cursor, name, ..."),
        Binding("S", "turn", id="heat.turn", show=False, tooltip="Turn the order round"),
        Binding("m", "measure", "metric", id="heat.metric", tooltip="Show the next metric: cosine, SQNR, saturation"),
        Binding("a", "local", "alone", id="heat.local", tooltip="Show figures of each layer alone, or of all up to it"),
        Binding("d", "against(False)", "difference", id="heat.against", tooltip="Show the difference to an earlier run, or no longer"),
        Binding("D", "against(True)", id="heat.choose", show=False, tooltip="Choose the run that it is the difference to"),
    ]  # fmt: skip

    def compose(self) -> ComposeResult:
        """Return what is shown in words, the heatmap and the line of the filter."""
        yield Lines(id="heat-said")
        yield Heatmap(id="heatmap")
        yield FilterLine(id="heat-filter")

    def show(self, state: State) -> None:
        """Draw the table."""
        heat, seen = state.of(Heat), view(state)
        self.query_one("#heat-said", Lines).show_whole(said_lines(state, seen, self.size.width))
        line = self.query_one(FilterLine)
        count = f"{len(seen.order)} of {len(seen.whole)} layers"
        line.show(heat.filter.text, f"{count}  Enter keeps, Esc clears" if line.is_open else count, heat.filter.trouble)
        self.query_one(Heatmap).show(state)

    def keys(self) -> Widget:
        """Return the line of the filter while one types there, else the heatmap."""
        line = self.query_one(FilterLine)
        return line.keys() if line.is_open else self.query_one(Heatmap)

    @property
    def page(self) -> int:
        """How many rows are in sight."""
        return self.query_one(Heatmap).page

    def hints(self, state: State) -> tuple[str, ...]:
        """Return the jump to a bad layer, where there is one, and how to see less."""
        if not state.table.rows:
            return ()
        return (*(("bad.next",) if view(state).bad else ()), "heat.filter")

    def why_not(self, id_: str, state: State) -> str:
        """Return why a key can do nothing now."""
        if id_.startswith("heat.") and not state.table.rows:
            return "there is no table yet"
        return super().why_not(id_, state)

    def sheet(self, state: State) -> Sheet | None:
        """Return the layers that are shown, in their order, with the figures that are shown."""
        from magik_tui.sheets import layers_sheet

        return layers_sheet(state, view(state))

    def on_rows_row_chosen(self, message: Heatmap.RowChosen) -> None:
        """Move the cursor to the row that was clicked."""
        self.desk.dispatch(RowMoved(to=message.row))

    def on_filter_line_typed(self, message: FilterLine.Typed) -> None:
        """Narrow the rows."""
        self.desk.dispatch(FilterTyped(message.text))

    def on_filter_line_left(self, message: FilterLine.Left) -> None:
        """Keep the filter as it stands, or clear it."""
        self.desk.dispatch(FilterTyped(message.text, done=True))

    def on_filter_line_walked(self, message: FilterLine.Walked) -> None:
        """Move the cursor while one types."""
        self.desk.dispatch(RowMoved(message.by))

    def action_filter(self) -> None:
        """Open the line of the filter."""
        self.query_one(FilterLine).open()
        self.show(self.state)

    def action_sort(self) -> None:
        """Order by the next column."""
        self.desk.dispatch(SortAsked())

    def action_turn(self) -> None:
        """Turn the order round."""
        self.desk.dispatch(TurnAsked())

    def action_measure(self) -> None:
        """Show the next metric."""
        self.desk.dispatch(MeasureAsked())

    def action_local(self) -> None:
        """Show each layer alone, or not."""
        self.desk.dispatch(LocalAsked())

    def action_against(self, choose: bool) -> None:
        """Show the difference to an earlier run."""
        self.desk.dispatch(AgainstAsked(choose))


def said_lines(state: State, seen: View, width: int) -> tuple[Line, ...]:
    """Return what is shown in one line, where it is not the cosines in graph order."""
    heat, other = state.of(Heat), state.of(History).other
    parts = [heat.measure.title] if heat.measure.key != "cos" else []
    if seen.figures.difference and other is not None:
        here, both = seen.figures.partners.count(False), seen.figures.partners.count(True)
        there = len(other.document.nodes) - both
        alone = [f"{count} only {where}" for count, where in ((here, "here"), (there, "there")) if count > 0]
        parts.append(f"difference to {clean(other.id)}" + (f" ({', '.join(alone)})" if alone else ""))
    if heat.sort != "graph" or heat.back:
        gone = heat.sort == "sample" and heat.sample not in state.table.samples
        sort = "graph" if gone else heat.sort
        by = "in graph order" if sort == "graph" else f"by sample {clean(heat.sample)}" if sort == "sample" else f"by {sort}"
        by += f", there is no sample {clean(heat.sample)}" if gone else ""
        parts.append(f"{by}, {TURNED[sort]}" if heat.back else by)
    if not seen.figures.nothing_missing:
        parts.append("no values per sample")
    if not seen.order and state.table.rows:
        parts.append("no layer fits the filter")
    return (((cut(" " + " · ".join(parts), width), "label"),),) if parts and width else ()


PANE = HeatmapPane
