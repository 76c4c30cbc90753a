"""What the worker says, as typed values: one class per message of docs/protocol.md, and the line they come from.

A message that does not fit becomes `Garbage`, never an exception: the worker's stdout also carries what native libraries
print there.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

QUOTE = 200
EMPTY = msgspec.Raw(b"{}")


class Score(msgspec.Struct, frozen=True, gc=False):
    """The cosine of one layer on one debug sample; None where the cosine does not exist (a zero tensor)."""

    sample: str = ""
    cosine: float | None = None


class BySample(msgspec.Struct, frozen=True, gc=False):
    """What else is known of a layer on each sample: one number for each of its `samples`, in their order; runs of earlier releases have
    none."""

    sqnr_db: tuple[float | None, ...] = ()
    saturation: tuple[float | None, ...] = ()
    local_cosine: tuple[float | None, ...] = ()
    local_sqnr_db: tuple[float | None, ...] = ()


class Row(msgspec.Struct, frozen=True, gc=False):
    """One node in graph order: the fields of `magik-tui run --json`; the metrics are None until they are measured."""

    name: str
    op: str = ""
    quantized: bool = True
    reason: str | None = None
    feature_bits: int | None = None
    weight_bits: int | None = None
    requested_feature_bits: int | None = None
    method: str | None = None
    min: float | None = None
    max: float | None = None
    scale: float | None = None
    zero_point: int | None = None
    cosine_avg: float | None = None
    cosine_min: float | None = None
    cosine_max: float | None = None
    euc_distance: float | None = None
    standard_deviation: float | None = None
    max_absolute: float | None = None
    max_absolute_normalized: float | None = None
    sqnr_db: float | None = None
    saturation: float | None = None
    mean_error: float | None = None
    local_cosine: float | None = None
    local_sqnr_db: float | None = None
    samples: tuple[Score, ...] = ()
    by_sample: BySample = BySample()


class Output(msgspec.Struct, frozen=True):
    """How near one output of the quantized model comes to the float model's."""

    name: str = ""
    cosine_avg: float | None = None
    cosine_min: float | None = None


class Document(msgspec.Struct, frozen=True):
    """The result of a run. `timing` is in seconds per stage, `peak_rss_mb` in megabytes."""

    nodes: tuple[Row, ...] = ()
    outputs: tuple[Output, ...] = ()
    model: str = ""
    soc: str = ""
    timing: dict[str, float] = msgspec.field(default_factory=dict)
    peak_rss_mb: float | None = None
    artefacts: tuple[Any, ...] = ()
    warnings: tuple[Any, ...] = ()


class Message(msgspec.Struct, frozen=True, tag_field="event", tag=str.lower):
    """Base of the worker's messages; `event` says which one a line holds."""


class Hello(Message, frozen=True):
    """The first line: who answers, and for which project."""

    protocol: int
    engine: str = ""
    pid: int = 0
    project: str = ""
    variant: str | None = None
    variants: tuple[str, ...] = ()
    model: str = ""
    soc: str = ""


class Progress(Message, frozen=True):
    """`done` of `total` steps of `stage` are finished."""

    stage: str
    done: int = 0
    total: int = 0
    id: int | None = None


class Log(Message, frozen=True):
    """One line of narration; `level` is "info", "warning" or "error"."""

    text: str
    level: str = "info"
    source: str = ""
    id: int | None = None


class Layers(Message, frozen=True):
    """The rows of the table, before they are measured, and the names of its sample columns."""

    rows: tuple[Row, ...]
    samples: tuple[str, ...] = ()
    id: int | None = None


class Sample(Message, frozen=True):
    """One debug sample is measured: node name -> metrics."""

    sample: str
    index: int
    metrics: dict[str, dict[str, float | None]]
    id: int | None = None


class Result(Message, frozen=True):
    """The end of a request that went well. Its value stays JSON until `read` makes of it what the one who asked expects, at once:
    tables of thousands of layers would take three times as long by way of plain dictionaries."""

    value: msgspec.Raw = EMPTY
    id: int | None = None


class Error(Message, frozen=True):
    """The end of a request that failed."""

    kind: str
    message: str = ""
    exit_code: int = 1
    id: int | None = None


class News(msgspec.Struct, frozen=True):
    """An event that only one kind of request has: its name and all of its fields; `read` makes a type of them."""

    event: str
    id: int
    fields: dict[str, Any] = {}


class Garbage(msgspec.Struct, frozen=True):
    """A line that is no message, shortened; `why` says what does not fit."""

    text: str
    why: str = ""


Said = Hello | Progress | Log | Layers | Sample | Result | Error | News | Garbage

_MESSAGES = Hello | Progress | Log | Layers | Sample | Result | Error
_KNOWN = {kind.__name__.lower() for kind in (Hello, Progress, Log, Layers, Sample, Result, Error)}
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_MESSAGES)
T = TypeVar("T")


class Unfit(ValueError):
    """What the worker said does not have the form it should have."""


def read(value: Any, kind: type[T]) -> T:
    """Return `value`, the content of a message, as `kind`; raises `Unfit`. What is a `kind` already is returned as it is."""
    if isinstance(kind, type) and isinstance(value, kind):
        return value
    try:
        return _decoded(value, kind) if isinstance(value, msgspec.Raw) else msgspec.convert(value, kind)
    except (ValueError, RecursionError) as problem:  # json's and msgspec's errors are ValueErrors
        raise Unfit(str(problem)) from problem


def _decoded(value: msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(value, type=kind)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):  # lone surrogates, which only the slower parser takes
        return msgspec.convert(json.loads(bytes(value)), kind)


def read_line(line: bytes) -> Said:
    """Return the message that `line` (UTF-8 JSON without its newline) holds."""
    try:
        said: Said = _decoder.decode(line)
    except msgspec.ValidationError as problem:
        return _news(line) or Garbage(line[:QUOTE].decode("utf-8", "replace"), str(problem))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _read_leniently(line)
    return said


def _read_leniently(line: bytes) -> Said:
    """Read what only the slower parser takes: file names that are no UTF-8 arrive as lone surrogates."""
    try:
        found = json.loads(line)
        if isinstance(found, dict) and "value" in found:
            found["value"] = msgspec.Raw(json.dumps(found["value"]).encode("ascii"))
        said: Said = msgspec.convert(found, _MESSAGES)
    except (ValueError, RecursionError) as problem:  # json's and msgspec's errors are ValueErrors
        return _news(line) or Garbage(line[:QUOTE].decode("utf-8", "replace"), str(problem))
    return said


def _news(line: bytes) -> News | None:
    """Return the event of a request that has events of its own; None where the line is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("id"), int):
        return None
    event = found.get("event")
    return News(event, found["id"], found) if isinstance(event, str) and event not in _KNOWN else None


def write_line(request: dict[str, Any]) -> bytes:
    """Return `request` as one line of ASCII JSON with its newline: names of files may hold what UTF-8 cannot say."""
    return json.dumps(request).encode("ascii") + b"\n"
