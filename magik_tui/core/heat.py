"""The room of the heatmap: which figures it shows, in which order, of which layers, and against which earlier run.

The cursor is that of the state, a row in graph order: it stays on its layer whatever the order is. What is shown follows from the state
by `view`, which remembers its last answers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec

from magik_tui import events as ev
from magik_tui import figures as fg
from magik_tui import table as tb
from magik_tui.core.commands import Command, offers
from magik_tui.core.filtering import Filter, begun, parse
from magik_tui.core.history import History, Whole
from magik_tui.core.session import keeps
from magik_tui.core.state import State, Step, on, walked
from magik_tui.figures import Figures, Measure, Metric, remembered
from magik_tui.table import Table
from magik_tui.viewing import COLUMNS, EVERYTHING, SORTS, Sort, View, view_of


@dataclass(frozen=True, slots=True)
class Heat:
    """The slice of this room.

    `sort` is a column, "sample" that of the sample called `sample`; `back` turns the order round. `filter` is what stands in its line.
    `against` says that the difference to the run of `History` is shown. `home` are the layer that the filter has hidden from the cursor
    and the one it went to instead.
    """

    metric: Metric = "cosine"
    local: bool = False
    sort: Sort = "graph"
    sample: str = ""
    back: bool = False
    filter: Filter = EVERYTHING
    against: bool = False
    home: tuple[str, str] = ("", "")

    @property
    def measure(self) -> Measure:
        """The figures that are shown."""
        return fg.measure_of(self.metric, local=self.local)


class FilterTyped(ev.Event, frozen=True):
    """This stands in the line of the filter; `done` says that nobody types on."""

    text: str
    done: bool = False


class SortAsked(ev.Event, frozen=True):
    """The next column orders the layers; or `sort` does."""

    sort: str = ""


class TurnAsked(ev.Event, frozen=True):
    """The order is turned round."""


class MeasureAsked(ev.Event, frozen=True):
    """The next metric is shown; or `metric` is."""

    metric: str = ""


class LocalAsked(ev.Event, frozen=True):
    """Figures of each layer alone are shown instead of those of the whole network, or these again."""


class RowMoved(ev.Event, frozen=True):
    """The cursor goes `by` rows down as they are shown; `to` is a place counted from the top, or with -1 the last one."""

    by: int = 0
    to: int | None = None


class BadMoved(ev.Event, frozen=True):
    """The cursor goes to the next (`step` 1) or previous (-1) layer that is worth a look by what is shown."""

    step: int


def view(state: State) -> View:
    """Return what the heatmap shows of `state`."""
    heat = state.of(Heat)
    return view_of(state.table, shown_figures(state), heat.sort, heat.sample, heat.back, heat.filter)


def shown_figures(state: State) -> Figures:
    """Return the figures that are shown, or their difference to those of the other run."""
    heat, other = state.of(Heat), state.of(History).other
    now = fg.figures(state.table, heat.measure)
    if not heat.against or other is None:
        return now
    before = _table(other, state.table.samples)
    return fg.differences(now, fg.figures(before, heat.measure), state.table, before)


@remembered(2)
def _table(run: Whole, samples: tuple[str, ...]) -> Table:
    return tb.from_document(run.document, samples)


# What the user does


@on(FilterTyped)
def _typed(state: State, event: FilterTyped) -> Step:
    found = parse(event.text, COLUMNS)
    narrowed = state.put(replace(state.of(Heat), filter=found))
    less = None if event.done or view(narrowed).order else begun(found, COLUMNS)
    return _settled(narrowed if less is None else state.put(replace(state.of(Heat), filter=less))), ()


def _settled(state: State) -> State:
    """Keep the cursor on its layer; where the filter hides that, it goes to the nearest one below, and comes back when it can."""
    heat, rows = state.of(Heat), state.table.rows
    if not rows:
        return state
    here = rows[state.cursor].name
    home = heat.home[0] if heat.home[1] == here else here
    seen, row = view(state), state.table.find(home)
    row = state.cursor if row is None else row
    if row in seen.places:
        return replace(state, cursor=row).put(replace(heat, home=("", "")))
    if not seen.order:
        return state
    found = next((each for each in sorted(seen.order) if each > row), seen.order[-1])
    return replace(state, cursor=found).put(replace(heat, home=(home, rows[found].name)))


@on(SortAsked)
def _sort(state: State, event: SortAsked) -> Step:
    heat, table = state.of(Heat), state.table
    sort = event.sort if event.sort in SORTS else SORTS[(SORTS.index(heat.sort) + 1) % len(SORTS)]
    sample = table.samples[state.column] if state.column < len(table.samples) else ""
    if sort == "sample" and not sample:
        sort = "name"
    return state.put(replace(heat, sort=sort, sample=sample if sort == "sample" else heat.sample, back=False)), ()


@on(TurnAsked)
def _turn(state: State, event: TurnAsked) -> Step:
    return state.put(replace(state.of(Heat), back=not state.of(Heat).back)), ()


@on(MeasureAsked)
def _measure(state: State, event: MeasureAsked) -> Step:
    heat = state.of(Heat)
    metric = event.metric if event.metric in fg.METRICS else fg.METRICS[(fg.METRICS.index(heat.metric) + 1) % len(fg.METRICS)]
    return state.put(replace(heat, metric=metric)), ()


@on(LocalAsked)
def _local(state: State, event: LocalAsked) -> Step:
    heat = replace(state.of(Heat), local=not state.of(Heat).local)
    state = state.put(heat)
    return (state.noted("info", "saturation is of each layer alone in any case") if heat.metric == "saturation" else state), ()


@on(RowMoved)
def _moved(state: State, event: RowMoved) -> Step:
    seen = view(state)
    if not seen.order:
        return (state.noted("info", "no layer fits the filter of the heatmap") if seen.whole else state), ()
    at = seen.places.get(state.cursor)
    if at is None and event.to is None:
        place = _beside(state, seen, event.by)
    else:
        place = walked(at or 0, len(seen.order), event.by, event.to)
    return state, (ev.MovedTo(seen.order[place]),)


def _beside(state: State, seen: View, by: int) -> int:
    """Return the place of the nearest row that is shown, from a cursor whose row is not."""
    ranks = {row: rank for rank, row in enumerate(seen.whole)}
    after = bisect_left([ranks[row] for row in seen.order], ranks.get(state.cursor, 0))
    return max(0, min(after if by > 0 else after - 1, len(seen.order) - 1))


@on(BadMoved)
def _bad(state: State, event: BadMoved) -> Step:
    seen = view(state)
    if not seen.bad:
        return state.noted("info", seen.nothing_bad), ()
    size, at = len(seen.order), seen.places.get(state.cursor)
    if at is None:
        at = _beside(state, seen, event.step) - event.step
    row = next(r for r in (seen.order[(at + event.step * k) % size] for k in range(1, size + 1)) if r in seen.bad)
    return state, (ev.MovedTo(row),)


@offers
def _commands(state: State) -> Iterator[Command]:
    heat = state.of(Heat)
    for sort in SORTS:
        what = "in graph order" if sort == "graph" else f"by {'the sample at the cursor' if sort == 'sample' else sort}"
        reason = "they are" if sort == heat.sort != "sample" else ""
        yield Command(f"sort {sort}", f"Heatmap: layers {what}", SortAsked(sort), reason)
    for metric in fg.METRICS:
        yield Command(f"show {metric}", f"Heatmap: show {metric}", MeasureAsked(metric), "it is shown" if metric == heat.metric else "")


# What the next start finds again


class _Kept(msgspec.Struct, frozen=True):
    metric: Metric = "cosine"
    local: bool = False
    sort: Sort = "graph"
    sample: str = ""
    back: bool = False
    filter: str = ""


def _save(state: State) -> _Kept:
    heat = state.of(Heat)
    return _Kept(heat.metric, heat.local, heat.sort, heat.sample, heat.back, heat.filter.text)


def _load(state: State, kept: _Kept) -> State:
    return state.put(Heat(kept.metric, kept.local, kept.sort, kept.sample, kept.back, parse(kept.filter, COLUMNS)))


keeps("heat", _Kept, _save, _load)
