"""The run and its table: what the user asks for, what the worker says, where the cursor stands."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from magik_tui import events as ev
from magik_tui import table as tb
from magik_tui import wire
from magik_tui.core.places import PaneChosen, Places
from magik_tui.core.requests import PATIENCE, Reply, ask_first, flush, forget, heavy_at_work, stop_heavy
from magik_tui.core.state import Note, State, Step, logged, on
from magik_tui.core.twin import told, twin
from magik_tui.table import Table

PROTOCOL = 1
LOG = "log"  # the id of the pane
LASTING = "settings"  # the source of complaints that no run answers for
NOISE = "engine"  # the source of what came on the worker's stdout and is no message
WEIGHTY = ("converted without quantization", "none of the", "skipped: ")  # what concerns a whole run comes before a key's spelling
INTERNAL = re.compile(r"internal error: (?:[\w.]+: )?")


# The run


@on(ev.Opened)
def _opened(state: State, event: ev.Opened) -> Step:
    return _wait(replace(state, started=event.now, now=event.now))


@on(ev.RunAsked)
def _run_asked(state: State, event: ev.RunAsked) -> Step:
    if state.phase in ("waiting", "running"):
        return replace(state, note=Note("info", "a run is at work; Esc stops it")), ()
    if state.phase == "cancelling":
        return replace(state, wanted=True), ()
    state = replace(state, started=event.now, now=event.now, note=None)
    heavy = heavy_at_work(state)
    if heavy is not None:
        return replace(state, wanted=True).noted("info", f"the run begins after this: {heavy.label}; Esc stops that"), ()
    return _begin(state) if state.worker == "ready" else _wait(state)


def _wait(state: State) -> Step:
    """Keep the run until the worker says hello."""
    start = (ev.Start(),) if state.worker == "off" else ()
    worker = "starting" if state.worker == "off" else state.worker
    return replace(state, worker=worker, phase="waiting", wanted=True, stale=bool(state.table.rows)), start


def _begin(state: State) -> Step:
    run = state.last_id + 1
    lasting = tuple(note for note in state.log if note.source == LASTING)
    state = replace(
        state, phase="running", wanted=False, run=run, last_id=run, stage="", done=0, total=0, warnings=len(lasting), log=lasting,
        kept=state.table if state.table.complete else state.kept, stale=bool(state.table.rows), started=state.now,
    )  # fmt: skip
    state = told(state, twin(state, "run"))
    request: dict[str, Any] = {"id": run, "do": "run"}
    if state.settings:
        request["set"] = list(state.settings)
    return state, (ev.Send(request),)


@on(ev.CancelAsked)
def _cancel_asked(state: State, event: ev.CancelAsked) -> Step:
    if state.phase == "waiting":
        state = replace(state, phase="cancelled", wanted=False, note=Note("info", "stopped before it began"))
        # Hello comes before anything heavy is loaded: a worker that has not said it may never do.
        return (replace(state, worker="stopping"), (ev.Terminate(),)) if state.worker == "starting" else (state, ())
    if state.phase == "running":
        cancel = state.last_id + 1
        state = replace(state, phase="cancelling", last_id=cancel)
        return state, (ev.Send({"id": cancel, "do": "cancel", "target": state.run}), ev.Alarm(PATIENCE, ev.Overdue(state.run)))
    if state.phase == "cancelling":
        return replace(state, wanted=False), ()
    stopped = stop_heavy(state)
    if stopped is not None:
        return replace(stopped[0], wanted=False), stopped[1]
    hint = Note("info", "w shows the error again") if state.note is not None and state.note.level == "error" and state.log else None
    return replace(state, note=hint), ()


@on(ev.LogAsked)
def _log_asked(state: State, event: ev.LogAsked) -> Step:
    places = state.of(Places)
    if places.focus == LOG:
        return state, (PaneChosen(next((p for p in places.recent if p != LOG), LOG)),)
    if state.log:
        return state, (PaneChosen(LOG),)
    where = f"; what the engine wrote to stderr is in {state.engine_log}" if state.engine_log else ""
    return replace(state, note=Note("info", f"the log is empty{where}")), ()


@on(ev.Overdue)
def _overdue(state: State, event: ev.Overdue) -> Step:
    if state.phase != "cancelling" or event.run != state.run:
        return state, ()
    again = state.wanted
    note = Note("warning", "stopped; the engine did not answer and was ended, a new one starts")
    state = replace(_fall_back(state), worker="stopping", phase="waiting" if again else "cancelled", note=note)
    return state, (ev.Terminate(),)


@on(ev.Exited)
def _exited(state: State, event: ev.Exited) -> Step:
    if state.worker == "stopping":
        state, effects = forget(replace(state, worker="starting"), "the engine was ended")
        return state, (ev.Start(), *effects)
    last = f" Its last words: {event.last_words}" if event.last_words else ""
    note = Note("error", f"The engine's process {event.how}; r starts it again.{last}")
    state = logged(replace(state, worker="off", wanted=False), note)
    if state.busy:
        state = replace(_fall_back(state), phase="failed")
    return forget(replace(state, note=note), f"the engine's process {event.how}")


def _fall_back(state: State) -> State:
    """Show the last complete table again instead of half a one, marked stale; half a one is better than none."""
    if not state.kept.rows:
        return replace(state, stale=bool(state.table.rows))
    return shown(replace(state, stale=True), state.kept)


def shown(state: State, table: Table) -> State:
    """Show another table; the cursor stays on its layer, where that layer still exists."""
    row = state.cursor
    name = state.table.rows[row].name if row < len(state.table.rows) else state.wish
    found = table.find(name) if name else None
    row = row if found is None else found
    column = table.samples.index(state.wished_sample) if state.wished_sample in table.samples else state.column
    return replace(
        state, table=table, cursor=max(0, min(row, len(table.rows) - 1)), column=max(0, min(column, len(table.samples) - 1)),
        wish="" if table.rows else state.wish, wished_sample="" if table.samples else state.wished_sample,
    )  # fmt: skip


# What the worker says


@on(wire.Hello)
def _hello(state: State, said: wire.Hello) -> Step:
    lost = state.variant if said.variant and state.variant != said.variant and state.variant in said.variants else None
    variant = lost or said.variant or state.variant
    state = replace(
        state, worker="ready", variant=variant, project=said.project or state.project, model=said.model or state.model,
        soc=_set_soc(state.settings) or said.soc or state.soc,
    )  # fmt: skip
    if said.protocol != PROTOCOL:
        text = f"The engine speaks protocol {said.protocol}, this workbench {PROTOCOL}: install both from one release."
        return replace(state, phase="failed", wanted=False, note=Note("error", text)), ()
    if lost:  # a new process serves the variant that the command line names: before all else it is told which one is worked on
        return ask_first(replace(state, worker="starting"), "variant", {"name": lost}, then=_told_variant)
    return _next(state)


def _told_variant(state: State, reply: Reply) -> Step:
    if reply.failed and state.worker != "starting":  # that process is gone, too
        return state, ()
    if reply.failed:
        state = state.noted("error", reply.error)
    elif reply.done:
        state = replace(state, soc=_set_soc(state.settings) or reply.said.get("soc", ""), model=reply.said.get("model", state.model))
    return _next(replace(state, worker="ready"))


def _set_soc(settings: tuple[str, ...]) -> str:
    """Return the SOC that the last of the user's settings for it names, "" where none does."""
    pairs = (setting.partition("=") for setting in settings)
    return next((value.strip().strip('"') for key, _, value in reversed(list(pairs)) if key.strip() == "SOC"), "")


@on(wire.Progress)
def _progress(state: State, said: wire.Progress) -> Step:
    if not _current(state, said.id):
        return state, ()
    return replace(state, stage=said.stage, done=said.done, total=said.total), ()


@on(wire.Layers)
def _layers(state: State, said: wire.Layers) -> Step:
    if not _current(state, said.id):
        return state, ()
    return replace(shown(state, tb.from_layers(said)), stale=False), ()


@on(wire.Sample)
def _sample(state: State, said: wire.Sample) -> Step:
    if not _current(state, said.id):
        return state, ()
    return replace(state, table=tb.with_sample(state.table, said)), ()


@on(wire.Log)
def _log(state: State, said: wire.Log) -> Step:
    if said.id is not None and not _current(state, said.id):
        return state, ()  # what an open request says is logged where requests are
    return logged(state, Note(said.level, said.text, said.source)), ()


@on(wire.Garbage)
def _garbage(state: State, said: wire.Garbage) -> Step:
    return logged(state, Note("warning", f"not a message ({said.why}): {said.text}", NOISE)), ()


@on(wire.Result)
def _result(state: State, said: wire.Result) -> Step:
    if not _current(state, said.id):
        return state, ()
    try:
        value = wire.read(said.value, wire.Document)
    except wire.Unfit as problem:
        return _error(state, wire.Error("ProtocolError", f"the engine's result does not fit: {problem}", id=said.id))
    state = shown(state, tb.from_document(value, state.table.samples))
    known = {note.text for note in state.log}
    for text in (_sentence(warning) for warning in value.warnings):
        state = state if text in known else logged(state, Note("warning", text))
    state = replace(
        state, phase="done", stale=False, kept=state.table, outputs=value.outputs,
        soc=value.soc, model=value.model, note=_summary(state),
    )  # fmt: skip
    return _ended(state, ok=True)


@on(wire.Error)
def _error(state: State, said: wire.Error) -> Step:
    if said.id is None:
        return logged(state, Note("warning", _told(said, state.engine_log), NOISE)), ()
    if not _current(state, said.id):
        return state, ()
    state = _fall_back(state)
    if said.kind == "Cancelled":
        return _ended(replace(state, phase="cancelled", note=None), ok=False)
    note = Note("error", _told(said, state.engine_log))
    return _ended(replace(logged(state, note), phase="failed", wanted=False, note=note), ok=False)


def _told(said: wire.Error, log: str) -> str:
    """Return an error in words for people: the names of our classes are none."""
    mistake = INTERNAL.match(said.message)
    if not mistake and said.message:
        return said.message
    details = f": {said.message[mistake.end() :]}" if mistake else ""
    return f"the engine made a mistake of its own{details} (more in {log or 'its log'})"


def _current(state: State, id_: int | None) -> bool:
    """Tell whether a message belongs to the run that is at work; what an older one still says is dropped."""
    return id_ == state.run and state.phase in ("running", "cancelling")


def _ended(state: State, *, ok: bool) -> Step:
    """Let the rooms know, then begin what waited for the end of the run."""
    return state, (ev.RunEnded(ok), ev.Freed())


@on(ev.Freed)
def _freed(state: State, event: ev.Freed) -> Step:
    return _next(state)


def _next(state: State) -> Step:
    """Begin the run that was asked for, as soon as nothing heavy is at work; else send what waits."""
    if state.wanted and state.worker == "ready" and heavy_at_work(state) is None:
        state, effects = _begin(replace(state, started=state.now))
        state, more = flush(state)
        return state, (*effects, *more)
    return flush(state)


def _summary(state: State) -> Note | None:
    """Return the weightiest warning of a run that went well, so that it is not overlooked."""
    warnings = [note for note in state.log if note.level != "info"]
    if not warnings:
        return None
    warnings.sort(key=_weight)
    more = f" ({len(warnings) - 1} more: w)" if len(warnings) > 1 else ""
    return Note("warning", warnings[0].text + more)


def _weight(note: Note) -> tuple[bool, int, bool]:
    """Return what sorts warnings: the run's before the configuration's, and noise last."""
    rank = next((rank for rank, words in enumerate(WEIGHTY) if words in note.text), len(WEIGHTY))
    return note.source == NOISE, rank, note.source == "config"


def _sentence(warning: object) -> str:
    """Return a warning of the document as text; it is a string or an object with a text."""
    if isinstance(warning, dict):
        return str(warning.get("text") or warning.get("message") or warning)
    return str(warning)


class Told(ev.Event, frozen=True):
    """Something is to be read in the row of messages."""

    text: str


@on(Told)
def _told_so(state: State, event: Told) -> Step:
    return state.noted("info", event.text), ()


# The cursor


@on(ev.Moved)
def _moved(state: State, event: ev.Moved) -> Step:
    return _place(state, state.cursor + event.by)


@on(ev.MovedTo)
def _moved_to(state: State, event: ev.MovedTo) -> Step:
    return _place(state, event.row if event.row >= 0 else len(state.table.rows) + event.row)


def _place(state: State, row: int) -> Step:
    return replace(state, cursor=max(0, min(row, len(state.table.rows) - 1))), ()


@on(ev.ColumnMoved)
def _column_moved(state: State, event: ev.ColumnMoved) -> Step:
    column = max(0, min(state.column + event.by, len(state.table.samples) - 1))
    return replace(state, column=column), ()


@on(ev.BadAsked)
def _bad_asked(state: State, event: ev.BadAsked) -> Step:
    row = tb.next_bad(state.table, state.cursor, event.step)
    if row is None:
        return replace(state, note=Note("info", "no layer below 0.98")), ()
    return replace(state, cursor=row), ()


@on(ev.Tick)
def _tick(state: State, event: ev.Tick) -> Step:
    return (replace(state, now=event.now) if state.busy else state), ()
