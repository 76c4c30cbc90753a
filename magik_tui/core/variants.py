"""The room of the project's variants (T40, T41, ...): which there are, and changing to another."""

from __future__ import annotations

from dataclasses import dataclass, replace

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core.asking import Choice as Offer
from magik_tui.core.asking import Prompt
from magik_tui.core.config import ConfigFile, read_config
from magik_tui.core.data import DataChanged
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on

UNSAVED = "magik.cfg is edited and not saved: save it, or read it again, then change the variant"


@dataclass(frozen=True, slots=True)
class Variants:
    """The slice of this room: the names of the variants."""

    names: tuple[str, ...] = ()


class VariantAsked(ev.Event, frozen=True):
    """Another variant of the project is to be worked on: `name`, or the other one, or one that is to be chosen of several."""

    now: float
    name: str = ""


@on(wire.Hello)
def _hello(state: State, said: wire.Hello) -> Step:
    return state.put(Variants(said.variants)), ()


@on(VariantAsked)
def _asked(state: State, event: VariantAsked) -> Step:
    others = [name for name in state.of(Variants).names if name != state.variant]
    if not others:
        return state.noted("info", "the project has one variant only"), ()
    if state.of(ConfigFile).dirty:
        return state.noted("warning", UNSAVED), ()
    if not event.name and len(others) > 1:
        choices = tuple(Offer(name, VariantAsked(event.now, name), id=name) for name in others)
        return state, (Prompt(f"the variant to work on instead of {state.variant}", lambda event: event, choices=choices),)
    name = event.name or others[0]
    return ask(state, "variant", {"name": name}, then=_other, tag=event.now, label=f"variant {name}")


def _other(state: State, reply: Reply) -> Step:
    if reply.failed:
        return state.noted("error", reply.error), ()
    if not reply.done:
        return state, ()
    said = reply.said
    state = replace(state, variant=said.get("variant"), soc=said.get("soc", ""), model=said.get("model", state.model))
    state, effects = read_config(state)
    return state, (*effects, DataChanged(), ev.RunAsked(reply.request.tag))
