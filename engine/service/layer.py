"""`layer`: everything about one layer that a person may want to look at."""

from __future__ import annotations

from typing import Any

import msgspec

from ..events import Report
from ..planjson import plan_over
from .context import Context

LANE = "light"


class Fields(msgspec.Struct):
    """`name` is the layer; `bins` the number of bins of its histograms, 8 to 256; the rest as for `live`."""

    name: str
    set: list[str] = []
    plan: dict[str, Any] = {}
    bins: int = 64


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return the details that `engine.lab.detail.detail` describes."""
    from ..lab.detail import detail

    lab = context.lab(fields.set, report)
    plan = plan_over(lab.base, fields.plan, lab.config.soc)
    return detail(lab, plan, fields.name, max(8, min(256, fields.bins)))
