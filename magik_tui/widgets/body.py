"""The room between the bars: it places the panes, and draws the strips of tabs over them."""

from __future__ import annotations

from collections.abc import Callable

from textual import events as ui
from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from magik_tui.arrange import Place
from magik_tui.core import State
from magik_tui.core.places import Places
from magik_tui.panes.base import Desk, Pane
from magik_tui.panes.registry import BY_ID, Entry
from magik_tui.widgets.ink import Inked, Line, Role, line_width, shortened

SHORTER: tuple[Callable[[Entry, bool], str], ...] = (
    lambda entry, seen: f" {entry.digit} {entry.title} ",
    lambda entry, seen: f" {entry.digit} {entry.title}",
    lambda entry, seen: f" {entry.digit} {entry.title.partition(' ')[0]}",
    lambda entry, seen: f" {entry.digit} {entry.title} " if seen else f" {entry.digit} ",
)
"""A tab in ever fewer cells; the last way names only the pane that is in sight."""


class _Placed(Layout):
    """Puts each pane where the body's places say."""

    name = "placed"

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        if not isinstance(parent, Body):
            return []
        regions = {place.pane: Region(*place.region) for place in parent.placed(size)}
        shown = [(child, regions.get(child.name_of_pane)) for child in children if isinstance(child, Pane)]
        return [WidgetPlacement(region, NULL_OFFSET, NULL_SPACING, child) for child, region in shown if region is not None]


class Body(Inked):
    """Holds the panes. One that comes into sight for the first time is made then; one that goes out of it is kept."""

    class PaneClicked(Message):
        """A tab was clicked."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, desk: Desk, state: State, *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(id=id)
        self._desk, self._state = desk, state
        self._placing = _Placed()
        self._panes: dict[str, Pane] = {}
        self._seen: tuple[Place, ...] = ()
        self._keys = ""
        self.keys_move = False  # a pane is being made that gets the keys then

    def compose(self) -> list[Widget]:
        """Return the panes that are in sight at the start."""
        return [self._made(pane) for pane in self._state.of(Places).visible]

    def placed(self, size: Size) -> tuple[Place, ...]:
        """Return where the panes in sight stand."""
        return self._state.of(Places).placed(*size)

    @property
    def layout(self) -> Layout:
        """How the panes are placed."""
        return self._placing

    @property
    def focused(self) -> Pane | None:
        """The pane that has the keys, as soon as it is made."""
        return self._panes.get(self._state.of(Places).focus)

    def _made(self, pane: str) -> Pane:
        self._panes[pane] = BY_ID[pane].load()(self._desk, self._state, id=pane)
        return self._panes[pane]

    def show(self, state: State) -> None:
        """Draw `state`: place the panes where their places changed, and let those in sight draw themselves."""
        self._state = state
        places = self.placed(self.size)
        if places != self._seen:
            self._place(places)
        visible = {place.pane for place in places}
        for name, pane in self._panes.items():
            if name in visible:
                pane.take(state)
        focus = state.of(Places).focus
        if focus != self._keys and focus in self._panes:
            self._keys = focus
            if self._panes[focus].is_mounted:
                self.give_keys()
            else:
                self.keys_move = True
                self._panes[focus].call_after_refresh(self.give_keys)
            self._refresh_strips()

    def draw_resized(self) -> None:
        """Let the panes in sight that were drawn for another size draw themselves again."""
        for place in self._seen:
            pane = self._panes[place.pane]
            if pane.drawn_for != pane.size:
                pane.take(self._state)

    def _place(self, places: tuple[Place, ...]) -> None:
        self._seen = places
        visible = [place.pane for place in places]
        new = [self._made(pane) for pane in visible if pane not in self._panes]
        for name, pane in self._panes.items():
            pane.display = name in visible
        self._clear_arrangement_cache()
        self.refresh(layout=True)
        if new:
            self.mount_all(new)

    def give_keys(self) -> None:
        """Let the pane in focus have the keys."""
        pane = self.focused
        self.keys_move = False
        if pane is not None and pane.is_mounted:
            self.screen.set_focus(pane.keys())

    def _refresh_strips(self) -> None:
        strips = [Region(*place.strip) for place in self._seen if place.strip is not None]
        if strips:
            self.refresh(*strips)

    def on_resize(self, event: ui.Resize) -> None:
        """Place the panes for the new size."""
        self.show(self._state)

    def tabs(self, place: Place) -> Line:
        """Return the strip over a place: the digits and titles of its panes, the one in sight marked."""
        keys = self._state.of(Places).focus
        width = place.region.width
        for said in SHORTER:
            line: Line = ()
            for name in place.tabs:
                entry = BY_ID[name]
                role: Role = "head" if name != place.pane else "column" if name == keys else "title"
                line += ((said(entry, name == place.pane), role),)
            if line_width(line) <= width:
                break
        room = max(0, width - line_width(line))
        return shortened((*line, (" " * room, "head")), width)

    def render_line(self, y: int) -> Strip:
        """Return a line of the strips; what is under the panes is not seen."""
        here = sorted((p for p in self._seen if p.strip is not None and p.strip.y == y), key=lambda p: p.region.x)
        line: Line = ()
        for place in here:
            gap = place.region.x - line_width(line)
            line += ((" " * gap, "text"), *self.tabs(place))
        return self.strip(line, self.size.width)

    def on_click(self, event: ui.Click) -> None:
        """Choose the tab under the mouse."""
        for place in self._seen if event.widget is self else ():
            if place.strip is None or place.strip.y != event.y or not 0 <= event.x - place.strip.x < place.strip.width:
                continue
            at = place.strip.x
            for name, run in zip(place.tabs, self.tabs(place), strict=False):
                at += line_width((run,))
                if event.x < at:
                    self.post_message(self.PaneClicked(name))
                    return
