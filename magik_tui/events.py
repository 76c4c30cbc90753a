"""What can happen to the workbench (events) and what it may ask for in return (effects), as values.

Times are seconds of a monotonic clock; what the worker says is in `magik_tui.wire`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from magik_tui.wire import Said


class Event:
    """What can happen; a room of the core defines its own beside its steps."""

    __slots__ = ()


class Effect:
    """What is to be done outside the core; `magik_tui.deeds` says how."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Opened(Event):
    """The first screen has been painted."""

    now: float


@dataclass(frozen=True, slots=True)
class RunAsked(Event):
    """The user wants the table made anew."""

    now: float


@dataclass(frozen=True, slots=True)
class CancelAsked(Event):
    """The user wants the run, or failing that the message, gone."""


@dataclass(frozen=True, slots=True)
class Moved(Event):
    """The cursor goes `by` rows down (negative: up)."""

    by: int


@dataclass(frozen=True, slots=True)
class MovedTo(Event):
    """The cursor goes to a row; a negative one counts from the end."""

    row: int


@dataclass(frozen=True, slots=True)
class ColumnMoved(Event):
    """The sample cursor goes `by` columns to the right."""

    by: int


@dataclass(frozen=True, slots=True)
class BadAsked(Event):
    """The cursor goes to the next (`step` 1) or previous (-1) bad layer."""

    step: int


@dataclass(frozen=True, slots=True)
class LogAsked(Event):
    """The user wants to read the log."""


@dataclass(frozen=True, slots=True)
class Tick(Event):
    """Time has gone by."""

    now: float


@dataclass(frozen=True, slots=True)
class Overdue(Event):
    """The worker has not answered the cancel of `run` in time."""

    run: int


@dataclass(frozen=True, slots=True)
class Exited(Event):
    """The worker's process is gone; `how` says why, `last_words` is the last line of its log."""

    how: str
    last_words: str = ""


@dataclass(frozen=True, slots=True)
class Freed(Event):
    """Nothing heavy is at work any more: what waits for that may begin."""


@dataclass(frozen=True, slots=True)
class RunEnded(Event):
    """A run has ended; `ok` says that its table is complete. For rooms that follow the run."""

    ok: bool


Happening = Event | Said


@dataclass(frozen=True, slots=True)
class Start(Effect):
    """Start the worker."""


@dataclass(frozen=True, slots=True)
class Send(Effect):
    """Send one request to the worker."""

    request: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alarm(Effect):
    """Let `event` happen after `seconds`."""

    seconds: float
    event: Event


@dataclass(frozen=True, slots=True)
class Terminate(Effect):
    """End the worker's process group, politely and then not; `Exited` follows."""
