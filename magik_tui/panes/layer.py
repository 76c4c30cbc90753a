"""The pane of the selected layer: its metrics, its range, its method and why it is as it is."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from magik_tui.core import State
from magik_tui.core.detail import VIEWS, BackAsked, Details, LayerSeen, NeighbourAsked, View, ViewAsked, neighbours
from magik_tui.details import borrowed, columns, histogram_lines, judged, neighbour_lines, sample_lines, weight_lines, word
from magik_tui.numerals import fixed, numbers, shorts
from magik_tui.panes.base import ViewPane
from magik_tui.text import clean, elide, fit
from magik_tui.widgets.grid import bits
from magik_tui.widgets.ink import Line, Lines, Role, Run, labelled, shortened
from magik_tui.wire import Row

LIST_HEIGHT, BLOCK_WIDTH = 12, 60  # from this height on, and below this width, the facts stand under each other
NARROW, TWO_COLUMNS, ROOMY = 78, 60, 76  # from the last width on the facts of a high pane stand side by side, and so do two parts
LEAST = {"facts": 6, "values": 6, "weights": 3, "samples": 2, "neighbours": 2}  # lines below which a part is left out
BLANK: Run = (" ", "text")
SAMPLES = 9  # lines of the worst samples, at most
EXACT = 999.0  # the SQNR in dB that stands for no error at all
LEAST_SHARE = 1e-5  # of values; a smaller one is only said to be smaller


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to know about a layer; a value may be a sequence of ever shorter forms."""

    label: str
    value: str | tuple[str, ...]
    role: Role = "text"


Facts = tuple[Fact, ...]


def layer_lines(state: State, width: int, height: int, *, beside: bool) -> tuple[Line, ...]:
    """Return the pane's lines for `width` x `height` cells; `beside` the table it is a list, under it a block.

    The facts come first, or the part that the user has asked for; what else there is room for follows.
    """
    if not state.table.rows:
        return _nothing_yet(state, width, beside=beside)
    row = state.table.rows[state.cursor]
    view = state.of(Details).view
    if not beside:
        lines = list(_block(state, row, width) if view == "facts" else (_title(row, width), *_part(state, view, width, height - 1)))
        return tuple(shortened(line, width) for line in lines[:height])
    lines = []
    start = VIEWS.index(view)
    order = VIEWS[start:] + VIEWS[:start]
    if view != "facts":
        lines.append(_title(row, width))
    while order:
        view, order = order[0], order[1:]
        room = height - len(lines)
        if room < LEAST[view]:
            continue
        if view == "facts":
            lines += _block(state, row, width) if width >= ROOMY else _list(state, row, width)
        elif width >= ROOMY and view == "samples" and order[:1] == ("neighbours",):
            lines += _beside(_part(state, view, width // 2, room), _part(state, "neighbours", width - width // 2, room), width // 2)
            order = order[1:]
        else:  # a histogram leaves room for the weights
            lines += _part(state, view, width, max(LEAST[view], room - 4) if view == "values" else room)
    return tuple(shortened(line, width) for line in lines[:height])


def _part(state: State, view: View, width: int, height: int) -> tuple[Line, ...]:
    """Return one part of the closer look, of at most `height` lines; nothing while nothing is known."""
    details = state.of(Details)
    own = details.shown is not None and details.shown.name == state.table.rows[state.cursor].name
    found = details.shown if own else None if state.busy or details.trouble else details.last
    if found is None:
        said = view == details.view or (details.view == "facts" and view == "values")  # once
        return ((BLANK, (elide(details.trouble, width - 2), "warn")),) if details.trouble and said else ()
    drawn: dict[View, Callable[[], tuple[Line, ...]]] = {
        "values": lambda: histogram_lines(found, width, height),
        "weights": lambda: weight_lines(found, width, height),
        "samples": lambda: sample_lines(found, width, min(height, SAMPLES)),
        "neighbours": lambda: neighbour_lines(state, found, width, height),
    }
    return drawn[view]() if own else borrowed(drawn[view](), width)


def _beside(left: tuple[Line, ...], right: tuple[Line, ...], width: int) -> list[Line]:
    count = max(len(left), len(right))
    pairs = zip(left + ((),) * (count - len(left)), right + ((),) * (count - len(right)), strict=True)
    return [(*shortened(a, width), *b) for a, b in pairs]


def _nothing_yet(state: State, width: int, *, beside: bool) -> tuple[Line, ...]:
    text = "the layers appear when the graph is known" if state.busy else "no table yet: r makes one"
    return ((("", "text"),) if beside else ((fit("", width), "title"),), ((f" {text}", "dim"),))


def _title(row: Row, width: int) -> Line:
    right = f" {clean(row.op)} {bits(row)} {clean(row.method or '')}".rstrip() + " "
    return ((fit(f" {clean(row.name)}", max(0, width - len(right))), "title"), (fit(right, min(width, len(right))), "title"))


def _cosines(state: State, row: Row) -> Facts:
    worst, mean = state.table.worst[state.cursor], state.table.mean(state.cursor)
    return (
        Fact("worst", numbers(worst, tail=f" {word(worst)}"), judged(worst)),
        Fact("mean", numbers(mean, tail=f" {word(mean)}"), judged(mean)),
        Fact("best", numbers(row.cosine_max)),
        Fact("local", numbers(row.local_cosine, tail=f" {word(row.local_cosine)}"), judged(row.local_cosine)),
    )


def _errors(row: Row) -> Facts:
    return (
        Fact("SQNR", _decibels(row.sqnr_db)),
        Fact("saturated", _percent(row.saturation)),
        Fact("euclid", numbers(row.euc_distance)),
        Fact("std dev", numbers(row.standard_deviation)),
        Fact("max err", numbers(row.max_absolute)),
        Fact("err 0~1", numbers(row.max_absolute_normalized)),
        Fact("mean err", shorts(row.mean_error)),
    )


def _percent(share: float | None) -> tuple[str, ...]:
    """Return a share in percent, in ever fewer digits; never with an exponent."""
    if share is None:
        return ("-",)
    if 0 < share < LEAST_SHARE:
        return (f"<{100 * LEAST_SHARE:g} %",)
    return tuple(f"{100 * share:.{digits}g} %" for digits in (3, 2))


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
    head = f"{fixed(cosine)} {word(cosine):2} {state.column + 1}/{len(samples)} "
    return head + elide(samples[state.column], max(0, width - len(head))), judged(cosine)


def _reason(row: Row) -> tuple[str, str, Role]:
    """Return a label, why the layer is as it is, and the role of that; blank where there is nothing to say."""
    asked = row.requested_feature_bits
    if row.quantized and asked and row.feature_bits and asked != row.feature_bits:
        why = ": keeps input levels" if row.method == "SHARED" else ""
        return "why", f"{asked} asked{why}", "warn"
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
    said, mark = _sample(state, room - 7)
    taken = min(8 + cell_len(said), room) if label else room
    left = labelled("sample", said, taken, 7, mark)
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
    if width >= TWO_COLUMNS:
        left, right = _group(*groups[0], width // 2) + _group(*groups[2], width // 2), _group(*groups[1], width - width // 2)
        lines += _beside(left, right, width // 2)
    else:
        lines += [line for head, facts in groups for line in _group(head, facts, width)]
    (said, mark), (label, why, role) = _sample(state, 10 * width), _reason(row)
    lines.append(((" ", "text"), ("sample", "strong")))
    lines += _wrapped(said, width, mark)
    if label:
        lines.append(((" ", "text"), ("why it is float" if not row.quantized else "why", "strong")))
        lines += _wrapped(why, width, role)
    return tuple(lines)


def _group(head: str, facts: Facts, width: int) -> tuple[Line, ...]:
    """Return facts under each other, under their heading."""
    rows: list[Line] = [(BLANK, *labelled(f"  {f.label}", f.value, width - 1, 14, f.role)) for f in facts]
    return ((BLANK, (head, "strong")), *rows)


def _wrapped(text: str, width: int, role: Role) -> list[Line]:
    return [((f"   {part}", role),) for part in textwrap.wrap(text, max(8, width - 4)) or [""]]


class FactsPane(ViewPane):
    """The selected layer: its facts, and as far as there is room its values, weights, samples and neighbours."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "view", "view", id="layer.view", tooltip="Next part first: facts, values, weights, samples, neighbours"),
        Binding("i", "neighbour(False)", "reads", id="layer.input", tooltip="Go to a layer that this one reads"),
        Binding("o", "neighbour(True)", "read by", id="layer.reader", tooltip="Go to a layer that reads this one"),
        Binding("backspace", "back", id="layer.back", show=False, tooltip="Go back to where the last jump came from"),
    ]

    def compose(self) -> ComposeResult:
        """Return the lines."""
        yield Lines(id="layer")

    def show(self, state: State) -> None:
        """Draw the selected layer; one that was not in sight before is asked for."""
        lines = self.query_one(Lines)
        width, height = lines.size
        lines.show(layer_lines(state, width, height, beside=height >= LIST_HEIGHT or width < BLOCK_WIDTH))
        if state.table.rows and width:
            seen = LayerSeen(state.table.rows[state.cursor].name, columns(width))
            if (seen.name, seen.bins) != state.of(Details).wanted:
                self.call_later(self.desk.dispatch, seen)

    def hints(self, state: State) -> tuple[str, ...]:
        """Return the next part, and the jumps that there are."""
        if not state.table.rows:
            return ()
        jumps = (("layer.input", False), ("layer.reader", True))
        return ("layer.view", *(id_ for id_, readers in jumps if neighbours(state, readers=readers)))

    def why_not(self, id_: str, state: State) -> str:
        """Return why a key can do nothing now."""
        if id_ in ("layer.input", "layer.reader") and not neighbours(state, readers=id_ == "layer.reader"):
            return "the table has no such layer" if state.of(Details).shown else "the neighbours are not known yet"
        if id_ == "layer.back" and not state.of(Details).back:
            return "no jump to go back to"
        return super().why_not(id_, state)

    def action_view(self) -> None:
        """Show the next part first."""
        self.desk.dispatch(ViewAsked())

    def action_neighbour(self, readers: bool) -> None:
        """Go to a neighbour."""
        self.desk.dispatch(NeighbourAsked(readers))

    def action_back(self) -> None:
        """Go back."""
        self.desk.dispatch(BackAsked())


PANE = FactsPane
