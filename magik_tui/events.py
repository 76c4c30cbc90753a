"""What can happen to the workbench (events) and what it may ask for in return (effects), as values.

Times are seconds of a monotonic clock; what the worker says is in `magik_tui.wire`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from magik_tui.wire import Said


@dataclass(frozen=True, slots=True)
class Opened:
    """The first screen has been painted."""

    now: float


@dataclass(frozen=True, slots=True)
class RunAsked:
    """The user wants the table made anew."""

    now: float


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """The user wants the run, or failing that the message, gone."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The cursor goes `by` rows down (negative: up)."""

    by: int


@dataclass(frozen=True, slots=True)
class MovedTo:
    """The cursor goes to a row; a negative one counts from the end."""

    row: int


@dataclass(frozen=True, slots=True)
class ColumnMoved:
    """The sample cursor goes `by` columns to the right."""

    by: int


@dataclass(frozen=True, slots=True)
class BadAsked:
    """The cursor goes to the next (`step` 1) or previous (-1) bad layer."""

    step: int


@dataclass(frozen=True, slots=True)
class LogAsked:
    """The user wants to read the log."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has gone by."""

    now: float


@dataclass(frozen=True, slots=True)
class Overdue:
    """The worker has not answered the cancel of `run` in time."""

    run: int


@dataclass(frozen=True, slots=True)
class Exited:
    """The worker's process is gone; `how` says why, `last_words` is the last line of its log."""

    how: str
    last_words: str = ""


Event = Opened | RunAsked | CancelAsked | Moved | MovedTo | ColumnMoved | BadAsked | LogAsked | Tick | Overdue | Exited | Said


@dataclass(frozen=True, slots=True)
class Start:
    """Start the worker."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send one request to the worker."""

    request: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Report `Overdue(run)` after `seconds`."""

    seconds: float
    run: int


@dataclass(frozen=True, slots=True)
class Terminate:
    """End the worker's process group, politely and then not; `Exited` follows."""


Effect = Start | Send | Alarm | Terminate
