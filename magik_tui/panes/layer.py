"""The pane of the selected layer: its metrics, its range, its method and why it is as it is."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from magik_tui.core import State
from magik_tui.core.detail import Details, DetailWanted, NeighbourAsked
from magik_tui.details import detail_lines
from magik_tui.levels import BAD, HEALTHY
from magik_tui.panes.base import LayerPane
from magik_tui.text import clean, elide, fit, fixed, numbers, shorts
from magik_tui.widgets.grid import bits
from magik_tui.widgets.ink import Line, Lines, Role, Run, labelled, shortened
from magik_tui.wire import Row

LIST_HEIGHT, BLOCK_WIDTH = 12, 60  # from this height on, and below this width, the facts stand under each other
NARROW = 78
TWO_COLUMNS, FACTS = 62, 34  # from this width on the closer look stands beside the facts, which take so many cells
CLOSER = 5  # lines that a closer look wants at least
REST = 0.25  # seconds that the cursor rests before one is asked for
BLANK: Run = (" ", "text")
EXACT = 999.0  # the SQNR in dB that stands for no error at all


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to know about a layer; a value may be a sequence of ever shorter forms."""

    label: str
    value: str | tuple[str, ...]
    role: Role = "text"


Facts = tuple[Fact, ...]


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
    right = f" {clean(row.op)} {bits(row)} {clean(row.method or '')}".rstrip() + " "
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
        Fact("worst", numbers(worst, tail=f" {_word(worst)}"), _judged(worst)),
        Fact("mean", numbers(mean, tail=f" {_word(mean)}"), _judged(mean)),
        Fact("best", numbers(row.cosine_max)),
        Fact("local", numbers(row.local_cosine, tail=f" {_word(row.local_cosine)}"), _judged(row.local_cosine)),
    )


def _errors(row: Row) -> Facts:
    saturation = "-" if row.saturation is None else f"{100 * row.saturation:.3g} %"
    return (
        Fact("SQNR", _decibels(row.sqnr_db)),
        Fact("saturated", saturation),
        Fact("euclid", numbers(row.euc_distance)),
        Fact("std dev", numbers(row.standard_deviation)),
        Fact("max err", numbers(row.max_absolute)),
        Fact("err 0~1", numbers(row.max_absolute_normalized)),
        Fact("mean err", shorts(row.mean_error)),
    )


def _decibels(sqnr: float | None) -> tuple[str, ...]:
    if sqnr is not None and sqnr >= EXACT:
        return ("exact",)
    return numbers(sqnr, 2, " dB") if sqnr is not None else ("-",)


def _range(row: Row) -> Facts:
    zero = "-" if row.zero_point is None else str(row.zero_point)
    return (
        Fact("min", shorts(row.min)),
        Fact("max", shorts(row.max)),
        Fact("scale", shorts(row.scale)),
        Fact("zero", zero),
        Fact("method", clean(row.method or "-")),
    )


def _sample(state: State, width: int) -> Run:
    """Return the cosine of the chosen sample, its place and its name in `width` cells; the name gives way."""
    samples = state.table.samples
    if not samples:
        return "none", "dim"
    cosine = state.table.cell(state.cursor, state.column)
    head = f"{fixed(cosine)} {_word(cosine):2} {state.column + 1}/{len(samples)} "
    return head + elide(samples[state.column], max(0, width - len(head))), _judged(cosine)


def _reason(row: Row) -> tuple[str, str, Role]:
    """Return a label, why the layer is as it is, and the role of that; blank where there is nothing to say."""
    if row.reason:
        return "why" if row.quantized else "float", clean(row.reason), "text" if row.quantized else "warn"
    return ("", "", "text") if row.quantized else ("float", "no reason given", "warn")


def _block(state: State, row: Row, width: int) -> tuple[Line, ...]:
    """Return the pane as columns of facts under its title, for a wide and low place; a narrow one drops a column."""
    errors, ranges = _errors(row), _range(row)
    columns = [
        _column(_cosines(state, row), 16, 6),
        _column(errors[:4], 18, 10),
        _column((*errors[4:], ranges[4]), 17, 9),
        _column(ranges[:4], 16, 6),
    ]
    if width < NARROW:
        del columns[2]
    heads: list[Line] = [((" cosine", "label"),), *(((" " * 7, "text"),),) * 3]
    lines = [(*heads[y], *(run for column in columns for run in (BLANK, *column[y]))) for y in range(4)]
    label, why, role = _reason(row)
    room = width * 5 // 9 if label else width - 1
    said, judged = _sample(state, room - 7)
    taken = min(8 + cell_len(said), room) if label else room
    left = labelled("sample", said, taken, 7, judged)
    right = labelled(label, why, max(0, width - 2 - taken), 6, role) if label else ()
    return (_title(row, width), *lines, (BLANK, *left, BLANK, *right))


def _column(facts: Facts, width: int, gap: int) -> tuple[Line, ...]:
    """Return facts under each other, each in `width` cells with its value at cell `gap`."""
    return tuple(labelled(fact.label, fact.value, width, gap, fact.role) for fact in facts)


def _list(state: State, row: Row, width: int) -> tuple[Line, ...]:
    """Return the pane as a list of facts, for a narrow and high place."""
    groups = (("cosine", _cosines(state, row)), ("error", _errors(row)), ("range", _range(row)))
    lines: list[Line] = [((fit(f" {clean(row.name)}", width), "title"),)]
    lines.append((BLANK, *labelled("type", clean(row.op), width - 1, 14)))
    lines.append((BLANK, *labelled("bits", bits(row), width - 1, 14)))
    for head, facts in groups:
        lines.append(((" ", "text"), (head, "strong")))
        lines += [((" ", "text"), *labelled(f"  {f.label}", f.value, width - 1, 14, f.role)) for f in facts]
    (said, judged), (label, why, role) = _sample(state, 10 * width), _reason(row)
    lines.append(((" ", "text"), ("sample", "strong")))
    lines += _wrapped(said, width, judged)
    if label:
        lines.append(((" ", "text"), ("why it is float" if not row.quantized else "why", "strong")))
        lines += _wrapped(why, width, role)
    return tuple(lines)


def _wrapped(text: str, width: int, role: Role) -> list[Line]:
    return [((f"   {part}", role),) for part in textwrap.wrap(text, max(8, width - 4)) or [""]]


class FactsPane(LayerPane):
    """The selected layer: its facts under each other where there is room for that, else side by side; a closer look where there is more."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "neighbour(-1)", "input", id="layer.input", tooltip="Go to the layer that this one reads"),
        Binding("o", "neighbour(1)", "reader", id="layer.reader", tooltip="Go to the layer that reads this one"),
    ]

    def compose(self) -> ComposeResult:
        """Return the lines."""
        yield Lines(id="layer")

    def hints(self, state: State) -> tuple[str, ...]:
        """Return the jumps to neighbours."""
        return ("layer.input", "layer.reader") if state.table.rows else ()

    def show(self, state: State) -> None:
        """Draw the facts of the selected layer; once the cursor rests, what a closer look shows."""
        lines = self.query_one(Lines)
        width, height = lines.size
        beside = height >= LIST_HEIGHT or width < BLOCK_WIDTH
        wide = beside and width >= TWO_COLUMNS
        facts = layer_lines(state, FACTS if wide else width, height, beside=beside)
        room = width - FACTS - 2 if wide else width
        left = height if wide else height - len(facts) - 1
        if beside and state.table.rows and left >= CLOSER:
            facts = self._closer(state, facts, room, left, wide=wide)
        lines.show(facts)

    def _closer(self, state: State, facts: tuple[Line, ...], width: int, height: int, *, wide: bool) -> tuple[Line, ...]:
        """Return the facts with the closer look beside or below them, which is asked for unless it is known."""
        name = state.table.rows[state.cursor].name
        known = state.of(Details).known.get(name)
        if known is None and not state.busy:
            self.set_timer(REST, lambda: self._rested(name))
        closer = detail_lines(known, width)[:height]
        if not wide:
            return (*facts, ((" ", "text"),), *closer)
        rows = max(len(facts), len(closer))
        blank: Line = ((" " * FACTS, "text"),)
        return tuple(
            (*(facts[y] if y < len(facts) else blank), ("  ", "text"), *(closer[y] if y < len(closer) else ())) for y in range(rows)
        )

    def _rested(self, name: str) -> None:
        """Ask for a closer look if the cursor is still on the layer."""
        rows = self.state.table.rows
        if rows and self.is_mounted and rows[min(self.state.cursor, len(rows) - 1)].name == name:
            self.desk.dispatch(DetailWanted(name))

    def action_neighbour(self, step: int) -> None:
        """Go to a neighbour in the graph."""
        self.desk.dispatch(NeighbourAsked(step))


PANE = FactsPane
