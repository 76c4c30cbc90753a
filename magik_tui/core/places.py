"""Which panes are in sight, which has the keys, and how large they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from magik_tui import events as ev
from magik_tui.arrange import Place, Preset, arrange, chosen, presets, resized
from magik_tui.core.commands import Command, offers
from magik_tui.core.state import State, Step, on

BARS = 2  # rows of header and status
FIRST = "heatmap"  # the pane that has the keys at the start


@dataclass(frozen=True, slots=True)
class Places:
    """The slice of this room.

    `panes` are the ids of those that exist, by their digits, `presets` the layouts there are; `recent` are the panes that had the keys, the
    latest first. `layout` is the name of the preset the user wants, "" for the one that suits the terminal; `width` and `height` are the
    terminal's.
    """

    panes: tuple[str, ...] = ()
    presets: tuple[Preset, ...] = field(default_factory=presets)
    layout: str = ""
    recent: tuple[str, ...] = (FIRST,)
    zoomed: bool = False
    sizes: Mapping[str, int] = field(default_factory=dict)
    width: int = 80
    height: int = 24

    @property
    def focus(self) -> str:
        """The pane that has the keys."""
        return self.recent[0]

    @property
    def preset(self) -> Preset:
        """The layout in use."""
        return chosen(self.presets, self.layout, self.width, self.height)

    def placed(self, width: int, height: int) -> tuple[Place, ...]:
        """Return where the panes in sight stand on `width` x `height` cells, the room between the bars."""
        return arrange(self.preset, self.panes, self.recent, width, height, self.sizes, zoomed=self.zoomed)

    @property
    def visible(self) -> tuple[str, ...]:
        """The panes in sight, from the top left."""
        return tuple(place.pane for place in self.placed(self.width, self.height - BARS))


class Resized(ev.Event, frozen=True):
    """The terminal has this size now, in cells."""

    width: int
    height: int


class PaneChosen(ev.Event, frozen=True):
    """A pane shall be in sight and have the keys."""

    pane: str


class PaneCycled(ev.Event, frozen=True):
    """The keys go to the next (`step` 1) or previous (-1) pane in sight."""

    step: int


class ZoomAsked(ev.Event, frozen=True):
    """The pane with the keys takes the whole room, or gives it back."""


class SizeAsked(ev.Event, frozen=True):
    """The pane with the keys becomes `by` cells larger in its split, or with `outer` in the split around that."""

    by: int
    outer: bool = False


class SizesReset(ev.Event, frozen=True):
    """The sizes are those of the layout again."""


class LayoutChosen(ev.Event, frozen=True):
    """A layout is wanted by name; "" is the one that suits the terminal."""

    name: str


class LayoutCycled(ev.Event, frozen=True):
    """The next layout is wanted, after the last one that which suits the terminal."""


@on(Resized)
def _resized(state: State, event: Resized) -> Step:
    return state.put(replace(state.of(Places), width=event.width, height=event.height)), ()


@on(PaneChosen)
def _pane_chosen(state: State, event: PaneChosen) -> Step:
    places = state.of(Places)
    if event.pane not in places.panes or event.pane == places.focus:
        return state, ()
    return state.put(replace(places, recent=(event.pane, *(p for p in places.recent if p != event.pane)))), ()


@on(PaneCycled)
def _pane_cycled(state: State, event: PaneCycled) -> Step:
    places = state.of(Places)
    round_ = places.panes if places.zoomed else places.visible
    if places.focus not in round_:
        return state, ()
    return _pane_chosen(state, PaneChosen(round_[(round_.index(places.focus) + event.step) % len(round_)]))


@on(ZoomAsked)
def _zoom_asked(state: State, event: ZoomAsked) -> Step:
    places = state.of(Places)
    return state.put(replace(places, zoomed=not places.zoomed)), ()


@on(SizeAsked)
def _size_asked(state: State, event: SizeAsked) -> Step:
    places = state.of(Places)
    if places.zoomed:
        return state.noted("info", "the pane has the whole room; z gives it back"), ()
    room = places.width, places.height - BARS
    sizes = resized(places.preset, places.panes, places.focus, event.by, *room, places.sizes, outer=event.outer)
    if sizes == places.sizes:
        return state.noted("info", "there is no neighbour to take the room from in this direction"), ()
    return state.put(replace(places, sizes=sizes)), ()


@on(SizesReset)
def _sizes_reset(state: State, event: SizesReset) -> Step:
    places = state.of(Places)
    mine = f"{places.preset.name}/"
    return state.put(replace(places, sizes={k: v for k, v in places.sizes.items() if not k.startswith(mine)})), ()


@on(LayoutChosen)
def _layout_chosen(state: State, event: LayoutChosen) -> Step:
    places = replace(state.of(Places), layout=event.name, zoomed=False)
    by = "" if event.name else ", by the size of the terminal"
    return state.put(places).noted("info", f"layout {places.preset.name}{by}: {places.preset.title}"), ()


@on(LayoutCycled)
def _layout_cycled(state: State, event: LayoutCycled) -> Step:
    places = state.of(Places)
    names, now = ["", *(preset.name for preset in places.presets)], places.layout
    at = names.index(now) if now in names else 0
    return _layout_chosen(state, LayoutChosen(names[(at + 1) % len(names)]))


@offers
def _commands(state: State) -> Iterator[Command]:
    places = state.of(Places)
    yield Command("layout auto", "The layout that suits the terminal's size", LayoutChosen(""), "" if places.layout else "it is in use")
    for preset in places.presets:
        reason = "it is in use" if preset.name == places.layout else ""
        yield Command(f"layout {preset.name}", f"Layout {preset.name}: {preset.title}", LayoutChosen(preset.name), reason)
