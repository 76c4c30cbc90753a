"""A page of lines to be read and scrolled."""

from __future__ import annotations

from magik_tui.widgets.ink import Line
from magik_tui.widgets.rows import Rows


class Page(Rows):
    """Lines without a cursor; with `follow` it stays at its end, until someone scrolls up."""

    HEAD = 0

    def __init__(self, *, id: str, follow: bool = False) -> None:  # noqa: A002 - textual's own name
        super().__init__(id=id)
        self.cursor = None
        self._lines: tuple[Line, ...] = ()
        self._follow = follow

    def show(self, lines: tuple[Line, ...]) -> None:
        """Draw `lines`."""
        at_end = self.scroll_offset.y >= self.count - self.page
        self._lines, self.count = lines, len(lines)
        self.redraw()
        if self._follow and at_end:
            self.scroll_to_row(self.count)

    def row(self, index: int) -> Line:
        """Return a line."""
        return self._lines[index]

    def move(self, by: int) -> None:
        """Scroll by lines, at once: of keys that come between two frames none is lost."""
        self.scroll_to_row(self.scroll_offset.y + by)

    def bring(self, line: int) -> None:
        """Scroll so that a line is in sight, with a few lines over it; what is in sight already moves nothing."""
        top = self.scroll_offset.y
        if not top <= line < top + self.page:
            self.scroll_to_row(line - self.page // 3)
