"""`units`: layers whose widths are tied, what each costs, and which widths the chip has."""

from __future__ import annotations

from typing import Any

import msgspec

from ..analysis.costs import all_widths, work
from ..events import Report
from ..planjson import plan_over
from .context import Context

LANE = "light"


class Fields(msgspec.Struct):
    """As for `live`."""

    set: list[str] = []
    plan: dict[str, Any] = {}


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return `units` in graph order with the width asked for and the `work` that costs are of, and `widths`: legal feature bits -> cost."""
    lab = context.lab(fields.set, report)
    plan = plan_over(lab.base, fields.plan, lab.config.soc)
    resolved = lab.resolve(plan)
    units = [
        {
            "name": u.name,
            "op": u.op,
            "nodes": list(u.nodes),
            "macs": u.macs,
            "work": work(u),
            "feature_bits": resolved.choices[u.name].feature_bits,
        }
        for u in lab.units
    ]
    widths = all_widths(lab.profile)
    return {"units": units, "widths": {str(bits): cost for bits, cost in widths.items()}, "unmatched": list(resolved.unmatched)}
