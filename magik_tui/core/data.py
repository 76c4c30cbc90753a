"""The room of the samples: the sets with what is odd about each sample, and small pictures of those one looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from magik_tui import events as ev
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on, walked

SIDE = 48  # pixels of a picture's longer side: two of them stand in a cell
SHARP = 128  # the same where the terminal draws pictures
KEPT = 64  # pictures that are remembered
SETS = ("DEBUG_PATH", "QUANT_DATASET_PATH", "WEIGHT_CORRECT_PATH", "FEATURE_CORRECT_PATH")


class Sample(msgspec.Struct, frozen=True):
    """One sample: its files, whether it is a picture, and what is wrong with that."""

    name: str
    files: tuple[str, ...] = ()
    picture: bool = False
    fault: str = ""


class Samples(msgspec.Struct, frozen=True):
    """One set."""

    samples: tuple[Sample, ...] = ()
    warnings: tuple[str, ...] = ()


class Sets(msgspec.Struct, frozen=True):
    """The answer to `data`."""

    sets: dict[str, Samples] = {}
    warnings: tuple[str, ...] = ()


class Picture(msgspec.Struct, frozen=True):
    """A small picture: pixels row by row, three bytes each."""

    width: int = 0
    height: int = 0
    rgb: bytes = b""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: the head of a set (no sample), or a sample of it; `index` is its place in the set."""

    key: str
    sample: Sample | None = None
    index: int = 0


@dataclass(frozen=True, slots=True)
class Data:
    """The slice of this room. `entries` are the rows, `pictures` what was asked for, by file (None: on its way, or there is none).

    `wish` is the set and the name of the sample that the cursor shall be on as soon as it is there.
    """

    sets: Sets | None = None
    entries: tuple[Entry, ...] = ()
    cursor: int = 0
    pictures: Mapping[str, Picture | None] = field(default_factory=dict)
    asked: bool = False
    wish: tuple[str, str] = ("", "")

    @property
    def chosen(self) -> Entry | None:
        """The row under the cursor."""
        return self.entries[self.cursor] if self.cursor < len(self.entries) else None

    @property
    def pictured(self) -> Sample | None:
        """The sample whose picture is in sight: that under the cursor, on the head of a set the first of it."""
        here = self.entries[self.cursor : self.cursor + 2]
        return next((entry.sample for entry in here[: 1 if here and here[0].sample else 2] if entry.sample is not None), None)


class DataSeen(ev.Event, frozen=True):
    """The sets are in sight: they shall be there."""


class DataChanged(ev.Event, frozen=True):
    """Pictures or the configuration changed on disk."""


class SampleMoved(ev.Event, frozen=True):
    """The cursor goes `by` rows down, or `to` a place."""

    by: int = 0
    to: int | None = None


class SampleNamed(ev.Event, frozen=True):
    """The cursor goes to a sample of the set that `key` names."""

    key: str
    name: str


class PictureWanted(ev.Event, frozen=True):
    """The picture of the sample under the cursor is in sight; its longer side shall have so many pixels."""

    side: int = SIDE


class OddAsked(ev.Event, frozen=True):
    """The cursor goes to the next sample with a fault."""


def _list(state: State) -> Step:
    state = state.put(replace(state.of(Data), asked=True))
    fields = {"set": list(state.settings)} if state.settings else {}
    return ask(state, "data", fields, then=_listed, value=Sets, label="looking at the samples")


def _listed(state: State, reply: Reply) -> Step:
    data = replace(state.of(Data), asked=False)
    if reply.done:
        rows = tuple(_entries(reply.said))
        cursor = _found(rows, *data.wish, min(data.cursor, max(0, len(rows) - 1)))
        return state.put(replace(data, sets=reply.said, entries=rows, cursor=cursor, wish=("", ""))), ()
    return (state.put(replace(data, sets=data.sets or Sets())).noted("error", reply.error) if reply.failed else state), ()


def _entries(found: Sets) -> list[Entry]:
    rows: list[Entry] = []
    for key in (*SETS, *(k for k in found.sets if k not in SETS)):
        if key in found.sets and found.sets[key].samples:
            rows += [Entry(key), *(Entry(key, s, i) for i, s in enumerate(found.sets[key].samples))]
    return rows


@on(DataSeen)
def _seen(state: State, event: DataSeen) -> Step:
    data = state.of(Data)
    return (state, ()) if data.asked or data.sets is not None else _list(state)


@on(DataChanged)
def _changed(state: State, event: DataChanged) -> Step:
    data = state.of(Data)
    return (state, ()) if data.asked or data.sets is None else _list(state.put(replace(data, pictures={})))


@on(SampleMoved)
def _moved(state: State, event: SampleMoved) -> Step:
    data = state.of(Data)
    return state.put(replace(data, cursor=walked(data.cursor, len(data.entries), event.by, event.to))), ()


def _found(rows: tuple[Entry, ...], key: str, name: str, otherwise: int) -> int:
    """Return the row of a sample."""
    return next((at for at, e in enumerate(rows) if e.sample is not None and (e.key, e.sample.name) == (key, name)), otherwise)


@on(SampleNamed)
def _named(state: State, event: SampleNamed) -> Step:
    data = state.of(Data)
    if data.sets is None or data.asked:
        data = replace(data, wish=(event.key, event.name))
    return state.put(replace(data, cursor=_found(data.entries, event.key, event.name, data.cursor))), ()


@on(OddAsked)
def _odd(state: State, event: OddAsked) -> Step:
    data = state.of(Data)
    places = [*range(data.cursor + 1, len(data.entries)), *range(data.cursor + 1)]
    found = next((p for p in places if (entry := data.entries[p]).sample is not None and entry.sample.fault), None)
    if found is None:
        return state.noted("info", "no sample looks odd"), ()
    return state.put(replace(data, cursor=found)), ()


@on(PictureWanted)
def _wanted(state: State, event: PictureWanted) -> Step:
    data = state.of(Data)
    sample = data.pictured
    if sample is None or not sample.picture or not sample.files or sample.files[0] in data.pictures:
        return state, ()
    file = sample.files[0]
    kept = dict(list(data.pictures.items())[-KEPT:])
    state = state.put(replace(data, pictures={**kept, file: None}))
    fields = {"file": file, "side": event.side, **({"set": list(state.settings)} if state.settings else {})}
    return ask(state, "thumbnail", fields, then=_pictured, value=Picture, tag=file, label="a picture")


def _pictured(state: State, reply: Reply) -> Step:
    data = state.of(Data)
    if not reply.done:
        return state, ()
    return state.put(replace(data, pictures={**data.pictures, reply.request.tag: reply.said})), ()
