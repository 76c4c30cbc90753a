"""What leaves the workbench: text to the terminal's clipboard, tables to files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from magik_tui import events as ev
from magik_tui.core.asking import Choice, Prompt
from magik_tui.core.state import State, Step, on

if TYPE_CHECKING:
    from magik_tui.sheets import Sheet
else:
    Sheet = Any

MOST = 64 << 10  # bytes of base64 that terminals take at once
ENDINGS = ("csv", "json", "md", "svg")


class CopyAsked(ev.Event, frozen=True):
    """A text is wanted in the clipboard; `what` names it."""

    text: str
    what: str


class ToClipboard(ev.Effect, frozen=True):
    """Hand a text to the terminal (OSC 52)."""

    text: str


class ExportAsked(ev.Event, frozen=True):
    """A table is wanted in a file; `name` is proposed."""

    sheet: Sheet
    name: str


class ExportNamed(ev.Event, frozen=True):
    """The user has named the file; its ending says how the table is written."""

    sheet: Sheet
    name: str
    overwrite: bool = False


class WriteSheet(ev.Effect, frozen=True):
    """Write a table to a file, whole or not at all; `Written`, `Exists` or `Unwritten` follows."""

    sheet: Sheet
    name: str
    overwrite: bool


class Written(ev.Event, frozen=True):
    """A file has been written; `size` is in bytes."""

    path: str
    size: int


class Exists(ev.Event, frozen=True):
    """There is a file of that name already."""

    sheet: Sheet
    name: str


class Unwritten(ev.Event, frozen=True):
    """A file could not be written."""

    path: str
    why: str


@on(CopyAsked)
def _copy_asked(state: State, event: CopyAsked) -> Step:
    size = (len(event.text.encode("utf-8", "replace")) + 2) // 3 * 4
    if size > MOST:
        return state.noted("warning", f"{event.what} is {size >> 10} KB, and terminals take {MOST >> 10}: E writes it to a file"), ()
    return state.noted("info", f"sent to the terminal: {event.what}"), (ToClipboard(event.text),)


@on(ExportAsked)
def _export_asked(state: State, event: ExportAsked) -> Step:
    def then(name: str) -> ev.Event | None:
        return ExportNamed(event.sheet, name) if name.strip() else None

    return state, (Prompt(f"write the table to ({', '.join(_dotted())})", then, event.name),)


@on(ExportNamed)
def _export_named(state: State, event: ExportNamed) -> Step:
    if event.name.rpartition(".")[2].lower() not in ENDINGS:
        return state.noted("error", f"{event.name}: the ending says how it is written: {', '.join(_dotted())}"), ()
    return state, (WriteSheet(event.sheet, event.name, event.overwrite),)


def _dotted() -> Iterator[str]:
    return (f".{ending}" for ending in ENDINGS)


@on(Written)
def _written(state: State, event: Written) -> Step:
    return state.noted("info", f"written: {event.path} ({event.size} bytes)"), ()


@on(Exists)
def _exists(state: State, event: Exists) -> Step:
    yes, no = Choice("overwrite it", True, "o"), Choice("leave it as it is", False, "l")
    again = ExportNamed(event.sheet, event.name, overwrite=True)
    return state, (Prompt(f"{event.name} exists", lambda sure: again if sure else None, choices=(no, yes), letters=True),)


@on(Unwritten)
def _unwritten(state: State, event: Unwritten) -> Step:
    return state.noted("error", f"{event.path}: {event.why}"), ()
