"""A small picture in half blocks: two pixels stand in a cell, in the 256 colours that every terminal has."""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from magik_tui import terminal
from magik_tui.core.data import Picture
from magik_tui.widgets.ink import Inked

RAMP = " ·░▒▓█"
CUBE = (0, 95, 135, 175, 215, 255)


@lru_cache(maxsize=4096)
def palette(red: int, green: int, blue: int) -> int:
    """Return the nearest of the 216 colours and 24 greys of a terminal."""
    if max(red, green, blue) - min(red, green, blue) < 12:
        grey = (red + green + blue) // 3
        return 16 if grey < 4 else 231 if grey > 246 else 232 + min(23, max(0, (grey - 3) // 10))
    r, g, b = (min(range(6), key=lambda i: abs(CUBE[i] - v)) for v in (red, green, blue))
    return 16 + 36 * r + 6 * g + b


class Thumb(Inked):
    """A picture as large as there is room; without colour its brightness is drawn."""

    can_focus = False

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(id=id)
        self._picture: Picture | None = None

    def show(self, picture: Picture | None) -> None:
        """Draw a picture, or nothing."""
        if picture is not self._picture:
            self._picture = picture
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one row of cells."""
        width, height = self.size
        if self._picture is None or not self._picture.width or len(self._picture.rgb) < 3 * self._picture.width * self._picture.height:
            return self.strip((), width)
        return Strip(row(self._picture, y, width, height, plain=terminal.without_colour())).adjust_cell_length(width, self.ink("text"))


def row(picture: Picture, y: int, width: int, height: int, *, plain: bool) -> list[Segment]:
    """Return line `y` of a picture that fits into `width` x `height` cells; neighbours of one look are one segment."""
    scale = max(picture.width / width, picture.height / (2 * height), 1.0)
    columns, rows = int(picture.width / scale), int(picture.height / scale)
    if 2 * y >= rows:
        return []
    found: list[tuple[str, tuple[int, int]]] = []
    for x in range(columns):
        top = _pixel(picture, x * scale, 2 * y * scale)
        bottom = _pixel(picture, x * scale, (2 * y + 1) * scale) if 2 * y + 1 < rows else top
        if plain:
            light = (sum(top) + sum(bottom)) / (6 * 255)
            found.append((RAMP[min(len(RAMP) - 1, int(light * len(RAMP)))], (-1, -1)))
        else:
            found.append(("▀", (palette(*top), palette(*bottom))))
    segments: list[Segment] = []
    start = 0
    for place in range(1, len(found) + 1):
        if place == len(found) or found[place][1] != found[start][1]:
            text = "".join(char for char, _ in found[start:place])
            segments.append(Segment(text, _style(*found[start][1])))
            start = place
    return segments


@lru_cache(maxsize=4096)
def _style(top: int, bottom: int) -> Style:
    return Style() if top < 0 else Style.from_color(Color.from_ansi(top), Color.from_ansi(bottom))


def _pixel(picture: Picture, x: float, y: float) -> tuple[int, int, int]:
    place = 3 * (min(int(y), picture.height - 1) * picture.width + min(int(x), picture.width - 1))
    red, green, blue = picture.rgb[place : place + 3]
    return red, green, blue
