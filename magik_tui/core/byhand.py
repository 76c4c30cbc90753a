"""Bisecting by hand: a step at a time, marks in place of the metric's, what is held of operators beforehand, steps taken back, the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from magik_tui import events as ev
from magik_tui.core.asking import Prompt
from magik_tui.core.bisect import TextRead, at_work, follows, go_on
from magik_tui.core.hunt import Bisection, Mark, kinds, marks
from magik_tui.core.state import State, Step, on, walked

NOT_BEGUN = "which network is next has not been looked at: Space judges it"
NOT_SEARCHED: Mapping[Mark, str] = {
    "float": "it is in float already", "outside": "it is not searched: what is judged does not depend on it, or only the plan quantizes it",
}  # fmt: skip
OLD = "the files changed since: Space and Enter go on with them as they are now"


class StepAsked(ev.Event, frozen=True):
    """One network is to be judged, then the search pauses."""


class StepMarked(ev.Event, frozen=True):
    """The step at hand is good, bad, or cannot be told: the user says it in place of the metric."""

    mark: Literal["good", "bad", "skip"]


class StepsUndone(ev.Event, frozen=True):
    """The last steps are taken back."""

    count: int = 1


class RowMarked(ev.Event, frozen=True):
    """The user holds the operator or the type under the cursor to be good or suspect; the same again takes it back."""

    prior: Literal["good", "suspect", "untested"]


class LogEditAsked(ev.Event, frozen=True):
    """The log is to be edited and replayed."""


class EditLog(ev.Effect, frozen=True):
    """Open the text of a log in the user's editor; what it leaves is replayed."""

    text: str


class LogEdited(ev.Event, frozen=True):
    """The user's editor left this log."""

    text: str


class ReplayAsked(ev.Event, frozen=True):
    """The user wants to name a log to replay."""


class ReplayTyped(ev.Event, frozen=True):
    """The log at this path, where the engine is, is to be replayed."""

    path: str


class BisectMoved(ev.Event, frozen=True):
    """The cursor goes over types and layers, by rows or `to` a place; -1 is the last."""

    by: int = 0
    to: int | None = None


@on(StepAsked)
def _step(state: State, event: StepAsked) -> Step:
    mine = state.of(Bisection)
    if (later := follows(state, event)) is not None:
        return later, ()
    if mine.verdict is not None and not mine.old and not at_work(state):
        return state.noted("info", "the bisection is finished: u takes its last step back, F begins anew"), ()
    return go_on(state, "--steps", "1", steps=1)


@on(StepMarked)
def _marked(state: State, event: StepMarked) -> Step:
    mine = state.of(Bisection)
    if mine.old and not at_work(state):
        return state.noted("info", OLD), ()
    if mine.verdict is not None and not at_work(state):
        return state.noted("info", "the bisection is finished: there is no step to mark; u takes the last one back"), ()
    if mine.asking is None and not at_work(state):
        return state.noted("info", NOT_BEGUN), ()
    return go_on(state, "--mark", event.mark, "--steps", "0", mark=event.mark, steps=0)


@on(StepsUndone)
def _undone(state: State, event: StepsUndone) -> Step:
    mine = state.of(Bisection)
    if at_work(state):
        return go_on(state)
    if mine.old:
        return state.noted("info", OLD), ()
    if not mine.known and not mine.steps:
        return state.noted("info", NOT_BEGUN), ()
    if not mine.steps:
        return state.noted("info", "there is no step to take back"), ()
    return go_on(state, "--undo", str(event.count), "--steps", "0", undo=event.count, steps=0)


def under_cursor(state: State) -> tuple[str, str]:
    """Return the operator type under the cursor or the layer, the other one is ""; neither where there are no rows."""
    mine = state.of(Bisection)
    if mine.place is not None:
        types = kinds(state, marks(state))
        return (types[min(mine.place, len(types) - 1)].name, "") if types else ("", "")
    return ("", state.table.rows[state.cursor].name) if state.cursor < len(state.table.rows) else ("", "")


@on(RowMarked)
def _row_marked(state: State, event: RowMarked) -> Step:
    mine = state.of(Bisection)
    kind, layer = under_cursor(state)
    if not kind and not layer:
        return state.noted("info", "there is no table yet"), ()
    if layer and (why := NOT_SEARCHED.get(marks(state)[state.cursor])):
        return state.noted("info", why), ()
    held = mine.priors.types.get(kind) if kind else mine.priors.nodes.get(layer)
    prior = "untested" if held == event.prior else event.prior
    fields: dict[str, Any] = {prior: [kind or layer], "steps": 0}
    return go_on(state, f"--{prior}", kind or layer, "--steps", "0", **fields)


@on(LogEditAsked)
def _edit_asked(state: State, event: LogEditAsked) -> Step:
    mine = state.of(Bisection)
    if mine.edited and not at_work(state):
        said = "this is the edit that was not taken; left as it is it is dropped"
        return state.put(replace(mine, edited="")).noted("info", said), (EditLog(mine.edited),)
    return go_on(state, "--steps", "0", steps=0, read=True)


@on(TextRead)
def _text_read(state: State, event: TextRead) -> Step:
    return state, (EditLog(event.text),)


@on(LogEdited)
def _edited(state: State, event: LogEdited) -> Step:
    mine = state.of(Bisection)
    edited = state.put(replace(mine, edited=event.text))  # kept until the engine takes it
    return go_on(edited, "--replay", mine.path, "--steps", "0", goal=False, steps=0, text=event.text)


@on(ReplayAsked)
def _replay_asked(state: State, event: ReplayAsked) -> Step:
    return state, (Prompt("the log to replay, where the engine is", ReplayTyped, state.of(Bisection).path),)


@on(ReplayTyped)
def _replay(state: State, event: ReplayTyped) -> Step:
    path = event.path.strip()
    if not path:
        return state.noted("info", "no log was named"), ()
    return go_on(state, "--replay", path, "--steps", "0", goal=False, steps=0, replay=path)


@on(BisectMoved)
def _moved(state: State, event: BisectMoved) -> Step:
    mine, types = state.of(Bisection), len(kinds(state, marks(state)))
    now = min(mine.place, types - 1) if mine.place is not None and types else types + state.cursor
    row = walked(now, types + len(state.table.rows), event.by, event.to)
    if row < types:
        return state.put(replace(mine, place=row)), ()
    return state.put(replace(mine, place=None)), (ev.MovedTo(row - types),)


def _on_layers(state: State, event: ev.Event) -> Step:
    """Let the cursor be on the layer that it went to elsewhere."""
    mine = state.of(Bisection)
    return (state if mine.place is None else state.put(replace(mine, place=None))), ()


on(ev.Moved)(_on_layers)
on(ev.MovedTo)(_on_layers)
on(ev.BadAsked)(_on_layers)
