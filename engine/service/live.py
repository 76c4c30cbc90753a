"""`live`: the figures of every layer under a changed plan; only what it changes is computed, and no artefact is written."""

from __future__ import annotations

from typing import Any

import msgspec

from ..events import Report
from ..planjson import plan_over
from .context import Context

LANE = "heavy"


class Fields(msgspec.Struct):
    """`set` are KEY=VALUE settings, `plan` the changes on top of the configuration."""

    set: list[str] = []
    plan: dict[str, Any] = {}


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return the document of `magik-tui run --json` without artefacts, and `recomputed`, the names of the layers that ran."""
    lab = context.lab(fields.set, report)
    return lab.evaluate(plan_over(lab.base, fields.plan, lab.config.soc))
