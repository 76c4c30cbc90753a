"""The pane of the selected layer: its metrics, its range, its method and why it is as it is."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from magik_tui.levels import BAD, HEALTHY
from magik_tui.state import State
from magik_tui.text import clean, fit, fixed, short
from magik_tui.widgets.grid import bits
from magik_tui.widgets.ink import Line, Role, labelled, shortened
from magik_tui.wire import Row

HEIGHT_BELOW = 6  # lines of the pane when it stands under the table


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to know about a layer."""

    label: str
    value: str
    role: Role = "text"


Facts = tuple[Fact, ...]
NO_FACT = Fact("", "")


def layer_lines(state: State, width: int, height: int, *, beside: bool) -> tuple[Line, ...]:
    """Return the pane's lines for `width` x `height` cells; `beside` the table it is a list, under it a block."""
    if not state.table.rows:
        return _nothing_yet(state, width, beside=beside)
    row = state.table.rows[state.cursor]
    lines = _list(state, row, width) if beside else _block(state, row, width)
    return tuple(shortened(line, width) for line in lines[:height])


def _nothing_yet(state: State, width: int, *, beside: bool) -> tuple[Line, ...]:
    text = "the layers appear when the graph is known" if state.busy else "no table yet: r makes one"
    return ((("", "text"),) if beside else ((fit("", width), "title"),), ((f" {text}", "dim"),))


def _title(row: Row, width: int) -> Line:
    right = f" {clean(row.op)} {bits(row)} "
    return ((fit(f" {clean(row.name)}", max(0, width - len(right))), "title"), (fit(right, min(width, len(right))), "title"))


def _judged(cosine: float | None) -> Role:
    if cosine is None:
        return "dim"
    return "good" if cosine >= HEALTHY else "warn" if cosine >= BAD else "bad"


def _word(cosine: float | None) -> str:
    """Return the verdict on one layer in a word, so that its colour never speaks alone."""
    if cosine is None:
        return ""
    return "+" if cosine >= HEALTHY else "~" if cosine >= BAD else "x"


def _cosines(state: State, row: Row) -> Facts:
    worst, mean = state.table.worst[state.cursor], state.table.mean(state.cursor)
    return (
        Fact("worst", f"{fixed(worst)} {_word(worst)}", _judged(worst)),
        Fact("mean", f"{fixed(mean)} {_word(mean)}", _judged(mean)),
        Fact("best", fixed(row.cosine_max)),
        Fact("local", f"{fixed(row.local_cosine)} {_word(row.local_cosine)}", _judged(row.local_cosine)),
    )


def _errors(row: Row) -> Facts:
    saturation = "-" if row.saturation is None else f"{100 * row.saturation:.3g} %"
    return (
        Fact("SQNR", "-" if row.sqnr_db is None else f"{row.sqnr_db:.2f} dB"),
        Fact("saturated", saturation),
        Fact("euclid", fixed(row.euc_distance)),
        Fact("std dev", fixed(row.standard_deviation)),
        Fact("max err", fixed(row.max_absolute)),
        Fact("err 0~1", fixed(row.max_absolute_normalized)),
    )


def _range(row: Row) -> Facts:
    zero = "-" if row.zero_point is None else str(row.zero_point)
    return (
        Fact("min", short(row.min)),
        Fact("max", short(row.max)),
        Fact("scale", short(row.scale)),
        Fact("zero", zero),
        Fact("method", clean(row.method or "-")),
    )


def _sample(state: State) -> Fact:
    samples = state.table.samples
    if not samples:
        return Fact("sample", "none", "dim")
    cosine = state.table.cell(state.cursor, state.column)
    place = f"{state.column + 1}/{len(samples)}"
    return Fact("sample", f"{fixed(cosine)} {_word(cosine):2} {place} {clean(samples[state.column])}", _judged(cosine))


def _reason(row: Row) -> Fact:
    if row.reason:
        return Fact("why" if row.quantized else "float", clean(row.reason), "text" if row.quantized else "warn")
    return Fact("", "") if row.quantized else Fact("float", "no reason given", "warn")


def _block(state: State, row: Row, width: int) -> tuple[Line, ...]:
    """Return the pane as four columns of facts under its title, for a wide and low place."""
    cosines, errors, ranges = _cosines(state, row), _errors(row), _range(row)
    columns = (
        (cosines, "cosine", 26),
        ((errors[0], errors[1], errors[2], errors[3]), "", 19),
        ((errors[4], errors[5], ranges[4], NO_FACT), "", 17),
        (ranges[:4], "", max(0, width - 62)),
    )
    lines: list[Line] = [_title(row, width)]
    for y in range(4):
        line: Line = ()
        for facts, head, size in columns:
            gap = 10 if size == 19 else 8
            lead: Line = ((fit((head if y == 0 else ""), 7), "label"),) if head else ()
            gap, size = (6, size - 7) if head else (gap, size)
            line += ((" ", "text"),) + lead + labelled(facts[y].label, facts[y].value, size - 1, gap, facts[y].role)
        lines.append(line)
    sample, reason = _sample(state), _reason(row)
    left = labelled(sample.label, sample.value, 44 if reason.label else width - 1, 7, sample.role)
    right = labelled(reason.label, reason.value, max(0, width - 46), 6, reason.role) if reason.label else ()
    lines.append(((" ", "text"), *left, (" ", "text"), *right))
    return tuple(lines)


def _list(state: State, row: Row, width: int) -> tuple[Line, ...]:
    """Return the pane as a list of facts, for a narrow and high place."""
    groups = (("cosine", _cosines(state, row)), ("error", _errors(row)), ("range", _range(row)))
    lines: list[Line] = [_title(row, width)]
    for head, facts in groups:
        lines.append(((" ", "text"), (head, "strong")))
        lines += [((" ", "text"), *labelled(f"  {f.label}", f.value, width - 1, 14, f.role)) for f in facts]
    sample, reason = _sample(state), _reason(row)
    lines.append(((" ", "text"), ("sample", "strong")))
    lines += _wrapped(sample.value, width, sample.role)
    if reason.label:
        lines.append(((" ", "text"), ("why it is float" if not row.quantized else "why", "strong")))
        lines += _wrapped(reason.value, width, reason.role)
    return tuple(lines)


def _wrapped(text: str, width: int, role: Role) -> list[Line]:
    return [((f"   {part}", role),) for part in textwrap.wrap(text, max(8, width - 4)) or [""]]

