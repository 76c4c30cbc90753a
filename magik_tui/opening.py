"""What the workbench starts with: the user's wishes, the session of last time, and what there is to choose from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from engine.errors import MagikError
from magik_tui import looks as lk
from magik_tui.arrange import Preset, presets
from magik_tui.core.looking import Looks
from magik_tui.core.places import Places
from magik_tui.core.session import restored
from magik_tui.core.state import State
from magik_tui.deeds.session import read_session, session_file
from magik_tui.panes.registry import PANES

MONO = "mono"


class Wishes(msgspec.Struct, frozen=True):
    """What the command line asks for; "" is no wish."""

    theme: str = ""
    keymap: str = ""
    layout: str = ""
    low_bandwidth: bool = False


def check(wishes: Wishes, config: Path) -> None:
    """Raise UsageError or ConfigError for the first wish that cannot be met."""
    forms: tuple[tuple[str, str, type[msgspec.Struct]], ...] = (
        ("theme", wishes.theme, lk.ThemeFile), ("keymap", wishes.keymap, lk.KeymapFile), ("layout", wishes.layout, Preset),
    )  # fmt: skip
    for kind, name, form in forms:
        if name:
            lk.load(kind, name, form, config)


def layouts(config: Path) -> tuple[tuple[Preset, ...], tuple[str, ...]]:
    """Return the presets with the user's own, and complaints about those that cannot be read."""
    found, wrong = {preset.name: preset for preset in presets()}, []
    for path in sorted((config / lk.USER_FOLDERS["layout"]).glob("*.json")):
        try:
            own = lk.load("layout", str(path), Preset, config)
        except MagikError as problem:
            wrong.append(str(problem))
        else:
            found[path.stem] = msgspec.structs.replace(own, name=path.stem)
    return tuple(sorted(found.values(), key=lambda preset: (preset.least, preset.name))), tuple(wrong)


def first_state(state: State, wishes: Wishes, config: Path, folder: Path, *, colour: bool) -> tuple[State, tuple[str, ...]]:
    """Return `state` with what is there at the start, and complaints about the user's files.

    The command line wins over the session, the session over settings.json; without `colour` (NO_COLOR) only the command line
    chooses another theme than the one without. UsageError and ConfigError for a wish that cannot be met.
    """
    known, wrong = layouts(config)
    own, problem = lk.quietly(lk.Settings(), lk.settings, config)
    wrong += (problem,) if problem else ()
    names = [preset.name for preset in known]
    layout = wishes.layout
    if layout and layout not in names:
        given = lk.load("layout", layout, Preset, config)
        layout = Path(layout).stem
        known += (msgspec.structs.replace(given, name=layout),)
    places = Places(tuple(entry.id for entry in PANES), presets=known, layout=own.layout if own.layout in names else "")
    looks = Looks(
        own.theme or "default", own.keymap or "default", themes=lk.names("theme", config), keymaps=lk.names("keymap", config),
        low=wishes.low_bandwidth or own.low_bandwidth, mouse=own.mouse,
    )  # fmt: skip
    state = restored(state.put(places).put(looks), read_session(session_file(folder, state.project)))
    places, looks = state.of(Places), state.of(Looks)
    theme = wishes.theme or (looks.theme if colour else MONO)
    own_theme = "" if wishes.theme or colour else looks.theme
    looks = replace(looks, theme=theme, own=own_theme, keymap=wishes.keymap or looks.keymap)
    return state.put(looks).put(replace(places, layout=layout or places.layout)), wrong
