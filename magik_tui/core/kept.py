"""What is not in a file yet when the workbench ends, kept for its next start: an edit of magik.cfg, and what was changed on top of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import msgspec

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core.choices import Choice
from magik_tui.core.config import ConfigFile, Kept
from magik_tui.core.live import Live
from magik_tui.core.session import keeps
from magik_tui.core.state import State, Step, on


class KeptPlan(msgspec.Struct, frozen=True):
    """A plan that was not written, and the variant it is of."""

    nodes: dict[str, Choice] = msgspec.field(default_factory=dict)
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Leftover:
    """The slice of this room: the plan of an earlier session, until its variant is served; `told` says that the user knows."""

    plan: KeptPlan = field(default_factory=KeptPlan)
    told: bool = True


class KeptDrafts(msgspec.Struct, frozen=True):
    """The draft that was not saved, if there is one."""

    draft: Kept | None = None


@on(wire.Hello)
def _hello(state: State, said: wire.Hello) -> Step:
    kept, live = state.of(Leftover).plan, state.of(Live)
    if not kept.nodes or kept.variant != state.variant or live.plan:
        return state, ()
    state = state.put(replace(live, plan=kept.nodes, undo=(*live.undo, {}), wanted=True))
    return state.put(Leftover(told=False)), ()


@on(ev.RunEnded)
def _ended(state: State, event: ev.RunEnded) -> Step:
    left, count = state.of(Leftover), len(state.of(Live).plan)
    if left.told or not count:
        return state, ()
    text = f"{count} layers are changed on top of the files, as the last session left them: Mixed bits writes (a) or drops (X) that"
    return state.put(replace(left, told=True)).noted("info", text), ()


def _plan(state: State) -> KeptPlan:
    plan = state.of(Live).plan
    return KeptPlan(dict(plan), state.variant) if plan else state.of(Leftover).plan


def _draft(state: State) -> KeptDrafts:
    mine = state.of(ConfigFile)
    if mine.saved is None:
        return KeptDrafts(mine.kept)
    return KeptDrafts(Kept(mine.draft, mine.saved.version, state.variant) if mine.dirty else None)


keeps("plan", KeptPlan, _plan, lambda state, kept: state.put(Leftover(kept)))
keeps("draft", KeptDrafts, _draft, lambda state, kept: state.put(replace(state.of(ConfigFile), kept=kept.draft)))
