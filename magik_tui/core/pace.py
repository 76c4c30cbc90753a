"""How long what is at work will take, from the rate that was seen since its stage began; nothing is said until enough has been seen.

It is measured once a second, with the tick: what is done between two ticks waits for the next, so that time and count belong together.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

from magik_tui import events as ev
from magik_tui.core.hunt import Bisection
from magik_tui.core.requests import heavy_at_work
from magik_tui.core.state import State, Step, on

SECONDS, ITEMS = 2.0, 2  # that have to be seen before anything is said


@dataclass(frozen=True, slots=True)
class Pace:
    """The slice of this room: the work that is measured, since when, how much was done then, and the seconds `left` if they are known."""

    key: Hashable = None
    since: float = 0.0
    first: int = 0
    left: float | None = None


def work(state: State) -> tuple[Hashable, int, int] | None:
    """Return what is at work, how much of it is done and how much there is; None where nothing is counted.

    Of a bisection it is the operators that are left in its phase, counted down to none: its stages begin again with every step, and how
    many steps there will be nobody knows well enough.
    """
    heavy = heavy_at_work(state)
    if heavy is not None and heavy.do == "bisect":
        asking = state.of(Bisection).asking
        return None if asking is None else ((heavy.id, asking.phase), -asking.left, 0)
    if heavy is not None:
        return ((heavy.id, heavy.stage, heavy.total), heavy.done, heavy.total) if heavy.total else None
    return ((state.run, state.stage, state.total), state.done, state.total) if state.phase == "running" and state.total else None


@on(ev.Tick)
def _tick(state: State, event: ev.Tick) -> Step:
    found, pace = work(state), state.of(Pace)
    if found is None:
        return (state if pace == Pace() else state.put(Pace())), ()
    key, done, total = found
    if key != pace.key or done < pace.first:
        return state.put(Pace(key, event.now, done)), ()
    return state.put(replace(pace, left=_left(pace, event.now, done, total))), ()


def _left(pace: Pace, now: float, done: int, total: int) -> float | None:
    """Return the seconds that the rest takes at the rate that was seen, None where too little was."""
    seen, items = now - pace.since, done - pace.first
    if seen < SECONDS or items < ITEMS or done >= total:
        return None
    return seen * (total - done) / items


def seconds_left(state: State) -> float | None:
    """Return the estimate for what is at work now; one for something else does not count."""
    found, pace = work(state), state.of(Pace)
    return pace.left if found is not None and found[0] == pace.key else None
