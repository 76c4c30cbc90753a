"""The pane of the log: what the last run said, oldest first."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from magik_tui.core import Note, State
from magik_tui.core.twin import SOURCE
from magik_tui.panes.base import Pane
from magik_tui.text import clean
from magik_tui.widgets.ink import Line, Role
from magik_tui.widgets.page import Page

ROLES: dict[str, Role] = {"error": "bad", "warning": "warn"}
LEVEL = 8  # cells of the level, "warning "


class LogPane(Pane):
    """The log; it follows its end until the user scrolls up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_page(1)", id="log.down", show=False, tooltip="A line down"),
        Binding("k,up", "scroll_page(-1)", id="log.up", show=False, tooltip="A line up"),
        Binding("pagedown", "pages(1)", id="log.page_down", show=False, tooltip="A page down"),
        Binding("pageup", "pages(-1)", id="log.page_up", show=False, tooltip="A page up"),
        Binding("g,home", "scroll_page(-1000000)", id="log.first", show=False, tooltip="To the beginning"),
        Binding("G,end", "scroll_page(1000000)", id="log.last", show=False, tooltip="To the end, and follow it"),
    ]

    def compose(self) -> ComposeResult:
        """Return the page."""
        yield Page(id="log", follow=True)

    def show(self, state: State) -> None:
        """Draw the log."""
        page = self.query_one(Page)
        page.show(log_lines(state, page.room))

    def action_scroll_page(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one(Page).move(by)

    def action_pages(self, by: int) -> None:
        """Scroll by pages."""
        page = self.query_one(Page)
        page.move(by * page.page)


def log_lines(state: State, width: int) -> tuple[Line, ...]:
    """Return the log in lines of `width` cells, and where the engine's own log is."""
    lines = [line for note in state.log for line in _note_lines(note, width)]
    if not lines:
        lines.append((("Nothing was logged.", "dim"),))
    if state.engine_log:
        where = textwrap.wrap(f"What the engine wrote to stderr is in {clean(state.engine_log)}", max(20, width))
        lines += [(("", "text"),), *(((part, "dim"),) for part in where)]
    return tuple(lines)


def _note_lines(note: Note, width: int) -> list[Line]:
    head = f"{note.source} " if note.source == SOURCE else f"{note.source}: " if note.source else ""
    said = clean(head + note.text)
    parts = textwrap.wrap(said, max(20, width - LEVEL)) or [""]
    heads = (f"{clean(note.level):<{LEVEL}}", *(" " * LEVEL,) * (len(parts) - 1))
    return [((head, ROLES.get(note.level, "dim")), (part, "text")) for head, part in zip(heads, parts, strict=True)]


PANE = LogPane
