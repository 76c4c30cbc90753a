"""`tune`: the cheapest widths that meet a target, and the whole front of cost against quality."""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import UsageError
from ..events import Report
from .context import Context

LANE = "heavy"


class Fields(msgspec.Struct):
    """`target` is a mean output cosine, above 0 and at most 1."""

    set: list[str] = []
    target: float = 0.995


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return the document of `magik-tui tune --json` and `widths`, the width of each unit of the chosen plan. Nothing is written.

    Cancelled, it returns the best plan so far, with `interrupted` true.
    """
    from ..analysis.costs import finest, width_costs, worthwhile
    from ..analysis.search_documents import tune_document
    from ..analysis.tune import tune
    from ..analysis.tuning import Goal

    if not 0 < fields.target <= 1:
        raise UsageError(f"a target of {fields.target:g} makes no sense: a cosine is above 0 and at most 1", where="target")
    lab = context.lab(fields.set, report)
    goal = Goal(worthwhile(width_costs(lab.profile, ())), finest(lab.profile), fields.target, None, "cosine_avg", "")
    found = tune(lab, goal, report=report)
    return {**tune_document(found), "widths": dict(found.chosen.widths)}
