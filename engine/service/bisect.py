"""`bisect`: the least operators that have to stay in float, step by step."""

from __future__ import annotations

from typing import Any

import msgspec

from ..events import Found, Report
from .context import Context

LANE = "heavy"


class Fields(msgspec.Struct):
    """The options of `magik-tui bisect`: `metric` (one of its names, or a command), `target`, `at` a node; `fresh` begins again."""

    set: list[str] = []
    metric: str | None = None
    target: float | None = None
    at: str | None = None
    fresh: bool = False


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return the document of `magik-tui bisect --json`, with the `path` of its log.

    Meanwhile an event `asking` tells what is tried (`phase`, `left`, about how many `steps`, `floats`, `types`), and `answered` how it
    went (`mark`, `value`, `floats`). What was answered before a stop is not asked again.
    """
    from ..bisection.hunt import bisect
    from ..bisection.wanted import Wanted

    def heard(question: Any, answered: Any) -> None:
        told = {"phase": question.phase, "left": question.left, "steps": question.steps, "floats": sorted(question.floats)}
        if answered is None:
            report(Found("asking", {**told, "types": list(question.types)}))
        else:
            report(Found("answered", {**told, "mark": answered.mark, "value": answered.value}))

    lab = context.lab(fields.set, report)
    hunt = bisect(lab, Wanted(fields.metric, fields.target, fields.at, fresh=fields.fresh), heard)
    return {**hunt.document(), "path": hunt.log}
