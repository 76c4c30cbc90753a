"""How the numbers of the heatmap are written, in as much room as there is."""

from __future__ import annotations

import math

from magik_tui.figures import EXACT, SATURATION, Figures, Measure
from magik_tui.levels import permille
from magik_tui.numerals import fixed


def number(figures: Figures, value: float | None, places: int) -> str:
    """Return a number of the columns `worst` and `mean` in at most `places + 2` characters; "" where there is none."""
    if value is None or not math.isfinite(value):
        return ""
    measure = figures.measure
    if figures.difference:
        return _change(measure, value, places)[: places + 2]
    if measure.is_cosine:
        return fixed(value, places)[: places + 2]
    if measure is SATURATION:
        return f"{value * measure.unit:.2f}%" if value < 0.99995 else "100%"
    return "exact" if value >= EXACT else f"{value:.1f}"


def _change(measure: Measure, change: float, places: int) -> str:
    """Return a difference with its sign; one that rounds to nothing has none."""
    said = f"{change * measure.unit:+.{places if measure.is_cosine else 1}f}"
    if not float(said):
        return "0"
    said = "".join(said.split("0", 1)) if measure.is_cosine and said[1] == "0" else said
    return said + ("%" if measure is SATURATION else "")


def short(figures: Figures, value: float) -> str:
    """Return the number of a cell in at most three characters."""
    measure = figures.measure
    if figures.difference:
        return _short_change(measure, value)
    if measure.is_cosine:
        return permille(value)
    if measure is not SATURATION:
        return ">99" if value >= 99.5 else f"{max(value, -99.0):.0f}"
    value *= measure.unit
    return "0" if value < 0.005 else f"{value:.2f}"[1:] if value < 0.995 else f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def _short_change(measure: Measure, change: float) -> str:
    """Return a difference with its sign: whole thousandths of a cosine, and from 0.1 on its tenths (".2"); else whole units or tenths."""
    sign, size = "+" if change > 0 else "-", abs(change) * (1000 if measure.is_cosine else measure.unit)
    if measure.is_cosine:
        return "0" if size < 0.5 else f"{sign}{size:.0f}" if size < 99.5 else f"{sign}.{min(9, round(size / 100))}"
    return "0" if size < 0.05 else f"{sign}.{round(size * 10)}" if size < 0.95 else f"{sign}{min(size, 99.0):.0f}"


def long(figures: Figures, value: float) -> str:
    """Return the number of a cell in at most six characters."""
    measure = figures.measure
    if figures.difference:
        return _change(measure, value, 4)[:6]
    if measure.is_cosine:
        return f"{value:.4f}"[:6]
    return "exact" if measure is not SATURATION and value >= EXACT else f"{value * measure.unit:.2f}"[:6]
