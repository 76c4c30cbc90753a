"""Questions of rooms to the worker: sent when they may be, answered once, whatever happens to the worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core import Reply, State, Step, ask, cancel, on, update
from magik_tui.core.live import WATCH
from magik_tui.core.requests import PATIENCE, RequestOverdue, Requests

HELLO = wire.Hello(protocol=1, project="/p/resnet18", variant="t40")


class Answer(msgspec.Struct, frozen=True):
    cosine: float


@dataclass(frozen=True, slots=True)
class Heard:
    replies: tuple[tuple[Any, bool], ...] = ()


class Asked(ev.Event, frozen=True):
    do: str = "score"
    heavy: bool = False


@on(Asked)
def _asked(state: State, event: Asked) -> Step:
    return ask(
        state, event.do, {"plan": [1]}, then=_answered, value=Answer, news={"step": Answer}, tag="t", label="scoring", heavy=event.heavy
    )


def _answered(state: State, reply: Reply) -> Step:
    assert reply.request.tag == "t"
    return state.put(Heard(state.of(Heard).replies + ((reply.error if reply.failed else reply.said, reply.done),))), ()


def play(state: State, *events: ev.Happening) -> tuple[State, list[ev.Effect]]:
    effects: list[ev.Effect] = []
    for event in events:
        state, more = update(state, event)
        effects += (effect for effect in more if effect != WATCH)  # the watch is another room's
    return state, effects


def ready() -> State:
    return play(State(project="p"), ev.Opened(0.0), HELLO, wire.Result(wire.Document(), id=1))[0]


def heard(state: State) -> tuple[tuple[Any, bool], ...]:
    return state.of(Heard).replies


def test_an_answer_reaches_the_one_who_asked_as_its_type() -> None:
    state, effects = play(ready(), Asked())
    assert effects == [ev.Send({"id": 2, "do": "score", "plan": [1]})]
    state, _ = play(state, wire.News("step", 2, {"event": "step", "id": 2, "cosine": 0.5}), wire.Result({"cosine": 0.75}, id=2))
    assert heard(state) == ((Answer(0.5), False), (Answer(0.75), True))
    assert state.of(Requests).open == ()
    assert play(state, wire.Result({"cosine": 0.1}, id=2), wire.Progress("x", 1, 2, id=2))[0] == state


def test_an_answer_that_does_not_fit_is_an_error_like_any_other() -> None:
    state, _ = play(ready(), Asked(), wire.News("step", 2, {"cosine": "x"}), wire.Result({"cosine": "[/]"}, id=2))
    ((said, done),) = heard(state)
    assert (said.startswith("the engine's answer to score does not fit: Expected `float`"), done) == (True, False)
    assert "not a message" in state.log[-1].text
    assert heard(play(ready(), Asked(), wire.Error("ConfigError", "no", id=2))[0]) == (("no", False),)


def test_light_questions_pass_while_a_run_works_and_heavy_ones_wait() -> None:
    state, effects = play(ready(), ev.RunAsked(1.0), Asked(heavy=True), Asked())
    assert [e.request["id"] for e in effects if isinstance(e, ev.Send)] == [2, 4]
    state, effects = play(state, wire.Result(wire.Document(), id=2))
    assert [e.request["id"] for e in effects if isinstance(e, ev.Send)] == [3]


def test_a_run_waits_for_a_heavy_question_and_the_next_heavy_one_for_the_run() -> None:
    state, _ = play(ready(), Asked(heavy=True))
    state, effects = play(state, Asked(heavy=True), ev.RunAsked(2.0))
    assert effects == []
    assert state.note is not None
    assert "scoring" in state.note.text
    state, effects = play(state, wire.Result({"cosine": 1.0}, id=2))
    assert effects == [ev.Send({"id": 4, "do": "run"})]
    state, effects = play(state, wire.Error("WorkError", "no", id=4))
    assert [e.request["id"] for e in effects if isinstance(e, ev.Send)] == [3]


def test_esc_stops_the_heavy_question_and_a_deaf_worker_is_ended() -> None:
    state, _ = play(ready(), Asked(heavy=True))
    state, effects = play(state, ev.CancelAsked())
    assert effects == [ev.Send({"id": 3, "do": "cancel", "target": 2}), ev.Alarm(PATIENCE, RequestOverdue(2))]
    assert play(state, ev.CancelAsked())[1] == []
    done, _ = play(state, wire.Error("Cancelled", "interrupted", id=2), RequestOverdue(2))
    assert heard(done) == (("interrupted", False),)
    assert done.worker == "ready"
    state, effects = play(state, RequestOverdue(2))
    assert effects == [ev.Terminate()]
    state, effects = play(state, ev.Exited("was killed"))
    assert effects == [ev.Start()]
    assert heard(state) == (("the engine was ended", False),)


def test_one_that_still_waits_is_dropped_at_once() -> None:
    state, _ = play(ready(), ev.RunAsked(1.0), Asked(heavy=True))
    state, effects = cancel(state, 3)
    assert effects == ()
    assert heard(state) == (("stopped before it began", False),)


def test_a_worker_that_dies_answers_everything_with_an_error() -> None:
    state, _ = play(ready(), Asked(), Asked(heavy=True), ev.Exited("was killed (SIGKILL)"))
    assert [said for said, _ in heard(state)] == ["the engine's process was killed (SIGKILL)"] * 2
    state, effects = play(state, Asked())
    assert (state.worker, effects) == ("starting", [])
    assert play(state, HELLO)[1] == [ev.Send({"id": 4, "do": "score", "plan": [1]})]


def test_time_counts_from_the_first_tick_and_leaves_the_run_s_alone() -> None:
    state, _ = play(replace(ready(), now=5.0), Asked(heavy=True), ev.Tick(9.0), ev.Tick(12.0))
    (request,) = state.of(Requests).open
    assert state.of(Requests).elapsed(request) == 3.0
    assert state.now == 5.0


def test_what_a_step_returns_as_event_happens_at_once(layers: Callable[..., wire.Layers]) -> None:
    state, _ = play(ready(), ev.RunAsked(3.0))
    state, _ = play(state, layers(run=2), ev.CancelAsked(), ev.RunAsked(4.0), wire.Error("Cancelled", id=2))
    assert state.phase == "running"
    assert state.run == 4
