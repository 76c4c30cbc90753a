"""The table of layers by samples as a value: it grows by one column per measured sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from magik_tui.levels import BAD, BROKEN, HEALTHY
from magik_tui.wire import Document, Layers, Output, Row, Sample

Column = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in graph order and, per sample, the column of their cosines.

    `columns[s]` is None until sample `s` is measured; then it has one entry per row, None where no cosine exists. `worst`,
    `total` and `count` are per row, over the samples measured so far. `said` holds what a run that goes on said of each sample, by layer.
    `complete` says that the run came to its end, `regular` that all rows have their samples in the order of the columns, or none.
    """

    rows: tuple[Row, ...] = ()
    samples: tuple[str, ...] = ()
    columns: tuple[Column | None, ...] = ()
    worst: Column = ()
    total: tuple[float, ...] = ()
    count: tuple[int, ...] = ()
    said: tuple[Mapping[str, Mapping[str, float | None]] | None, ...] = ()
    complete: bool = False
    regular: bool = False

    def mean(self, row: int) -> float | None:
        """Return the mean cosine of `row` over the measured samples."""
        if self.complete and self.rows[row].cosine_avg is not None:
            return self.rows[row].cosine_avg
        return self.total[row] / self.count[row] if self.count[row] else None

    def cell(self, row: int, sample: int) -> float | None:
        """Return the cosine of `row` on `sample`, None while (or where) there is none."""
        if not 0 <= sample < len(self.columns):
            return None
        column = self.columns[sample]
        return None if column is None else column[row]

    @property
    def measured(self) -> int:
        """How many samples have been measured."""
        return sum(column is not None for column in self.columns)

    def find(self, name: str) -> int | None:
        """Return the row of the layer called `name`."""
        return next((i for i, row in enumerate(self.rows) if row.name == name), None)

    @property
    def any_bad(self) -> bool:
        """Whether some row is below that border."""
        return any(map(self.bad, range(len(self.rows))))

    def bad(self, row: int) -> bool:
        """Tell whether the worst cosine of `row` is below the border where a layer is worth a look."""
        worst = self.worst[row]
        return worst is not None and worst < BAD


def from_layers(said: Layers) -> Table:
    """Return the table of a run that has just begun: rows known, nothing measured."""
    rows, nothing = said.rows, (None,) * len(said.rows)
    unknown = (None,) * len(said.samples)
    return Table(rows, said.samples, unknown, nothing, (0.0,) * len(rows), (0,) * len(rows), unknown)


def with_sample(table: Table, said: Sample) -> Table:
    """Return `table` with the column of one measured sample; an index it has no column for changes nothing."""
    if not 0 <= said.index < len(table.columns) or table.columns[said.index] is not None:
        return table
    metrics = said.metrics
    column = tuple(metrics.get(row.name, {}).get("cosine") for row in table.rows)
    worst = tuple(w if c is None else c if w is None or c < w else w for w, c in zip(table.worst, column, strict=True))
    total = tuple(t if c is None else t + c for t, c in zip(table.total, column, strict=True))
    count = tuple(n if c is None else n + 1 for n, c in zip(table.count, column, strict=True))
    at, after = said.index, said.index + 1
    columns = table.columns[:at] + (column,) + table.columns[after:]
    return replace(table, columns=columns, worst=worst, total=total, count=count, said=table.said[:at] + (metrics,) + table.said[after:])


def from_document(document: Document, samples: tuple[str, ...]) -> Table:
    """Return the table of a finished run; `samples` gives the order of the columns where it names them all."""
    found = dict.fromkeys(score.sample for row in document.nodes for score in row.samples)
    names = samples if set(found) <= set(samples) else tuple(found)
    regular = [not row.samples or tuple([score.sample for score in row.samples]) == names for row in document.nodes]
    cells = [_cosines(row, names, regular=same) for row, same in zip(document.nodes, regular, strict=True)]
    known = [[cosine for cosine in row if cosine is not None] for row in cells]
    worst = (min(each, default=None) for each in known)
    return Table(
        rows=document.nodes,
        samples=names,
        columns=tuple(zip(*cells, strict=True)) if cells else ((),) * len(names),
        worst=tuple(w if row.cosine_min is None else row.cosine_min for row, w in zip(document.nodes, worst, strict=True)),
        total=tuple(map(sum, known)),
        count=tuple(map(len, known)),
        complete=True,
        regular=all(regular),
    )


def _cosines(row: Row, names: tuple[str, ...], *, regular: bool) -> Column:
    """Return the cosines of a row in the order of `names`, which is nearly always that of the row: it is `regular`."""
    if regular and row.samples:
        return tuple([score.cosine for score in row.samples])
    score = {score.sample: score.cosine for score in row.samples}
    return tuple(score.get(name) for name in names)


def next_bad(table: Table, row: int, step: int) -> int | None:
    """Return the nearest bad row after (`step` 1) or before (-1) `row`, going round the ends."""
    size = len(table.rows)
    return next((r for r in ((row + step * k) % size for k in range(1, size + 1)) if table.bad(r)), None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the table says about the model.

    `mark` is "+", "~" or "x"; `word` is empty where the count says it all: `low` of `known` layers are below 0.98. `advice` is what to
    look at next.
    """

    mark: str
    word: str
    advice: str = ""
    low: int = 0
    known: int = 0


RULES = (
    ("+ healthy", "every layer is above 0.99, on every sample"),
    ("+ good", "some are not, but none falls below 0.98"),
    ("~", "some layers fall below 0.98: how many is said instead of a word"),
    ("x debug", "the mean output cosine is below 0.98"),
    ("x bad", "it is below 0.95, or the first layer is below 0.99"),
)
"""The words of `judge` and when they are said, best first."""


def unquantized(table: Table) -> bool:
    """Tell whether the rows are known and none of them is quantized: there is nothing to judge."""
    return bool(table.rows) and not any(row.quantized for row in table.rows)


def judge(table: Table, outputs: tuple[Output, ...]) -> Verdict | None:
    """Return the verdict on a complete table, None on one that is not: the workflow's published rules, worst first."""
    known = [worst for worst in table.worst if worst is not None]
    if not table.complete or not known or unquantized(table):
        return None
    low = sum(worst < BAD for worst in known)
    last = min((o.cosine_avg for o in outputs if o.cosine_avg is not None), default=known[-1])
    if known[0] < HEALTHY:
        return Verdict("x", "bad", "the first layer is below 0.99: check colour order, mean and normal", low=low, known=len(known))
    if last < BROKEN:
        return Verdict("x", "bad", "find where it drops", low=low, known=len(known))
    if last < BAD:
        return Verdict("x", "debug", "find where it drops", low=low, known=len(known))
    if low:
        return Verdict("~", "", low=low, known=len(known))
    if any(worst < HEALTHY for worst in known):
        return Verdict("+", "good", "no layer falls below 0.98", low=low, known=len(known))
    return Verdict("+", "healthy", "every layer is above 0.99", low=low, known=len(known))
