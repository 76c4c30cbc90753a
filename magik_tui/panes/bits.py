"""The pane of mixed widths: what is asked for each unit and what it gets, what it costs, what it does."""

from __future__ import annotations

import math
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from magik_tui import events as ev
from magik_tui.core import State
from magik_tui.core.bits import (
    ApplyAsked,
    Bits,
    BitsSeen,
    Dropped,
    Marked,
    RangeAsked,
    SkipAsked,
    UnitMoved,
    WidthAsked,
    asked_bits,
    cost,
    predicted,
    skipped,
)
from magik_tui.core.live import NOTHING, AutoToggled, Live, LiveAsked, UndoAsked
from magik_tui.core.tuning import FrontHidden, TuneAsked, Tuned, Tuning
from magik_tui.panes.base import ListPane, walk_keys
from magik_tui.text import clean, fit, fixed, short
from magik_tui.widgets.ink import Line, Lines, Role
from magik_tui.widgets.rows import Rows

BAR = 20


class UnitTable(Rows):
    """The units in graph order."""

    def __init__(self) -> None:
        super().__init__(id="bits")
        self._state: State | None = None

    def show(self, state: State) -> None:
        """Draw the units."""
        bits = state.of(Bits)
        self._state, self.count, self.cursor = state, len(bits.units or ()), bits.cursor
        self.redraw()

    def head(self) -> Line:
        """Return the names of the columns."""
        return ((fit("   asked got  cosine   alone     cost  unit", self.room), "head"),)

    def row(self, index: int) -> Line:
        """Return one unit."""
        if self._state is None:
            return ()
        bits = self._state.of(Bits)
        unit = (bits.units or ())[index]
        place = self._state.table.find(unit.name)
        row = self._state.table.rows[place] if place is not None else None
        changed = unit.name in self._state.of(Live).plan
        mark = ("*" if unit.name in bits.marked else " ") + ("~" if changed else " ")
        asked = "float" if skipped(self._state, unit) else str(asked_bits(self._state, unit))
        got = "-" if row is None else "float" if row.feature_bits is None else str(row.feature_bits)
        mean = fixed(self._state.table.mean(place) if place is not None else None)
        alone = fixed(row.local_cosine if row else None)
        total = sum(u.work for u in bits.units or ()) or 1
        share = f"{100 * unit.work / total:5.1f}%"
        more = f" +{len(unit.nodes) - 1}" if len(unit.nodes) > 1 else ""
        given = self._state.of(Live).plan.get(unit.name, NOTHING)
        ends = f"  [{short(given.min)}, {short(given.max)}]" if given.min is not None or given.max is not None else ""
        text = f"{mark} {asked:>5} {got:>5} {mean:>8} {alone:>8} {share} "
        role: Role = "cursor" if index == self.cursor else "strong" if changed else "text"
        return ((text, role), (fit(f"{clean(unit.name)}{more}  {clean(unit.op)}{ends}", max(0, self.room - len(text))), role))


class BitsPane(ListPane):
    """The widths; every change runs at once."""

    DEFAULT_CSS = """
    BitsPane #bits-head { height: 2; }
    BitsPane #bits-front { height: 0; background: $surface; }
    BitsPane #bits { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus", "width(1)", "raise", id="bits.raise", key_display="+", tooltip="Raise the width"),
        Binding("minus", "width(-1)", "lower", id="bits.lower", key_display="-", tooltip="Lower the width"),
        Binding("space", "mark", "mark", id="bits.mark", tooltip="Mark this unit, or no longer"),
        Binding("b", "mark_bad", id="bits.mark_bad", show=False, tooltip="Mark every bad unit, or none"),
        Binding("s", "skip", "float", id="bits.skip", tooltip="Keep it in float, or no longer"),
        Binding("m", "range", "range", id="bits.range", tooltip="Give MIN and MAX, as in 0, 1.7"),
        Binding("u", "undo(-1)", "undo", id="bits.undo", tooltip="Undo the last change"),
        Binding("U", "undo(1)", id="bits.redo", show=False, tooltip="Redo it"),
        Binding("x", "drop", id="bits.drop", show=False, tooltip="Drop what was changed for it"),
        Binding("t", "tune", "tune", id="bits.tune", tooltip="Find the cheapest widths that reach a target"),
        Binding("p", "front", id="bits.front", show=False, tooltip="Hide the front of cost against cosine"),
        Binding("a", "apply", "apply", id="bits.apply", tooltip="Write the plan into the project's files"),
        Binding("A", "auto", id="bits.auto", show=False, tooltip="Run changes at once, or wait for Enter"),
        Binding("enter", "live", id="bits.live", show=False, tooltip="Run the plan now"),
        *walk_keys("unit"),
    ]

    def compose(self) -> ComposeResult:
        """Return cost and prediction, the front of the last search, and the table."""
        yield Lines(id="bits-head")
        yield Lines(id="bits-front")
        yield UnitTable()

    def hints(self, state: State) -> tuple[str, ...]:
        """Return what can be done with a unit."""
        return ("bits.raise", "bits.lower", "bits.undo", "bits.apply") if state.of(Bits).units else ()

    def show(self, state: State) -> None:
        """Draw the widths; the first time they are in sight they are asked for."""
        bits = state.of(Bits)
        if bits.units is None and not bits.asked:
            self.call_later(self.desk.dispatch, BitsSeen())
        self.query_one("#bits-head", Lines).show(head_lines(state, self.size.width))
        front = front_lines(state.of(Tuning).found, self.size.width, max(3, self.size.height // 3))
        self.query_one("#bits-front", Lines).show_whole(front)
        self.query_one(UnitTable).show(state)

    def moved(self, by: int = 0, to: int | None = None) -> ev.Event:
        """Return the event that moves the cursor over the units."""
        return UnitMoved(by, to)

    def action_width(self, step: int) -> None:
        """Raise or lower the width."""
        self.desk.dispatch(WidthAsked(step))

    def action_mark(self) -> None:
        """Mark the unit."""
        self.desk.dispatch(Marked())

    def action_mark_bad(self) -> None:
        """Mark every bad unit."""
        self.desk.dispatch(Marked(every=True))

    def action_skip(self) -> None:
        """Keep units in float."""
        self.desk.dispatch(SkipAsked())

    def action_undo(self, step: int) -> None:
        """Undo or redo."""
        self.desk.dispatch(UndoAsked(step))

    def action_drop(self) -> None:
        """Drop the change."""
        self.desk.dispatch(Dropped())

    def action_apply(self) -> None:
        """Write the files."""
        self.desk.dispatch(ApplyAsked())

    def action_auto(self) -> None:
        """Run changes at once, or not."""
        self.desk.dispatch(AutoToggled())

    def action_live(self) -> None:
        """Run the plan."""
        self.desk.dispatch(LiveAsked())

    def action_tune(self) -> None:
        """Ask for a target."""
        self.desk.dispatch(TuneAsked())

    def action_front(self) -> None:
        """Hide the front."""
        self.desk.dispatch(FrontHidden())

    def action_range(self) -> None:
        """Ask for a range."""
        self.desk.dispatch(RangeAsked())


def front_lines(found: Tuned | None, width: int, most: int) -> tuple[Line, ...]:
    """Return the front of the last search as a plot of text: a line per plan, the bar is what its cosine lacks, logarithmic."""
    if found is None or not found.front:
        return ()
    points = found.front if len(found.front) < most else found.front[: most - 1]
    lines: list[Line] = [((fit("    cost   cosine  what it lacks, logarithmic   units x widths", width), "head"),)]
    for point in points:
        mark = ">" if point == found.chosen else " "
        lack = max(1e-6, 1 - (point.cosine_avg if point.cosine_avg is not None else 0.0))
        bar = "#" * max(1, min(BAR, round(BAR * (1 + math.log10(lack) / 5))))
        counts = " ".join(f"{n}x{w}" for w, n in sorted(point.counts.items(), key=lambda each: int(each[0])))
        text = f"{mark} {point.cost:6.4f}  {fixed(point.cosine_avg)}  {bar:<{BAR}}  {counts} bits"
        lines.append(((fit(text, width), "strong" if mark == ">" else "text"),))
    return tuple(lines)


def head_lines(state: State, width: int) -> tuple[Line, ...]:
    """Return the cost bar, and the output's cosine as predicted and as measured."""
    bits, live = state.of(Bits), state.of(Live)
    if bits.units is None:
        return ((("Reading the widths.", "dim"),),)
    if not bits.units:
        return ((("No layer can be integer: nothing to choose.", "dim"),),)
    now, most = cost(state)
    full = round(BAR * min(1.0, now / most))
    changed = f"  {len(live.plan)} changed" if live.plan else ""
    wait = "" if live.auto else "  changes wait for Enter"
    first = f"cost {now:.3f} of {most:g} {'#' * full}{'.' * (BAR - full)}  (1 is 8 bits everywhere){changed}{wait}"
    measured = min((o.cosine_avg for o in state.outputs if o.cosine_avg is not None), default=None)
    older = " (older than the plan)" if state.stale else ""
    ran = f"  {live.recomputed} layers computed in {live.seconds:.2f} s" if live.recomputed is not None and not state.stale else ""
    second = f"output cosine predicted {fixed(predicted(state))}  measured {fixed(measured)}{older}{ran}"
    return ((fit(first, width), "strong"),), ((fit(second, width), "text"),)


PANE = BitsPane
