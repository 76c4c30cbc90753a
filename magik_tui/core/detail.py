"""The room of the layer that is looked at closely: its values, weights, samples and neighbours, asked for when it is in sight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core.asking import Choice, Prompt
from magik_tui.core.live import Live, plan_document
from magik_tui.core.places import Places
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on

PANE = "layer"
DELAY = 0.15  # seconds that the cursor has to rest before the worker is asked
KEPT = 100  # layers that are remembered until the next table
BACK = 100  # jumps that can be gone back

View = Literal["facts", "values", "weights", "samples", "neighbours"]
VIEWS: tuple[View, ...] = ("facts", "values", "weights", "samples", "neighbours")


class Histogram(msgspec.Struct, frozen=True):
    """Counts in equal bins from `low` to `high`, the extremes of the float values."""

    low: float = 0.0
    high: float = 0.0
    floats: tuple[int, ...] = msgspec.field(default=(), name="float")
    quantized: tuple[int, ...] = ()


class Weights(msgspec.Struct, frozen=True):
    """The least and the greatest weight of every output channel."""

    channels: int = 0
    min: tuple[float, ...] = ()
    max: tuple[float, ...] = ()


class Figures(msgspec.Struct, frozen=True):
    """What one sample does to the layer."""

    sample: str = ""
    cosine: float | None = None
    sqnr_db: float | None = None
    saturation: float | None = None


class Detail(msgspec.Struct, frozen=True):
    """The answer to `layer`; `clip` are the ends of what its levels can say, None for a layer in float."""

    name: str = ""
    shape: tuple[int | str, ...] | None = None
    origin: str | None = None
    notes: tuple[str, ...] = ()
    clip: tuple[float, float] | None = None
    histogram: Histogram | None = None
    weights: Weights | None = None
    inputs: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    samples: tuple[Figures, ...] = ()


Key = tuple[str, int]
NO_KEY: Key = ("", 0)


@dataclass(frozen=True, slots=True)
class Details:
    """The slice of this room.

    `wanted` is the layer that is looked at and the bins of its histogram, `job` the key of the request at work; `known` are answers for the
    table that is shown, or why there is none. `last` is the latest answer, which may be of the table before. `alarm` counts the cursor's
    rests; `back` are the layers that jumps came from.
    """

    view: View = "facts"
    wanted: Key = NO_KEY
    job: Key | None = None
    age: int = 0
    known: Mapping[Key, Detail | str] = field(default_factory=dict)
    last: Detail | None = None
    alarm: int = 0
    back: tuple[str, ...] = ()

    @property
    def shown(self) -> Detail | None:
        """What is known of the layer that is looked at, if need be from the table before."""
        found = self.known.get(self.wanted)
        if isinstance(found, Detail):
            return found
        return self.last if found is None and self.last is not None and self.last.name == self.wanted[0] else None

    @property
    def trouble(self) -> str:
        """Why nothing can be known of it."""
        found = self.known.get(self.wanted)
        return found if isinstance(found, str) else ""


class LayerSeen(ev.Event, frozen=True):
    """This layer is in sight, with room for so many bins."""

    name: str
    bins: int


class LayerDue(ev.Event, frozen=True):
    """The cursor has rested since alarm number `alarm`."""

    alarm: int


class ViewAsked(ev.Event, frozen=True):
    """The next part of the closer look shall come first."""


class NeighbourAsked(ev.Event, frozen=True):
    """The cursor shall go to a layer that this one reads, or with `readers` to one that reads it."""

    readers: bool = False


class Jumped(ev.Event, frozen=True):
    """The cursor goes to the layer of that name."""

    name: str


class BackAsked(ev.Event, frozen=True):
    """The cursor goes back to where the last jump came from."""


@on(LayerSeen)
def _seen(state: State, event: LayerSeen) -> Step:
    mine = state.of(Details)
    wanted = event.name, event.bins
    if wanted == mine.wanted:
        return state, ()
    mine = replace(mine, wanted=wanted, alarm=mine.alarm + 1)
    state = state.put(mine)
    return state, (() if wanted in mine.known else (ev.Alarm(DELAY, LayerDue(mine.alarm)),))


@on(LayerDue)
def _due(state: State, event: LayerDue) -> Step:
    return _look(state) if event.alarm == state.of(Details).alarm else (state, ())


def _look(state: State) -> Step:
    """Ask for the layer in sight, unless a table is in the making (its end asks) or an answer is on its way (which asks, too)."""
    mine = state.of(Details)
    name, bins = mine.wanted
    making = state.busy or not state.table.complete or state.of(Live).job is not None or state.worker != "ready"
    if making or mine.job is not None or not name or mine.wanted in mine.known or PANE not in state.of(Places).visible:
        return state, ()
    fields: dict[str, Any] = {"name": name, "bins": bins, "plan": plan_document(state.of(Live).plan)}
    if state.settings:
        fields["set"] = list(state.settings)
    state = state.put(replace(mine, job=mine.wanted))
    return ask(state, "layer", fields, then=_answered, value=Detail, tag=(mine.wanted, mine.age), label="layer")


def _answered(state: State, reply: Reply) -> Step:
    if not (reply.done or reply.failed):
        return state, ()
    key, age = reply.request.tag
    mine = replace(state.of(Details), job=None)
    gone = isinstance(reply.said, wire.Error) and reply.said.kind in ("Exited", "Cancelled")
    if age == mine.age and not gone:  # else it is of a table that is no longer shown
        known = dict(list(mine.known.items())[1 - KEPT :])
        mine = replace(mine, known={**known, key: reply.said if reply.done else reply.error})
        if reply.done:
            mine = replace(mine, last=reply.said)
    return _look(state.put(mine))


@on(ev.RunEnded)
def _run_ended(state: State, event: ev.RunEnded) -> Step:
    mine = state.of(Details)
    return _look(state.put(replace(mine, known={}, age=mine.age + 1)) if event.ok else state)


@on(wire.Hello)
def _hello(state: State, said: wire.Hello) -> Step:
    return _look(state)


@on(ViewAsked)
def _view(state: State, event: ViewAsked) -> Step:
    mine = state.of(Details)
    return state.put(replace(mine, view=VIEWS[(VIEWS.index(mine.view) + 1) % len(VIEWS)])), ()


def neighbours(state: State, *, readers: bool) -> tuple[str, ...]:
    """Return the layers of the table that the chosen one reads, or that read it."""
    shown = state.of(Details).shown
    found = () if shown is None else shown.readers if readers else shown.inputs
    return tuple(name for name in dict.fromkeys(found) if state.table.find(name) is not None)


@on(NeighbourAsked)
def _neighbour(state: State, event: NeighbourAsked) -> Step:
    found = neighbours(state, readers=event.readers)
    if len(found) > 1:
        title = "Go to a layer that reads this one" if event.readers else "Go to a layer that this one reads"
        choices = tuple(Choice(name, name, str(i) if i < 10 else "") for i, name in enumerate(found, 1))
        return state, (Prompt(title, _jump, choices=choices),)
    if found:
        return state, (Jumped(found[0]),)
    if state.of(Details).shown is None:
        return state.noted("info", "the neighbours are not known yet"), ()
    return state.noted("info", "no layer reads this one" if event.readers else "it reads the network's input"), ()


def _jump(answer: Any) -> ev.Event | None:
    return Jumped(answer) if isinstance(answer, str) else None


@on(Jumped)
def _jumped(state: State, event: Jumped) -> Step:
    row = state.table.find(event.name)
    if row is None:
        return state.noted("info", "the table has no such layer any more"), ()
    mine = state.of(Details)
    here = state.table.rows[state.cursor].name
    return state.put(replace(mine, back=(*mine.back, here)[-BACK:])), (ev.MovedTo(row),)


@on(BackAsked)
def _back(state: State, event: BackAsked) -> Step:
    mine = state.of(Details)
    if not mine.back:
        return state.noted("info", "no jump to go back to"), ()
    row = state.table.find(mine.back[-1])
    state = state.put(replace(mine, back=mine.back[:-1]))
    return (state, (ev.MovedTo(row),)) if row is not None else _back(state, event)
