"""What is sent of a frame: the cells that differ from what the terminal shows. textual sends every dirty region whole.

The terminal is remembered as cells, a character and a style each. A line in which a character is not exactly one cell wide is
sent as a whole where it differs: terminals do not agree on how wide some are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

from magik_tui.pens import on_blanks, written

Cell = tuple[str, Style | None]
Piece = tuple[int, int, Strip]  # column, row, what stands there
NEAR = 6  # unchanged cells that are sent along, rather than moving the cursor over them
FILLER = ""  # the second cell of a wide character


class Less(CompositorUpdate):
    """The pieces of a frame that are new, as an update that textual can send."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces

    def render_segments(self, console: Console) -> str:
        """Return the pieces as what the terminal reads, each at its place."""
        return written(((f"\x1b[{y + 1};{x + 1}H", strip) for x, y, strip in self.pieces), console._color_system or ColorSystem.TRUECOLOR)


class Frames:
    """Remembers what the terminal shows."""

    def __init__(self) -> None:
        self._size = Size(0, 0)
        self._lines: list[list[Cell] | None] = []

    def forget(self) -> None:
        """Trust nothing: someone else may have written to the terminal."""
        self._size, self._lines = Size(0, 0), []

    def less(self, update: LayoutUpdate | ChopsUpdate, size: Size) -> Less:
        """Return what of `update` the terminal does not show yet, for a screen of `size` cells."""
        if size != self._size:
            self._size, self._lines = size, [None] * size.height
        return Less([each for y, pieces in _by_line(update) if 0 <= y < size.height for each in self._line(y, pieces)])

    def _line(self, y: int, pieces: list[tuple[int, Strip]]) -> Iterable[Piece]:
        old = self._lines[y]
        if old is None:
            covered = sum(strip.cell_length for _, strip in pieces) >= self._size.width
            self._lines[y] = _laid([(" ", None)] * self._size.width, pieces) if covered else None
            return [(x, y, strip) for x, strip in pieces]
        new = self._lines[y] = _laid(list(old), pieces)
        if new == old:
            return []
        if _wide(old) or _wide(new):
            return [(0, y, _strip(new))]
        return [(x, y, _strip(new[x:end])) for x, end in _changed(old, new)]


def _by_line(update: LayoutUpdate | ChopsUpdate) -> Iterable[tuple[int, list[tuple[int, Strip]]]]:
    """Yield the rows of an update and the strips on them with their columns, as textual would send them."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            pieces, x = [], update.region.x
            for strip in strips:
                pieces.append((x, strip))
                x += strip.cell_length
            yield y, pieces
        return
    for y, first, last in update.spans:
        yield y, list(_pieces(update.chops[y], update.chop_ends[y], first, last))


def _pieces(line: Mapping[int, Strip | None], ends: Sequence[int], first: int, last: int) -> Iterable[tuple[int, Strip]]:
    for end, (x, strip) in zip(ends, line.items(), strict=False):
        if strip is not None and x <= last and end > first:
            yield x, strip if end <= last else strip.crop(0, min(end, last) - x)


def _laid(line: list[Cell], pieces: Iterable[tuple[int, Strip]]) -> list[Cell]:
    """Return `line` with strips laid over it, as wide as before."""
    width = len(line)
    wide = _has_filler(line)
    for x, strip in pieces:
        start = max(0, x - 2)  # a mark without a cell of its own may belong to the character before
        cells = line[start:x]
        for text, style, _ in strip:
            if text.isascii() or _single(text):
                bare = on_blanks(style)
                cells += [(character, bare if character == " " else style) for character in text]
            else:
                _add_wide(cells, text, style)
        wide = wide or _has_filler(cells)
        line[start : start + len(cells)] = cells[: max(0, width - start)]
    return _mended(line) if wide else line


@lru_cache(maxsize=8192)
def _single(text: str) -> bool:
    """Tell whether each character of `text` takes one cell."""
    return all(cell_len(character) == 1 for character in text)


def _has_filler(cells: Iterable[Cell]) -> bool:
    return any(text == FILLER for text, _ in cells)


def _add_wide(cells: list[Cell], text: str, style: Style | None) -> None:
    """Add characters of any width: one of two cells is followed by a filler, one of none goes with the one before."""
    for character in text:
        width = cell_len(character)
        if width:
            cells += [(character, on_blanks(style) if character == " " else style), *((FILLER, style),) * (width - 1)]
        elif cells:
            at = -1 if cells[-1][0] != FILLER else -2
            cells[at] = (cells[at][0] + character, cells[at][1])


def _mended(line: list[Cell]) -> list[Cell]:
    """Return `line` with blanks for halves of wide characters whose other half is covered."""
    whole = list(line)
    for x, (text, style) in enumerate(whole):
        before = whole[x - 1][0] if x else ""
        after = whole[x + 1][0] if x + 1 < len(whole) else " "
        alone = cell_len(before) != 2 if text == FILLER else cell_len(text) == 2 and after != FILLER
        if alone:
            line[x] = (" ", style)
    return line


def _wide(cells: Iterable[Cell]) -> bool:
    return any(len(text) != 1 or not (text.isascii() or _single(text)) for text, _ in cells)


def _changed(old: Sequence[Cell], new: Sequence[Cell]) -> list[tuple[int, int]]:
    """Return the stretches that differ, each grown to whole words of one style; near ones are one."""
    stretches: list[tuple[int, int]] = []
    for x, (before, after) in enumerate(zip(old, new, strict=True)):
        if before == after or (stretches and x < stretches[-1][1]):
            continue
        start, end = _word(new, x)
        if stretches and start - stretches[-1][1] <= NEAR:
            stretches[-1] = stretches[-1][0], end
        else:
            stretches.append((start, end))
    return stretches


def _word(cells: Sequence[Cell], x: int) -> tuple[int, int]:
    """Return where the word around cell `x` begins and ends; a blank is a word of its own."""
    start, end, style = x, x + 1, cells[x][1]
    if cells[x][0] != " ":
        while start > 0 and cells[start - 1][0] != " " and cells[start - 1][1] == style:
            start -= 1
        while end < len(cells) and cells[end][0] != " " and cells[end][1] == style:
            end += 1
    return start, end


def _strip(cells: Iterable[Cell]) -> Strip:
    """Return cells as a strip; neighbours of one style are one segment."""
    texts: list[list[str]] = []
    styles: list[Style | None] = []
    for text, style in cells:
        if styles and styles[-1] == style:
            texts[-1].append(text)
        else:
            texts.append([text])
            styles.append(style)
    return Strip([Segment("".join(parts), style) for parts, style in zip(texts, styles, strict=True)])
