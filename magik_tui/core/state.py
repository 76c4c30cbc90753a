"""What all rooms of the core share: the state, the steps, and `update`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.table import Table

LOG_LINES = 1000
EMPTY = Table()

Level = Literal["info", "warning", "error"]
S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Note:
    """One line for people: what happened, and how bad it is."""

    level: str
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """All that the screen shows.

    `worker` is the process, `phase` the run: a run may wait for its worker, and a worker may be ready with no run.
    `table` is shown; `kept` is the last complete one, to fall back to; `stale` says that `table` is older than the last run.
    `wish` and `wished_sample` name what the cursors shall be on as soon as it is there.
    `slices` holds what belongs to one room alone: read it with `of`, change it with `put`.
    """

    project: str
    variant: str | None = None
    settings: tuple[str, ...] = ()
    engine_log: str = ""
    soc: str = ""
    model: str = ""
    outputs: tuple[wire.Output, ...] = ()
    worker: Literal["off", "starting", "ready", "stopping"] = "off"
    phase: Literal["idle", "waiting", "running", "cancelling", "done", "failed", "cancelled"] = "idle"
    wanted: bool = False
    run: int = 0
    last_id: int = 0
    started: float = 0.0
    now: float = 0.0
    stage: str = ""
    done: int = 0
    total: int = 0
    table: Table = EMPTY
    kept: Table = EMPTY
    stale: bool = False
    cursor: int = 0
    column: int = 0
    wish: str = ""
    wished_sample: str = ""
    note: Note | None = None
    log: tuple[Note, ...] = ()
    warnings: int = 0
    slices: Mapping[type[Any], Any] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Whether a run works or waits to."""
        return self.phase in ("waiting", "running", "cancelling")

    @property
    def elapsed(self) -> float:
        """Seconds since the run began, until it ended."""
        return self.now - self.started

    def of(self, kind: type[S]) -> S:
        """Return the slice of `kind`; one that was never put is as its class makes it without arguments."""
        found: S | None = self.slices.get(kind)
        return kind() if found is None else found

    def put(self, piece: object) -> State:
        """Return this state with another slice in place of the one of its kind."""
        return replace(self, slices={**self.slices, type(piece): piece})

    def noted(self, level: Level, text: str) -> State:
        """Return this state with a message in the row above the status."""
        return replace(self, note=Note(level, text))


Step = tuple[State, tuple[ev.Effect | ev.Event, ...]]
_steps: dict[type[Any], list[Callable[[State, Any], Step]]] = {}


def on(kind: type[E]) -> Callable[[Callable[[State, E], Step]], Callable[[State, E], Step]]:
    """Register a function that says what an event of `kind` does; several rooms may have one, called in the order they are registered."""

    def register(step: Callable[[State, E], Step]) -> Callable[[State, E], Step]:
        _steps.setdefault(kind, []).append(step)
        return step

    return register


def update(state: State, event: ev.Happening) -> tuple[State, tuple[ev.Effect, ...]]:
    """Return the state after `event`, and what is to be done about it.

    What a step returns may hold events as well as effects: they happen at once, before the next step is asked.
    """
    effects: list[ev.Effect] = []
    for step in _steps.get(type(event), ()):
        state, asked = step(state, event)
        for each in asked:
            if isinstance(each, ev.Event):
                state, more = update(state, each)
                effects += more
            else:
                effects.append(each)
    return state, tuple(effects)


def walked(cursor: int, count: int, by: int, to: int | None) -> int:
    """Return where a cursor over `count` rows stands after `by` rows, or at the place `to` (-1 is the last); it stays among the rows."""
    place = cursor + by if to is None else to % count if count else 0
    return max(0, min(place, count - 1))


def logged(state: State, note: Note) -> State:
    """Return `state` with one more line in the log; what is no mere information is counted."""
    return replace(state, log=(state.log + (note,))[-LOG_LINES:], warnings=state.warnings + (note.level != "info"))
