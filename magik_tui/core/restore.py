"""The room of restoring: the files, and what was changed on top of them, become what they were for an earlier run; and back.

Nothing that stands in the files is lost: what no run knows becomes a run, and a file that was changed since one looked is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

import msgspec

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core.asking import Choice as Offer
from magik_tui.core.asking import Prompt
from magik_tui.core.config import ConfigFile
from magik_tui.core.history import History, Past, listed
from magik_tui.core.live import Choice, Live, Plan, PlanTaken
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on

UNSAVED = "magik.cfg is edited and not saved: save it, or read it again, then restore"


class FileChange(msgspec.Struct, frozen=True):
    """What becomes of one file: lines that go and come, or all of it goes."""

    file: str
    path: str = ""
    lost: int = 0
    gained: int = 0
    removed: bool = False

    def __str__(self) -> str:
        name = PurePath(self.path).name
        return f"{name} removed" if self.removed else f"{name} -{self.lost} +{self.gained} lines"


class Outlook(Past, frozen=True):
    """The answer to `outlook`: a run, what restoring it would change, and whether some run has the files as they stand."""

    versions: dict[str, str] = msgspec.field(default_factory=dict)
    files: tuple[FileChange, ...] = ()
    known: bool = True


class Restored(Past, frozen=True):
    """The answer to `restore`: what was written, which run has what stood there, and the new versions."""

    written: tuple[str, ...] = ()
    before: str = ""
    versions: dict[str, str] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restoring:
    """The slice of this room: what takes the last restoring back, as a run, the versions the files have to be of, and the plan."""

    before: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    plan: tuple[tuple[str, Choice], ...] = ()


class RestoreAsked(ev.Event, frozen=True):
    """magik.cfg, the bit file and the plan shall be again as they were for the run under the cursor; what that changes is asked first."""


class Restore(ev.Event, frozen=True):
    """The files of these versions are to become those of a run, and `plan` the plan: the user is sure."""

    run: str
    versions: dict[str, str]
    plan: dict[str, Choice]


class RestoreUndone(ev.Event, frozen=True):
    """The last restoring is taken back; once more, and it is done again."""


@on(RestoreAsked)
def _asked(state: State, event: RestoreAsked) -> Step:
    chosen = state.of(History).chosen
    if chosen is None:
        return state, ()
    if state.of(ConfigFile).dirty:
        return state.noted("warning", UNSAVED), ()
    return ask(state, "runs", {"act": "outlook", "run": chosen.id}, then=_looked, value=Outlook, label="restoring")


def _looked(state: State, reply: Reply) -> Step:
    if reply.failed:
        return state.noted("error", reply.error), ()
    if not reply.done:
        return state, ()
    seen: Outlook = reply.said
    plan = plan_of(seen, state)
    what = ", ".join(map(str, seen.files))
    changed = plan != dict(state.of(Live).plan)
    if changed:
        what = ", ".join(filter(None, (what, f"{len(plan)} changed units on top" if plan else "the changed units dropped")))
    if not what:
        return state.noted("info", "the files are as they were for it"), ()
    if not seen.known:
        what += "; what stands there now is in no run and is kept as one"
    choices = (Offer("leave everything as it is", None, "l"), Offer(f"restore: {what}", Restore(seen.id, seen.versions, plan), "r"))
    return state, (Prompt(f"restore {seen.id}?", lambda event: event, choices=choices, letters=True),)


def plan_of(run: Past, state: State) -> dict[str, Choice]:
    """Return what was changed on top of the files for a run; of another variant's, what is changed now."""
    if run.variant and state.variant and run.variant != state.variant:
        return dict(state.of(Live).plan)
    try:
        return wire.read(run.plan.get("nodes", {}), dict[str, Choice])
    except wire.Unfit:
        return {}


@on(Restore)
def _restore(state: State, event: Restore) -> Step:
    fields = {"act": "restore", "run": event.run, "versions": event.versions}
    return ask(state, "runs", fields, then=_restored, value=Restored, tag=event.plan, label="restoring")


def _restored(state: State, reply: Reply) -> Step:
    if reply.failed:
        if isinstance(reply.said, wire.Error) and reply.said.kind == "Conflict":
            return state.noted("warning", f"nothing was restored: {reply.error}"), ()
        return state.noted("error", reply.error), ()
    if not reply.done:
        return state, ()
    done: Restored = reply.said
    plan: Plan = state.of(Live).plan
    state = state.put(Restoring(done.before, tuple(done.versions.items()), tuple(plan.items())))
    said = "restored: " + (", ".join(PurePath(file).name for file in done.written) or "the plan") + "; U takes it back"
    if done.variant and state.variant and done.variant != state.variant:
        said += f"; it is of the variant {done.variant}"
    if tuple(done.settings) != state.settings and done.kind != "edit":
        said += f"; it ran with {' '.join(f'--set {each}' for each in done.settings) or 'no --set'}"
    state, effects = listed(state.noted("info", said))
    return state, (*effects, PlanTaken(reply.request.tag))


@on(RestoreUndone)
def _undone(state: State, event: RestoreUndone) -> Step:
    last = state.of(Restoring)
    if not last.before:
        return state.noted("info", "nothing was restored"), ()
    if state.of(ConfigFile).dirty:
        return state.noted("warning", UNSAVED), ()
    return state, (Restore(last.before, dict(last.versions), dict(last.plan)),)
