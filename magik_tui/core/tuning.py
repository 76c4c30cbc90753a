"""The room of the search for widths: what it shall reach, what was found, and the front of cost against the figure of its metric."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from magik_tui import events as ev
from magik_tui.core.asking import Prompt
from magik_tui.core.bits import Bits
from magik_tui.core.choices import Plan, replaced
from magik_tui.core.goals import Place, goal_of
from magik_tui.core.hunt import METRICS
from magik_tui.core.live import NOTHING, Live, PlanSet, with_choices
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on
from magik_tui.core.twin import told, twin
from magik_tui.numerals import fixed

TARGET = "0.995"  # what is proposed
TITLE = "figure to reach; more if wanted: budget=1.3 bits=8,12 metric=sqnr at=NODE"
WHY = {
    "budget": "a dearer plan meets the target",
    "features": "features need more bits than were allowed",
    "weights": "the weights limit it, not the features",
}
"""What is in the way, by what the engine names."""


class Point(msgspec.Struct, frozen=True):
    """One plan on the front: its cost relative to 8 bits everywhere, its figures, how many units have each width."""

    cost: float = 0.0
    cosine_avg: float | None = None
    cosine_min: float | None = None
    sqnr_db: float | None = None
    counts: dict[str, int] = {}

    def of(self, metric: str) -> float | None:
        """Return the figure of a metric."""
        return self.sqnr_db if metric == "sqnr" else self.cosine_min if metric == "cosine_min" else self.cosine_avg


class Limit(msgspec.Struct, frozen=True):
    """Why a target was not reached, by one of the words of `WHY`."""

    by: str = ""


class Tuned(msgspec.Struct, frozen=True):
    """The answer to `tune`."""

    metric: str = METRICS[0]
    at: str = ""
    target: float | None = None
    met: bool = False
    interrupted: bool = False
    chosen: Point = Point()
    front: tuple[Point, ...] = ()
    widths: dict[str, int] = {}
    limit: Limit | None = None
    runs: int = 0


@dataclass(frozen=True, slots=True)
class Tuning:
    """The slice of this room: what was found last, and the request at work.

    `typed` is what was asked for last, as it was typed, and `line` the command line that asks for the same; `plan` is what those widths
    change on top of the files, None where other changes are there as well.
    """

    found: Tuned | None = None
    job: int | None = None
    typed: str = TARGET
    line: str = ""
    plan: Plan | None = None


class TuneAsked(ev.Event, frozen=True):
    """The user wants the cheapest widths that reach a target."""


class TargetTyped(ev.Event, frozen=True):
    """The cheapest widths that reach what was typed are to be found; they become the plan."""

    text: str


class FrontHidden(ev.Event, frozen=True):
    """The front of the last search is no longer to be shown."""


def tuned_line(state: State) -> str:
    """Return the command line of the search that is at work, or the one that finds and writes what is changed; "" where none does."""
    mine = state.of(Tuning)
    if mine.job is not None:
        return mine.line
    same = mine.found is not None and mine.found.met and not mine.found.interrupted and mine.plan == state.of(Live).plan
    return f"{mine.line} --apply" if same else ""


@on(TuneAsked)
def _asked(state: State, event: TuneAsked) -> Step:
    if state.of(Tuning).job is not None:
        return state.noted("info", "a search is at work; Esc stops it and keeps the best so far"), ()
    return state, (Prompt(TITLE, TargetTyped, state.of(Tuning).typed),)


@on(TargetTyped)
def _tune(state: State, event: TargetTyped) -> Step:
    bits, mine = state.of(Bits), replace(state.of(Tuning), typed=event.text.strip() or TARGET)
    here = bits.chosen.name if bits.chosen else ""
    goal = goal_of(event.text, Place(here, frozenset(row.name for row in state.table.rows), bits.widths))
    if goal.trouble:
        return state.put(mine).noted("error", goal.trouble), ()
    line = twin(state, "tune", *goal.options())
    plan = " (changes on top of the configuration do not count: write them first)" if state.of(Live).plan else ""
    state = told(state, line).noted("info", f"{line}{plan}")
    state = state.put(replace(mine, job=state.last_id + 1, line=line))
    fields = {**goal.fields(), **({"set": list(state.settings)} if state.settings else {})}
    return ask(state, "tune", fields, then=_found, value=Tuned, label="tuning", heavy=True)


def _found(state: State, reply: Reply) -> Step:
    if not (reply.done or reply.failed):
        return state, ()
    mine = replace(state.of(Tuning), job=None)
    if reply.failed:
        return state.put(mine).noted("info" if reply.cancelled else "error", reply.error), ()
    found: Tuned = reply.said
    asked = {unit.name: unit.feature_bits for unit in state.of(Bits).units or ()}
    plan = state.of(Live).plan
    nodes = {n: replaced(plan.get(n, NOTHING), feature_bits=w if w != asked.get(n) else None) for n, w in found.widths.items()}
    alone = with_choices({}, {n: replaced(NOTHING, feature_bits=choice.feature_bits) for n, choice in nodes.items()})
    whole = with_choices(plan, nodes)
    state = state.put(replace(mine, found=found, plan=alone if whole == alone else None))
    if found.chosen.of(found.metric) is None:
        return state.noted("warning", "no plan could be judged"), ()
    return state.noted(
        "info" if found.met else "warning", f"{_said(found)}; {'a writes it' if whole else 'the files ask for it already'}"
    ), (PlanSet(nodes),)


def _said(found: Tuned) -> str:
    """Return what came out in one line."""
    if found.interrupted:
        best = "the best so far"
    elif found.met:
        best = "the target is met" if found.target is not None else "the best for the budget"
    else:
        why = WHY.get(found.limit.by, "") if found.limit else ""
        best = "the target is not met, the best there is" + (f" ({why})" if why else "")
    name = {"sqnr": "SQNR", "cosine_min": "worst cosine"}.get(found.metric, "cosine")
    figure = fixed(found.chosen.of(found.metric), 2) + " dB" if found.metric == "sqnr" else fixed(found.chosen.of(found.metric))
    reached = f"{name} {figure} at {found.at}" if found.at else f"output {name} {figure}"
    return f"{best}: {reached} for cost {found.chosen.cost:.4f}, {found.runs} plans tried"


@on(FrontHidden)
def _hidden(state: State, event: FrontHidden) -> Step:
    return state.put(replace(state.of(Tuning), found=None)), ()
