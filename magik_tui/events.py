"""What can happen to the workbench (events) and what it may ask for in return (effects), as values.

Times are seconds of a monotonic clock; what the worker says is in `magik_tui.wire`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from magik_tui.wire import Said


class Event(msgspec.Struct, frozen=True):
    """What can happen; a room of the core defines its own beside its steps, as subclasses (made in no time, unlike dataclasses)."""


class Effect(msgspec.Struct, frozen=True):
    """What is to be done outside the core; `magik_tui.deeds` says how."""


class Opened(Event, frozen=True):
    """The first screen has been painted."""

    now: float


class RunAsked(Event, frozen=True):
    """The user wants the table made anew."""

    now: float


class CancelAsked(Event, frozen=True):
    """The user wants the run, or failing that the message, gone."""


class Moved(Event, frozen=True):
    """The cursor goes `by` rows down (negative: up)."""

    by: int


class MovedTo(Event, frozen=True):
    """The cursor goes to a row; a negative one counts from the end."""

    row: int


class ColumnMoved(Event, frozen=True):
    """The sample cursor goes `by` columns to the right."""

    by: int


class BadAsked(Event, frozen=True):
    """The cursor goes to the next (`step` 1) or previous (-1) bad layer."""

    step: int


class LogAsked(Event, frozen=True):
    """The user wants to read the log."""


class Tick(Event, frozen=True):
    """Time has gone by."""

    now: float


class Overdue(Event, frozen=True):
    """The worker has not answered the cancel of `run` in time."""

    run: int


class Exited(Event, frozen=True):
    """The worker's process is gone; `how` says why, `last_words` is the last line of its log."""

    how: str
    last_words: str = ""


class Freed(Event, frozen=True):
    """Nothing heavy is at work any more: what waits for that may begin."""


class RunEnded(Event, frozen=True):
    """A run has ended, for rooms that follow: `ok` says that its table is complete, `live` that only what a change changed was run."""

    ok: bool
    live: bool = False


Happening = Event | Said


class Start(Effect, frozen=True):
    """Start the worker."""


class Send(Effect, frozen=True):
    """Send one request to the worker."""

    request: dict[str, Any] = {}


class Alarm(Effect, frozen=True):
    """Let `event` happen after `seconds`."""

    seconds: float
    event: Event


class Terminate(Effect, frozen=True):
    """End the worker's process group, politely and then not; `Exited` follows."""
