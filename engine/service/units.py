"""`units`: layers whose widths are tied, what each costs, and which widths the chip has."""

from __future__ import annotations

from typing import Any

import msgspec

from ..analysis.costs import all_widths, work
from ..events import Report
from ..numerics import WEIGHT_BITS
from ..planjson import plan_over
from .context import Context

LANE = "light"


class Fields(msgspec.Struct):
    """As for `live`."""

    set: list[str] = []
    plan: dict[str, Any] = {}


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return `units` in graph order, `widths` (legal feature bits -> cost) and `weights`, the legal widths of weights.

    Of each unit the widths asked for (`weight_bits` null where it has no weights), the given ends of its range (`min`, `max`, or null), the
    `work` that costs are of, and why it is `skipped`.
    """
    lab = context.lab(fields.set, report)
    plan = plan_over(lab.base, fields.plan, lab.config.soc)
    resolved = lab.resolve(plan)
    weighty = {n.name for n in lab.graph.nodes if "weight" in n.params}
    weights = {name: resolved.choices[name].weight_bits for name in weighty}
    units = [
        {
            "name": u.name,
            "op": u.op,
            "nodes": list(u.nodes),
            "macs": u.macs,
            "work": work(u),
            "feature_bits": resolved.choices[u.name].feature_bits,
            "weight_bits": weights.get(u.name),
            "min": resolved.choices[u.name].low,
            "max": resolved.choices[u.name].high,
            "skipped": resolved.choices[u.name].skip or "",
        }
        for u in lab.units
    ]
    widths = all_widths(lab.profile)
    return {
        "units": units,
        "widths": {str(bits): cost for bits, cost in widths.items()},
        "weights": list(lab.profile.weight_bits if lab.profile else WEIGHT_BITS),
        "unmatched": list(resolved.unmatched),
    }
