"""The room of the search for widths: a target, what was found, and the front of cost against cosine."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from magik_tui import events as ev
from magik_tui.core.asking import Prompt
from magik_tui.core.bits import Bits
from magik_tui.core.choices import replaced
from magik_tui.core.live import NOTHING, Live, PlanSet
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on
from magik_tui.core.twin import told, twin

TARGET = "0.995"  # what is proposed


class Point(msgspec.Struct, frozen=True):
    """One plan on the front: its cost relative to 8 bits everywhere, its mean output cosine, how many units have each width."""

    cost: float = 0.0
    cosine_avg: float | None = None
    counts: dict[str, int] = {}


class Tuned(msgspec.Struct, frozen=True):
    """The answer to `tune`."""

    met: bool = False
    interrupted: bool = False
    chosen: Point = Point()
    front: tuple[Point, ...] = ()
    widths: dict[str, int] = {}
    runs: int = 0


@dataclass(frozen=True, slots=True)
class Tuning:
    """The slice of this room: what was found last, and the request at work."""

    found: Tuned | None = None
    job: int | None = None


class TuneAsked(ev.Event, frozen=True):
    """The user wants the cheapest widths that reach a target."""


class TargetTyped(ev.Event, frozen=True):
    """The cheapest widths that reach this target, as it was typed, are to be found; they become the plan."""

    text: str


class FrontHidden(ev.Event, frozen=True):
    """The front of the last search is no longer to be shown."""


def target_of(text: str) -> float | None:
    """Return a target as it is typed, None for what is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value <= 1 else None


@on(TuneAsked)
def _asked(state: State, event: TuneAsked) -> Step:
    if state.of(Tuning).job is not None:
        return state.noted("info", "a search is at work; Esc stops it and keeps the best so far"), ()
    return state, (Prompt("the mean cosine that the outputs shall reach", TargetTyped, TARGET),)


@on(TargetTyped)
def _tune(state: State, event: TargetTyped) -> Step:
    target = target_of(event.text)
    if target is None:
        return state.noted("error", f"{event.text!r} is no target: a cosine above 0 and at most 1 is expected, as in {TARGET}"), ()
    fields = {"target": target, **({"set": list(state.settings)} if state.settings else {})}
    line = twin(state, "tune", "--target", f"{target:g}")
    state = told(state, line).noted("info", line)
    state = state.put(replace(state.of(Tuning), job=state.last_id + 1))
    return ask(state, "tune", fields, then=_found, value=Tuned, label="tuning", heavy=True)


def _found(state: State, reply: Reply) -> Step:
    if not (reply.done or reply.failed):
        return state, ()
    mine = replace(state.of(Tuning), job=None)
    if reply.failed:
        return state.put(mine).noted("info" if reply.cancelled else "error", reply.error), ()
    found: Tuned = reply.said
    state = state.put(replace(mine, found=found))
    if found.chosen.cosine_avg is None:
        return state.noted("warning", "no plan could be judged"), ()
    asked = {unit.name: unit.feature_bits for unit in state.of(Bits).units or ()}
    plan = state.of(Live).plan
    nodes = {n: replaced(plan.get(n, NOTHING), feature_bits=w if w != asked.get(n) else None) for n, w in found.widths.items()}
    best = "the best so far" if found.interrupted else "the target is met" if found.met else "the target is not met, the best there is"
    said = f"{best}: output cosine {found.chosen.cosine_avg:.5f} for cost {found.chosen.cost:.4f}, {found.runs} plans tried; a writes it"
    return state.noted("info" if found.met else "warning", said), (PlanSet(nodes),)


@on(FrontHidden)
def _hidden(state: State, event: FrontHidden) -> Step:
    return state.put(replace(state.of(Tuning), found=None)), ()
