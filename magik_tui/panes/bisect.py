"""The pane of the bisection: the state of every operator, how much is left, the verdict with its evidence."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from magik_tui import events as ev
from magik_tui.core import State
from magik_tui.core.bisect import Answered, BisectAsked, Bisection, CulpritsTaken, Mark, MetricAsked, TargetAsked, marks
from magik_tui.panes.base import LayerPane
from magik_tui.text import clean, fit, fixed
from magik_tui.widgets.ink import Line, Lines, Role
from magik_tui.widgets.rows import Rows

SIGNS: dict[Mark, tuple[str, Role]] = {
    "good": ("+ good", "good"),
    "bad": ("x bad", "bad"),
    "current": ("> current", "strong"),
    "skip": ("~ skipped", "warn"),
    "untested": (". untested", "dim"),
}
PHASES = {
    "types": "operator types", "operators": "operators", "parts": "layers of tied groups", "check": "the found operators",
    "again": "operators one by one", "start": "the network as it is, and in float",
}  # fmt: skip
STEPS = 3  # steps that are shown
RAISED = 12


class Operators(Rows):
    """Every layer with what is known of it."""

    def __init__(self) -> None:
        super().__init__(id="bisect")
        self._state: State | None = None
        self._marks: dict[str, Mark] = {}

    def show(self, state: State) -> None:
        """Draw the layers."""
        names = tuple(row.name for row in state.table.rows)
        self._state, self._marks = state, marks(state.of(Bisection), names)
        self.count, self.cursor = len(names), state.cursor
        self.redraw()

    def head(self) -> Line:
        """Return the names of the columns."""
        return ((fit("  state       cosine   alone    layer", self.room), "head"),)

    def row(self, index: int) -> Line:
        """Return one layer."""
        if self._state is None:
            return ()
        row = self._state.table.rows[index]
        sign, role = SIGNS[self._marks.get(row.name, "untested")] if row.quantized else ("- float", "dim")
        mark = ">" if index == self.cursor else " "
        text = f" {fixed(self._state.table.mean(index)):>8} {fixed(row.local_cosine):>8}  "
        place: Role = "cursor" if index == self.cursor else "text"
        layer = fit(f"{clean(row.name)}  {clean(row.op)}", max(0, self.room - 12 - len(text)))
        return ((mark, place), (fit(sign, 11), role), (text, "text"), (layer, place))


class BisectPane(LayerPane):
    """The search; its cursor is the layer that other panes show."""

    DEFAULT_CSS = """
    BisectPane #bisect-head { height: 5; }
    BisectPane #bisect { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "bisect(False)", "bisect", id="bisect.start", key_display="Enter", tooltip="Find the culprits, or go on"),
        Binding("F", "bisect(True)", id="bisect.fresh", show=False, tooltip="Find them anew, forgetting earlier answers"),
        Binding("t", "target", "target", id="bisect.target", tooltip="What the network has to reach"),
        Binding("m", "metric", "metric", id="bisect.metric", tooltip="Judge by the mean or worst cosine, or by SQNR"),
        Binding("s", "take(0)", "float", id="bisect.float", tooltip="Keep the culprits in float"),
        Binding("b", "take(12)", "12 bits", id="bisect.raise", tooltip="Give the culprits 12 bits instead"),
    ]

    def compose(self) -> ComposeResult:
        """Return the state of the search and the layers."""
        yield Lines(id="bisect-head")
        yield Operators()

    def hints(self, state: State) -> tuple[str, ...]:
        """Return what can be done now."""
        found = state.of(Bisection).verdict
        return ("bisect.float", "bisect.raise") if found and found.culprits else ("bisect.start", "bisect.target", "bisect.metric")

    def show(self, state: State) -> None:
        """Draw the search."""
        self.query_one("#bisect-head", Lines).show(head_lines(state, self.size.width))
        self.query_one(Operators).show(state)

    def on_rows_row_chosen(self, message: Rows.RowChosen) -> None:
        """Move the cursor to the layer that was clicked."""
        self.desk.dispatch(ev.MovedTo(message.row))

    def action_bisect(self, fresh: bool) -> None:
        """Find the culprits."""
        self.desk.dispatch(BisectAsked(fresh))

    def action_metric(self) -> None:
        """Judge by the next metric."""
        self.desk.dispatch(MetricAsked())

    def action_target(self) -> None:
        """Ask for a target."""
        self.desk.dispatch(TargetAsked())

    def action_take(self, bits: int) -> None:
        """Put the culprits into the plan."""
        self.desk.dispatch(CulpritsTaken(bits))


def head_lines(state: State, width: int) -> tuple[Line, ...]:
    """Return the goal, where the search stands, and its last steps, or its verdict."""
    mine = state.of(Bisection)
    goal = f"Which operators must stay in float for {mine.metric} {mine.wanted:g} at the outputs?"
    lines: list[Line] = [((fit(goal, width), "strong"),)]
    if mine.verdict is not None:
        return (*lines, *verdict_lines(mine, width))
    if mine.asking is not None:
        steps = f" (about {mine.asking.steps} step{'' if mine.asking.steps == 1 else 's'})"
        lines.append(
            ((fit(f"Bisecting {PHASES.get(mine.asking.phase, mine.asking.phase)}: {mine.asking.left} left{steps}", width), "text"),)
        )
    elif mine.error:
        lines.append(((fit(mine.error, width), "warn"),))
    elif mine.job is None:
        lines.append(((fit("Enter finds them: operator types first, then the operators inside the guilty types.", width), "dim"),))
    for step in mine.steps[-STEPS:]:
        lines.append(((fit(_step(step), width), "good" if step.mark == "good" else "bad"),))
    return tuple(lines[:5])


def _step(step: Answered) -> str:
    sign = {"good": "+", "bad": "x"}.get(step.mark, "~")
    what = "as it is" if not step.floats else f"{len(step.floats)} in float"
    return f"  {sign} {fixed(step.value)}  {what}"


def verdict_lines(mine: Bisection, width: int) -> tuple[Line, ...]:
    """Return the culprits with their evidence."""
    found = mine.verdict
    if found is None:
        return ()
    evaluations = f"{found.evaluations} evaluation{'' if found.evaluations == 1 else 's'}"
    if not found.culprits:
        return (((fit(f"None: the network is good as it is, {fixed(found.baseline)} ({evaluations}).", width), "good"),),)
    kind = "minimal" if found.minimal else "not proven minimal"
    more = ", errors interact" if found.interacting else ""
    first = f"{len(found.culprits)} must: {fixed(found.baseline)} -> {fixed(found.healed)}, {kind}{more}, {evaluations}"
    lines: list[Line] = [((fit(first, width), "bad"),)]
    for culprit in found.culprits[:2]:
        lines.append(
            ((fit(f"  x {clean(culprit.name)} {clean(culprit.op)}: quantized again {fixed(culprit.evidence.before)}", width), "text"),)
        )
    rest = f"and {len(found.culprits) - 2} more, marked below; " if len(found.culprits) > 2 else ""
    lines.append(((fit(f"{rest}s keeps them in float, b gives them {RAISED} bits; log {clean(found.path)}", width), "dim"),))
    return tuple(lines)


PANE = BisectPane
