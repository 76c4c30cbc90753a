"""`bisect`: the least operators that have to stay in float, step by step, by itself or by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from ..events import Found, Report
from .context import Context

LANE = "heavy"
NOT_SEARCHED = "-"


class Fields(msgspec.Struct):
    """The options of `magik-tui bisect`: `metric` (one of its names, or a command), `target`, `at` a node; `fresh` begins again.

    `undo`, `good`, `suspect`, `untested`, `mark` and `steps` are those of the command, so that a search by hand is a row of requests.
    `replay` is the path of a log here, `text` is one that came over the wire; with `read` the answer has the log as `text`.
    """

    set: list[str] = []
    metric: str | None = None
    target: float | None = None
    at: str | None = None
    fresh: bool = False
    steps: int | None = None
    undo: int = 0
    mark: Literal["good", "bad", "skip"] | None = None
    good: list[str] = []
    suspect: list[str] = []
    untested: list[str] = []
    replay: str | None = None
    text: str | None = None
    read: bool = False


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return the document of `magik-tui bisect --json`, with the `path` of its log, and `states`: a sign for each layer of the table.

    Meanwhile an event `asking` tells what is tried (`phase`, `left`, about how many `steps`, `floats`, `types`), and `answered` how it
    went (`mark`, `value`, `floats`). What was answered before a stop is not asked again.
    """
    from ..analysis.bisect import states
    from ..bisection.byhand import ByHand
    from ..bisection.documents import question_fields
    from ..bisection.hunt import bisect
    from ..bisection.wanted import Wanted

    lab = context.lab(fields.set, report)
    layers = [node.name for node in lab.graph.nodes]

    def signs(session: Any) -> str:
        known = states(session)
        return "".join(known.get(name, NOT_SEARCHED) for name in layers)

    def heard(session: Any, question: Any, answered: Any) -> None:
        told = {**question_fields(question), "states": signs(session)}
        if answered is None:
            report(Found("asking", told))
        else:
            report(Found("answered", {**told, "mark": answered.mark, "value": answered.value, "note": answered.note}))

    hand = ByHand(fields.undo, tuple(fields.good), tuple(fields.suspect), tuple(fields.untested), fields.mark)
    wanted = Wanted(
        fields.metric, fields.target, fields.at, fresh=fields.fresh, hand=hand, steps=fields.steps,
        replay=None if fields.replay is None else Path(fields.replay), text=fields.text,
    )  # fmt: skip
    hunt = bisect(lab, wanted, heard)
    text = {"text": hunt.text} if fields.read else {}
    return {**hunt.document(), "path": hunt.log, "states": signs(hunt.session), **text}
