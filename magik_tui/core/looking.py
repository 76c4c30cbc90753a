"""How the workbench looks and which keys it has: theme, keymap, and whether bytes are dear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from magik_tui import events as ev
from magik_tui.core.commands import Command, offers
from magik_tui.core.state import Note, State, Step, logged, on


@dataclass(frozen=True, slots=True)
class Looks:
    """The slice of this room. `themes` and `keymaps` are the names of those there are; `low` says that bytes are dear,
    `mouse` that clicks are wanted. `own` is the user's theme where NO_COLOR puts another in its place for this once, else ""."""

    theme: str = "default"
    keymap: str = ""
    themes: tuple[str, ...] = ()
    keymaps: tuple[str, ...] = ()
    low: bool = False
    mouse: bool = True
    own: str = ""


class ThemeChosen(ev.Event, frozen=True):
    """A theme is wanted by name."""

    name: str


class KeymapChosen(ev.Event, frozen=True):
    """A keymap is wanted by name."""

    name: str


class LooksChanged(ev.Event, frozen=True):
    """The theme or the keymap is in use now."""

    theme: str = ""
    keymap: str = ""


class Complained(ev.Event, frozen=True):
    """Something about the user's own files is not as it should be: the first complaint is shown, all are in the log."""

    texts: tuple[str, ...]


class UseTheme(ev.Effect, frozen=True):
    """Draw with the theme of that name; `LooksChanged` or `Complained` follows."""

    name: str


class UseKeymap(ev.Effect, frozen=True):
    """Take the keys from the keymap of that name; `LooksChanged` or `Complained` follows."""

    name: str


@on(ThemeChosen)
def _theme_chosen(state: State, event: ThemeChosen) -> Step:
    return state.put(replace(state.of(Looks), own="")), (UseTheme(event.name),)


@on(KeymapChosen)
def _keymap_chosen(state: State, event: KeymapChosen) -> Step:
    return state, (UseKeymap(event.name),)


@on(LooksChanged)
def _looks_changed(state: State, event: LooksChanged) -> Step:
    looks = state.of(Looks)
    looks = replace(looks, theme=event.theme or looks.theme, keymap=event.keymap or looks.keymap)
    said = f"theme {event.theme}" if event.theme else f"keymap {event.keymap}"
    return state.put(looks).noted("info", said), ()


@on(Complained)
def _complained(state: State, event: Complained) -> Step:
    for text in event.texts:
        state = logged(state, Note("warning", text, "settings"))
    more = f" ({len(event.texts) - 1} more: w)" if len(event.texts) > 1 else ""
    return (state.noted("warning", event.texts[0] + more) if event.texts else state), ()


@offers
def _commands(state: State) -> Iterator[Command]:
    looks = state.of(Looks)
    for name in looks.themes:
        yield Command(f"theme {name}", f"Draw with the theme {name}", ThemeChosen(name), "it is in use" if name == looks.theme else "")
    for name in looks.keymaps:
        yield Command(f"keymap {name}", f"Take the keys from {name}", KeymapChosen(name), "it is in use" if name == looks.keymap else "")
