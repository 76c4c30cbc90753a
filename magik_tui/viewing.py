"""Which rows the heatmap shows, and in which order: figures sorted and filtered. Pure.

Answers are remembered: a key that changes neither table nor order costs nothing, however many layers there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from magik_tui import figures as fg
from magik_tui.core.filtering import Columns, Filter, Value
from magik_tui.figures import Figures, remembered
from magik_tui.table import Table

Sort = Literal["graph", "worst", "mean", "sample", "name", "type", "bits"]
SORTS: tuple[Sort, ...] = ("graph", "worst", "mean", "sample", "name", "type", "bits")
COLUMNS = Columns(
    ("cos", "local", "sqnr", "lsqnr", "sat", "worst", "mean", "bits", "wbits", "min", "max", "scale"), ("name", "type", "method")
)
"""What a filter may ask for. `cos` to `sat` are each layer's worst sample, `worst` and `mean` are the columns as they are shown."""

EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class View:
    """What is shown: figures, the rows in their order, the place of each, and the order of all rows, those that are left out too."""

    figures: Figures
    order: tuple[int, ...]
    places: dict[int, int]
    whole: tuple[int, ...]
    bad: frozenset[int]

    @property
    def nothing_bad(self) -> str:
        """What is said where no row is worth a look."""
        return self.figures.nothing_bad + (" among those that the filter leaves" if len(self.order) < len(self.whole) else "")


@remembered(4)
def view_of(table: Table, figures: Figures, sort: Sort, sample: str, back: bool, chosen: Filter) -> View:
    whole = _ordered(table, figures, sort, sample, back=back)
    order = whole
    if chosen.terms:
        values = _values(table, figures)
        words = [(row.name.casefold(), row.op.casefold()) for row in table.rows]
        order = tuple(row for row in whole if chosen.fits(words[row], _finder(values, row)))
    bad = frozenset(row for row in order if figures.bad(row))
    return View(figures, order, {row: place for place, row in enumerate(order)}, whole, bad)


def _ordered(table: Table, figures: Figures, sort: Sort, sample: str, *, back: bool) -> tuple[int, ...]:
    """Return all rows in order: numbers the worst first, what has none always last, and what is equal in graph order."""
    rows = range(len(table.rows))
    if sort == "sample" and sample not in table.samples:
        sort = "graph"
    keys: Any  # by row, of one kind: numbers, words or pairs
    high = False
    match sort:
        case "worst" | "mean":
            keys, high = figures.worst if sort == "worst" else figures.mean, not figures.low_is_bad
        case "sample":
            keys, high = figures.columns[table.samples.index(sample)] or (None,) * len(rows), not figures.low_is_bad
        case "name" | "type":
            keys = [(row.name if sort == "name" else row.op).casefold() for row in table.rows]
        case "bits":
            keys = [None if row.feature_bits is None else (row.feature_bits, row.weight_bits or 0) for row in table.rows]
        case _:
            return tuple(reversed(rows)) if back else tuple(rows)
    known = sorted((row for row in rows if keys[row] is not None), key=lambda row: keys[row], reverse=high != back)
    return (*known, *(row for row in rows if keys[row] is None))


def _finder(values: Callable[[str], Sequence[Value]], row: int) -> Callable[[str], Value]:
    return lambda column: values(column)[row]


def _values(table: Table, shown: Figures) -> Callable[[str], Sequence[Value]]:
    """Return a function from the name of a column to its values by row, each made when it is first asked for."""
    made: dict[str, Sequence[Value]] = {"worst": shown.worst, "mean": shown.mean}

    def column(name: str) -> Sequence[Value]:
        if name not in made:
            made[name] = _column(table, name)
        return made[name]

    return column


_FIELDS = {"bits": "feature_bits", "wbits": "weight_bits", "type": "op"}


def _column(table: Table, name: str) -> Sequence[Value]:
    measure = next((each for each in fg.MEASURES if each.key == name), None)
    if measure is not None:
        found = fg.figures(table, measure)
        return [mean if worst is None else worst for worst, mean in zip(found.worst, found.mean, strict=True)]
    if name == "method":
        return [row.method if row.quantized else "float" for row in table.rows]
    return [getattr(row, _FIELDS.get(name, name)) for row in table.rows]
