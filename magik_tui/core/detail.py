"""The room of the closer look at one layer: asked for when the cursor rests, kept until the table changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from magik_tui import events as ev
from magik_tui.core.live import Live, plan_document
from magik_tui.core.requests import Reply, ask, cancel
from magik_tui.core.state import State, Step, on

BINS = 64
KEPT = 64


class Histogram(msgspec.Struct, frozen=True):
    """Counts of float and of quantized values in equal bins from `low` to `high`."""

    low: float = 0.0
    high: float = 0.0
    floats: tuple[int, ...] = msgspec.field(name="float", default=())
    quantized: tuple[int, ...] = ()


class Weights(msgspec.Struct, frozen=True):
    """The range of the weights of each output channel."""

    channels: int = 0
    min: tuple[float, ...] = ()
    max: tuple[float, ...] = ()


class SampleFigures(msgspec.Struct, frozen=True):
    """One sample of the layer."""

    sample: str = ""
    cosine: float | None = None
    sqnr_db: float | None = None


class Detail(msgspec.Struct, frozen=True):
    """The answer to `layer`."""

    name: str = ""
    clip: tuple[float, float] | None = None
    histogram: Histogram | None = None
    weights: Weights | None = None
    inputs: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    samples: tuple[SampleFigures, ...] = ()
    notes: tuple[str, ...] = ()
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """The slice of this room: what is known by layer; `job` and `name` are the request at work."""

    known: Mapping[str, Detail] = field(default_factory=dict)
    job: int | None = None
    name: str = ""


class DetailWanted(ev.Event, frozen=True):
    """The cursor rests on a layer whose details are in sight."""

    name: str


class NeighbourAsked(ev.Event, frozen=True):
    """The cursor goes to the first layer that this one reads (`step` -1), or that reads it (1)."""

    step: int


@on(DetailWanted)
def _wanted(state: State, event: DetailWanted) -> Step:
    mine = state.of(Details)
    if event.name in mine.known or (mine.job is not None and mine.name == event.name) or state.busy:
        return state, ()
    effects: tuple[Any, ...] = ()
    if mine.job is not None:
        state, effects = cancel(state, mine.job)
    fields: dict[str, Any] = {"name": event.name, "bins": BINS, "plan": plan_document(state.of(Live).plan)}
    if state.settings:
        fields["set"] = list(state.settings)
    state, more = ask(state, "layer", fields, then=_found, value=Detail, tag=event.name, label="a closer look")
    return state.put(replace(state.of(Details), job=state.last_id, name=event.name)), (*effects, *more)


def _found(state: State, reply: Reply) -> Step:
    mine = state.of(Details)
    if reply.request.id != mine.job or not (reply.done or reply.failed):
        return state, ()
    mine = replace(mine, job=None)
    if reply.done:
        mine = replace(mine, known={**dict(list(mine.known.items())[-KEPT:]), reply.request.tag: reply.said})
    elif not reply.cancelled:
        mine = replace(mine, known={**mine.known, reply.request.tag: Detail(notes=(reply.error,))})
    return state.put(mine), ()


@on(ev.RunEnded)
def _ended(state: State, event: ev.RunEnded) -> Step:
    return state.put(replace(state.of(Details), known={})), ()


@on(NeighbourAsked)
def _neighbour(state: State, event: NeighbourAsked) -> Step:
    rows = state.table.rows
    found = state.of(Details).known.get(rows[state.cursor].name) if rows else None
    if found is None:
        return state, ()
    names = found.inputs if event.step < 0 else found.readers
    places = [place for place in map(state.table.find, names) if place is not None]
    return (state, (ev.MovedTo(places[0]),)) if places else (state.noted("info", "no layer is there"), ())
