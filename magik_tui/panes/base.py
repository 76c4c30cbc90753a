"""What all panes have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from textual import events as ui
from textual.binding import Binding
from textual.geometry import Size
from textual.widget import Widget

from magik_tui import events as ev
from magik_tui.core import State
from magik_tui.core.heat import BadMoved, RowMoved, view
from magik_tui.core.places import PaneChosen
from magik_tui.core.twin import twin
from magik_tui.widgets.filterline import FilterLine
from magik_tui.widgets.rows import Rows

if TYPE_CHECKING:
    from magik_tui.sheets import Sheet


@dataclass(frozen=True, slots=True)
class Desk:
    """What a pane gets from the workbench: where events go, and the clock (seconds that never go back)."""

    dispatch: Callable[[ev.Event], None]
    clock: Callable[[], float]


@runtime_checkable
class WorksHere(Protocol):
    """Who has bindings and can say why one of them cannot do anything now."""

    def why_not(self, id_: str, state: State) -> str:
        """Return the reason, "" where it can."""
        ...


class Pane(Widget, can_focus=True):
    """One pane: a widget that holds its own small widgets, draws a `State` in `show`, and turns its keys into events.

    `compose` yields the small widgets; the first that can have the focus gets the keys (`keys` names another). Every binding
    has an id ("PANE.WHAT", the same for keys that do the same in several panes), a tooltip for the help, and is remapped by it.
    `show` is called with every new state while the pane is in sight, and after a change of its size; it must be cheap where
    nothing differs. Style goes to `DEFAULT_CSS` or layouts/workbench.tcss.
    """

    DEFAULT_CSS = """
    Pane { width: 1fr; height: 1fr; layout: vertical; overflow: hidden; }
    """

    def __init__(self, desk: Desk, state: State, *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(id=f"pane-{id}")
        self.desk, self.state, self.name_of_pane = desk, state, id
        self.drawn_for = Size(0, 0)

    def show(self, state: State) -> None:
        """Draw `state`."""
        raise NotImplementedError

    def hints(self, state: State) -> tuple[str, ...]:
        """Return the ids of the pane's bindings to hint at in the status row while it has the keys, the most useful first."""
        return ()

    def why_not(self, id_: str, state: State) -> str:
        """Return why the binding `id_` can do nothing now, "" where it can; the palette shows it."""
        return ""

    def sheet(self, state: State) -> Sheet | None:
        """Return the pane's table for copies and files, with its cursor; None where it has none."""
        return None

    def line(self, state: State) -> str:
        """Return the command line that prints the same without the workbench, "" where there is none."""
        return twin(state, "run")

    def keys(self) -> Widget:
        """Return the widget that has the focus when the pane has the keys."""
        return next((each for each in self.query("*") if each.can_focus and each.display), self)

    def unfilter(self) -> None:
        """Show all rows again: Esc where nothing is at work."""
        for line in self.query(FilterLine):
            line.drop()

    def take(self, state: State) -> None:
        """Remember and draw `state`."""
        self.state = state
        self.drawn_for = self.size if self.is_mounted else Size(0, 0)
        if self.drawn_for:
            self.show(state)

    def on_mouse_down(self, event: ui.MouseDown) -> None:
        """Take the keys: someone works here."""
        self.desk.dispatch(PaneChosen(self.name_of_pane))

    def on_resize(self, event: ui.Resize) -> None:
        """Draw again for the new size, where that was not done with the layout."""
        if self.drawn_for != self.size:
            self.call_after_refresh(self._again)

    def _again(self) -> None:
        self.take(self.state)


def walk_keys(row: str) -> tuple[Binding, ...]:
    """Return the keys that walk over rows, with one id in all panes; `row` is what a row is."""
    return (
        Binding("j,down", "move(1)", id="row.next", show=False, tooltip=f"Next {row}"),
        Binding("k,up", "move(-1)", id="row.previous", show=False, tooltip=f"Previous {row}"),
        Binding("pagedown", "page(1)", id="page.next", show=False, tooltip="A page down"),
        Binding("pageup", "page(-1)", id="page.previous", show=False, tooltip="A page up"),
        Binding("g,home", "move_to(0)", id="row.first", show=False, tooltip=f"First {row}"),
        Binding("G,end", "move_to(-1)", id="row.last", show=False, tooltip=f"Last {row}"),
    )


class ListPane(Pane):
    """A pane with rows of its own, over which the usual keys walk (`walk_keys`)."""

    def moved(self, by: int = 0, to: int | None = None) -> ev.Event:
        """Return the event that moves the cursor by rows, or to a place; -1 is the last."""
        raise NotImplementedError

    def on_rows_row_chosen(self, message: Rows.RowChosen) -> None:
        """Move the cursor to the row that was clicked."""
        self.desk.dispatch(self.moved(to=message.row))

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.desk.dispatch(self.moved(by))

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.desk.dispatch(self.moved(by * self.query_one(Rows).page))

    def action_move_to(self, row: int) -> None:
        """Move the cursor to a row."""
        self.desk.dispatch(self.moved(to=row))


ROW_KEYS = (
    Binding("n", "bad(1)", "bad", id="bad.next", tooltip="Next layer below 0.98"),
    Binding("N", "bad(-1)", id="bad.previous", show=False, tooltip="Previous layer below 0.98"),
    *walk_keys("layer"),
    Binding("l,right", "column(1)", id="sample.next", show=False, tooltip="Next sample"),
    Binding("h,left", "column(-1)", id="sample.previous", show=False, tooltip="Previous sample"),
)


class LayerPane(Pane):
    """A pane whose keys walk over the layers and samples of the table."""

    BINDINGS = [*ROW_KEYS]  # noqa: RUF012 - textual's own form

    @property
    def page(self) -> int:
        """How many rows a page has."""
        return max(1, self.size.height - 1)

    def why_not(self, id_: str, state: State) -> str:
        """Return why a key over layers can do nothing now."""
        if id_.startswith(("row.", "page.", "sample.", "bad.")) and not state.table.rows:
            return "there is no table yet"
        return "no layer is below 0.98" if id_.startswith("bad.") and not state.table.any_bad else ""

    def sheet(self, state: State) -> Sheet | None:
        """Return the table of layers by samples."""
        from magik_tui.sheets import layers_sheet

        return layers_sheet(state)

    def action_bad(self, step: int) -> None:
        """Go to the next (1) or previous (-1) bad layer."""
        self.desk.dispatch(ev.BadAsked(step))

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.desk.dispatch(ev.Moved(by))

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.desk.dispatch(ev.Moved(by * self.page))

    def action_move_to(self, row: int) -> None:
        """Move the cursor to a row."""
        self.desk.dispatch(ev.MovedTo(row))

    def action_column(self, by: int) -> None:
        """Move the sample cursor."""
        self.desk.dispatch(ev.ColumnMoved(by))


class ViewPane(LayerPane):
    """A pane whose keys walk over the layers as the heatmap shows them: in its order, and only those that its filter leaves."""

    BINDINGS = [  # noqa: RUF012 - textual's own form
        Binding("n", "bad(1)", "bad", id="bad.next", tooltip="Next layer that is worth a look (x), by what the heatmap shows"),
        Binding("N", "bad(-1)", id="bad.previous", show=False, tooltip="Previous layer that is worth a look, by what the heatmap shows"),
    ]

    def why_not(self, id_: str, state: State) -> str:
        """Return why a key over layers can do nothing now."""
        if id_.startswith("bad.") and state.table.rows:
            return "" if view(state).bad else view(state).nothing_bad
        return super().why_not(id_, state)

    def action_bad(self, step: int) -> None:
        """Go to the next (1) or previous (-1) bad layer."""
        self.desk.dispatch(BadMoved(step))

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.desk.dispatch(RowMoved(by))

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.desk.dispatch(RowMoved(by * self.page))

    def action_move_to(self, row: int) -> None:
        """Move the cursor to a row."""
        self.desk.dispatch(RowMoved(to=row))
