"""The room of the diagnosis: what is tried, what was found, the rows to walk over, and fixes into the project's files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

import msgspec

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core.asking import Choice, Prompt
from magik_tui.core.data import SampleNamed
from magik_tui.core.detail import Jumped
from magik_tui.core.export import CopyAsked
from magik_tui.core.findings import Before, Diagnosed, Entry, Fix, entries_of, named
from magik_tui.core.live import FilesChanged, Live
from magik_tui.core.places import PaneChosen
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on, walked
from magik_tui.core.twin import told, twin

SOURCE = "Diagnose"  # of the log lines that tell what is tried
DEBUG = "DEBUG_PATH"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The slice of this room.

    `job` is the request at work, `steps` what it tried so far, `found` the last answer, of `variant`, and `document` the same as it was
    sent; `stale` says that the project's files changed since, `stopped` that an `error` is no fault of the project. `opened` is the rank
    of the fix whose lines are shown, 0 for the list, and `place` where the list's cursor stays meanwhile. `applied` is the rank of the fix
    that was written last, and `before` holds what undoes each that was, the last one at the end, as long as nobody else writes the files.
    """

    job: int | None = None
    steps: tuple[str, ...] = ()
    found: Diagnosed | None = None
    document: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    stopped: bool = False
    stale: bool = False
    variant: str | None = None
    cursor: int = 0
    opened: int = 0
    place: int = 0
    applied: int = 0
    before: tuple[tuple[Before, ...], ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The rows that are shown: what is tried while it works, then what was found, or the lines of the fix that is opened."""
        return entries_of(self.found if self.job is None else None, self.steps, self.opened)

    @property
    def chosen(self) -> Entry | None:
        """The row under the cursor."""
        rows = self.entries
        return rows[self.cursor] if self.cursor < len(rows) else None

    @property
    def fix(self) -> Fix | None:
        """The fix that is opened, or the one under the cursor."""
        if self.opened and self.found is not None:
            return next((fix for fix in self.found.fixes if fix.rank == self.opened), None)
        value = self.chosen.value if self.chosen else None
        return value if isinstance(value, Fix) else None


class DiagnoseAsked(ev.Event, frozen=True):
    """The project is to be diagnosed."""


class EntryMoved(ev.Event, frozen=True):
    """The cursor goes `by` rows down, or `to` a place; -1 is the last."""

    by: int = 0
    to: int | None = None


class PartAsked(ev.Event, frozen=True):
    """The cursor goes to the next (`step` 1) or previous (-1) part of the list."""

    step: int


class EntryOpened(ev.Event, frozen=True):
    """What the row under the cursor names is wanted: the lines of a fix, once more to write them; a layer, a sample."""


class EntryClosed(ev.Event, frozen=True):
    """The list is wanted again."""


class FixUndone(ev.Event, frozen=True):
    """The files are to be as they were before the last fix was written."""


class ReportAsked(ev.Event, frozen=True):
    """The whole diagnosis is wanted in the clipboard, in Markdown."""


def fix_line(state: State) -> str:
    """Return the command line that writes the opened fix, "" where it would write another: ranks are those of the files as they were."""
    mine = state.of(Diagnosis)
    fix = mine.fix if mine.opened else None
    if fix is None or not fix.written or mine.variant != state.variant or (mine.stale and mine.applied != fix.rank):
        return ""
    return twin(state, "diagnose", "--apply", str(fix.rank))


@on(DiagnoseAsked)
def _asked(state: State, event: DiagnoseAsked) -> Step:
    mine = state.of(Diagnosis)
    if mine.job is not None:
        return state.noted("info", "a diagnosis is at work; Esc stops it, and it goes on from there the next time"), ()
    line = twin(state, "diagnose")
    plan = " (changes on top of the configuration do not count: write them first)" if state.of(Live).plan else ""
    state = told(state, line).noted("info", f"{line}{plan}")
    job = state.last_id + 1
    state = state.put(replace(mine, job=job, steps=(), error="", stopped=False, stale=False, cursor=0, opened=0))
    fields = {"set": list(state.settings)} if state.settings else {}
    return ask(state, "diagnose", fields, then=_heard, label="diagnosing", heavy=True)


def _heard(state: State, reply: Reply) -> Step:
    mine = state.of(Diagnosis)
    if reply.request.id != mine.job:
        return state, ()
    if isinstance(reply.said, wire.Log):
        return (state.put(replace(mine, steps=with_step(mine.steps, reply.said.text))) if reply.said.source == SOURCE else state), ()
    if reply.failed:
        died = isinstance(reply.said, wire.Error) and reply.said.kind == "Exited"
        said = "stopped" if reply.cancelled else reply.error
        state = state.put(replace(mine, job=None, cursor=0, error=said, stopped=reply.cancelled or died, stale=mine.found is not None))
        if died:
            return state, ()  # that is told already
        return state.noted("info" if reply.cancelled else "error", f"{said}; d goes on from here" if reply.cancelled else said), ()
    if not reply.done:
        return state, ()
    try:
        found = wire.read(reply.said, Diagnosed)
    except wire.Unfit as problem:
        said = f"the engine's answer does not fit: {problem}"
        return state.put(replace(mine, job=None, error=said)).noted("error", said), ()
    mine = replace(mine, job=None, found=found, document=reply.said, variant=state.variant, cursor=1, applied=0)
    state = state.put(mine)
    fixes = f"{len(found.fixes)} fix{'' if len(found.fixes) == 1 else 'es'}"
    return state.noted("info", f"diagnosed: {found.verdict}, {fixes}; Enter opens what a row names"), ()


def with_step(steps: tuple[str, ...], text: str) -> tuple[str, ...]:
    """Return the steps with one more line of narration; what a trial gained, which is indented, goes behind the trial."""
    said = text.strip().removeprefix("trying: ")
    if text.startswith(" ") and steps:
        return (*steps[:-1], f"{steps[-1]}  {said}")
    return (*steps, said)


@on(EntryMoved)
def _moved(state: State, event: EntryMoved) -> Step:
    mine = state.of(Diagnosis)
    return state.put(replace(mine, cursor=walked(mine.cursor, len(mine.entries), event.by, event.to))), ()


@on(PartAsked)
def _part(state: State, event: PartAsked) -> Step:
    mine = state.of(Diagnosis)
    heads = [at for at, entry in enumerate(mine.entries) if entry.kind == "head"]
    rows = [at + 1 for at in heads]
    if not rows:
        return state, ()
    after = [at for at in rows if at > mine.cursor] if event.step > 0 else [at for at in rows[::-1] if at < mine.cursor]
    return state.put(replace(mine, cursor=next(iter(after), rows[0] if event.step > 0 else rows[-1]))), ()


@on(EntryOpened)
def _opened(state: State, event: EntryOpened) -> Step:
    mine = state.of(Diagnosis)
    if mine.job is not None:
        return state.noted("info", "a diagnosis is at work; Esc stops it"), ()
    if mine.found is None:
        return _asked(state, DiagnoseAsked())
    if mine.opened:
        return _apply(state, mine)
    value = mine.chosen.value if mine.chosen else None
    if isinstance(value, Fix):
        return state.put(replace(mine, opened=value.rank, place=mine.cursor, cursor=0)), ()
    found = tuple(_places(state, mine.found, value))
    if not found:
        return state.noted("info", "this row names no layer and no sample of the table"), ()
    if len(found) > 1:
        return state, (Prompt("go to", lambda chosen: chosen, choices=found),)
    return state, (found[0].value,)


class LayerNamed(ev.Event, frozen=True):
    """The layer of that name is wanted, closely."""

    name: str


class PictureNamed(ev.Event, frozen=True):
    """The sample of that name is wanted, in the set that `key` names."""

    key: str
    name: str


def _places(state: State, found: Diagnosed, value: object) -> list[Choice]:
    """Return where a row leads: a layer or a sample each, as far as the table and the sets have them."""
    layers, samples = named(found, value)
    choices = [Choice(name, LayerNamed(name)) for name in layers if state.table.find(name) is not None]
    choices += [Choice(each.sample, PictureNamed(each.key or DEBUG, each.sample)) for each in samples]
    return choices


@on(LayerNamed)
def _layer(state: State, event: LayerNamed) -> Step:
    return state, (Jumped(event.name), PaneChosen("layer"))


@on(PictureNamed)
def _picture(state: State, event: PictureNamed) -> Step:
    moves: tuple[ev.Event, ...] = ()
    if event.key == DEBUG and event.name in state.table.samples:
        moves = (ev.ColumnMoved(state.table.samples.index(event.name) - state.column),)
    return state, (*moves, SampleNamed(event.key, event.name), PaneChosen("data"))


@on(EntryClosed)
def _closed(state: State, event: EntryClosed) -> Step:
    mine = state.of(Diagnosis)
    return state.put(replace(mine, opened=0, cursor=mine.place) if mine.opened else mine), ()


def _apply(state: State, mine: Diagnosis) -> Step:
    """Write what the opened fix says; what only a person can do stays to be done."""
    fix = mine.fix
    if fix is None:
        return state, ()
    if not fix.written:
        return state.noted("warning", f"no file says this, it is yours to do: {fix.do or fix.title}"), ()
    if mine.variant != state.variant:
        return state.noted("warning", f"this was measured on the variant {mine.variant}; d diagnoses {state.variant}"), ()
    if mine.applied == fix.rank:
        return state.noted("info", "it is written already; u takes it back"), ()
    nodes = {name: {"feature_bits": entry["QUANT_FEATURE_BIT"]} for name, entry in fix.bit_file.items()}
    fields: dict[str, Any] = {"config": fix.config, "plan": {"nodes": nodes}}
    if state.settings:
        fields["set"] = list(state.settings)
    line = fix_line(state)
    if line:
        state = told(state, line)
    return ask(state, "apply", fields, then=_applied, value=Applied, tag=fix, label="writing a fix")


class Applied(msgspec.Struct, frozen=True):
    """The answer to `apply` and to `undo`."""

    written: tuple[str, ...] = ()
    before: tuple[Before, ...] = ()


def _applied(state: State, reply: Reply) -> Step:
    if reply.failed:
        return state.noted("error", reply.error), ()
    if not reply.done:
        return state, ()
    fix: Fix = reply.request.tag
    if not reply.said.before:
        return state.noted("info", "the files say so already"), ()
    mine = state.of(Diagnosis)
    state = state.put(replace(mine, applied=fix.rank, before=(*mine.before, reply.said.before)))
    overruled = [s for s in state.settings if s.partition("=")[0].strip().upper() in fix.config]
    wrote = f"wrote {_files(reply.said.written)}; u takes it back"
    if overruled:
        return state.noted("warning", f"{wrote}; here --set {overruled[0]} still counts instead"), ()
    if fix.todo:
        return state.noted("warning", f"{wrote}; still yours to do: {fix.todo}"), ()
    return state.noted("info", wrote), ()


def _files(paths: tuple[str, ...]) -> str:
    return ", ".join(PurePath(path).name for path in paths)


@on(FixUndone)
def _undo(state: State, event: FixUndone) -> Step:
    mine = state.of(Diagnosis)
    if not mine.before:
        return state.noted("info", "no fix was written that could be taken back"), ()
    return ask(state, "undo", {"before": msgspec.to_builtins(mine.before[-1])}, then=_undone, value=Applied, label="taking a fix back")


def _undone(state: State, reply: Reply) -> Step:
    if reply.failed:
        return state.noted("error", f"not taken back: {reply.error}"), ()
    if not reply.done:
        return state, ()
    mine = state.of(Diagnosis)
    state = state.put(replace(mine, applied=0, before=mine.before[:-1]))
    return state.noted("info", f"as before: {_files(reply.said.written)}"), ()


@on(FilesChanged)
def _changed(state: State, event: FilesChanged) -> Step:
    mine = state.of(Diagnosis)
    return state.put(replace(mine, stale=True) if mine.found is not None or mine.job is not None else mine), ()


@on(ev.RunAsked)
def _run_asked(state: State, event: ev.RunAsked) -> Step:
    mine = state.of(Diagnosis)
    other = mine.found is not None and mine.variant != state.variant
    return state.put(replace(mine, stale=True)) if other else state, ()


@on(ReportAsked)
def _report(state: State, event: ReportAsked) -> Step:
    found = state.of(Diagnosis).found
    if found is None:
        return state.noted("info", "there is no diagnosis yet; d makes one"), ()
    return state, (CopyAsked(found.markdown, "the diagnosis in Markdown"),)
