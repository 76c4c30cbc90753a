"""What a terminal shows after the bytes it was sent: moves of the cursor, attributes, and characters of any width."""

from __future__ import annotations

import re

from rich.cells import cell_len

TOKEN = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|\x1b\][^\x07]*\x07|\x1b\[[?>=<]?[\d;]*[$ ]?[a-zA-Z]|([^\x1b])", re.DOTALL)


class Screen:
    """Keeps a character and its attributes per cell; half of a wide character that is written over leaves a blank, as in terminals."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.cells = [[("?", "")] * width for _ in range(height)]

    def read(self, text: str) -> None:
        """Take what was sent."""
        x = y = at = 0
        attributes = ""
        while at < len(text):
            match = TOKEN.match(text, at)
            assert match, text[at : at + 40]
            at = match.end()
            if match[1]:
                y, x = int(match[1]) - 1, int(match[2]) - 1
            elif match[3] is not None:
                attributes = "" if match[3] in ("", "0") else match[3]
            elif match[4] is not None and match[4] >= " ":
                x = self._put(x, y, match[4], attributes)

    def _put(self, x: int, y: int, character: str, attributes: str) -> int:
        row, width = self.cells[y], cell_len(character)
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
