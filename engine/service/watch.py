"""`watch`: tells of every change of the project's files until it is cancelled."""

from __future__ import annotations

import msgspec

from ..events import Found, Progress, Report
from ..watching import watch
from .context import Context

LANE = "own"


class Fields(msgspec.Struct):
    """Nothing is asked."""


def answer(context: Context, fields: Fields, report: Report) -> None:
    """Send an event `changed` for every change: what -> files, of "config", "bits", "model" and "pictures"; ends when cancelled."""

    while True:
        variant = context.variant

        def stopped(watched: str | None = variant) -> bool:
            report(Progress("Watch", 0, 0))  # raises Cancelled
            return context.variant != watched  # another variant has other files

        watch(context.path, variant, lambda what: report(Found("changed", dict(what))), stopped)
