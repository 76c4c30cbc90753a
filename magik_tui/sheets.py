"""A pane's table as a value, and as text for elsewhere: CSV, JSON, Markdown, tab-separated, SVG. Pure."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from html import escape
from pathlib import PurePath
from typing import Any

import msgspec

from magik_tui.core.state import State
from magik_tui.levels import CELL_COLOURS, level
from magik_tui.text import clean
from magik_tui.viewing import View

Cell = str | float | int | None
CHAR, LINE, PAD = 7.2, 16, 6  # of the SVG: the width of a character, the height of a row, the room beside a text, in pixels


class Sheet(msgspec.Struct, frozen=True):
    """The table of a pane: heads, rows of cells, and where the cursor is. Columns in `cosines` are judged, and coloured in an SVG.

    `whole` holds, by the ending of a file, texts that say more than the table and are written in its place.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    row: int = 0
    column: int = 0
    cosines: frozenset[int] = frozenset()
    title: str = ""
    whole: dict[str, str] = {}


def text(cell: Cell) -> str:
    """Return a cell as text: numbers in full, nothing as nothing."""
    if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
        return ""
    return repr(cell) if isinstance(cell, float) else str(cell)


def as_line(cells: Sequence[Cell]) -> str:
    """Return cells as one line, parted by tabs."""
    return "\t".join(" ".join(text(cell).split()) for cell in cells)


def as_tabs(sheet: Sheet) -> str:
    """Return a sheet as lines parted by tabs, as spreadsheets take them from a clipboard."""
    return "\n".join(as_line(row) for row in (sheet.heads, *sheet.rows)) + "\n"


def as_csv(sheet: Sheet) -> str:
    """Return a sheet as CSV (RFC 4180)."""
    out = io.StringIO()
    csv.writer(out).writerows([sheet.heads, *([text(cell) for cell in row] for row in sheet.rows)])
    return out.getvalue()


def as_json(sheet: Sheet) -> str:
    """Return a sheet as a JSON list with one object per row; heads that come twice are numbered."""
    heads = [head if sheet.heads.index(head) == i else f"{head} {i + 1}" for i, head in enumerate(sheet.heads)]
    rows = [{head: _json(cell) for head, cell in zip(heads, row, strict=True)} for row in sheet.rows]
    return json.dumps(rows, indent=1) + "\n"


def _json(cell: Cell) -> Any:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def as_markdown(sheet: Sheet) -> str:
    """Return a sheet as a Markdown table; what Markdown would obey is escaped."""
    columns = range(len(sheet.heads))
    numbers = {i for i in columns if any(isinstance(row[i], int | float) for row in sheet.rows)}
    rule = ["---:" if i in numbers else "---" for i in columns]
    lines = [[_escaped(text(cell)) for cell in row] for row in (sheet.heads, *sheet.rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (lines[0], rule, *lines[1:]))


def _escaped(said: str) -> str:
    said = " ".join(clean(said.replace("\n", " ")).split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|~" else c for c in said)


def as_svg(sheet: Sheet) -> str:
    """Return a sheet as an SVG picture of a table; cosines stand on the colour of their level, with digits that can be read."""
    shown = [[clean(_short(cell)) for cell in row] for row in (sheet.heads, *sheet.rows)]
    widths = [max(len(row[i]) for row in shown) * CHAR + 2 * PAD for i in range(len(sheet.heads))]
    lefts = [sum(widths[:i]) for i in range(len(widths))]
    head = LINE * (2 if sheet.title else 1)
    width, height = sum(widths), head + LINE * len(sheet.rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height + PAD}" width="{width:.0f}" height="{height + PAD}">',
        "<style>text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#111;white-space:pre}.h{font-weight:bold}</style>",
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    if sheet.title:
        parts.append(_at(PAD, LINE - 4, clean(sheet.title), "h"))
    parts += [_at(left + PAD, head - 4, said, "h") for left, said in zip(lefts, shown[0], strict=True)]
    for y, (row, said) in enumerate(zip(sheet.rows, shown[1:], strict=True)):
        top = head + LINE * y
        for i, (cell, word) in enumerate(zip(row, said, strict=True)):
            style = ""
            if i in sheet.cosines and isinstance(cell, float) and math.isfinite(cell):
                paper, ink = CELL_COLOURS[level(cell)]
                parts.append(f'<rect x="{lefts[i]:.1f}" y="{top}" width="{widths[i]:.1f}" height="{LINE}" fill="{paper}"/>')
                style = f' style="fill:{ink}"'
            parts.append(_at(lefts[i] + PAD, top + LINE - 4, word, style=style))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _short(cell: Cell) -> str:
    return f"{cell:.5g}" if isinstance(cell, float) and math.isfinite(cell) else text(cell)


def _at(x: float, y: float, said: str, kind: str = "", style: str = "") -> str:
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y}"{kind}{style}>{escape(said)}</text>' if said else ""


def layers_sheet(state: State, view: View | None = None) -> Sheet:
    """Return the table of layers: what is known of each, and its cosine on every measured sample.

    With a `view` of the heatmap: the layers that it shows in its order, and its figures on every sample (or its differences).
    """
    table = state.table
    order = range(len(table.rows)) if view is None else view.order
    columns = table.columns if view is None else view.figures.columns
    metrics = ("worst cosine", "mean cosine", "local cosine", "SQNR dB", "saturation")
    facts = ("layer", "type", "feature bits", "weight bits", "method", *metrics)
    heads = list(table.samples)
    if view is not None and (view.figures.difference or not view.figures.measure.is_cosine or view.figures.measure.key != "cos"):
        what = view.figures.measure.key + (" difference" if view.figures.difference else "")
        heads = [f"{name} {what}" for name in heads]
    rows = tuple(
        (
            row.name, row.op, row.feature_bits if row.quantized else "fp32", row.weight_bits, row.method, table.worst[i], table.mean(i),
            row.local_cosine, row.sqnr_db, row.saturation, *(None if column is None else column[i] for column in columns),
        )
        for i, row in ((i, table.rows[i]) for i in order)
    )  # fmt: skip
    cosines = view is None or (view.figures.measure.is_cosine and not view.figures.difference)
    judged = frozenset((5, 6, 7, *(range(len(facts), len(facts) + len(columns)) if cosines else ())))
    title = " ".join(filter(None, (PurePath(state.project).name, state.variant, state.soc, *state.settings)))
    cursor = state.cursor if view is None else view.places.get(state.cursor, 0)
    return Sheet((*facts, *heads), rows, cursor, len(facts) + state.column, judged, title)


FORMATS: dict[str, Callable[[Sheet], str]] = {"csv": as_csv, "json": as_json, "md": as_markdown, "svg": as_svg}
"""The ending of a file's name -> how a sheet is written to it."""


def written(sheet: Sheet, ending: str) -> str:
    """Return a sheet as the file with this ending has it; ValueError for an ending that is none of FORMATS."""
    if ending not in FORMATS:
        raise ValueError(f"nothing is written to .{ending} files")
    return sheet.whole[ending] if ending in sheet.whole else FORMATS[ending](sheet)
