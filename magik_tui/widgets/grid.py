"""The heatmap's lines: where the columns stand, and what a row says. Pure; the widget only draws it.

   layer                     type     bits  worst   mean 123456789012
>x stage1_batchnorm1_fwd     Conv2D   8/8  0.8975 0.8990 ▒▒▓▒▒▓▒▒▒▒▓▒
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from magik_tui.figures import BAD_LEVEL, BAD_STEP, COSINE, Figures, figures
from magik_tui.figuretext import long, number, short
from magik_tui.levels import GLYPHS, NOTHING
from magik_tui.table import Table
from magik_tui.text import clean, distinct, fit
from magik_tui.widgets.ink import Line, Role, Run
from magik_tui.wire import Row

CELLS = (7, 4)  # cells of a sample in digits: a blank and "0.9876", or a blank and the decimals "987"; else one glyph
CHANGES = "·+▲", "·-▼"  # a difference as one glyph, by its size: no, some, and much
HEADS = {"name": "layer", "type": "type", "bits": "bits", "worst": "worst", "mean": "mean"}
UP, DOWN = "↑", "↓"  # smaller numbers are higher up, or lower down
ALONE = "not comparable"
BAR = "▐"
MARKS = 3  # the cursor's mark, the bad layer's, a blank
NAME_LEAST, NAME_MOST, OP_MOST = 12, 48, 14
NARROW, OP_NARROW = 70, 9  # on a narrow terminal the name comes before the type


@dataclass(frozen=True, slots=True)
class Extent:
    """How wide the texts of a table are at most, in cells; measured once per set of rows."""

    name: int = NAME_LEAST
    op: int = 4
    bits: int = 4
    samples: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the columns stand for one width: sizes in cells; samples `first` to `last - 1` are in sight."""

    name: int
    op: int
    bits: int
    places: int
    cell: int
    first: int
    last: int
    samples: int
    names: tuple[str, ...] = ()


def bits(row: Row) -> str:
    """Return the bits of features and weights as "8/8", "8" where there are no weights, and "fp32" for a float layer."""
    if not row.quantized or row.feature_bits is None:
        return "fp32" if not row.quantized else NOTHING
    return f"{row.feature_bits}" if row.weight_bits is None else f"{row.feature_bits}/{row.weight_bits}"


def extent(table: Table) -> Extent:
    """Return how wide the texts of `table` are."""
    names = max((cell_len(clean(row.name)) for row in table.rows), default=0)
    ops = max((cell_len(clean(row.op)) for row in table.rows), default=0)
    most = max((len(bits(row)) for row in table.rows), default=0)
    known = tuple(row.name for row in table.rows)
    return Extent(max(NAME_LEAST, names), max(4, min(OP_MOST, ops)), max(4, most), len(table.samples), known)


def lay_out(size: Extent, width: int, column: int, first: int = 0, *, digits: bool = False) -> Grid:
    """Return the columns for `width` cells with sample `column` in sight, moving as little as possible from `first`.

    With `digits` cells are never glyphs, of which each has a colour of its own: fewer samples are in sight, and fewer bytes are sent.
    """
    places = 5 if width >= 100 else 4
    op = min(size.op, OP_MOST if width >= NARROW else OP_NARROW)
    room = max(0, width - (MARKS + 1 + op + 1 + size.bits + 2 * (places + 3) + 1))  # for the name and the samples
    wanted = min(size.name, NAME_MOST)
    cell = next((each for each in CELLS if room - wanted >= size.samples * each), CELLS[-1] if digits else 1)
    if room - wanted >= size.samples * cell:
        seen = size.samples
    else:
        least = min(wanted, max(NAME_LEAST, room - size.samples * cell, room * 2 // 3))
        seen = max(0, min(size.samples, (room - least) // cell))
    name = min(max(size.name, NAME_LEAST), max(1, room - seen * cell))
    first = max(0, min(first, size.samples - seen))
    if seen and not first <= column < first + seen:
        first = column if column < first else column - seen + 1
    return Grid(name, op, size.bits, places, cell, first, first + seen, size.samples, distinct(size.names, name))


def head_line(grid: Grid, column: int, sort: str = "", arrow: str = "") -> Line:
    """Return the line over the table; the sample at the cursor is marked in it, < and > tell of samples out of sight.

    The column called `sort` bears the `arrow`; a sample that orders the layers is told elsewhere.
    """
    room = grid.places + 2
    said = {name: f"{title}{arrow}" if name == sort else title for name, title in HEADS.items()}
    left = ((said["name"], grid.name), (said["type"], grid.op), (said["bits"], grid.bits))
    words = " " * MARKS + "".join(fit(word, size + 1) for word, size in left)
    runs: list[Run] = [(f"{words}{fit(said['worst'], room, right=True)} {fit(said['mean'], room, right=True)} ", "head")]
    for sample in range(grid.first, grid.last):
        text = str(sample + 1)[-3:] if grid.cell > 1 else str((sample + 1) % 10)
        if sample != column:
            text = "<" if sample == grid.first > 0 else ">" if sample + 1 == grid.last < grid.samples else text
        runs.append((text.rjust(grid.cell), "column" if sample == column else "head"))
    return tuple(runs)


def row_line(table: Table, index: int, grid: Grid, *, selected: bool = False, stale: bool = False, shown: Figures | None = None) -> Line:
    """Return the line of row `index`, with the figures that are `shown` (the cosine's by themselves)."""
    shown = figures(table, COSINE) if shown is None else shown
    row, bad = table.rows[index], shown.bad(index)
    base: Role = "cursor" if selected else "dim" if stale else "text"
    mark = f"{'>' if selected else ' '}{'x' if bad else ' '} "
    judged, of_worst, of_mean = (base,) * 3 if selected or stale else _verdicts(shown, index, base)
    room = grid.places + 2
    line: Line = (
        (mark, base if selected else judged),
        (f"{fit(grid.names[index], grid.name)} ", base),
        (f"{fit(row.op, grid.op)} ", base if selected else "dim"),
        (f"{fit(bits(row), grid.bits)} ", base),
    )
    if not shown.comparable(index):
        return (*line, (fit(ALONE, 2 * (room + 1) + grid.cell * (grid.last - grid.first)), "dim"))
    return (
        *line,
        (f"{fit(number(shown, shown.worst[index], grid.places), room, right=True)} ", of_worst),
        (f"{fit(number(shown, shown.mean[index], grid.places), room, right=True)} ", of_mean),
        *(_cell(shown, index, sample, grid.cell) for sample in range(grid.first, grid.last)),
    )


def _verdicts(shown: Figures, index: int, base: Role) -> tuple[Role, Role, Role]:
    """Return the roles of a row's mark, of its worst number and of its mean, which is judged in a difference only."""
    whole = _verdict(shown, shown.levels[index])
    if not shown.difference:
        return whole, whole, base
    worst, mean = (None if value is None else shown.level(value) for value in (shown.worst[index], shown.mean[index]))
    return whole, _verdict(shown, worst), _verdict(shown, mean)


def _verdict(shown: Figures, level: int | None) -> Role:
    if level is None:
        return "text"
    if shown.difference:
        return "bad" if level <= BAD_STEP else "warn" if level < 0 else "good" if level else "text"
    return "bad" if level >= BAD_LEVEL else "warn" if level == BAD_LEVEL - 1 else "good"


def _cell(shown: Figures, row: int, sample: int, width: int) -> Run:
    """Return one cell: blank until it is measured, "-" where there is no number, else its level as glyph or digits."""
    column = shown.columns[sample]
    if column is None:
        return " " * width, "text"
    value = column[row]
    if value is None:
        return NOTHING.rjust(width), "dim"
    level = shown.level(value)
    if width == 1:
        return glyph(level, value, difference=shown.difference)
    text = short(shown, value) if width == CELLS[-1] else long(shown, value)
    return text.rjust(width), step_role(level) if shown.difference else _DIGITS[level]


def glyph(level: int, value: float, *, difference: bool) -> Run:
    """Return a level as one glyph; of a difference it says which way the number went, and its colour whether that is better."""
    if not difference:
        return GLYPHS[level], _GLYPHS[level]
    return CHANGES[value < 0][min(abs(level), 2)], step_role(level)


def step_role(step: int) -> Role:
    """Return the role of a step of a difference."""
    return "dim" if not step else _WORSE[-step - 1] if step < 0 else _BETTER[step - 1]


_GLYPHS: tuple[Role, ...] = ("glyph0", "glyph1", "glyph2", "glyph3", "glyph4", "glyph5", "glyph6", "glyph7")
_DIGITS: tuple[Role, ...] = ("digit0", "digit1", "digit2", "digit3", "digit4", "digit5", "digit6", "digit7")
_BETTER: tuple[Role, ...] = ("better1", "better2", "better3")
_WORSE: tuple[Role, ...] = ("worse1", "worse2", "worse3")


def map_cell(levels: Sequence[int | None], slot: int, top: int, page: int, count: int, *, difference: bool) -> Run:
    """Return one slot of the map of `count` rows; those that are in sight are a bar on the colour of their worst level."""
    slots = len(levels)
    level = levels[slot]
    seen = slot * count // slots < top + page and (slot + 1) * count // slots > top
    if level is None:
        return (BAR, "text") if seen else (" ", "text")
    if seen:
        return BAR, step_role(level) if difference else _DIGITS[level]
    return (("+" if level > 0 else "-" if level else "·"), step_role(level)) if difference else (GLYPHS[level], _GLYPHS[level])
