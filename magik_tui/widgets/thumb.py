"""A small picture: drawn by terminals that can, else in half blocks, two pixels in a cell, in the 256 colours that every terminal has."""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events as ui
from textual.strip import Strip

from magik_tui import graphics, terminal
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
        self._place = (0, 0)  # of a picture that the terminal has: columns and rows
        self._number = 0
        self._sharp = False

    def show(self, picture: Picture | None, *, sharp: bool = False) -> None:
        """Draw a picture, or nothing; `sharp` says that the terminal can draw it, and bytes are not dear."""
        if picture is not self._picture or sharp != self._sharp:
            self._picture, self._sharp = picture, sharp
            self._send()
            self.refresh()

    def on_resize(self, event: ui.Resize) -> None:
        """Place the picture anew."""
        self._send()

    def _send(self) -> None:
        """Give the terminal the picture, where it draws pictures."""
        self._place = (0, 0)
        picture = self._picture
        if picture is None or not _whole(picture) or not all(self.size) or not self._sharp:
            return
        self._number = (self._number + 1) % (graphics.LAST - graphics.FIRST + 1)
        self._place = columns, rows = graphics.place(picture.width, picture.height, *self.size)
        sequence = graphics.transmit(graphics.FIRST + self._number, picture.width, picture.height, picture.rgb, columns, rows)
        terminal.write(self.app, sequence)

    def render_line(self, y: int) -> Strip:
        """Return one row of cells."""
        width, height = self.size
        if self._picture is None or not _whole(self._picture):
            return self.strip((), width)
        columns, rows = self._place
        if columns:
            style = Style.from_color(Color.from_ansi(graphics.FIRST + self._number))
            drawn = [Segment(graphics.cells(y, columns), style)] if y < rows else []
            return Strip(drawn).adjust_cell_length(width, self.ink("text"))
        return Strip(row(self._picture, y, width, height, plain=terminal.without_colour())).adjust_cell_length(width, self.ink("text"))


def _whole(picture: Picture) -> bool:
    return bool(picture.width) and len(picture.rgb) >= 3 * picture.width * picture.height


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
