"""The room of mixed widths: units with what is asked for them and what they get, which of them are shown and marked, what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import msgspec

from magik_tui import events as ev
from magik_tui.core.filtering import Columns, Filter, Value, parse
from magik_tui.core.live import NOTHING, Choice, FilesChanged, Live
from magik_tui.core.places import PaneChosen
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on, walked

PER_BIT = 4.0  # a bit more is a quarter of the noise power, 6.02 dB
COLUMNS = Columns(("cos", "worst", "alone", "bits", "got", "weights", "cost"), ("name", "type"))
EVERYTHING = Filter()
SHARED = "it keeps the levels of what it reads"


class Unit(msgspec.Struct, frozen=True):
    """Layers whose widths are tied; `name` leads, `work` is what a cost is of.

    What the configuration asks for: `feature_bits`, `weight_bits` (None without weights), `min` and `max`; `skipped` says why it keeps the
    unit in float, "" where it does not.
    """

    name: str
    op: str = ""
    nodes: tuple[str, ...] = ()
    macs: int = 0
    work: int = 0
    feature_bits: int | None = None
    weight_bits: int | None = None
    min: float | None = None
    max: float | None = None
    skipped: str = ""


class Units(msgspec.Struct, frozen=True):
    """The answer to `units`; `widths` maps legal widths to the cost of a multiply-accumulate, `weights` are those of weights."""

    units: tuple[Unit, ...] = ()
    widths: dict[str, float] = {}
    weights: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bits:
    """The slice of this room.

    `shown` are the places of the units that fit the `filter`: they stay while widths change, until the filter is typed anew. `marked` are
    the units that keys act on. `noise` is the local noise over signal of each layer and `output` that of the output when nothing was
    changed: predictions start there. `old` says that the files changed since the units were asked for.
    """

    units: tuple[Unit, ...] | None = None
    widths: tuple[int, ...] = ()
    costs: dict[int, float] = field(default_factory=dict)
    weights: tuple[int, ...] = ()
    cursor: int = 0
    filter: Filter = EVERYTHING
    shown: tuple[int, ...] = ()
    marked: frozenset[str] = frozenset()
    noise: dict[str, float] = field(default_factory=dict)
    output: float | None = None
    base: dict[str, int] = field(default_factory=dict)
    asked: bool = False
    old: bool = False

    @property
    def chosen(self) -> Unit | None:
        """The unit under the cursor."""
        return self.units[self.cursor] if self.units and self.cursor in self.shown else None

    @property
    def place(self) -> int:
        """The row of the cursor among those shown."""
        return self.shown.index(self.cursor) if self.cursor in self.shown else 0

    @property
    def seen(self) -> tuple[Unit, ...]:
        """The units that are shown."""
        return tuple(self.units[i] for i in self.shown) if self.units else ()

    @property
    def acted(self) -> tuple[Unit, ...]:
        """The units that a key changes: those marked, else all that a filter shows, else the one under the cursor."""
        marked = tuple(u for u in self.seen if u.name in self.marked)
        return marked or (self.seen if self.filter.terms else (self.chosen,) if self.chosen else ())


class BitsSeen(ev.Event, frozen=True):
    """The widths are in sight: they shall be there."""


class UnitMoved(ev.Event, frozen=True):
    """The cursor goes `by` rows down, or `to` a row."""

    by: int = 0
    to: int | None = None


class UnitsFiltered(ev.Event, frozen=True):
    """Only the units that fit this text are to be shown; "" shows all."""

    text: str


class Marked(ev.Event, frozen=True):
    """The unit under the cursor is marked, or no longer; of all that are shown, "bad" marks those worse than the border and "all" every
    one, or none where some are marked."""

    which: str = ""


def ask_units(state: State) -> Step:
    """Ask what units there are and what the files ask for them."""
    state = state.put(replace(state.of(Bits), asked=True, old=False))
    fields = {"set": list(state.settings)} if state.settings else {}
    return ask(state, "units", fields, then=_units, value=Units, label="widths")


def _units(state: State, reply: Reply) -> Step:
    bits = replace(state.of(Bits), asked=False)
    if reply.failed:
        return state.put(replace(bits, units=bits.units or ())).noted("error", reply.error), ()
    if not reply.done:
        return state, ()
    costs = {int(w): c for w, c in reply.said.widths.items()}
    units, known = reply.said.units, tuple(unit.name for unit in bits.units or ())
    same = known == tuple(unit.name for unit in units)
    bits = replace(bits, units=units, widths=tuple(sorted(costs)), costs=costs, weights=reply.said.weights)
    state = _noted(state.put(bits))
    return (state if same else _followed(_shown(state, bits.filter))), ()


def _shown(state: State, found: Filter) -> State:
    """Return the state with only the units that fit in sight, and the cursor on one of them."""
    bits = state.of(Bits)
    places = {row.name: i for i, row in enumerate(state.table.rows)}
    total = sum(u.work for u in bits.units or ()) or 1

    def fits(unit: Unit) -> bool:
        words = (unit.name.casefold(), unit.op.casefold())
        return found.fits(words, lambda column: _value(state, unit, places.get(unit.name), column, total))

    shown = tuple(i for i, unit in enumerate(bits.units or ()) if fits(unit))
    near = min(shown, key=lambda i: abs(i - bits.cursor), default=0)
    return state.put(replace(bits, filter=found, shown=shown, cursor=near))


def _value(state: State, unit: Unit, place: int | None, column: str, total: int) -> Value:
    """Return what a unit has in a column of the filter; `place` is the row of its leading layer, `total` the work of all units."""
    row = state.table.rows[place] if place is not None else None
    match column:
        case "name":
            return unit.name
        case "type":
            return unit.op
        case "bits":
            return None if skipped(state, unit) else float(asked_bits(state, unit))
        case "weights":
            return asked_weights(state, unit)
        case "cost":
            return unit.work / total
        case "got":
            return row.feature_bits if row else None
        case "alone":
            return row.local_cosine if row else None
        case "worst":
            return state.table.worst[place] if place is not None else None
        case _:
            return state.table.mean(place) if place is not None else None


@on(UnitsFiltered)
def _filtered(state: State, event: UnitsFiltered) -> Step:
    found, bits = parse(event.text, COLUMNS), state.of(Bits)
    if found.trouble:  # what is shown stays until it makes sense
        return state.put(replace(bits, filter=replace(bits.filter, text=found.text, trouble=found.trouble))), ()
    return _shown(state, found), ()


def _followed(state: State) -> State:
    """Return the state with the cursor on the unit of the layer that other panes show: keys change what one was looking at."""
    bits = state.of(Bits)
    if state.cursor >= len(state.table.rows) or not bits.units:
        return state
    name = state.table.rows[state.cursor].name
    if bits.chosen is not None and name in (bits.chosen.name, *bits.chosen.nodes):
        return state
    place = next((i for i in bits.shown if name in (bits.units[i].name, *bits.units[i].nodes)), None)
    return state if place is None else state.put(replace(bits, cursor=place))


@on(PaneChosen)
def _pane_chosen(state: State, event: PaneChosen) -> Step:
    return (_followed(state), ()) if event.pane == "bits" else (state, ())


def _noted(state: State) -> State:
    """Remember what the network does while nothing is changed."""
    bits = state.of(Bits)
    if state.of(Live).plan or not state.table.complete:
        return state
    noise = {r.name: 2 * (1 - r.local_cosine) for r in state.table.rows if r.local_cosine is not None}
    found = [o.cosine_avg for o in state.outputs if o.cosine_avg is not None]
    base = {r.name: r.feature_bits for r in state.table.rows if r.feature_bits is not None}
    return state.put(replace(bits, noise=noise, output=2 * (1 - min(found)) if found else None, base=base))


def choice_of(state: State, unit: Unit) -> Choice:
    """Return what is changed for a unit now."""
    return state.of(Live).plan.get(unit.name, NOTHING)


def asked_bits(state: State, unit: Unit) -> int:
    """Return the width that is asked for a unit now."""
    return _asked(unit, choice_of(state, unit))


def _asked(unit: Unit, choice: Choice) -> int:
    return choice.feature_bits or unit.feature_bits or 8


def asked_weights(state: State, unit: Unit) -> int | None:
    """Return the width that is asked for the weights of a unit now, None where it has none."""
    return None if unit.weight_bits is None else choice_of(state, unit).weight_bits or unit.weight_bits


def asked_range(state: State, unit: Unit) -> tuple[float | None, float | None]:
    """Return the ends of the range that are given to a unit now; None is calibrated."""
    choice = choice_of(state, unit)
    return unit.min if choice.min is None else choice.min, unit.max if choice.max is None else choice.max


def skipped(state: State, unit: Unit) -> bool:
    """Tell whether a unit is kept in float, by what is changed or by the configuration."""
    return _skipped(unit, choice_of(state, unit))


def _skipped(unit: Unit, choice: Choice) -> bool:
    return bool(unit.skipped) if choice.skip is None else choice.skip


def why(state: State, unit: Unit, place: int | None) -> str:
    """Return why a unit, whose leading layer is at a `place` of the table, is not as it is asked to be; "" where it is."""
    row = state.table.rows[place] if place is not None else None
    if row is None:
        return "it is not in the table" if state.table.rows else ""
    if skipped(state, unit):
        return "" if not row.quantized else _waiting(state)
    if not row.quantized:
        return _waiting(state) if state.stale and unit.skipped else row.reason or "it is in float"
    weights = asked_weights(state, unit)
    if row.feature_bits == asked_bits(state, unit) and (weights is None or row.weight_bits in (None, weights)):
        return ""
    return _waiting(state) or (SHARED if row.method == "SHARED" else "the table is not of this plan")


def _waiting(state: State) -> str:
    if not state.stale:
        return ""
    return "it is being run" if state.of(Live).auto else "not run yet: Enter runs it"


def cost(state: State) -> tuple[float, float]:
    """Return the cost of all units relative to 8 bits everywhere, and that of the widest everywhere; float counts as the widest."""
    bits, plan = state.of(Bits), state.of(Live).plan
    units = bits.units or ()
    total = sum(u.work for u in units) or 1
    widest = max(bits.costs.values(), default=1.0)
    eight = bits.costs.get(8, 1.0)

    def each(unit: Unit) -> float:
        choice = plan.get(unit.name, NOTHING)
        return widest if _skipped(unit, choice) else bits.costs.get(_asked(unit, choice), eight)

    return sum(u.work * each(u) for u in units) / total / eight, widest / eight


def predicted(state: State) -> float | None:
    """Return the output's cosine as noise powers that add would have it; None where nothing is known to start from."""
    bits, plan = state.of(Bits), state.of(Live).plan
    if bits.output is None or not bits.noise:
        return None
    before = now = 0.0
    for unit in bits.units or ():
        noise, base = bits.noise.get(unit.name), bits.base.get(unit.name)
        if noise is None or base is None:
            continue
        before += noise
        choice = plan.get(unit.name, NOTHING)
        now += 0.0 if _skipped(unit, choice) else noise * PER_BIT ** (base - _asked(unit, choice))
    return 1 - bits.output * (now / before) / 2 if before else None


@on(BitsSeen)
def _seen(state: State, event: BitsSeen) -> Step:
    bits = state.of(Bits)
    return (state, ()) if bits.asked or bits.units is not None else ask_units(state)


@on(FilesChanged)
def _files(state: State, event: FilesChanged) -> Step:
    return state.put(replace(state.of(Bits), old=True)), ()


@on(ev.RunEnded)
def _ended(state: State, event: ev.RunEnded) -> Step:
    bits = state.of(Bits)
    if not event.ok or bits.units is None:
        return state, ()
    state = _noted(state)
    return ask_units(state) if bits.old or not (event.live or state.of(Live).plan) else (state, ())


@on(UnitMoved)
def _moved(state: State, event: UnitMoved) -> Step:
    bits = state.of(Bits)
    if bits.shown:
        state = state.put(replace(bits, cursor=bits.shown[walked(bits.place, len(bits.shown), event.by, event.to)]))
    chosen = state.of(Bits).chosen
    row = state.table.find(chosen.name) if chosen else None
    return state, ((ev.MovedTo(row),) if row is not None else ())


@on(Marked)
def _marked(state: State, event: Marked) -> Step:
    bits = state.of(Bits)
    if event.which:
        rows = {r.name: i for i, r in enumerate(state.table.rows)}
        bad = event.which == "bad"
        found = frozenset(u.name for u in bits.seen if not bad or (u.name in rows and state.table.bad(rows[u.name])))
        return state.put(replace(bits, marked=frozenset() if bits.marked else found)), ()
    if bits.chosen is None:
        return state, ()
    return state.put(replace(bits, marked=bits.marked ^ {bits.chosen.name})), (UnitMoved(1),)
