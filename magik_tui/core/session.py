"""What the next start finds again: each room says what of it is to be kept, as plain data, and takes it back.

    keeps("bits", BitsKept, save=lambda state: BitsKept(...), load=lambda state, kept: state.put(...))

What does not fit when it is read (an older release wrote it, someone edited it) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core.looking import Looks
from magik_tui.core.places import Places
from magik_tui.core.state import State, Step, on

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class _Keeper:
    form: Any
    save: Callable[[State], Any]
    load: Callable[[State, Any], State]


_keepers: dict[str, _Keeper] = {}


def keeps(name: str, form: type[K], save: Callable[[State], K], load: Callable[[State, K], State]) -> None:
    """Keep under `name` what `save` returns, a msgspec Struct of the type `form`; `load` puts it back into a fresh state."""
    _keepers[name] = _Keeper(form, save, load)


def saved(state: State) -> dict[str, Any]:
    """Return what is to be kept of `state`, as JSON can hold it."""
    return {name: msgspec.to_builtins(keeper.save(state)) for name, keeper in _keepers.items()}


def restored(state: State, kept: Mapping[str, Any]) -> State:
    """Return a fresh `state` with what was kept of an earlier one."""
    for name, keeper in _keepers.items():
        if name in kept:
            try:
                piece = wire.read(kept[name], keeper.form)
            except wire.Unfit:
                continue
            state = keeper.load(state, piece)
    return state


class SaveSession(ev.Effect, frozen=True):
    """Write the session to its file."""


@on(ev.RunEnded)
def _run_ended(state: State, event: ev.RunEnded) -> Step:
    return state, (SaveSession(),)


class _Sight(msgspec.Struct, frozen=True):
    recent: tuple[str, ...] = ()
    layout: str = ""
    zoomed: bool = False
    sizes: dict[str, int] = {}


class _Cursor(msgspec.Struct, frozen=True):
    layer: str = ""
    sample: str = ""


class _Looks(msgspec.Struct, frozen=True):
    theme: str = ""
    keymap: str = ""


def _sight(state: State) -> _Sight:
    places = state.of(Places)
    return _Sight(places.recent, places.layout, places.zoomed, dict(places.sizes))


def _with_sight(state: State, kept: _Sight) -> State:
    places = state.of(Places)
    recent = tuple(pane for pane in kept.recent if pane in places.panes) or places.recent
    known = {preset.name for preset in places.presets}
    layout = kept.layout if kept.layout in known else ""
    sizes = {path: size for path, size in kept.sizes.items() if path.partition("/")[0] in known}
    return state.put(replace(places, recent=recent, layout=layout or places.layout, zoomed=kept.zoomed, sizes=sizes))


def _cursor(state: State) -> _Cursor:
    table = state.table
    layer = table.rows[state.cursor].name if state.cursor < len(table.rows) else state.wish
    sample = table.samples[state.column] if state.column < len(table.samples) else state.wished_sample
    return _Cursor(layer, sample)


def _with_cursor(state: State, kept: _Cursor) -> State:
    return replace(state, wish=kept.layer, wished_sample=kept.sample)


def _looks(state: State) -> _Looks:
    looks = state.of(Looks)
    return _Looks(looks.own or looks.theme, looks.keymap)


def _with_looks(state: State, kept: _Looks) -> State:
    looks = state.of(Looks)
    theme = kept.theme if kept.theme in looks.themes else looks.theme
    keymap = kept.keymap if kept.keymap in looks.keymaps else looks.keymap
    return state.put(replace(looks, theme=theme, keymap=keymap))


keeps("sight", _Sight, _sight, _with_sight)
keeps("cursor", _Cursor, _cursor, _with_cursor)
keeps("looks", _Looks, _looks, _with_looks)
