"""Rows under a head line that stays: opened as fast with a million rows as with ten, and only what differs is drawn again."""

from __future__ import annotations

from textual import events as ui
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from magik_tui.widgets.ink import Inked, Line

JUMP = 3  # a cursor that leaves the window takes a third of it along: scrolling redraws everything, so it is made rare


class Rows(Inked, ScrollView, can_focus=True, inherit_bindings=False):
    """The base of every table and list: a subclass says `head` (where `HEAD` is 1) and `row`, and calls `redraw` after a change.

    `count` is how many rows there are, `cursor` the one that is kept in sight (None: none is).
    """

    HEAD = 1

    class RowChosen(Message):
        """A row was clicked."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(id=id)
        self.count = 0
        self.cursor: int | None = 0
        self._drawn: dict[int, Line] = {}

    def head(self) -> Line:
        """Return the line over the rows."""
        return ()

    def row(self, index: int) -> Line:
        """Return the line of row `index`."""
        raise NotImplementedError

    @property
    def page(self) -> int:
        """How many rows are in sight."""
        return max(1, self.size.height - self.HEAD)

    @property
    def room(self) -> int:
        """How many cells a line has beside the scrollbar, which is there when the rows are more than a page."""
        return self.size.width - (self.count > self.page)

    def lay_out(self) -> None:
        """Say where columns stand, for the room there is now."""

    def redraw(self) -> None:
        """Draw the lines that differ from what is on the screen, with the cursor in sight."""
        height = self.count + self.HEAD
        if self.virtual_size.height != height:
            self.virtual_size = Size(self.size.width, height)
        self._keep_in_sight()
        self._redraw_lines()

    def _redraw_lines(self) -> None:
        self.lay_out()
        changed = [y for y in range(self.size.height) if self._drawn.get(y) != self.line(y)]
        for y in changed:
            self._drawn.pop(y, None)
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def _keep_in_sight(self) -> None:
        if self.cursor is None:
            return
        top, page = self.scroll_offset.y, self.page
        if self.cursor < top:
            target = self.cursor - page // JUMP
        elif self.cursor >= top + page:
            target = self.cursor - page + 1 + page // JUMP
        else:
            return
        self.scroll_to_row(target)

    def scroll_to_row(self, row: int) -> None:
        """Show the rows from `row` on, as far as there are enough."""
        y = max(0, min(row, self.count - self.page))
        self.scroll_to(y=y, animate=False, force=True, immediate=True)

    def line(self, y: int) -> Line:
        """Return what line `y` of the widget says."""
        if y < self.HEAD:
            return self.head()
        index = self.scroll_offset.y + y - self.HEAD
        return self.row(index) if index < self.count else ()

    def render_line(self, y: int) -> Strip:
        """Return line `y` as it is drawn."""
        line = self._drawn[y] = self.line(y)
        return self.strip(line, self.size.width)

    def on_resize(self, event: ui.Resize) -> None:
        """Lay the columns out anew."""
        self.virtual_size = Size(self.size.width, self.count + self.HEAD)
        self._drawn.clear()
        self._keep_in_sight()
        self._redraw_lines()

    def on_click(self, event: ui.Click) -> None:
        """Choose the row under the mouse."""
        row = self.scroll_offset.y + event.y - self.HEAD
        if event.y >= self.HEAD and row < self.count:
            self.post_message(self.RowChosen(row))
