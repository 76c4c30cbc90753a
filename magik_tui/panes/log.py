"""The pane of the log: what the last run said, oldest first; lines are searched for."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget

from magik_tui.core import Note, State
from magik_tui.core.searching import LogSearch, LogSearched, MatchAsked, matches, place, said
from magik_tui.panes.base import Desk, Pane
from magik_tui.text import clean
from magik_tui.widgets.filterline import FilterLine
from magik_tui.widgets.ink import Line, Role
from magik_tui.widgets.page import Page

ROLES: dict[str, Role] = {"error": "bad", "warning": "warn"}
LEVEL = 8  # cells of the level, "warning ", or of a line that is looked at, "warning>"


class LogPane(Pane):
    """The log; it follows its end until the user scrolls up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", id="log.search", key_display="/", tooltip="Search the log"),
        Binding("n", "match(1)", "next", id="log.next", tooltip="Next line that has it"),
        Binding("N", "match(-1)", id="log.previous", show=False, tooltip="The line before that has it"),
        Binding("j,down", "scroll_page(1)", id="log.down", show=False, tooltip="A line down"),
        Binding("k,up", "scroll_page(-1)", id="log.up", show=False, tooltip="A line up"),
        Binding("pagedown", "pages(1)", id="log.page_down", show=False, tooltip="A page down"),
        Binding("pageup", "pages(-1)", id="log.page_up", show=False, tooltip="A page up"),
        Binding("g,home", "scroll_page(-1000000)", id="log.first", show=False, tooltip="To the beginning"),
        Binding("G,end", "scroll_page(1000000)", id="log.last", show=False, tooltip="To the end, and follow it"),
    ]

    def __init__(self, desk: Desk, state: State, *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(desk, state, id=id)
        self._starts: tuple[int, ...] = ()
        self._seen: Note | None = None

    def compose(self) -> ComposeResult:
        """Return the page, and the line in which one searches."""
        yield Page(id="log", follow=True)
        yield FilterLine(id="log-search")

    def keys(self) -> Widget:
        """Return what has the focus: the line while one types."""
        line = self.query_one(FilterLine)
        return line.keys() if line.is_open else self.query_one(Page)

    def hints(self, state: State) -> tuple[str, ...]:
        """Return how to search."""
        return ("log.next", "log.search") if state.of(LogSearch).text else ("log.search",)

    def why_not(self, id_: str, state: State) -> str:
        """Return why there is no next match."""
        if id_ in ("log.next", "log.previous"):
            return "" if state.of(LogSearch).text else "nothing is looked for"
        return ""

    def show(self, state: State) -> None:
        """Draw the log, with the line that was found last in sight."""
        page, search = self.query_one(Page), state.of(LogSearch)
        found = matches(state)
        at = place(state, found)
        lines, self._starts = log_lines(state, page.room, found, None if at is None else found[at])
        page.show(lines)
        if search.at is not self._seen:
            self._seen = search.at
            if at is not None:
                page.bring(self._starts[found[at]])
        count = f"{0 if at is None else at + 1}/{len(found)}" if search.text else ""
        self.query_one(FilterLine).show(search.text, count, "" if found or not search.text else "no line says it")

    def action_search(self) -> None:
        """Type what is looked for."""
        self.query_one(FilterLine).open()

    def action_match(self, step: int) -> None:
        """Go to the next match, or the one before."""
        self.desk.dispatch(MatchAsked(step))

    def on_filter_line_typed(self, message: FilterLine.Typed) -> None:
        """Look for what is typed, from the line at the top on."""
        top = self.query_one(Page).scroll_offset.y
        start = next((index for index, first in enumerate(self._starts) if first >= top), 0)
        self.desk.dispatch(LogSearched(message.text, start))

    def on_filter_line_left(self, message: FilterLine.Left) -> None:
        """Look for nothing any more after Esc."""
        if not message.keep:
            self.desk.dispatch(LogSearched(""))

    def on_filter_line_walked(self, message: FilterLine.Walked) -> None:
        """Go over the matches while one types."""
        self.desk.dispatch(MatchAsked(message.by))

    def action_scroll_page(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one(Page).move(by)

    def action_pages(self, by: int) -> None:
        """Scroll by pages."""
        page = self.query_one(Page)
        page.move(by * page.page)


def log_lines(state: State, width: int, found: tuple[int, ...] = (), at: int | None = None) -> tuple[tuple[Line, ...], tuple[int, ...]]:
    """Return the log in lines of `width` cells with where the engine's own log is, and the first line of each note.

    Of notes in `found` the text stands out; the note `at` is marked as the cursor's.
    """
    lines: list[Line] = []
    starts: list[int] = []
    marked = set(found)
    for index, note in enumerate(state.log):
        starts.append(len(lines))
        lines += _note_lines(note, width, "cursor" if index == at else "strong" if index in marked else "text")
    if not lines:
        lines.append((("Nothing was logged.", "dim"),))
    if state.engine_log:
        where = textwrap.wrap(f"What the engine wrote to stderr is in {clean(state.engine_log)}", max(20, width))
        lines += [(("", "text"),), *(((part, "dim"),) for part in where)]
    return tuple(lines), tuple(starts)


def _note_lines(note: Note, width: int, role: Role) -> list[Line]:
    parts = textwrap.wrap(clean(said(note)), max(20, width - LEVEL)) or [""]
    level = f"{clean(note.level):<{LEVEL}}"
    heads = (level[:-1] + ">" if role == "cursor" else level, *(" " * LEVEL,) * (len(parts) - 1))
    return [((head, ROLES.get(note.level, "dim")), (part, role)) for head, part in zip(heads, parts, strict=True)]


PANE = LogPane
