"""The units of mixed widths as lines: what they cost and do together, the front of a search, a row for each; and as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import PurePath

from magik_tui.core.bits import (
    Bits,
    Unit,
    asked_bits,
    asked_range,
    asked_weights,
    choice_of,
    cost,
    predicted,
    skipped,
    why,
)
from magik_tui.core.live import NOTHING, Live
from magik_tui.core.sensing import Sensing
from magik_tui.core.state import State
from magik_tui.core.tuning import Tuned
from magik_tui.core.widths import acted_on
from magik_tui.numerals import fixed, short
from magik_tui.sheets import Sheet
from magik_tui.text import clean, cut, fit
from magik_tui.widgets.ink import Line, Role
from magik_tui.wire import Row

BAR = 20
WIDE = 68  # from this width on there is room for what a unit does to the output


def _pair(feature: str, weights: int | None) -> str:
    return f"{feature}/{weights}" if weights is not None else feature


def _asked(state: State, unit: Unit) -> str:
    return "float" if skipped(state, unit) else _pair(str(asked_bits(state, unit)), asked_weights(state, unit))


def _got(row: Row | None) -> str:
    return "-" if row is None else "float" if row.feature_bits is None else _pair(str(row.feature_bits), row.weight_bits)


def _sensed(state: State, room: int) -> bool:
    return bool(state.of(Sensing).units) and room >= WIDE


@dataclass(frozen=True, slots=True)
class Sight:
    """A state, with what many rows need of it: the place of each layer in the table, and the work of all units."""

    state: State
    places: dict[str, int]
    total: int

    @property
    def bits(self) -> Bits:
        """The units."""
        return self.state.of(Bits)


def sight(state: State, before: Sight | None = None) -> Sight:
    """Return what rows are drawn from; what did not change since `before` is not counted anew."""
    units = state.of(Bits).units or ()
    same = before is not None and before.state.table is state.table
    places = before.places if before is not None and same else {row.name: i for i, row in enumerate(state.table.rows)}
    counted = before is not None and before.bits.units is state.of(Bits).units
    total = before.total if before is not None and counted else sum(u.work for u in units) or 1
    return Sight(state, places, total)


def table_head(state: State | None, room: int) -> Line:
    """Return the names of the columns."""
    at_out = "  at out" if state is not None and _sensed(state, room) else ""
    return ((fit(f"   asked   got   cosine    alone{at_out}   cost  unit", room), "head"),)


def unit_line(seen: Sight, index: int, room: int, cursor: int | None) -> Line:
    """Return the row `index` of the units that are shown; `cursor` is the row of the cursor."""
    state, bits = seen.state, seen.bits
    if index >= len(bits.shown) or not bits.units:
        return ()
    unit = bits.units[bits.shown[index]]
    place = seen.places.get(unit.name)
    row = state.table.rows[place] if place is not None else None
    changed = choice_of(state, unit) != NOTHING
    reason = why(state, unit, place)
    mark = ("*" if unit.name in bits.marked else " ") + ("~" if changed else " ")
    mean = fixed(state.table.mean(place) if place is not None else None)
    alone = fixed(row.local_cosine if row else None)
    share = f"{100 * unit.work / seen.total:5.1f}%"
    found = state.of(Sensing).units.get(unit.name)
    at_out = f"{fixed(found.at(asked_bits(state, unit)) if found else None):>8}" if _sensed(state, room) else ""
    more = f" +{len(unit.nodes) - 1}" if len(unit.nodes) > 1 else ""
    differs = "!" if reason else " "
    text = f"{mark} {_asked(state, unit):>5}{differs}{_got(row):>5} {mean:>8} {alone:>8}{at_out} {share}  "
    role: Role = "cursor" if index == cursor else "strong" if changed else "text"
    name = f"{clean(unit.name)}{more}  {clean(unit.op)}{_ends(state, unit)}"
    return ((text, role), (fit(cut(name, max(0, room - len(text))), max(0, room - len(text))), role))


def _ends(state: State, unit: Unit) -> str:
    low, high = asked_range(state, unit)
    return f"  [{short(low)}, {short(high)}]" if low is not None or high is not None else ""


def foot_line(state: State, width: int) -> Line:
    """Return which units keys change, and of the one under the cursor why it is not as it is asked to be, or what it consists of."""
    bits = state.of(Bits)
    unit = bits.chosen
    if unit is None:
        return ((fit("No unit fits the filter." if bits.units else "", width), "dim"),)
    place = state.table.find(unit.name)
    reason = why(state, unit, place)
    acts = f"keys change {acted_on(bits)}" if bits.filter.terms or bits.marked else ""
    if reason:
        text = f"{_asked(state, unit)} asked, {_told_got(state, place)}: {reason}"
    elif skipped(state, unit):
        text = f"in float: {unit.skipped if choice_of(state, unit).skip is None else 'kept so here'}"
    elif len(unit.nodes) > 1:
        text = f"with it go {', '.join(unit.nodes[1:])}"
    else:
        text = ""
    said = ".  ".join(filter(None, (acts, clean(text))))
    return ((fit(cut(said, width), width), "warn" if reason else "dim"),)


def _told_got(state: State, place: int | None) -> str:
    return f"got {_got(state.table.rows[place])}" if place is not None else "nothing got"


def front_lines(found: Tuned | None, width: int, most: int) -> tuple[Line, ...]:
    """Return the front of the last search as a plot of text: a line per plan, the bar is what its cosine lacks, logarithmic."""
    if found is None or not found.front:
        return ()
    points = found.front if len(found.front) < most else found.front[: most - 1]
    name = {"sqnr": "SQNR dB", "cosine_min": "  worst"}.get(found.metric, " cosine")
    lines: list[Line] = [((fit(f"    cost  {name}  what it lacks, logarithmic   units x widths", width), "head"),)]
    for point in points:
        mark = ">" if point == found.chosen else " "
        value = point.of(found.metric)
        lack = max(1e-6, _lack(value, found.metric))
        bar = "#" * max(1, min(BAR, round(BAR * (1 + math.log10(lack) / 5))))
        counts = " ".join(f"{n}x{w}" for w, n in sorted(point.counts.items(), key=lambda each: int(each[0])))
        figure = fixed(value, 2 if found.metric == "sqnr" else 5)
        text = f"{mark} {point.cost:6.4f}  {figure:>7}  {bar:<{BAR}}  {counts} bits"
        lines.append(((fit(text, width), "strong" if mark == ">" else "text"),))
    return tuple(lines)


def _lack(value: float | None, metric: str) -> float:
    """Return what a figure lacks to the float network, as a cosine has it: noise leaves half of its power over that of the signal."""
    if value is None:
        return 1.0
    return min(1.0, 10 ** (-value / 10) / 2) if metric == "sqnr" else 1 - value


def head_lines(state: State, width: int) -> tuple[Line, ...]:
    """Return the cost bar, and the output's cosine as predicted and as measured."""
    bits, live = state.of(Bits), state.of(Live)
    if bits.units is None:
        return ((("Reading the widths.", "dim"),),)
    if not bits.units:
        return ((("No layer can be integer: nothing to choose.", "dim"),),)
    now, most = cost(state)
    full = round(BAR * min(1.0, now / most))
    changed = f"  {len(live.plan)} changed" if live.plan else ""
    wait = "" if live.auto else "  changes wait for Enter"
    bar, said_cost = f" {'#' * full}{'.' * (BAR - full)}", f"cost {now:.3f} of {most:g}"
    ways = ((bar, changed, wait, "  (1 is 8 bits everywhere)"), (bar, changed, wait), (changed, wait), (changed,))
    first = next((said for way in ways if len(said := said_cost + "".join(way)) <= width), said_cost)
    measured = min((o.cosine_avg for o in state.outputs if o.cosine_avg is not None), default=None)
    older = " (older than the plan)" if state.stale else ""
    layers = f"{live.recomputed} layer{'' if live.recomputed == 1 else 's'}"
    ran = f"  {layers} computed in {live.seconds:.2f} s" if live.recomputed is not None and not state.stale else ""
    figures = f"cosine predicted {fixed(predicted(state))}  measured {fixed(measured)}{older}"
    second = next((said for said in (f"output {figures}{ran}", f"{figures}{ran}") if len(said) <= width), f"output {figures}")
    return ((fit(first, width), "strong"),), ((fit(second, width), "text"),)


def units_sheet(state: State) -> Sheet:
    """Return the units that are shown as a table, with all that is known of each."""
    bits = state.of(Bits)
    seen = sight(state)
    heads = (
        "unit", "type", "asked feature bits", "asked weight bits", "got feature bits", "got weight bits", "why", "mean cosine",
        "worst cosine", "local cosine", "cosine at output alone", "gain in float", "work", "share of work", "MIN", "MAX",
        "changed", "layers",
    )  # fmt: skip
    return Sheet(
        heads, tuple(_cells(seen, unit) for unit in bits.seen), bits.place, 2, frozenset((7, 8, 9, 10)),
        f"{PurePath(state.project).name} widths",
    )  # fmt: skip


def _cells(seen: Sight, unit: Unit) -> tuple[str | float | int | None, ...]:
    state, place = seen.state, seen.places.get(unit.name)
    row = state.table.rows[place] if place is not None else None
    found = state.of(Sensing).units.get(unit.name)
    low, high = asked_range(state, unit)
    return (
        unit.name, unit.op, "float" if skipped(state, unit) else asked_bits(state, unit), asked_weights(state, unit),
        None if row is None else row.feature_bits if row.feature_bits is not None else "float", row.weight_bits if row else None,
        why(state, unit, place), state.table.mean(place) if place is not None else None,
        state.table.worst[place] if place is not None else None,
        row.local_cosine if row else None, found.at(asked_bits(state, unit)) if found else None, found.gain if found else None,
        unit.work, unit.work / seen.total, low, high, "yes" if choice_of(state, unit) != NOTHING else None, " ".join(unit.nodes),
    )  # fmt: skip
