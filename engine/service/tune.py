"""`tune`: the cheapest widths that meet a target, and the whole front of cost against quality."""

from __future__ import annotations

from typing import Any

import msgspec

from ..analysis.scoring import Metric
from ..events import Report
from .context import Context

LANE = "heavy"


class Fields(msgspec.Struct):
    """What the options of `magik-tui tune` say.

    `target` is a figure of the `metric`, `budget` relative to 8 bits everywhere; without both there is a target for each metric.
    `bits` are the widths to choose from, none for those of the SOC from 8 up; `at` is the layer to judge at, "" for the outputs.
    """

    set: list[str] = []
    target: float | None = None
    budget: float | None = None
    bits: list[int] = []
    metric: Metric = "cosine_avg"
    at: str = ""


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return the document of `magik-tui tune --json` and `widths`, the width of each unit of the chosen plan. Nothing is written.

    Cancelled, it returns the best plan so far, with `interrupted` true. UsageError for a goal that makes no sense.
    """
    from ..analysis.search_documents import tune_document
    from ..analysis.tune import tune
    from ..lab.goals import goal_for

    lab = context.lab(fields.set, report)
    goal = goal_for(lab, target=fields.target, budget=fields.budget, bits=fields.bits, metric=fields.metric, at=fields.at)
    found = tune(lab, goal, report=report)
    return {**tune_document(found), "widths": dict(found.chosen.widths)}
