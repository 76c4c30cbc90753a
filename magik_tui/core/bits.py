"""The room of mixed widths: units with what is asked for them, what it costs, and what it is predicted to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import msgspec

from magik_tui import events as ev
from magik_tui.core.asking import Prompt
from magik_tui.core.live import NOTHING, Choice, Live, PlanReset, PlanSet, plan_document
from magik_tui.core.places import PaneChosen
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on, walked

FARTHEST = 1e30  # what magik_node_quant_bit_info.json takes at most
PER_BIT = 4.0  # a bit more is a quarter of the noise power, 6.02 dB


class Unit(msgspec.Struct, frozen=True):
    """Layers whose widths are tied; `name` leads, `work` is what a cost is of, `feature_bits` what the configuration asks for."""

    name: str
    op: str = ""
    nodes: tuple[str, ...] = ()
    macs: int = 0
    work: int = 0
    feature_bits: int | None = None


class Units(msgspec.Struct, frozen=True):
    """The answer to `units`; `widths` maps legal widths to the cost of a multiply-accumulate."""

    units: tuple[Unit, ...] = ()
    widths: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class Bits:
    """The slice of this room.

    `marked` are the units that keys act on, the one under the cursor where there are none. `noise` is the local noise over signal of each
    layer and `output` that of the output when nothing was changed: predictions start there.
    """

    units: tuple[Unit, ...] | None = None
    widths: tuple[int, ...] = ()
    costs: dict[int, float] = field(default_factory=dict)
    cursor: int = 0
    marked: frozenset[str] = frozenset()
    noise: dict[str, float] = field(default_factory=dict)
    output: float | None = None
    base: dict[str, int] = field(default_factory=dict)
    asked: bool = False

    @property
    def chosen(self) -> Unit | None:
        """The unit under the cursor."""
        return self.units[self.cursor] if self.units and self.cursor < len(self.units) else None

    @property
    def acted(self) -> tuple[Unit, ...]:
        """The units that a key changes."""
        marked = tuple(u for u in self.units or () if u.name in self.marked)
        return marked or ((self.chosen,) if self.chosen else ())


class BitsSeen(ev.Event, frozen=True):
    """The widths are in sight: they shall be there."""


class UnitMoved(ev.Event, frozen=True):
    """The cursor goes `by` units down, or `to` a place."""

    by: int = 0
    to: int | None = None


class Marked(ev.Event, frozen=True):
    """The unit under the cursor is marked, or no longer; `every` marks all that are worse than the border, or none."""

    every: bool = False


class WidthAsked(ev.Event, frozen=True):
    """The chosen units get a width `step` steps up or down the chip's list, or `to` one."""

    step: int = 0
    to: int = 0


class SkipAsked(ev.Event, frozen=True):
    """The chosen units stay in float, or no longer."""


class RangeAsked(ev.Event, frozen=True):
    """The user wants to type a range for the unit under the cursor."""


class RangeTyped(ev.Event, frozen=True):
    """The unit under the cursor gets this range, two numbers as they were typed; one that is left out is calibrated."""

    text: str


class Dropped(ev.Event, frozen=True):
    """What was changed for the chosen units is dropped."""


class ApplyAsked(ev.Event, frozen=True):
    """The plan is to be written into the project's files."""


def _ask(state: State) -> Step:
    state = state.put(replace(state.of(Bits), asked=True))
    fields = {"set": list(state.settings)} if state.settings else {}
    return ask(state, "units", fields, then=_units, value=Units, label="widths")


def _units(state: State, reply: Reply) -> Step:
    bits = replace(state.of(Bits), asked=False)
    if reply.failed:
        return state.put(replace(bits, units=bits.units or ())).noted("error", reply.error), ()
    if not reply.done:
        return state, ()
    costs = {int(w): c for w, c in reply.said.widths.items()}
    units = reply.said.units
    bits = replace(bits, units=units, widths=tuple(sorted(costs)), costs=costs, cursor=min(bits.cursor, max(0, len(units) - 1)))
    return _followed(_noted(state.put(bits))), ()


def _followed(state: State) -> State:
    """Return the state with the cursor on the unit of the layer that other panes show: keys change what one was looking at."""
    bits = state.of(Bits)
    if state.cursor >= len(state.table.rows) or not bits.units:
        return state
    name = state.table.rows[state.cursor].name
    if bits.chosen is not None and name in (bits.chosen.name, *bits.chosen.nodes):
        return state
    place = next((i for i, unit in enumerate(bits.units) if name == unit.name or name in unit.nodes), None)
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


def asked_bits(state: State, unit: Unit) -> int:
    """Return the width that is asked for a unit now."""
    choice = state.of(Live).plan.get(unit.name, NOTHING)
    return choice.feature_bits or unit.feature_bits or 8


def skipped(state: State, unit: Unit) -> bool:
    """Tell whether a unit is kept in float by the plan."""
    return state.of(Live).plan.get(unit.name, NOTHING).skip is True


def cost(state: State) -> tuple[float, float]:
    """Return the cost of all units relative to 8 bits everywhere, and that of the widest everywhere; float counts as the widest."""
    bits = state.of(Bits)
    units = bits.units or ()
    total = sum(u.work for u in units) or 1
    widest = max(bits.costs.values(), default=1.0)
    eight = bits.costs.get(8, 1.0)
    now = sum(u.work * (widest if skipped(state, u) else bits.costs.get(asked_bits(state, u), eight)) for u in units)
    return now / total / eight, widest / eight


def predicted(state: State) -> float | None:
    """Return the output's cosine as noise powers that add would have it; None where nothing is known to start from."""
    bits = state.of(Bits)
    if bits.output is None or not bits.noise:
        return None
    before = now = 0.0
    for unit in bits.units or ():
        noise, base = bits.noise.get(unit.name), bits.base.get(unit.name)
        if noise is None or base is None:
            continue
        before += noise
        now += 0.0 if skipped(state, unit) else noise * PER_BIT ** (base - asked_bits(state, unit))
    return 1 - bits.output * (now / before) / 2 if before else None


@on(BitsSeen)
def _seen(state: State, event: BitsSeen) -> Step:
    bits = state.of(Bits)
    return (state, ()) if bits.asked or bits.units is not None else _ask(state)


@on(ev.RunEnded)
def _ended(state: State, event: ev.RunEnded) -> Step:
    if not event.ok or state.of(Bits).units is None:
        return state, ()
    return (_noted(state), ()) if state.of(Live).plan else _ask(_noted(state))


@on(UnitMoved)
def _moved(state: State, event: UnitMoved) -> Step:
    bits = state.of(Bits)
    state = state.put(replace(bits, cursor=walked(bits.cursor, len(bits.units or ()), event.by, event.to)))
    chosen = state.of(Bits).chosen
    row = state.table.find(chosen.name) if chosen else None
    return state, ((ev.MovedTo(row),) if row is not None else ())


@on(Marked)
def _marked(state: State, event: Marked) -> Step:
    bits = state.of(Bits)
    if event.every:
        rows = {r.name: i for i, r in enumerate(state.table.rows)}
        bad = frozenset(u.name for u in bits.units or () if u.name in rows and state.table.bad(rows[u.name]))
        return state.put(replace(bits, marked=frozenset() if bits.marked else bad)), ()
    if bits.chosen is None:
        return state, ()
    return state.put(replace(bits, marked=bits.marked ^ {bits.chosen.name})), (UnitMoved(1),)


@on(WidthAsked)
def _width(state: State, event: WidthAsked) -> Step:
    bits = state.of(Bits)
    if not bits.widths:
        return state, ()
    if event.to and event.to not in bits.widths:
        return state.noted("error", f"{state.soc or 'the chip'} has {', '.join(map(str, bits.widths))} bits, not {event.to}"), ()

    def width(unit: Unit) -> int:
        if event.to:
            return event.to
        now = asked_bits(state, unit)
        place = min(range(len(bits.widths)), key=lambda i: abs(bits.widths[i] - now))
        return bits.widths[max(0, min(len(bits.widths) - 1, place + event.step))]

    return _set(state, bits.acted, lambda unit, old: replaced(old, feature_bits=width(unit) if width(unit) != unit.feature_bits else None))


def replaced(choice: Choice, **fields: object) -> Choice:
    """Return a choice with other fields."""
    return msgspec.structs.replace(choice, **fields)


def _set(state: State, units: Iterable[Unit], change: Callable[[Unit, Choice], Choice]) -> Step:
    plan = state.of(Live).plan
    nodes = {u.name: change(u, plan.get(u.name, NOTHING)) for u in units}
    return state, (PlanSet(nodes),)


@on(SkipAsked)
def _skip(state: State, event: SkipAsked) -> Step:
    units = state.of(Bits).acted
    wanted = None if all(skipped(state, u) for u in units) else True
    plan = state.of(Live).plan
    return state, (PlanSet({n: replaced(plan.get(n, NOTHING), skip=wanted) for u in units for n in u.nodes}),)


@on(RangeAsked)
def _range_asked(state: State, event: RangeAsked) -> Step:
    chosen = state.of(Bits).chosen
    if chosen is None:
        return state, ()
    given = state.of(Live).plan.get(chosen.name, NOTHING)
    ends = ["" if end is None else f"{end:.6g}" for end in (given.min, given.max)]
    return state, (Prompt("MIN, MAX; one that is left out is calibrated", RangeTyped, ", ".join(ends) if any(ends) else ""),)


@on(RangeTyped)
def _range(state: State, event: RangeTyped) -> Step:
    chosen, ends = state.of(Bits).chosen, ends_of(event.text)
    if ends is None:
        return state.noted("error", f"{event.text!r} is no range: two numbers are expected, the lower first, as in -0.5, 1.7"), ()
    return (state, ()) if chosen is None else _set(state, (chosen,), lambda unit, old: replaced(old, min=ends[0], max=ends[1]))


def ends_of(text: str) -> tuple[float | None, float | None] | None:
    """Return the two ends of a range as it is typed, "-0.5, 1.7", ", 1.7" or "-0.5,"; None for what is no range."""
    low, comma, high = text.partition(",")
    if not comma:
        return (None, None) if not text.strip() else None
    try:
        ends = tuple(float(part) if part.strip() else None for part in (low, high))
    except ValueError:
        return None
    if any(end is not None and not abs(end) < FARTHEST for end in ends):
        return None
    if ends[0] is not None and ends[1] is not None and ends[0] >= ends[1]:
        return None
    return ends[0], ends[1]


@on(Dropped)
def _dropped(state: State, event: Dropped) -> Step:
    return state, (PlanSet({n: NOTHING for u in state.of(Bits).acted for n in u.nodes}),)


@on(ApplyAsked)
def _apply(state: State, event: ApplyAsked) -> Step:
    plan = state.of(Live).plan
    if not plan:
        return state.noted("info", "nothing is changed"), ()
    fields = {"plan": plan_document(plan), **({"set": list(state.settings)} if state.settings else {})}
    return ask(state, "apply", fields, then=_applied, label="writing")


def _applied(state: State, reply: Reply) -> Step:
    if reply.failed:
        return state.noted("error", reply.error), ()
    if not reply.done:
        return state, ()
    return state.noted("info", "wrote " + ", ".join(reply.said.get("written", ()))), (PlanReset(),)
