"""The vendor's table of the debug run: one line per quantized node in graph order, five decimals."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from ..jsontext import printable
from .report import LayerRow

COLUMNS = {
    "cosine_avg": "cosine_avg",
    "cosine_min": "cosine_min",
    "cosine_max": "cosine_max",
    "euc_distan": "euc_distance",
    "stand_devi": "standard_deviation",
    "max_absolu": "max_absolute",
    "max_abs_0~1": "max_absolute_normalized",
}
"""Heading -> field of `LayerRow`."""


def table(rows: Iterable[LayerRow]) -> list[str]:
    """Return the lines of the table, heading first, plain text without line ends.

    A metric that does not exist is "-". Names are shown whole; characters a terminal could obey are escaped.
    """
    shown = [r for r in rows if r.quantized]
    cells = [[printable(r.name, len(r.name)), *(_number(getattr(r, f)) for f in COLUMNS.values())] for r in shown]
    lines = [["feature name", *COLUMNS], *cells]
    widths = [max(_width(line[i]) for line in lines) for i in range(len(COLUMNS) + 1)]
    return [_line(line, widths) for line in lines]


def exceptions(rows: Iterable[LayerRow]) -> list[str]:
    """Return a line for every node that got another width than was asked for it, or none, and why; no lines when nothing is quantized."""
    table = list(rows)
    if not any(r.quantized for r in table):
        return []
    return [f"{printable(r.name, len(r.name))}: {told}" for r in table if (told := _exception(r))]


def _exception(row: LayerRow) -> str:
    asked = row.requested_feature_bits
    if not row.quantized:
        return f"float, {asked} bits asked: {printable(row.reason, len(row.reason))}"
    if row.feature_bits is None or row.feature_bits == asked:
        return ""
    why = ": it keeps the levels of its input" if row.method == "SHARED" else ""
    return f"{row.feature_bits} bits, {asked} asked{why}"


def _line(cells: list[str], widths: list[int]) -> str:
    name = cells[0] + " " * (widths[0] - _width(cells[0]))
    return " ".join([name + " ", *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5f}"


def _width(text: str) -> int:
    """Return the columns a terminal gives to printable text."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)
