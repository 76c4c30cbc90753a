"""The search in the log: what is looked for, which lines say it, and which of them is looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace

from magik_tui import events as ev
from magik_tui.core.state import Note, State, Step, on
from magik_tui.core.twin import SOURCE


@dataclass(frozen=True, slots=True)
class LogSearch:
    """The slice of this room: the text, and the line that is looked at (the very one: others may say the same)."""

    text: str = ""
    at: Note | None = None


class LogSearched(ev.Event, frozen=True):
    """Lines with this text are looked for, from line `start` of the log on; no text ends the search."""

    text: str
    start: int = 0


class MatchAsked(ev.Event, frozen=True):
    """The next match is to be looked at (`step` 1), or the one before (-1); round the ends."""

    step: int


def said(note: Note) -> str:
    """Return a line of the log without its level."""
    head = f"{note.source} " if note.source == SOURCE else f"{note.source}: " if note.source else ""
    return head + note.text


def matches(state: State) -> tuple[int, ...]:
    """Return which lines of the log have the text that is looked for, in any case of its letters."""
    text = state.of(LogSearch).text.casefold()
    return tuple(i for i, note in enumerate(state.log) if text in said(note).casefold()) if text else ()


def place(state: State, found: tuple[int, ...]) -> int | None:
    """Return which of the matches is looked at, None where it is none of them."""
    at = state.of(LogSearch).at
    return next((i for i, index in enumerate(found) if state.log[index] is at), None)


@on(LogSearched)
def _searched(state: State, event: LogSearched) -> Step:
    state = state.put(LogSearch(event.text))
    found = matches(state)
    if not found:
        return state, ()
    chosen = next((index for index in found if index >= event.start), found[0])
    return state.put(LogSearch(event.text, state.log[chosen])), ()


@on(MatchAsked)
def _asked(state: State, event: MatchAsked) -> Step:
    search, found = state.of(LogSearch), matches(state)
    if not search.text:
        return state.noted("info", "nothing is looked for: / begins a search"), ()
    if not found:
        return state.noted("info", f"no line of the log says {search.text!r}"), ()
    now = place(state, found)
    chosen = found[0 if now is None else (now + event.step) % len(found)]
    return state.put(replace(search, at=state.log[chosen])), ()
