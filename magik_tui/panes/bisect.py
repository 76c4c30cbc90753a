"""The pane of the bisection: the state of every operator type and operator, how much is left, the verdict with its evidence."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from magik_tui import events as ev
from magik_tui.core import State
from magik_tui.core.bisect import (
    BisectAsked,
    CulpritsApplied,
    CulpritsTaken,
    JudgeAsked,
    MetricAsked,
    PlaceAsked,
    TargetAsked,
    no_culprits,
)
from magik_tui.core.byhand import BisectMoved, LogEditAsked, ReplayAsked, RowMarked, StepAsked, StepMarked, StepsUndone
from magik_tui.core.hunt import Bisection, Kind, Mark, kinds, marks
from magik_tui.core.twin import twin
from magik_tui.hunting import HEAD, RAISED, WORDS, head_lines, hunt_sheet
from magik_tui.numerals import fixed
from magik_tui.panes.base import LayerPane, ListPane
from magik_tui.sheets import Sheet
from magik_tui.text import clean, fit
from magik_tui.widgets.ink import Line, Lines, Role
from magik_tui.widgets.rows import Rows

SIGNS: dict[Mark, tuple[str, Role]] = {
    "good": ("+ good", "good"),
    "bad": ("x bad", "bad"),
    "current": ("> current", "strong"),
    "skip": ("~ skipped", "warn"),
    "untested": (". untested", "dim"),
    "suspect": ("? suspect", "warn"),
    "outside": ("- outside", "dim"),
    "float": ("- float", "dim"),
}


class Operators(Rows):
    """Every operator type, then every layer, with what is known of it."""

    def __init__(self) -> None:
        super().__init__(id="bisect")
        self._state: State | None = None
        self._marks: tuple[Mark, ...] = ()
        self._kinds: tuple[Kind, ...] = ()

    def show(self, state: State) -> None:
        """Draw types and layers."""
        self._state, self._marks = state, marks(state)
        self._kinds = kinds(state, self._marks)
        place = state.of(Bisection).place
        types = len(self._kinds)
        self.count = types + len(state.table.rows)
        self.cursor = types + state.cursor if place is None or not types else min(place, types - 1)
        self.redraw()

    def head(self) -> Line:
        """Return the names of the columns."""
        return ((fit("  state       cosine   alone    operator", self.room), "head"),)

    def row(self, index: int) -> Line:
        """Return one type, or one layer."""
        if self._state is None:
            return ()
        place: Role = "cursor" if index == self.cursor else "text"
        priors = self._state.of(Bisection).priors
        if index < len(self._kinds):
            kind = self._kinds[index]
            held = priors.types.get(kind.name, "")
            return self._line(index, kind.mark, " ", f"all {clean(kind.name)}: {_counted(kind)}{_said(held)}", place)
        at = index - len(self._kinds)
        row = self._state.table.rows[at]
        held = priors.nodes.get(row.name, "")
        text = f" {fixed(self._state.table.mean(at)):>8} {fixed(row.local_cosine):>8}  "
        return self._line(index, self._marks[at], text, f"{clean(row.name)}  {clean(row.op)}{_said(held)}", place)

    def _line(self, index: int, mark: Mark, text: str, what: str, place: Role) -> Line:
        sign, role = SIGNS[mark]
        here = ">" if index == self.cursor else " "
        return ((here, place), (fit(sign, 11), role), (text, "text"), (fit(what, max(0, self.room - 12 - len(text))), place))


def _counted(kind: Kind) -> str:
    return ", ".join(f"{count} {WORDS.get(mark, mark)}" for mark, count in kind.counts.items())


def _said(held: str) -> str:
    """Return what the user said of an operator, in words."""
    return {"good": "  (held to be good)", "suspect": "  (suspect)", "untested": "  (not as its type)"}.get(held, "")


class BisectPane(ListPane, LayerPane):
    """The search; its cursor is the layer that other panes show, or an operator type above them."""

    DEFAULT_CSS = f"""
    BisectPane #bisect-head {{ height: {HEAD}; }}
    BisectPane #bisect {{ height: 1fr; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "step", "step", id="bisect.step", tooltip="Judge one network, then pause"),
        Binding("enter", "bisect(False)", "all", id="bisect.start", key_display="Enter", tooltip="Go on by itself to the end"),
        Binding("F", "bisect(True)", id="bisect.fresh", show=False, tooltip="Begin anew, forgetting answers and marks"),
        Binding("plus", "mark('good')", "good", id="bisect.good", key_display="+", tooltip="This step is good, whatever the metric says"),
        Binding("x", "mark('bad')", "bad", id="bisect.bad", tooltip="This step is bad, whatever the metric says"),
        Binding("tilde", "mark('skip')", "skip", id="bisect.skip", show=False, key_display="~", tooltip="Nobody can tell of this step"),
        Binding("u", "undo", "undo", id="bisect.undo", tooltip="Take the last step back"),
        Binding("c", "hold('good')", id="bisect.clear", show=False, tooltip="This operator or type is good: leave it quantized, untried"),
        Binding("exclamation_mark", "hold('suspect')", id="bisect.suspect", show=False, key_display="!",
                tooltip="Suspect this operator or type: try it first"),
        Binding("full_stop", "hold('untested')", id="bisect.untested", show=False, key_display=".",
                tooltip="Neither: this operator or type is as any other"),
        Binding("e", "edit", id="bisect.edit", show=False, tooltip="Edit the log in $EDITOR and replay it"),
        Binding("R", "replay", id="bisect.replay", show=False, tooltip="Replay a log"),
        Binding("t", "target", "target", id="bisect.target", tooltip="What the network has to reach"),
        Binding("m", "metric", "metric", id="bisect.metric", tooltip="Judge by the mean or worst cosine, or by SQNR"),
        Binding("M", "judge", id="bisect.judge", show=False, tooltip="Judge by a command of yours"),
        Binding("o", "place", id="bisect.at", show=False, tooltip="Judge at this layer, or at the outputs again"),
        Binding("s", "take(0)", "float", id="bisect.float", tooltip="Keep the culprits in float"),
        Binding("b", f"take({RAISED})", "12 bits", id="bisect.raise", tooltip="Give the culprits 12 bits instead"),
        Binding("a", "apply", "apply", id="bisect.apply", tooltip="Write the culprits to QUANT_NODE_SKIP in magik.cfg"),
    ]  # fmt: skip

    def compose(self) -> ComposeResult:
        """Return the state of the search and the rows."""
        yield Lines(id="bisect-head")
        yield Operators()

    def hints(self, state: State) -> tuple[str, ...]:
        """Return what can be done now."""
        mine = state.of(Bisection)
        if mine.verdict is not None and mine.verdict.culprits:
            return ("bisect.apply", "bisect.float", "bisect.raise")
        if mine.steps:
            return ("bisect.step", "bisect.start", "bisect.good", "bisect.bad", "bisect.undo")
        return ("bisect.step", "bisect.start", "bisect.target", "bisect.metric")

    def why_not(self, id_: str, state: State) -> str:
        """Return why a key can do nothing now."""
        mine = state.of(Bisection)
        if id_ in ("bisect.float", "bisect.raise", "bisect.apply"):
            return no_culprits(state)
        if id_ in ("bisect.good", "bisect.bad", "bisect.skip"):
            at_hand = mine.asking is not None and mine.verdict is None and not mine.old
            return "" if at_hand else "there is no step at hand"
        if id_ == "bisect.undo":
            return "" if mine.steps and not mine.old else "there is no step to take back"
        return super().why_not(id_, state)

    def sheet(self, state: State) -> Sheet | None:
        """Return the types and operators with what is known of each."""
        return hunt_sheet(state)

    def line(self, state: State) -> str:
        """Return the command line of the search."""
        return twin(state, "bisect", *state.of(Bisection).goal())

    def show(self, state: State) -> None:
        """Draw the search."""
        self.query_one("#bisect-head", Lines).show(head_lines(state, self.size.width))
        self.query_one(Operators).show(state)

    def moved(self, by: int = 0, to: int | None = None) -> ev.Event:
        """Return the event that moves the cursor over types and layers."""
        return BisectMoved(by, to)

    def action_bisect(self, fresh: bool) -> None:
        """Find the culprits."""
        self.desk.dispatch(BisectAsked(fresh))

    def action_step(self) -> None:
        """Judge one network."""
        self.desk.dispatch(StepAsked())

    def action_mark(self, mark: str) -> None:
        """Mark the step at hand."""
        self.desk.dispatch(StepMarked("good" if mark == "good" else "bad" if mark == "bad" else "skip"))

    def action_undo(self) -> None:
        """Take the last step back."""
        self.desk.dispatch(StepsUndone())

    def action_hold(self, prior: str) -> None:
        """Say what is held of an operator or a type."""
        self.desk.dispatch(RowMarked("good" if prior == "good" else "suspect" if prior == "suspect" else "untested"))

    def action_edit(self) -> None:
        """Edit the log."""
        self.desk.dispatch(LogEditAsked())

    def action_replay(self) -> None:
        """Ask for a log to replay."""
        self.desk.dispatch(ReplayAsked())

    def action_metric(self) -> None:
        """Judge by the next metric."""
        self.desk.dispatch(MetricAsked())

    def action_judge(self) -> None:
        """Ask for a command."""
        self.desk.dispatch(JudgeAsked())

    def action_place(self) -> None:
        """Judge somewhere else."""
        self.desk.dispatch(PlaceAsked())

    def action_target(self) -> None:
        """Ask for a target."""
        self.desk.dispatch(TargetAsked())

    def action_take(self, bits: int) -> None:
        """Put the culprits into the plan."""
        self.desk.dispatch(CulpritsTaken(bits))

    def action_apply(self) -> None:
        """Write the culprits."""
        self.desk.dispatch(CulpritsApplied())


PANE = BisectPane
