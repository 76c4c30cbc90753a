"""An editor for JSON: textual's text area with keys, strings and numbers in styles of their own, and the place of a mistake marked."""

from __future__ import annotations

import re

from rich.style import Style
from textual._text_area_theme import TextAreaTheme
from textual.widgets import TextArea

from magik_tui import terminal

TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"?)(?=\s*:)|(?P<string>"(?:[^"\\]|\\.)*"?)|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null)'
)
LONGEST = 2000  # a line longer than that is left as it is

Place = tuple[int, int]


def highlights(line: str) -> list[tuple[int, int, str]]:
    """Return (start, end, kind) of the tokens of a line, in bytes of its UTF-8."""
    if len(line) > LONGEST:
        return []
    found = []
    for match in TOKEN.finditer(line):
        start = len(line[: match.start()].encode("utf-8", "replace"))
        found.append((start, start + len(match.group().encode("utf-8", "replace")), match.lastgroup or ""))
    return found


def theme() -> TextAreaTheme:
    """Return the styles: colours from the terminal's sixteen, none where the user wants none."""
    plain = terminal.without_colour()
    styles = {
        "key": Style(bold=True),
        "string": Style() if plain else Style(color="green"),
        "number": Style() if plain else Style(color="cyan"),
        "word": Style() if plain else Style(color="magenta"),
        "mistake": Style(reverse=True, bold=True),
    }
    return TextAreaTheme("magik-json", cursor_style=Style(reverse=True), syntax_styles=styles)


class JsonArea(TextArea):
    """The editor. Nothing in it blinks; `mark` shows where a mistake is."""

    _mistake: Place | None = None

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(
            "", id=id, soft_wrap=False, show_line_numbers=True, tab_behavior="indent", compact=True, highlight_cursor_line=False
        )
        self.cursor_blink = False
        self.match_cursor_bracket = False
        self.register_theme(theme())
        self.theme = "magik-json"

    def mark(self, place: Place | None) -> None:
        """Mark a line and column, counted from 0; None marks nothing."""
        if place != self._mistake:
            self._mistake = place
            self._build_highlight_map()
            self.refresh()

    def _build_highlight_map(self) -> None:
        """Highlight by tokens instead of by a syntax tree, which would want a compiled grammar."""
        self._line_cache.clear()
        self._highlights.clear()
        for number, line in enumerate(self.document.lines):
            found = highlights(line)
            if self._mistake is not None and self._mistake[0] == number:
                start = len(line[: self._mistake[1]].encode("utf-8", "replace"))
                found.append((start, start + len(line[self._mistake[1] : self._mistake[1] + 1].encode("utf-8", "replace")), "mistake"))
            self._highlights[number] = list(found)
