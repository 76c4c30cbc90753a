"""The seconds that are left: from the rate that was seen, of what is at work, and nothing before enough was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.bars import status_line
from magik_tui.core import State, update
from magik_tui.core.bisect import BisectAsked
from magik_tui.core.pace import Pace, seconds_left
from magik_tui.widgets.ink import line_text


def running(done: int = 0, total: int = 100, stage: str = "Compute distance") -> State:
    return State("p", worker="ready", phase="running", run=1, last_id=1, stage=stage, done=done, total=total)


def ticks(state: State, *moments: tuple[float, int]) -> State:
    """Let a run have done so much at these seconds."""
    for now, done in moments:
        state, _ = update(replace(state, done=done), ev.Tick(now))
    return state


def status(state: State, width: int = 80) -> str:
    return line_text(status_line(state, width, [("Esc", "stop")]))


def test_nothing_is_said_before_enough_was_seen() -> None:
    assert seconds_left(running()) is None
    assert seconds_left(ticks(running(), (10.0, 5), (11.0, 25))) is None  # a second
    assert seconds_left(ticks(running(), (10.0, 5), (20.0, 6))) is None  # one item
    assert "left" not in status(ticks(running(), (10.0, 5), (20.0, 6)))


def test_the_rate_since_the_stage_was_first_seen_tells_what_is_left() -> None:
    state = ticks(running(), (10.0, 20), (11.0, 30), (12.0, 40))
    assert seconds_left(state) == pytest.approx(6.0)
    assert "Compute distance 40/100 40% 12s, 6s left" in status(state)
    slower = ticks(state, (13.0, 40), (14.0, 40))  # nothing comes: it takes longer than it seemed
    assert seconds_left(slower) == pytest.approx(12.0)
    assert seconds_left(replace(slower, done=60)) == pytest.approx(12.0)  # told once a second, with the tick
    assert seconds_left(ticks(slower, (15.0, 100))) is None


def test_another_stage_or_run_begins_anew() -> None:
    state = ticks(running(), (10.0, 20), (12.0, 40))
    assert seconds_left(replace(state, stage="Export")) is None
    assert seconds_left(replace(state, run=2)) is None
    state = ticks(replace(state, stage="Export"), (13.0, 1))
    assert state.of(Pace).left is None
    state, _ = update(replace(state, phase="done"), ev.Tick(14.0))
    assert state.of(Pace) == Pace()


def test_a_narrow_row_keeps_the_estimate_longer_than_the_count() -> None:
    state = ticks(running(), (10.0, 20), (12.0, 40))
    said = [status(state, width).split(" Esc ")[0].strip() for width in (80, 45, 30)]
    assert said == ["Compute distance 40/100 40% 12s, 6s left", "Compute distance 40% 12s, 6s left", "Com…distance 40% 12s"]


def test_a_bisection_counts_the_operators_that_are_left() -> None:
    state, _ = update(State("p", worker="ready", phase="done"), BisectAsked())
    id_ = state.last_id

    def step(state: State, now: float, left: int, phase: str = "operators") -> State:
        for said in (
            wire.News("asking", id_, {"phase": phase, "left": left, "steps": 3}),
            wire.Progress("Evaluate", 1, 2, id_),
            wire.News("answered", id_, {"phase": "operators", "mark": "bad", "value": 0.9}),
        ):
            state, _ = update(state, said)
        return update(state, ev.Tick(now))[0]

    state = step(step(step(state, 10.0, 34), 11.0, 47), 13.0, 46)  # it grew: the set is found, and shrinks from now on
    assert seconds_left(state) is None
    state = step(state, 17.0, 35)
    assert seconds_left(state) == pytest.approx(17.5)
    assert "bisecting: operators, about 3 steps to go 7s, 18s left" in status(state)
    assert seconds_left(step(state, 18.0, 2, "check")) is None
