"""The room of what changes: a plan on top of the configuration, files that others write, and the table that follows both.

One job is at work and at most one waits: a newer one takes its place, and what a superseded one still says is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

import msgspec

from magik_tui import events as ev
from magik_tui import table as tb
from magik_tui import wire
from magik_tui.core.choices import NOTHING, Choice, Plan, plan_document, with_choices
from magik_tui.core.commands import Command, offers
from magik_tui.core.config import ConfigChanged
from magik_tui.core.data import DataChanged
from magik_tui.core.requests import Reply, ask, cancel
from magik_tui.core.run import shown
from magik_tui.core.state import Note, State, Step, logged, on

__all__ = ["NOTHING", "Choice", "Live", "Plan", "PlanReset", "PlanSet", "PlanTaken", "plan_document", "with_choices"]

DEATHS = 3  # times that the engine may die in a row before it is not started again by itself
UNDONE = 200  # plans that can be taken back
LABEL = "live"
ON_DISK = "changed on disk: "
SAID = 3  # files that are named
WATCHING = 0  # the id of the one request that is never answered; others count from 1
WATCH = ev.Send({"id": WATCHING, "do": "watch"})


class Changed(msgspec.Struct, frozen=True):
    """What changed on disk: files by what they are."""

    config: tuple[str, ...] = ()
    bits: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()


class LiveDocument(wire.Document, frozen=True):
    """The document of a run, and which layers had to be computed for it."""

    recomputed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Live:
    """The slice of this room.

    `plan` holds what was changed by layer, `undo` and `redo` earlier and later ones; `auto` says that changes run at once. `wanted` says
    that the table is older than the plan or the files; `job` is the request at work, None where none is; `samples` are those it measures.
    """

    plan: Plan = field(default_factory=dict)
    undo: tuple[Plan, ...] = ()
    redo: tuple[Plan, ...] = ()
    auto: bool = True
    wanted: bool = False
    job: int | None = None
    samples: tuple[str, ...] | None = None
    recomputed: int | None = None
    seconds: float = 0.0
    deaths: int = 0


class PlanSet(ev.Event, frozen=True):
    """These layers get these choices on top of what was changed before; a choice that says nothing takes the layer out of the plan."""

    nodes: dict[str, Choice]


class PlanTaken(ev.Event, frozen=True):
    """These choices are the whole plan, whatever it was before."""

    nodes: dict[str, Choice]


class PlanReset(ev.Event, frozen=True):
    """Nothing is changed any more: what the configuration says holds."""


class UndoAsked(ev.Event, frozen=True):
    """The last change of the plan is taken back (`step` -1), or made again (1)."""

    step: int


class AutoToggled(ev.Event, frozen=True):
    """Changes shall run at once, or no longer."""


class LiveAsked(ev.Event, frozen=True):
    """The table shall be that of the plan and the files as they are now."""


class FilesChanged(ev.Event, frozen=True):
    """Files of the project changed on disk."""

    what: Changed


def _replanned(state: State, plan: Plan) -> Step:
    live = state.of(Live)
    if plan == live.plan:
        return state, ()
    state = state.put(replace(live, plan=plan, undo=(*live.undo, live.plan)[-UNDONE:], redo=()))
    return _want(state)


@on(PlanSet)
def _plan_set(state: State, event: PlanSet) -> Step:
    return _replanned(state, with_choices(state.of(Live).plan, event.nodes))


@on(PlanTaken)
def _plan_taken(state: State, event: PlanTaken) -> Step:
    return _replanned(state, with_choices({}, event.nodes))


@on(PlanReset)
def _plan_reset(state: State, event: PlanReset) -> Step:
    return _replanned(state, {})


@on(UndoAsked)
def _undo(state: State, event: UndoAsked) -> Step:
    live = state.of(Live)
    source, target = (live.undo, live.redo) if event.step < 0 else (live.redo, live.undo)
    if not source:
        return state.noted("info", "nothing to undo" if event.step < 0 else "nothing to redo"), ()
    plan, rest, kept = source[-1], source[:-1], (*target, live.plan)
    live = replace(live, plan=plan, undo=rest, redo=kept) if event.step < 0 else replace(live, plan=plan, redo=rest, undo=kept)
    return _want(state.put(live))


@on(AutoToggled)
def _auto(state: State, event: AutoToggled) -> Step:
    live = replace(state.of(Live), auto=not state.of(Live).auto)
    said = "changes run at once" if live.auto else "changes wait: A runs them at once again, :changes runs them now"
    state = state.put(live).noted("info", said)
    return _go(state) if live.auto and live.wanted else (state, ())


@on(LiveAsked)
def _asked(state: State, event: LiveAsked) -> Step:
    return _go(state.put(replace(state.of(Live), wanted=True)))


@on(FilesChanged)
def _files(state: State, event: FilesChanged) -> Step:
    state, effects = _want(_told(state, event.what))
    more: tuple[ev.Event, ...] = (ConfigChanged(),) if event.what.config else ()
    if event.what.config or event.what.pictures:
        more += (DataChanged(),)
    return state, (*effects, *more)


def _told(state: State, what: Changed) -> State:
    """Say which files changed, where nothing else is being said."""
    if state.note is not None and not state.note.text.startswith(ON_DISK):
        return state
    names = [PurePath(file).name for file in (*what.config, *what.bits, *what.model, *what.pictures)]
    more = f" and {len(names) - SAID} more" if len(names) > SAID else ""
    return state.noted("info", f"{ON_DISK}{', '.join(names[:SAID])}{more}")


@offers
def _commands(state: State) -> Iterator[Command]:
    live = state.of(Live)
    yield Command("changes now", "Run what was changed, here or on disk, now", LiveAsked(), "" if live.wanted else "nothing waits")


def _want(state: State) -> Step:
    """Mark the table as older than what it shows; with `auto` make it anew, in place of what is at work for an older plan."""
    live = replace(state.of(Live), wanted=True)
    state = replace(state, stale=bool(state.table.rows)).put(live)
    return _go(state) if live.auto else (state, ())


def _go(state: State) -> Step:
    """Start the job, or stop the one that is superseded: its end starts the next."""
    live = state.of(Live)
    if live.job is not None:
        return cancel(state, live.job)
    if state.phase == "waiting":  # the first run of a worker says it all, as long as nothing is changed on top
        return (state, ()) if not live.plan else _send(state)
    return _send(state)


def _send(state: State) -> Step:
    live = state.of(Live)
    fields: dict[str, Any] = {"plan": plan_document(live.plan)}
    if state.settings:
        fields["set"] = list(state.settings)
    state = state.put(replace(live, wanted=False, job=state.last_id + 1))
    return ask(state, "live", fields, then=_done, value=LiveDocument, tag=live.plan, label=LABEL, heavy=True)


def _done(state: State, reply: Reply) -> Step:
    live = state.of(Live)
    if reply.request.id != live.job:
        return state, ()
    if isinstance(reply.said, wire.Layers):
        return state.put(replace(live, samples=reply.said.samples)), ()
    if not (reply.done or reply.failed):
        return state, ()
    samples = state.table.samples if live.samples is None else live.samples
    live = replace(live, job=None, samples=None)
    if reply.failed:
        state = replace(state.put(live), stale=bool(state.table.rows))
        if state.worker == "off":
            return state.put(replace(live, wanted=True)), ()
        if live.wanted and live.auto:
            return _send(state)
        if reply.cancelled:
            return state.put(replace(live, wanted=True)).noted("info", "stopped: the table is older than the plan"), ()
        return state.put(replace(live, wanted=True)).noted("error", reply.error), ()
    document: LiveDocument = reply.said
    seconds = sum(document.timing.values())
    state = state.put(replace(live, recomputed=len(document.recomputed), seconds=seconds, deaths=0))
    if live.wanted and live.auto:
        return _send(state)
    state = shown(state, tb.from_document(document, samples))
    note = state.note if state.note is not None and state.note.level == "error" and not live.wanted else None
    state = replace(
        _answered(state), stale=live.wanted, kept=state.table, outputs=document.outputs, soc=document.soc, note=None if note else state.note
    )
    return _entered(state, len(document.recomputed), seconds), (ev.RunEnded(ok=True, live=True),)


def _entered(state: State, layers: int, seconds: float) -> State:
    """Log what came out: what stands above it in the log was said of an older table."""
    measured = min((o.cosine_avg for o in state.outputs if o.cosine_avg is not None), default=None)
    told = "" if measured is None else f", output cosine {measured:.5f}"
    computed = f"{layers} layer{'' if layers == 1 else 's'} computed in {seconds:.2f} s"
    return logged(state, Note("info", f"the table follows what changed: {computed}{told}"))


def _answered(state: State) -> State:
    """Say of a run that failed or was stopped that there is a table now; `elapsed` is what that took."""
    return replace(state, phase="done", started=state.now) if state.phase in ("failed", "cancelled") else state


@on(ev.RunEnded)
def _run_ended(state: State, event: ev.RunEnded) -> Step:
    """A whole run does not know the plan: where there is one, the table is made again with it."""
    live = state.of(Live)
    if event.live or not event.ok:
        return state, ()
    state = state.put(replace(live, deaths=0, wanted=bool(live.plan)))
    return _send(state) if live.plan and live.auto and live.job is None else (state, ())


@on(ev.CancelAsked)
def _cancelled(state: State, event: ev.CancelAsked) -> Step:
    live = state.of(Live)
    return (state.put(replace(live, wanted=False)), ()) if live.job is not None else (state, ())


# The worker


@on(wire.Hello)
def _hello(state: State, said: wire.Hello) -> Step:
    live = state.of(Live)
    if state.phase == "failed":  # it speaks another protocol
        return state, ()
    if not (live.wanted and live.auto and live.job is None and state.phase not in ("waiting", "running")):
        return state, (WATCH,)
    state, effects = _send(state)
    return state, (WATCH, *effects)


@on(wire.News)
def _news(state: State, said: wire.News) -> Step:
    if said.id != WATCHING or said.event != "changed":
        return state, ()
    try:
        return state, (FilesChanged(wire.read(said.fields, Changed)),)
    except wire.Unfit as problem:
        return logged(state, Note("warning", f"not a message ({problem}): changed", "engine")), ()


@on(ev.Exited)
def _exited(state: State, event: ev.Exited) -> Step:
    """Start an engine that died again: nothing is lost, since all that is computed lies in the store."""
    live = state.of(Live)
    if state.worker != "off" or live.deaths >= DEATHS:
        return state, ()
    last = f" Its last words: {event.last_words}" if event.last_words else ""
    note = Note("error", f"The engine's process {event.how}; it starts again.{last}")
    if state.phase == "failed":  # a run was at work: it begins anew
        state = replace(state, phase="waiting", wanted=True)
    state = replace(state, worker="starting", note=note)
    return state.put(replace(live, deaths=live.deaths + 1, wanted=live.wanted or live.job is not None)), (ev.Start(),)
