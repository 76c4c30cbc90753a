"""The room of changing widths: raised, lowered, set, in float, given a range, dropped; for all units it is about one step of undo."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from magik_tui import events as ev
from magik_tui.core.asking import Choice as Offer
from magik_tui.core.asking import Prompt
from magik_tui.core.bits import Bits, Unit, asked_bits, asked_range, asked_weights, skipped
from magik_tui.core.choices import replaced
from magik_tui.core.live import NOTHING, Choice, Live, Plan, PlanReset, PlanSet, PlanTaken, UndoAsked, plan_document
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on, update
from magik_tui.core.twin import plan_line, told

FARTHEST = 1e30  # what magik_node_quant_bit_info.json takes at most


class WidthAsked(ev.Event, frozen=True):
    """The chosen units get a width `step` steps up or down the chip's list, or `to` one."""

    step: int = 0
    to: int = 0


class WidthChosen(ev.Event, frozen=True):
    """The user wants to name the width of the chosen units, with `weights` that of their weights."""

    weights: bool = False


class WeightsAsked(ev.Event, frozen=True):
    """The weights of the chosen units get the width `to`; with 0 that of the configuration."""

    to: int


class WidthDropped(ev.Event, frozen=True):
    """The chosen units get the width that the configuration asks for."""


class SkipAsked(ev.Event, frozen=True):
    """The chosen units stay in float, or no longer."""


class RangeAsked(ev.Event, frozen=True):
    """The user wants to type a range for the chosen units."""


class RangeTyped(ev.Event, frozen=True):
    """The chosen units get this range, two numbers as they were typed; one that is left out is calibrated."""

    text: str


class Dropped(ev.Event, frozen=True):
    """What was changed for the chosen units is dropped."""


class AllDropped(ev.Event, frozen=True):
    """Everything that was changed is dropped."""


@dataclass(frozen=True, slots=True)
class Written:
    """The slice of this room: what `undo` needs to take the last writing back, the plan it wrote, and how the plan stood then.

    It can be taken back as long as nothing else was changed: `after` is the plan that was left, as the very same object.
    """

    before: tuple[dict[str, Any], ...] = ()
    plan: Plan = field(default_factory=dict)
    after: Plan | None = None


class LastUndone(ev.Event, frozen=True):
    """The last change is taken back: where that wrote the files, they become what they were, and what was written is on top again."""


class ApplyAsked(ev.Event, frozen=True):
    """The plan is to be written into the project's files."""


def _set(state: State, units: Iterable[Unit], change: Callable[[Unit, Choice], Choice]) -> Step:
    plan = state.of(Live).plan
    return state, (PlanSet({u.name: change(u, plan.get(u.name, NOTHING)) for u in units}),)


def acted_on(bits: Bits) -> str:
    """Return which units keys change, in words."""
    units = bits.acted
    if bits.chosen is not None and units == (bits.chosen,):
        return "this unit"
    return f"the {len(units)} marked" if any(u.name in bits.marked for u in units) else f"all {len(units)} shown"


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


@on(WidthChosen)
def _width_chosen(state: State, event: WidthChosen) -> Step:
    bits = state.of(Bits)
    units = tuple(u for u in bits.acted if u.weight_bits is not None) if event.weights else bits.acted
    if not units:
        return state.noted("info", "it has no weights" if bits.acted else "there is no unit"), ()
    now = {asked_weights(state, u) if event.weights else asked_bits(state, u) for u in units}
    back = Offer("as the configuration has it", WeightsAsked(0) if event.weights else WidthDropped(), id="config")
    if event.weights:
        offers = [Offer(f"{w} bits", WeightsAsked(w), "now" if now == {w} else "", id=str(w)) for w in bits.weights]
        title = f"bits of the weights of {acted_on(bits)}; tried only, no file has a place for them"
    else:
        offers = [
            Offer(f"{w} bits, cost {c:g}", WidthAsked(to=w), "now" if now == {w} else "", id=str(w)) for w, c in sorted(bits.costs.items())
        ]
        title = f"bits of {acted_on(bits)}"
    return state, (Prompt(title, lambda event: event, choices=(*offers, back)),)


@on(WeightsAsked)
def _weights(state: State, event: WeightsAsked) -> Step:
    def change(unit: Unit, old: Choice) -> Choice:
        return replaced(old, weight_bits=event.to if event.to and event.to != unit.weight_bits else None)

    return _set(state, (u for u in state.of(Bits).acted if u.weight_bits is not None), change)


@on(WidthDropped)
def _width_dropped(state: State, event: WidthDropped) -> Step:
    return _set(state, state.of(Bits).acted, lambda unit, old: replaced(old, feature_bits=None))


@on(SkipAsked)
def _skip(state: State, event: SkipAsked) -> Step:
    units, plan = state.of(Bits).acted, state.of(Live).plan
    wanted = not all(skipped(state, u) for u in units)
    nodes = {
        n: replaced(plan.get(n, NOTHING), skip=wanted if wanted != bool(u.skipped) else None) for u in units for n in u.nodes or (u.name,)
    }
    return state, (PlanSet(nodes),)


@on(RangeAsked)
def _range_asked(state: State, event: RangeAsked) -> Step:
    bits = state.of(Bits)
    if bits.chosen is None:
        return state, ()
    ends = ["" if end is None else f"{end:.6g}" for end in asked_range(state, bits.chosen)]
    title = f"MIN, MAX of {acted_on(bits)}; one that is left out is calibrated"
    return state, (Prompt(title, RangeTyped, ", ".join(ends) if any(ends) else ""),)


@on(RangeTyped)
def _range(state: State, event: RangeTyped) -> Step:
    ends = ends_of(event.text)
    if ends is None:
        return state.noted("error", f"{event.text!r} is no range: two numbers are expected, the lower first, as in -0.5, 1.7"), ()
    units = state.of(Bits).acted
    if any((u.min is not None and ends[0] is None) or (u.max is not None and ends[1] is None) for u in units):
        said = "magik_node_quant_bit_info.json gives this range and LOAD_OP_QUANT_MIN_MAX loads it: take it out there to have it calibrated"
        state = state.noted("warning", said)

    def change(unit: Unit, old: Choice) -> Choice:
        return replaced(old, min=None if ends[0] == unit.min else ends[0], max=None if ends[1] == unit.max else ends[1])

    return _set(state, units, change)


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
    return state, (PlanSet({n: NOTHING for u in state.of(Bits).acted for n in (u.name, *u.nodes)}),)


@on(AllDropped)
def _all_dropped(state: State, event: AllDropped) -> Step:
    count = len(state.of(Live).plan)
    if not count:
        return state.noted("info", "nothing is changed"), ()
    return state.noted("info", f"dropped what was changed for {count} layers; u brings it back"), (PlanReset(),)


@on(ApplyAsked)
def _apply(state: State, event: ApplyAsked) -> Step:
    plan = state.of(Live).plan
    if not plan:
        return state.noted("info", "nothing is changed"), ()
    fields = {"plan": plan_document(plan), **({"set": list(state.settings)} if state.settings else {})}
    return ask(told(state, plan_line(state, plan)), "apply", fields, then=_applied, tag=plan, label="writing")


def _applied(state: State, reply: Reply) -> Step:
    if reply.failed:
        return state.noted("error", reply.error), ()
    if not reply.done:
        return state, ()
    # What was changed while the files were written stays changed.
    left = {n: c for n, c in state.of(Live).plan.items() if c != reply.request.tag.get(n)}
    state = state.put(replace(state.of(Bits), old=True))
    written = ", ".join(PurePath(file).name for file in reply.said.get("written", ()))
    state = state.noted("info", f"wrote {written}; u takes it back" if written else "the files say so already")
    state, effects = update(state, PlanTaken(left))
    return state.put(Written(tuple(reply.said.get("before", ())), reply.request.tag, state.of(Live).plan)), effects


@on(LastUndone)
def _undone(state: State, event: LastUndone) -> Step:
    last = state.of(Written)
    if not last.before or state.of(Live).plan is not last.after:
        return state, (UndoAsked(-1),)
    return ask(state, "undo", {"before": list(last.before)}, then=_taken_back, tag=last.plan, label="taking the files back")


def _taken_back(state: State, reply: Reply) -> Step:
    if reply.failed:
        why = f"the files stay as they are: {reply.error}"
        return state.put(Written()).noted("warning", why), ()
    if not reply.done:
        return state, ()
    state = state.put(replace(state.of(Bits), old=True)).put(Written())
    return state.noted("info", "as before: " + ", ".join(PurePath(file).name for file in reply.said.get("written", ()))), (UndoAsked(-1),)
