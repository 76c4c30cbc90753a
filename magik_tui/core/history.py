"""The room of the project's history: earlier runs listed, one compared with another or with the table, noted, forgotten."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core.asking import Choice, Prompt
from magik_tui.core.config import ConfigSeen
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on, walked


class Worst(msgspec.Struct, frozen=True):
    """The layer that did worst."""

    name: str
    cosine_avg: float | None = None


class Past(msgspec.Struct, frozen=True):
    """One finished run as a list shows it; `time` is in seconds since 1970, `bad` counts layers below 0.98."""

    id: str
    time: float = 0.0
    kind: str = "run"
    variant: str = ""
    settings: tuple[str, ...] = ()
    plan: dict[str, Any] = {}
    note: str = ""
    outputs: tuple[wire.Output, ...] = ()
    layers: int = 0
    bad: int = 0
    worst: Worst | None = None

    @property
    def cosine(self) -> float | None:
        """The mean cosine of the worst output."""
        return min((o.cosine_avg for o in self.outputs if o.cosine_avg is not None), default=None)


class Listed(msgspec.Struct, frozen=True):
    """The answer to `runs`."""

    runs: tuple[Past, ...] = ()


class Whole(Past, frozen=True):
    """One run with its table and the texts of the files it was made from."""

    config: str = ""
    bits: str = ""
    document: wire.Document = wire.Document()


@dataclass(frozen=True, slots=True)
class History:
    """The slice of this room.

    `runs` are the runs, the newest first, None while nobody asked. `other` is the run that is compared: with `base`, or with the table
    where that is None.
    """

    runs: tuple[Past, ...] | None = None
    cursor: int = 0
    other: Whole | None = None
    base: Whole | None = None
    asked: bool = False

    @property
    def chosen(self) -> Past | None:
        """The run under the cursor."""
        return self.runs[self.cursor] if self.runs and self.cursor < len(self.runs) else None


class HistorySeen(ev.Event, frozen=True):
    """The list is in sight: it shall be there."""


class PastMoved(ev.Event, frozen=True):
    """The cursor goes `by` runs down; `to` is a place counted from the top, or with -1 the last one."""

    by: int = 0
    to: int | None = None


class ComparedAsked(ev.Event, frozen=True):
    """The run under the cursor is to be compared with the marked one, or with the table; the same again ends that."""


class PastMarked(ev.Event, frozen=True):
    """The run under the cursor is what others are compared with instead of the table; the same again ends that."""


class ForgetAsked(ev.Event, frozen=True):
    """The user wants the run under the cursor deleted."""


class Forget(ev.Event, frozen=True):
    """A run is to be deleted: the user is sure."""

    run: str


class NoteAsked(ev.Event, frozen=True):
    """The user wants to write a note to the run under the cursor."""


class NoteGiven(ev.Event, frozen=True):
    """A run gets a note."""

    run: str
    text: str


def listed(state: State) -> Step:
    """Ask for the list."""
    state = state.put(replace(state.of(History), asked=True))
    return ask(state, "runs", {"act": "list"}, then=_listed, value=Listed, label="history")


def _listed(state: State, reply: Reply) -> Step:
    history = replace(state.of(History), asked=False)
    if reply.done:
        return state.put(with_runs(history, reply.said.runs)), ()
    return (state.put(replace(history, runs=history.runs or ())).noted("error", reply.error) if reply.failed else state), ()


def with_runs(history: History, runs: tuple[Past, ...]) -> History:
    """Return the history with a newer list; the cursor stays on its run, and on the newest where it was there."""
    chosen = history.chosen
    kept = chosen.id if chosen is not None and history.cursor else ""
    at = next((place for place, run in enumerate(runs) if run.id == kept), min(history.cursor, max(0, len(runs) - 1)))
    return replace(history, runs=runs, cursor=at)


@on(HistorySeen)
def _seen(state: State, event: HistorySeen) -> Step:
    history = state.of(History)
    return (state, ()) if history.asked or history.runs is not None else listed(state)


@on(ev.RunEnded)
def _run_ended(state: State, event: ev.RunEnded) -> Step:
    return listed(state) if event.ok and state.of(History).runs is not None else (state, ())


@on(PastMoved)
def _moved(state: State, event: PastMoved) -> Step:
    history = state.of(History)
    cursor = walked(history.cursor, len(history.runs or ()), event.by, event.to)
    return state.put(replace(history, cursor=cursor)), ()


@on(ComparedAsked)
def _compared(state: State, event: ComparedAsked) -> Step:
    history, chosen = state.of(History), state.of(History).chosen
    if chosen is None:
        return state, ()
    if history.other is not None and history.other.id == chosen.id:
        return state.put(replace(history, other=None)), ()
    return ask(state, "runs", {"act": "read", "run": chosen.id}, then=_read, value=Whole, label="reading a run")


def _read(state: State, reply: Reply) -> Step:
    if reply.done:
        return state.put(replace(state.of(History), other=reply.said)), (ConfigSeen(),)
    return (state.noted("error", reply.error) if reply.failed else state), ()


@on(PastMarked)
def _marked(state: State, event: PastMarked) -> Step:
    history, chosen = state.of(History), state.of(History).chosen
    if chosen is None:
        return state, ()
    if history.base is not None and history.base.id == chosen.id:
        return state.put(replace(history, base=None)).noted("info", "runs are compared with the table"), ()
    return ask(state, "runs", {"act": "read", "run": chosen.id}, then=_based, value=Whole, label="reading a run")


def _based(state: State, reply: Reply) -> Step:
    if reply.done:
        said = f"{reply.said.id} is marked: Enter on another run compares that with it"
        return state.put(replace(state.of(History), base=reply.said)).noted("info", said), ()
    return (state.noted("error", reply.error) if reply.failed else state), ()


@on(ForgetAsked)
def _forget_asked(state: State, event: ForgetAsked) -> Step:
    chosen = state.of(History).chosen
    if chosen is None:
        return state, ()
    choices = (Choice("keep it", None, "k"), Choice("delete it: nothing brings it back", Forget(chosen.id), "d"))
    return state, (Prompt(f"delete {chosen.id} from the history?", lambda event: event, choices=choices, letters=True),)


@on(Forget)
def _forget(state: State, event: Forget) -> Step:
    history = state.of(History)
    other, base = (None if run is not None and run.id == event.run else run for run in (history.other, history.base))
    return ask(
        state.put(replace(history, other=other, base=base)),
        "runs",
        {"act": "forget", "run": event.run},
        then=_done,
        tag="forget",
        label="forget",
    )


@on(NoteAsked)
def _note_asked(state: State, event: NoteAsked) -> Step:
    chosen = state.of(History).chosen
    if chosen is None:
        return state, ()
    return state, (Prompt("a note to this run", lambda text: NoteGiven(chosen.id, text.strip()), chosen.note),)


@on(NoteGiven)
def _note(state: State, event: NoteGiven) -> Step:
    return ask(state, "runs", {"act": "note", "run": event.run, "note": event.text}, then=_done, tag="note", label="note")


def _done(state: State, reply: Reply) -> Step:
    if reply.failed:
        return state.noted("error", reply.error), ()
    return listed(state) if reply.done else (state, ())
