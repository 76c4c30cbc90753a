"""The room of the difference: the heatmap against an earlier run, which is chosen here or in the pane of the runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from magik_tui import events as ev
from magik_tui.core.asking import Choice, Prompt
from magik_tui.core.heat import Heat
from magik_tui.core.history import History, Listed, Past, Whole
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on


class AgainstAsked(ev.Event, frozen=True):
    """The difference to an earlier run is shown, or no longer; with `choose` the user chooses which run."""

    choose: bool = False


class AgainstChosen(ev.Event, frozen=True):
    """The difference to this run is to be shown."""

    run: str


@on(AgainstAsked)
def _against(state: State, event: AgainstAsked) -> Step:
    heat, history = state.of(Heat), state.of(History)
    if not event.choose and history.other is not None:
        return state.put(replace(heat, against=not heat.against)), ()
    if history.runs is None:
        return ask(state, "runs", {"act": "list"}, then=_listed, value=Listed, label="history")
    return _offered(state)


def _listed(state: State, reply: Reply) -> Step:
    if reply.done:
        return _offered(state.put(replace(state.of(History), runs=reply.said.runs)))
    return (state.noted("error", reply.error) if reply.failed else state), ()


def _offered(state: State) -> Step:
    runs = state.of(History).runs or ()
    if not runs:
        return state.noted("info", "there is no earlier run to compare with"), ()
    choices = tuple(Choice(_told(run), run.id, id=run.id) for run in runs)
    return state, (Prompt("show the difference to which run", lambda run: AgainstChosen(run), choices=choices),)


def _told(run: Past) -> str:
    """Return a run in words: when it was, what came of it, what was changed for it."""
    when = datetime.fromtimestamp(run.time).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    cosine = "" if run.cosine is None else f"{run.cosine:.5f}"
    changed = [*run.settings, *run.plan.get("nodes", {})]
    more = f"{changed[0]}{f' and {len(changed) - 1} more' if len(changed) > 1 else ''}" if changed else ""
    return "  ".join(filter(None, (f"{when} {run.kind:<4} {run.variant}", cosine, run.note, more)))


@on(AgainstChosen)
def _chosen(state: State, event: AgainstChosen) -> Step:
    return ask(state, "runs", {"act": "read", "run": event.run}, then=_read, value=Whole, label="reading a run")


def _read(state: State, reply: Reply) -> Step:
    if reply.done:
        state = state.put(replace(state.of(History), other=reply.said))
        return state.put(replace(state.of(Heat), against=True)), ()
    return (state.noted("error", reply.error) if reply.failed else state), ()
