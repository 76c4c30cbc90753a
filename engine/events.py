"""What the engine tells while it works: immutable events, handed to one hook.

`Report` is the only way out of a long computation: it shows progress, and it may raise `errors.Cancelled` to stop it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` steps of `stage` are finished (stage names are those of the vendor's progress lines).

    A `total` of 0 tells nothing: the work only asks whether it is to go on.
    """

    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Log:
    """One line of narration; `level` is "info", "warning" or "error"; `source` names the room it comes from."""

    text: str
    level: str = "info"
    source: str = ""


@dataclass(frozen=True, slots=True)
class Layers:
    """The rows of the table are known: one mapping per node in graph order, without metrics yet."""

    rows: tuple[Mapping[str, Any], ...]
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SampleMeasured:
    """One debug sample has been measured: node name -> metrics of that sample."""

    sample: str
    index: int
    metrics: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """Something a search or a watch came upon before its end: what it is, and plain data."""

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


Event = Progress | Log | Layers | SampleMeasured | Found
Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """Take an event and do nothing with it: the hook of callers that want no narration."""
