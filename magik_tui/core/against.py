"""The room of the difference: the heatmap against an earlier run, which is chosen here or in the pane of the runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from magik_tui import events as ev
from magik_tui.core.asking import Choice, Prompt
from magik_tui.core.heat import Heat
from magik_tui.core.history import ComparedAsked, Forget, History, Listed, Past, Whole, with_runs
from magik_tui.core.live import Live, plan_document
from magik_tui.core.places import Places
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on

PANE = "heatmap"
SHOWN = "it is what is shown"


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
        state = state.put(with_runs(state.of(History), reply.said.runs))
        return _offered(state) if state.of(Places).focus == PANE else (state, ())  # who went on is not asked
    return (state.noted("error", reply.error) if reply.failed else state), ()


def _offered(state: State) -> Step:
    runs, here = state.of(History).runs or (), shown_run(state)
    if all(run is here for run in runs):
        return state.noted("info", "there is no earlier run to compare with"), ()
    choices = tuple(Choice(_told(run), run.id, id=run.id, reason=SHOWN if run is here else "") for run in runs)
    return state, (Prompt("show the difference to which run", lambda run: AgainstChosen(run), choices=choices),)


def shown_run(state: State) -> Past | None:
    """Return the run that the table is of: the newest that was made of the same and came to the same; None while the table is older."""
    if state.stale or not state.table.complete or not state.outputs:
        return None
    made = state.variant or "", state.settings, plan_document(state.of(Live).plan)["nodes"], state.outputs
    runs = state.of(History).runs or ()
    return next((run for run in runs if (run.variant, run.settings, run.plan.get("nodes", {}), run.outputs) == made), None)


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


def _ended(state: State, event: ev.Event) -> Step:
    """Show no difference to the next run that is chosen elsewhere, once the one that it was to is gone."""
    heat = state.of(Heat)
    over = heat.against and state.of(History).other is None
    return (state.put(replace(heat, against=False)) if over else state), ()


on(ComparedAsked)(_ended)
on(Forget)(_ended)
