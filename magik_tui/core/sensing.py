"""The room of sensitivity: what each unit does to the output, alone quantized at each width, and what keeping it in float would gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from magik_tui import events as ev
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on
from magik_tui.core.twin import told, twin


class Alone(msgspec.Struct, frozen=True):
    """The output's mean cosine with nothing but one unit quantized, at `bits`."""

    bits: int
    cosine_avg: float | None = None


class Sensitivity(msgspec.Struct, frozen=True):
    """What one unit does; `gain` is what keeping it in float adds to the output's mean cosine."""

    name: str
    alone: tuple[Alone, ...] = ()
    gain: float | None = None

    def at(self, bits: int) -> float | None:
        """Return the output's cosine with this unit alone quantized at a width, None where that was not measured."""
        return next((each.cosine_avg for each in self.alone if each.bits == bits), None)


class Found(msgspec.Struct, frozen=True):
    """The answer to `sensitivity`."""

    units: tuple[Sensitivity, ...] = ()
    runs: int = 0
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Sensing:
    """The slice of this room: what was found last, by unit, and the request at work."""

    units: Mapping[str, Sensitivity] = field(default_factory=dict)
    job: int | None = None


class SensitivityAsked(ev.Event, frozen=True):
    """What each unit does to the output is to be measured."""


@on(SensitivityAsked)
def _asked(state: State, event: SensitivityAsked) -> Step:
    if state.of(Sensing).job is not None:
        return state.noted("info", "it is being measured; Esc stops it and keeps what is known"), ()
    line = twin(state, "sensitivity")
    state = told(state, line).noted("info", line)
    state = state.put(replace(state.of(Sensing), job=state.last_id + 1))
    fields = {"set": list(state.settings)} if state.settings else {}
    return ask(state, "sensitivity", fields, then=_found, value=Found, label="measuring each unit", heavy=True)


def _found(state: State, reply: Reply) -> Step:
    if not (reply.done or reply.failed):
        return state, ()
    mine = replace(state.of(Sensing), job=None)
    if reply.failed:
        return state.put(mine).noted("info" if reply.cancelled else "error", reply.error), ()
    found: Found = reply.said
    state = state.put(replace(mine, units={unit.name: unit for unit in found.units}))
    so_far = "; stopped, some are missing" if found.interrupted else ""
    return state.noted("info", f"at out: the output's cosine with this unit alone quantized; {found.runs} plans tried{so_far}"), ()
