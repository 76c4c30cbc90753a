"""The room of the bisection: what is looked for, what each operator is known to be, the steps, the verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from magik_tui import events as ev
from magik_tui.core.asking import Prompt
from magik_tui.core.live import Choice, Live, PlanSet, with_choices
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on

Mark = Literal["good", "bad", "skip", "current", "untested"]
METRICS = ("cosine_avg", "cosine_min", "sqnr")
TARGETS = {"cosine_avg": 0.99, "cosine_min": 0.99, "sqnr": 20.0}


class Asking(msgspec.Struct, frozen=True):
    """What is tried now: `floats` stay in float; `left` operators, about `steps` steps."""

    phase: str = ""
    left: int = 0
    steps: int = 0
    floats: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


class Answered(msgspec.Struct, frozen=True):
    """How it went."""

    phase: str = ""
    mark: str = ""
    value: float | None = None
    floats: tuple[str, ...] = ()


class Evidence(msgspec.Struct, frozen=True):
    """What shows that an operator is guilty: the value with it quantized again, and with all culprits in float."""

    before: float | None = None
    after: float | None = None
    local_error: float | None = None


class Culprit(msgspec.Struct, frozen=True):
    """One operator that has to stay in float."""

    name: str
    op: str = ""
    evidence: Evidence = Evidence()


class Verdict(msgspec.Struct, frozen=True):
    """The document of a bisection."""

    target: float | None = None
    metric: str = ""
    baseline: float | None = None
    healed: float | None = None
    culprits: tuple[Culprit, ...] = ()
    evaluations: int = 0
    minimal: bool = False
    interacting: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True)
class Bisection:
    """The slice of this room. `job` is the request at work; `steps` are the answers so far."""

    metric: str = METRICS[0]
    target: float | None = None
    job: int | None = None
    asking: Asking | None = None
    steps: tuple[Answered, ...] = ()
    verdict: Verdict | None = None
    error: str = ""

    @property
    def wanted(self) -> float:
        """The target, that of the metric where none is given."""
        return TARGETS[self.metric] if self.target is None else self.target


class BisectAsked(ev.Event, frozen=True):
    """The culprits are to be found; `fresh` forgets what an earlier search answered."""

    fresh: bool = False


class MetricAsked(ev.Event, frozen=True):
    """The next metric is to be judged by."""


class TargetAsked(ev.Event, frozen=True):
    """The user wants to type what the network has to reach."""


class TargetTyped(ev.Event, frozen=True):
    """The network has to reach this, as it was typed; nothing takes back the metric's own target."""

    text: str


class CulpritsTaken(ev.Event, frozen=True):
    """The culprits are to stay in float from now on (`bits` 0), or get that many bits instead."""

    bits: int = 0


@on(BisectAsked)
def _asked(state: State, event: BisectAsked) -> Step:
    mine = state.of(Bisection)
    if mine.job is not None:
        return state.noted("info", "a bisection is at work; Esc stops it, and it goes on from there the next time"), ()
    fields: dict[str, Any] = {"metric": mine.metric, "target": mine.wanted, "fresh": event.fresh}
    if state.settings:
        fields["set"] = list(state.settings)
    plan = " (changes on top of the configuration do not count: write them first)" if state.of(Live).plan else ""
    state = state.noted("info", f"magik-tui bisect {state.project} --metric {mine.metric} --target {mine.wanted:g}{plan}")
    state = state.put(replace(mine, job=state.last_id + 1, asking=None, steps=(), verdict=None, error=""))
    return ask(
        state, "bisect", fields, then=_heard, value=Verdict, news={"asking": Asking, "answered": Answered}, label="bisecting", heavy=True
    )


def _heard(state: State, reply: Reply) -> Step:
    mine = state.of(Bisection)
    if reply.request.id != mine.job:
        return state, ()
    if reply.done:
        return state.put(replace(mine, job=None, asking=None, verdict=reply.said)), ()
    if reply.failed:
        said = "stopped; the next search goes on from here" if reply.cancelled else reply.error
        state = state.put(replace(mine, job=None, asking=None, error=said))
        return state.noted("info" if reply.cancelled else "error", said), ()
    if isinstance(reply.said, Asking):
        return state.put(replace(mine, asking=reply.said)), ()
    if isinstance(reply.said, Answered):
        return state.put(replace(mine, steps=(*mine.steps, reply.said))), ()
    return state, ()


@on(MetricAsked)
def _metric(state: State, event: MetricAsked) -> Step:
    mine = state.of(Bisection)
    following = METRICS[(METRICS.index(mine.metric) + 1) % len(METRICS)]
    return state.put(replace(mine, metric=following, target=None)), ()


@on(TargetAsked)
def _target_asked(state: State, event: TargetAsked) -> Step:
    mine = state.of(Bisection)
    return state, (Prompt(f"the {mine.metric} to reach", TargetTyped, f"{mine.wanted:g}"),)


@on(TargetTyped)
def _target(state: State, event: TargetTyped) -> Step:
    try:
        target = float(event.text) if event.text.strip() else None
    except ValueError:
        return state.noted("error", f"{event.text!r} is no number"), ()
    return state.put(replace(state.of(Bisection), target=target)), ()


@on(CulpritsTaken)
def _taken(state: State, event: CulpritsTaken) -> Step:
    verdict = state.of(Bisection).verdict
    if verdict is None or not verdict.culprits:
        return state.noted("info", "there are no culprits"), ()
    choice = Choice(feature_bits=event.bits) if event.bits else Choice(skip=True)
    nodes = {culprit.name: choice for culprit in verdict.culprits}
    if with_choices(state.of(Live).plan, nodes) == state.of(Live).plan:
        return state.noted("info", "the plan says so already"), ()
    what = f"{event.bits} bits" if event.bits else "float"
    return state.noted("info", f"{len(nodes)} operators: {what}; a in Mixed bits writes it into the project's files"), (PlanSet(nodes),)


def marks(mine: Bisection, names: tuple[str, ...]) -> dict[str, Mark]:
    """Return what each operator is known to be.

    A network that is good with some operators in float clears all others; one that was found guilty is bad; the rest is not known yet.
    """
    table: dict[str, Mark] = dict.fromkeys(names, "untested")
    for step in mine.steps:
        if step.mark == "good" and step.phase != "start":
            floats = set(step.floats)
            table |= {name: "good" for name in names if name not in floats}
    if mine.asking is not None and mine.asking.phase != "start":
        table |= {name: "current" for name in mine.asking.floats if name in table}
    if mine.verdict is not None:
        table |= dict.fromkeys(names, "good")
        table |= {culprit.name: "bad" for culprit in mine.verdict.culprits if culprit.name in table}
    return table
