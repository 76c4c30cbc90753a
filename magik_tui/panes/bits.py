"""The pane of mixed widths: what is asked for each unit and what it gets, what it costs, what it does."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget

from magik_tui import events as ev
from magik_tui.core import State
from magik_tui.core.bitload import LoadAsked
from magik_tui.core.bits import Bits, BitsSeen, Marked, UnitMoved, UnitsFiltered
from magik_tui.core.live import Live, LiveAsked, UndoAsked
from magik_tui.core.sensing import SensitivityAsked
from magik_tui.core.tuning import FrontHidden, TuneAsked, Tuning, tuned_line
from magik_tui.core.twin import plan_line, twin
from magik_tui.core.widths import AllDropped, ApplyAsked, Dropped, LastUndone, RangeAsked, SkipAsked, WidthAsked, WidthChosen
from magik_tui.panes.base import ListPane, walk_keys
from magik_tui.sheets import Sheet
from magik_tui.unitlines import Sight, foot_line, front_lines, head_lines, sight, table_head, unit_line, units_sheet
from magik_tui.widgets.filterline import FilterLine
from magik_tui.widgets.ink import Line, Lines
from magik_tui.widgets.rows import Rows


class UnitTable(Rows):
    """The units that are shown, in graph order."""

    def __init__(self) -> None:
        super().__init__(id="bits")
        self._seen: Sight | None = None

    def show(self, state: State) -> None:
        """Draw the units."""
        bits = state.of(Bits)
        self._seen, self.count, self.cursor = sight(state, self._seen), len(bits.shown), bits.place
        self.redraw()

    def head(self) -> Line:
        """Return the names of the columns."""
        return table_head(self._seen.state if self._seen is not None else None, self.room)

    def row(self, index: int) -> Line:
        """Return one unit."""
        return unit_line(self._seen, index, self.room, self.cursor) if self._seen is not None else ()


class BitsPane(ListPane):
    """The widths; every change runs at once."""

    DEFAULT_CSS = """
    BitsPane #bits-head { height: 2; }
    BitsPane #bits-front { height: 0; background: $surface; }
    BitsPane #bits { height: 1fr; }
    BitsPane #bits-foot { height: 1; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus", "width(1)", "raise", id="bits.raise", key_display="+", tooltip="Raise the width"),
        Binding("minus", "width(-1)", "lower", id="bits.lower", key_display="-", tooltip="Lower the width"),
        Binding(
            "equals_sign", "choose(False)", "set", id="bits.set", key_display="=", tooltip="Set the width: one of those that are legal"
        ),
        Binding("W", "choose(True)", id="bits.weights", show=False, tooltip="Set the width of the weights, to try it"),
        Binding("slash", "filter", "filter", id="bits.filter", key_display="/", tooltip="Show some units; keys then change all shown"),
        Binding("space", "mark('')", "mark", id="bits.mark", tooltip="Mark this unit, or no longer; keys then change the marked ones"),
        Binding("b", "mark('bad')", id="bits.mark_bad", show=False, tooltip="Mark every bad unit that is shown, or none"),
        Binding("asterisk", "mark('all')", id="bits.mark_all", show=False, key_display="*", tooltip="Mark all units shown, or none"),
        Binding("s", "skip", "float", id="bits.skip", tooltip="Keep it in float, or no longer"),
        Binding("m", "range", "range", id="bits.range", tooltip="Give MIN and MAX, as in 0, 1.7"),
        Binding("u", "undo(-1)", "undo", id="bits.undo", tooltip="Undo the last change"),
        Binding("U", "undo(1)", id="bits.redo", show=False, tooltip="Redo it"),
        Binding("x", "drop", id="bits.drop", show=False, tooltip="Drop what was changed for it"),
        Binding("X", "drop_all", id="bits.drop_all", show=False, tooltip="Drop everything that was changed"),
        Binding("R", "load", id="bits.load", show=False, tooltip="Take widths and ranges from magik_node_quant_bit_info.json"),
        Binding("t", "tune", "tune", id="bits.tune", tooltip="Find the cheapest widths that reach a target, within a budget"),
        Binding("p", "front", id="bits.front", show=False, tooltip="Hide the front of cost against cosine"),
        Binding("S", "sense", id="bits.sensitivity", show=False, tooltip="Measure what each unit does to the output"),
        Binding("a", "apply", "apply", id="bits.apply", tooltip="Write the plan into the project's files"),
        Binding("enter", "live", id="bits.live", show=False, tooltip="Run the plan now"),
        *walk_keys("unit"),
    ]

    def __init__(self, *arguments: Any, **fields: Any) -> None:
        super().__init__(*arguments, **fields)
        self._counted: tuple[object, ...] = (None,) * 4
        self._plain: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Return cost and prediction, the front of the last search, the table, the filter and what the unit under the cursor is."""
        yield Lines(id="bits-head")
        yield Lines(id="bits-front")
        yield UnitTable()
        yield FilterLine(id="bits-filter")
        yield Lines(id="bits-foot")

    def keys(self) -> Widget:
        """Return the line of the filter while it is open, else the table."""
        line = self.query_one(FilterLine)
        return line.keys() if line.is_open else self.query_one(UnitTable)

    def hints(self, state: State) -> tuple[str, ...]:
        """Return what can be done with a unit."""
        line = self.query_one_optional(FilterLine)
        if line is not None and line.is_open:
            return ("filter.clear",)
        return ("bits.raise", "bits.lower", "bits.set", "bits.filter", "bits.undo", "bits.apply") if state.of(Bits).units else ()

    def why_not(self, id_: str, state: State) -> str:
        """Return why a key can do nothing now."""
        bits, live = state.of(Bits), state.of(Live)
        if not bits.units:
            return "no layer can be integer" if bits.units == () else "the units are not known yet"
        if id_ in ("bits.apply", "bits.drop", "bits.drop_all") and not live.plan:
            return "nothing is changed"
        nothing = {"bits.undo": not live.undo, "bits.redo": not live.redo, "bits.front": state.of(Tuning).found is None}
        return {"bits.undo": "nothing to undo", "bits.redo": "nothing to redo"}.get(id_, "no search was made") if nothing.get(id_) else ""

    def sheet(self, state: State) -> Sheet | None:
        """Return the units that are shown."""
        return units_sheet(state)

    def line(self, state: State) -> str:
        """Return the command line of the search at work, or the one that writes what was changed here."""
        plan = state.of(Live).plan
        return tuned_line(state) or (plan_line(state, plan) if plan else twin(state, "run"))

    def show(self, state: State) -> None:
        """Draw the widths; the first time they are in sight they are asked for."""
        bits = state.of(Bits)
        if bits.units is None and not bits.asked:
            self.call_later(self.desk.dispatch, BitsSeen())
        self._show_head(state)
        front = front_lines(state.of(Tuning).found, self.size.width, max(3, self.size.height // 3))
        self.query_one("#bits-front", Lines).show_whole(front)
        said = f"{len(bits.shown)} of {len(bits.units or ())} units" if bits.filter.text else ""
        self.query_one(FilterLine).show(bits.filter.text, said, bits.filter.trouble)
        self.query_one(UnitTable).show(state)
        self.query_one("#bits-foot", Lines).show((foot_line(state, self.size.width),))

    def _show_head(self, state: State) -> None:
        """Draw what all units cost and do; sums over thousands of them are made when something of them changed."""
        bits = state.of(Bits)
        counted = (bits.units, bits.noise, state.of(Live), state.outputs)
        plain = (state.stale, self.size.width)
        if plain != self._plain or any(a is not b for a, b in zip(self._counted, counted, strict=True)):
            self._counted, self._plain = counted, plain
            self.query_one("#bits-head", Lines).show(head_lines(state, self.size.width))

    def moved(self, by: int = 0, to: int | None = None) -> ev.Event:
        """Return the event that moves the cursor over the units."""
        return UnitMoved(by, to)

    def on_filter_line_typed(self, message: FilterLine.Typed) -> None:
        """Show the units that fit."""
        self.desk.dispatch(UnitsFiltered(message.text))

    def on_filter_line_left(self, message: FilterLine.Left) -> None:
        """Clear the filter after Esc; one that makes no sense is not kept either."""
        if not message.keep or self.state.of(Bits).filter.trouble:
            self.desk.dispatch(UnitsFiltered(""))
        self.show(self.state)

    def on_filter_line_walked(self, message: FilterLine.Walked) -> None:
        """Move over the units while typing."""
        self.desk.dispatch(UnitMoved(message.by))

    def action_filter(self) -> None:
        """Open the line of the filter."""
        self.query_one(FilterLine).open()

    def action_width(self, step: int) -> None:
        """Raise or lower the width."""
        self.desk.dispatch(WidthAsked(step))

    def action_choose(self, weights: bool) -> None:
        """Ask for a width."""
        self.desk.dispatch(WidthChosen(weights))

    def action_mark(self, which: str) -> None:
        """Mark units."""
        self.desk.dispatch(Marked(which))

    def action_skip(self) -> None:
        """Keep units in float."""
        self.desk.dispatch(SkipAsked())

    def action_undo(self, step: int) -> None:
        """Undo or redo."""
        self.desk.dispatch(LastUndone() if step < 0 else UndoAsked(step))

    def action_drop(self) -> None:
        """Drop the change."""
        self.desk.dispatch(Dropped())

    def action_drop_all(self) -> None:
        """Drop everything."""
        self.desk.dispatch(AllDropped())

    def action_load(self) -> None:
        """Read the bit file."""
        self.desk.dispatch(LoadAsked())

    def action_apply(self) -> None:
        """Write the files."""
        self.desk.dispatch(ApplyAsked())

    def action_live(self) -> None:
        """Run the plan."""
        self.desk.dispatch(LiveAsked())

    def action_tune(self) -> None:
        """Ask for a target."""
        self.desk.dispatch(TuneAsked())

    def action_front(self) -> None:
        """Hide the front."""
        self.desk.dispatch(FrontHidden())

    def action_sense(self) -> None:
        """Measure what each unit does."""
        self.desk.dispatch(SensitivityAsked())

    def action_range(self) -> None:
        """Ask for a range."""
        self.desk.dispatch(RangeAsked())


PANE = BitsPane
