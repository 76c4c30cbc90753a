"""What a terminal shows after the bytes it was sent: moves of the cursor, attributes, and characters of any width."""

from __future__ import annotations

import re
from typing import NamedTuple

from rich.cells import cell_len

TOKEN = re.compile(
    r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[?>=<]?[\d;]*[$ ]?[a-zA-Z]|([^\x1b])", re.DOTALL
)


SEEN_ON_BLANKS = {4, 7, 9, 21, 53}
OFF = {22: {1, 2}, 23: {3}, 24: {4, 21}, 25: {5, 6}, 27: {7}, 28: {8}, 29: {9}, 55: {53}}


class Pen(NamedTuple):
    """What is written with."""

    attributes: frozenset[int] = frozenset()
    ink: tuple[int, ...] = ()
    paper: tuple[int, ...] = ()


def after(pen: Pen, codes: str) -> Pen:
    """Return the pen after a sequence of codes."""
    left = [int(code or 0) for code in codes.split(";")]
    while left:
        code = left.pop(0)
        if code in (38, 48):
            size = 2 if left[0] == 5 else 4
            pen = pen._replace(**{"ink" if code == 38 else "paper": (code, *left[:size])})
            del left[:size]
        elif code == 0:
            pen = Pen()
        elif code in OFF:
            pen = pen._replace(attributes=pen.attributes - OFF[code])
        elif code in (39, 49):
            pen = pen._replace(**{"ink" if code == 39 else "paper": ()})
        elif code in range(30, 38) or code in range(90, 98):
            pen = pen._replace(ink=(code,))
        elif code in range(40, 48) or code in range(100, 108):
            pen = pen._replace(paper=(code,))
        else:
            pen = pen._replace(attributes=pen.attributes | {code})
    return pen


class Screen:
    """Keeps a character and its attributes per cell; half of a wide character that is written over leaves a blank, as in terminals."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.cells = [[("?", Pen())] * width for _ in range(height)]

    def read(self, text: str) -> None:
        """Take what was sent."""
        x = y = at = 0
        attributes = Pen()
        while at < len(text):
            match = TOKEN.match(text, at)
            assert match, text[at : at + 40]
            at = match.end()
            if match[1]:
                y, x = int(match[1]) - 1, int(match[2]) - 1
            elif match[3] is not None:
                attributes = after(attributes, match[3])
            elif match[4] is not None and match[4] >= " ":
                x = self._put(x, y, match[4], attributes)

    def _put(self, x: int, y: int, character: str, pen: Pen) -> int:
        row, width = self.cells[y], cell_len(character)
        attributes = pen if character != " " or pen.attributes & SEEN_ON_BLANKS else Pen(paper=pen.paper)
        if width == 0:
            at = x - 1 if row[x - 1][0] else x - 2
            row[at] = (row[at][0] + character, row[at][1])
            return x
        for each in range(x, x + width):
            if row[each][0] == "" and each == x:
                row[each - 1] = (" ", row[each - 1][1])
            if each + 1 < self.width and row[each + 1][0] == "":
                row[each + 1] = (" ", row[each + 1][1])
        row[x] = (character, attributes)
        if width == 2:
            row[x + 1] = ("", attributes)
        return x + width

    def lines(self) -> list[str]:
        """Return the characters of each line."""
        return ["".join(character for character, _ in row) for row in self.cells]
