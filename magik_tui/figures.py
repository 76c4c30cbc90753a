"""What the heatmap shows of a table: one measure on every sample, its worst and mean, or how much those differ from another run's.

Pure. A `Measure` says where its numbers are and how they are judged: levels of loss 0 to 7 (`magik_tui.levels`), so that all measures
share colours and glyphs. A difference has steps -3 (much worse) to 3 (much better).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from magik_tui.levels import FLOORS
from magik_tui.table import Column, Table
from magik_tui.wire import Row

Metric = Literal["cosine", "sqnr", "saturation"]
METRICS: tuple[Metric, ...] = ("cosine", "sqnr", "saturation")
BAD_LEVEL = 4  # from this level on a layer is worth a look: a cosine below 0.98
BAD_STEP = -2  # the same of a difference
EXACT = 999.0  # the SQNR in dB that stands for no noise at all
DB_FLOORS = tuple(-10 * math.log10(1 / floor**2 - 1) for floor in FLOORS)  # the noise that leaves such a cosine: 27 to 2.5 dB
SHARES = (0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)  # of saturated values; above 1 % a layer is worth a look
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Measure:
    """One kind of figure. `cell` is its name in the worker's messages, `row` the field of a row with its mean over the samples.

    `bounds` part the levels; `low_is_bad` says on which side the loss is. `steps` part the steps of a difference; `unit` is what a shown
    number counts in (a cosine's difference is shown in thousandths where there is little room).
    """

    key: str
    title: str
    cell: str
    row: str
    bounds: tuple[float, ...]
    steps: tuple[float, float, float]
    bad: str
    low_is_bad: bool = True
    unit: float = 1.0

    @property
    def is_cosine(self) -> bool:
        """Whether its numbers are cosines."""
        return self.bounds is FLOORS

    def level(self, value: float) -> int:
        """Return the level of loss, 0 to 7."""
        for step, bound in enumerate(self.bounds):
            if value >= bound if self.low_is_bad else value <= bound:
                return step
        return len(self.bounds)

    def step(self, change: float) -> int:
        """Return the step of a difference: below zero it became worse."""
        size = sum(abs(change) >= least for least in self.steps)
        return size if (change > 0) == self.low_is_bad else -size


_COSINE_STEPS, _DB_STEPS = (0.0005, 0.005, 0.02), (0.5, 2.0, 6.0)
COSINE = Measure("cos", "cosine", "cosine", "cosine_avg", FLOORS, _COSINE_STEPS, "no layer below 0.98")
LOCAL = Measure(
    "local", "cosine, of each layer alone", "local_cosine", "local_cosine", FLOORS, _COSINE_STEPS, "no layer below 0.98 by itself"
)
SQNR = Measure("sqnr", "SQNR in dB", "sqnr_db", "sqnr_db", DB_FLOORS, _DB_STEPS, f"no layer below {DB_FLOORS[3]:.1f} dB")
LOCAL_SQNR = Measure(
    "lsqnr", "SQNR in dB, of each layer alone", "local_sqnr_db", "local_sqnr_db", DB_FLOORS, _DB_STEPS,
    f"no layer below {DB_FLOORS[3]:.1f} dB by itself",
)  # fmt: skip
SATURATION = Measure(
    "sat", "saturation in percent", "saturation", "saturation", SHARES, (0.0005, 0.005, 0.02),
    "no layer with more than 1 % of its values saturated", low_is_bad=False, unit=100.0,
)  # fmt: skip
MEASURES = (COSINE, LOCAL, SQNR, LOCAL_SQNR, SATURATION)


def measure_of(metric: Metric, *, local: bool) -> Measure:
    """Return the measure of a metric; saturation is of a layer alone anyway."""
    if metric == "cosine":
        return LOCAL if local else COSINE
    if metric == "sqnr":
        return LOCAL_SQNR if local else SQNR
    return SATURATION


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of one measure, as `Table` holds those of the cosine: `columns[s]` is None until sample `s` is measured.

    `levels` are per row: of a difference, the louder step of worst and mean; None where there is no value. `partners` says for a
    difference which rows the other run has, too.
    """

    measure: Measure
    columns: tuple[Column | None, ...]
    worst: Column
    mean: Column
    levels: tuple[int | None, ...]
    difference: bool = False
    partners: tuple[bool, ...] = ()

    def level(self, value: float) -> int:
        """Return the level of a value, or the step of a difference."""
        return self.measure.step(value) if self.difference else self.measure.level(value)

    def bad(self, row: int) -> bool:
        """Tell whether a row is worth a look."""
        level = self.levels[row]
        return level is not None and (level <= BAD_STEP if self.difference else level >= BAD_LEVEL)

    def comparable(self, row: int) -> bool:
        """Tell whether there is something to compare a row with; always where nothing is compared."""
        return not self.difference or self.partners[row]

    @property
    def nothing_bad(self) -> str:
        """What is said where no row is worth a look."""
        if not self.difference:
            return self.measure.bad
        unit = "" if self.measure.is_cosine else " %" if self.measure is SATURATION else " dB"
        return f"no layer became worse by {self.measure.steps[-BAD_STEP - 1] * self.measure.unit:g}{unit} or more"

    @property
    def low_is_bad(self) -> bool:
        """Whether small numbers are the worst."""
        return self.measure.low_is_bad

    @property
    def nothing_missing(self) -> bool:
        """Whether some measured sample has a number, or none is measured."""
        known = [column for column in self.columns if column is not None]
        return not known or not known[0] or any(value is not None for column in known for value in column)


def remembered(kept: int) -> Callable[[Callable[..., V]], Callable[..., V]]:
    """Let a pure function keep its last `kept` answers, found by the identity of its arguments: tables are too large to compare."""

    def wrap(function: Callable[..., V]) -> Callable[..., V]:
        answers: list[tuple[tuple[object, ...], V]] = []

        def answer(*arguments: object) -> V:
            for known, value in answers:
                if all(a is b or (isinstance(a, str | bool) and a == b) for a, b in zip(known, arguments, strict=True)):
                    return value
            value = function(*arguments)
            answers.insert(0, (arguments, value))
            del answers[kept:]
            return value

        return answer

    return wrap


@remembered(6)
def figures(table: Table, measure: Measure) -> Figures:
    """Return the figures of one measure."""
    if measure is COSINE:
        columns, worst, mean = table.columns, table.worst, tuple(map(table.mean, range(len(table.rows))))
    else:
        columns = _regular(table, measure) if table.complete and table.regular else _irregular(table, measure)
        known = [[v for v in values if v is not None] for values in zip(*filter(None, columns), strict=True)] or [[]] * len(table.rows)
        pick = min if measure.low_is_bad else max
        worst = tuple(pick(values, default=None) for values in known)
        if table.complete:
            mean = tuple(getattr(row, measure.row) for row in table.rows)
        else:
            mean = tuple(sum(values) / len(values) if values else None for values in known)
    return Figures(measure, columns, worst, mean, tuple(None if value is None else measure.level(value) for value in worst))


def _regular(table: Table, measure: Measure) -> tuple[Column | None, ...]:
    """Return the numbers of all samples of a finished run whose rows have them in the order of the columns."""
    size = len(table.samples)
    nothing = (None,) * size
    rows = [getattr(row.by_sample, measure.cell) for row in table.rows]
    return tuple(zip(*[numbers if len(numbers) == size else nothing for numbers in rows], strict=True)) if rows else ((),) * size


def _irregular(table: Table, measure: Measure) -> tuple[Column | None, ...]:
    return tuple(_column(table, sample, measure) for sample in range(len(table.samples)))


def _column(table: Table, sample: int, measure: Measure) -> Column | None:
    """Return the numbers of one sample: of the message about it while the run goes on, of the rows when it is complete."""
    if table.columns[sample] is None:
        return None
    if table.complete:
        return tuple([_cell(row, sample, table.samples[sample], measure) for row in table.rows])
    said = table.said[sample] if sample < len(table.said) else None
    return tuple([(said or {}).get(row.name, {}).get(measure.cell) for row in table.rows])


def _cell(row: Row, at: int, name: str, measure: Measure) -> float | None:
    """Return a row's number for the sample `name`, which is nearly always the one at place `at`."""
    if not (at < len(row.samples) and row.samples[at].sample == name):
        at = next((i for i, score in enumerate(row.samples) if score.sample == name), -1)
    numbers: Sequence[float | None] = getattr(row.by_sample, measure.cell)
    return numbers[at] if 0 <= at < len(numbers) else None


@remembered(2)
def differences(now: Figures, then: Figures, table: Table, before: Table) -> Figures:
    """Return how the figures of `table` differ from those of the run `before`; rows and samples are matched by their names."""
    places = {row.name: i for i, row in enumerate(before.rows)}
    at = [places.get(row.name) for row in table.rows]
    samples = {name: then.columns[i] for i, name in enumerate(before.samples)}
    columns = tuple(
        None if column is None else _changes(column, samples.get(name), at) for name, column in zip(table.samples, now.columns, strict=True)
    )
    worst, mean = _changes(now.worst, then.worst, at), _changes(now.mean, then.mean, at)
    steps = [[now.measure.step(v) for v in pair if v is not None] for pair in zip(worst, mean, strict=True)]
    levels = tuple(map(loudest, steps))
    return Figures(now.measure, columns, worst, mean, levels, True, tuple(place is not None for place in at))


def loudest(steps: Sequence[int]) -> int | None:
    """Return the step that is to be seen of several: the most negative one, or where nothing became worse the most positive one."""
    low = min(steps, default=None)
    return low if low is None or low < 0 else max(steps)


def _changes(now: Column, then: Column | None, at: Sequence[int | None]) -> Column:
    if then is None:
        return (None,) * len(now)
    pairs = ((value, None if place is None else then[place]) for value, place in zip(now, at, strict=True))
    return tuple([None if a is None or b is None else a - b for a, b in pairs])


def map_levels(levels: Sequence[int | None], slots: int, *, difference: bool) -> tuple[int | None, ...]:
    """Return the worst level of every slot when the rows are parted into `slots` (at most as many as rows); of a difference, the most
    negative step, or where nothing became worse the most positive one."""
    found: list[int | None] = []
    for slot in range(slots):
        part = [v for v in levels[slot * len(levels) // slots : (slot + 1) * len(levels) // slots] if v is not None]
        found.append(loudest(part) if difference else max(part, default=None))
    return tuple(found)
