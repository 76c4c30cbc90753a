"""`units`: layers whose widths are tied, what each costs, and which widths the chip has."""

from __future__ import annotations

from typing import Any

import msgspec

from ..events import Report
from ..planjson import plan_over
from .context import Context

LANE = "light"
WITHOUT_CHIP = {4: 0.5, 8: 1.0, 10: 2.0, 12: 2.0}
"""Costs of the widths that every known chip has, for a configuration that names none."""


class Fields(msgspec.Struct):
    """As for `live`."""

    set: list[str] = []
    plan: dict[str, Any] = {}


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return `units` in graph order with the width asked for, and `widths`: legal feature bits -> cost of a multiply-accumulate."""
    lab = context.lab(fields.set, report)
    plan = plan_over(lab.base, fields.plan, lab.config.soc)
    resolved = lab.resolve(plan)
    units = [
        {"name": u.name, "op": u.op, "nodes": list(u.nodes), "macs": u.macs, "feature_bits": resolved.choices[u.name].feature_bits}
        for u in lab.units
    ]
    widths = lab.profile.feature_bits if lab.profile else WITHOUT_CHIP
    return {"units": units, "widths": {str(bits): cost for bits, cost in widths.items()}, "unmatched": list(resolved.unmatched)}
