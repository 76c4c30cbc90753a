"""`apply`: a plan becomes what the project's files say, so that every tool obeys it."""

from __future__ import annotations

from typing import Any

import msgspec

from ..events import Report
from .context import Context

LANE = "light"


class Fields(msgspec.Struct):
    """As for `live`."""

    set: list[str] = []
    plan: dict[str, Any] = {}


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Write what `engine.lab.writing` describes and return `written`; UsageError for what the files cannot say."""
    from ..lab.writing import write_plan

    lab = context.lab(fields.set, report)
    return {"written": [str(path) for path in write_plan(lab, fields.plan)]}
