"""The room of the bisection: what is looked for, what each operator is known to be, the steps, the verdict.

Each request takes the search up where its log stands, does one thing and says where it stands then; so no worker need live longer than
one request. What a person does step by step is in `core.byhand`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core.asking import Prompt
from magik_tui.core.choices import NOTHING, replaced, with_choices
from magik_tui.core.hunt import METRICS, Answered, Asking, Bisection, Verdict
from magik_tui.core.live import FilesChanged, Live, PlanSet
from magik_tui.core.places import Places
from magik_tui.core.requests import Reply, Requests, ask
from magik_tui.core.state import State, Step, on
from magik_tui.core.twin import told, twin

PANE = "bisect"


class BisectAsked(ev.Event, frozen=True):
    """The culprits are to be found without anybody's help; `fresh` forgets what an earlier search answered."""

    fresh: bool = False


class MetricAsked(ev.Event, frozen=True):
    """The next metric is to be judged by."""


class JudgeAsked(ev.Event, frozen=True):
    """The user wants to type a command that judges."""


class JudgeTyped(ev.Event, frozen=True):
    """A metric or a command is to judge; nothing takes back the first metric."""

    text: str


class PlaceAsked(ev.Event, frozen=True):
    """The layer under the cursor is to be judged at, or the outputs again."""


class TargetAsked(ev.Event, frozen=True):
    """The user wants to type what the network has to reach."""


class TargetTyped(ev.Event, frozen=True):
    """The network has to reach this, as it was typed; nothing takes back the metric's own target."""

    text: str


class CulpritsTaken(ev.Event, frozen=True):
    """The culprits are to stay in float from now on (`bits` 0), or get that many bits instead."""

    bits: int = 0


class CulpritsApplied(ev.Event, frozen=True):
    """The culprits are to be written to the configuration as layers to skip."""


def at_work(state: State) -> bool:
    """Tell whether a request of this room is at work."""
    return state.of(Bisection).job is not None


def go_on(state: State, *options: str, goal: bool = True, **fields: Any) -> Step:
    """Ask the engine to do something with the search; `options` are its command line beside the goal, `fields` the request's."""
    mine = state.of(Bisection)
    if mine.job is not None:
        return state.noted("info", "a bisection is at work; Esc stops it, and it goes on from there the next time"), ()
    if mine.old:  # what is shown was answered for other files: the engine says what holds for these
        mine = replace(mine.fresh, edited=mine.edited)
    if goal:
        fields |= {
            "metric": mine.metric,
            **({} if mine.wanted is None else {"target": mine.wanted}),
            **({"at": mine.at} if mine.at else {}),
        }
    if state.settings:
        fields["set"] = list(state.settings)
    line = twin(state, "bisect", *options, *(mine.goal() if goal else ()))
    plan = "  (changes on top of the configuration do not count: write them first)" if state.of(Live).plan else ""
    state = told(state.noted("info", line + plan), line).put(replace(mine, job=state.last_id + 1, error="", variant=state.variant))
    news = {"asking": Asking, "answered": Answered}
    return ask(state, "bisect", fields, then=_heard, value=Verdict, news=news, label="bisecting", heavy=True)


def follows(state: State, event: ev.Event) -> State | None:
    """Return the state that remembers to go on with `event` after a mark that is on its way; None where none is.

    Such a request judges no network: who types "x" and Space need not wait for the answer between them.
    """
    mine = state.of(Bisection)
    marks = any(request.id == mine.job and request.fields.get("steps") == 0 for request in state.of(Requests).open)
    return state.put(replace(mine, following=event)) if marks else None


@on(BisectAsked)
def _asked(state: State, event: BisectAsked) -> Step:
    if not event.fresh and (later := follows(state, event)) is not None:
        return later, ()
    if not at_work(state):
        mine = state.of(Bisection)
        state = state.put(replace(mine.fresh, path=mine.path) if event.fresh else replace(mine, verdict=None))
    return go_on(state, *(("--fresh",) if event.fresh else ()), fresh=event.fresh)


def _heard(state: State, reply: Reply) -> Step:
    mine = state.of(Bisection)
    if reply.request.id != mine.job:
        return state, ()
    if reply.done:
        return _stands(state, replace(mine, job=None), reply.said)
    if reply.failed:
        said = "stopped; the next search goes on from here" if reply.cancelled else reply.error
        state = state.put(replace(mine, job=None, error=said, following=None, asking=None if _answered(mine) else mine.asking))
        return state.noted("info" if reply.cancelled else "error", said), ()
    if isinstance(reply.said, Asking):
        return state.put(replace(mine, asking=reply.said, states=reply.said.states or mine.states)), ()
    if isinstance(reply.said, Answered):
        return state.put(replace(mine, steps=(*mine.steps, reply.said), states=reply.said.states or mine.states)), ()
    if isinstance(reply.said, wire.Log) and reply.said.level == "warning":
        return state.noted("warning", reply.said.text), ()
    return state, ()


def _answered(mine: Bisection) -> bool:
    """Tell whether the last step was an answer to what was asked last: nothing is at hand then."""
    last, asking = mine.steps[-1:], mine.asking
    return asking is not None and any((step.floats, step.without) == (asking.floats, asking.without) for step in last)


class TextRead(ev.Event, frozen=True):
    """The engine said what the log of the search holds."""

    text: str


def _stands(state: State, mine: Bisection, said: Verdict) -> Step:
    """Show where a search stands: what the engine says takes the place of what was gathered on the way."""
    following: tuple[ev.Event, ...] = () if mine.following is None else (mine.following,)
    mine = replace(
        mine, known=True, edited="", following=None,
        asking=said.asking, steps=said.log, states=said.states, priors=said.priors, path=said.path,
        contradictions=said.contradictions, verdict=said if said.finished else None,
        metric=said.metric or mine.metric, target=said.target if said.metric else mine.target, at=said.at,
    )  # fmt: skip
    state = state.put(mine)
    if said.text and state.of(Places).focus != PANE:  # who went on to another pane wants no editor there
        return state.noted("info", "the log of the bisection is there: e edits it"), ()
    return state, ((TextRead(said.text),) if said.text else following)


@on(FilesChanged)
def _files(state: State, event: FilesChanged) -> Step:
    mine = state.of(Bisection)
    known = mine.known or mine.steps or mine.job is not None
    return (state.put(replace(mine, old=True)) if known else state), ()


@on(ev.RunAsked)
def _run_asked(state: State, event: ev.RunAsked) -> Step:
    mine = state.of(Bisection)
    other = (mine.known or mine.job is not None) and mine.variant != state.variant
    return (state.put(replace(mine, old=True)) if other else state), ()


def _sought(state: State, mine: Bisection) -> State:
    """Look for something else: what was found belongs to the other search, whose log stays."""
    kept = state.of(Bisection)
    return state if (mine.metric, mine.wanted, mine.at) == (kept.metric, kept.wanted, kept.at) else state.put(mine.fresh)


def _busy(state: State) -> Step:
    return state.noted("info", "a bisection is at work; Esc stops it"), ()


@on(MetricAsked)
def _metric(state: State, event: MetricAsked) -> Step:
    if at_work(state):
        return _busy(state)
    mine = state.of(Bisection)
    following = METRICS[(METRICS.index(mine.metric) + 1) % len(METRICS)] if mine.metric in METRICS else METRICS[0]
    return _sought(state, replace(mine, metric=following, target=None)), ()


@on(JudgeAsked)
def _judge_asked(state: State, event: JudgeAsked) -> Step:
    metric = state.of(Bisection).metric
    said = "" if metric in METRICS else metric
    return state, (Prompt("a metric, or a command that ends with 0 for a good network", JudgeTyped, said),)


@on(JudgeTyped)
def _judge(state: State, event: JudgeTyped) -> Step:
    if at_work(state):
        return _busy(state)
    mine, metric = state.of(Bisection), event.text.strip() or METRICS[0]
    return _sought(state, replace(mine, metric=metric, target=None, at=mine.at if metric in METRICS else "")), ()


@on(PlaceAsked)
def _place(state: State, event: PlaceAsked) -> Step:
    if at_work(state):
        return _busy(state)
    mine = state.of(Bisection)
    if mine.metric not in METRICS:
        return state.noted("info", "a command judges the network's outputs"), ()
    if mine.place is not None or state.cursor >= len(state.table.rows):
        return state.noted("info", "the cursor is on no layer: move it to the one to judge at"), ()
    name = state.table.rows[state.cursor].name
    return _sought(state, replace(mine, at="" if mine.at == name else name)), ()


@on(TargetAsked)
def _target_asked(state: State, event: TargetAsked) -> Step:
    mine = state.of(Bisection)
    if mine.wanted is None:
        return state.noted("info", "the command judges by itself, without a target"), ()
    return state, (Prompt(f"the {mine.metric} to reach", TargetTyped, f"{mine.wanted:g}"),)


@on(TargetTyped)
def _target(state: State, event: TargetTyped) -> Step:
    if at_work(state):
        return _busy(state)
    try:
        target = float(event.text) if event.text.strip() else None
    except ValueError:
        target = math.nan
    if target is not None and not math.isfinite(target):
        return state.noted("error", f"{event.text!r} is no number"), ()
    return _sought(state, replace(state.of(Bisection), target=target)), ()


def no_culprits(state: State) -> str:
    """Return why nothing can be done about culprits, "" where something can."""
    mine = state.of(Bisection)
    if mine.verdict is None or not mine.verdict.culprits:
        return "there are no culprits"
    return "" if mine.variant == state.variant else f"they were found on the variant {mine.variant}; Enter bisects {state.variant}"


@on(CulpritsTaken)
def _taken(state: State, event: CulpritsTaken) -> Step:
    verdict, why = state.of(Bisection).verdict, no_culprits(state)
    if verdict is None or why:
        return state.noted("info", why), ()
    change = {"feature_bits": event.bits, "skip": None} if event.bits else {"skip": True}
    plan = state.of(Live).plan
    nodes = {culprit.name: replaced(plan.get(culprit.name, NOTHING), **change) for culprit in verdict.culprits}
    if with_choices(plan, nodes) == plan:
        return state.noted("info", "the plan says so already"), ()
    what = f"{event.bits} bits" if event.bits else "float"
    return state.noted("info", f"{len(nodes)} operators: {what}; a in Mixed bits writes it into the project's files"), (PlanSet(nodes),)


@on(CulpritsApplied)
def _applied(state: State, event: CulpritsApplied) -> Step:
    mine, why = state.of(Bisection), no_culprits(state)
    if mine.verdict is None or why:
        return state.noted("info", why), ()
    state = told(state, twin(state, "bisect", "--apply", *mine.goal()))
    fields: dict[str, Any] = {"plan": {"nodes": {culprit.name: {"skip": True} for culprit in mine.verdict.culprits}}}
    if state.settings:
        fields["set"] = list(state.settings)
    return ask(state, "apply", fields, then=_written, label="writing")


def _written(state: State, reply: Reply) -> Step:
    if reply.failed:
        return state.noted("error", reply.error), ()
    return (state.noted("info", "wrote " + ", ".join(reply.said.get("written", ()))) if reply.done else state), ()
