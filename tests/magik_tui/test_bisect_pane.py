"""The bisection on the screen: steps and states as they come, the verdict, culprits into the plan."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from magik_tui import wire
from magik_tui.core import State, update
from magik_tui.core.bisect import Answered, Asking, BisectAsked, Bisection, Culprit, CulpritsTaken, MetricAsked, TargetTyped, Verdict, marks
from magik_tui.core.live import Choice, Live
from tests.magik_tui import playing
from tests.magik_tui.playing import Talk


def live(app: Any, talk: Talk, size: tuple[int, int] = (110, 30)) -> None:
    playing.live(app, talk, size, key="4")


def test_it_finds_the_culprit_and_puts_it_into_the_plan(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        state = await app.until(lambda s: s.of(Bisection).verdict is not None)
        await pilot.pause()
        text = "\n".join(app.text())
        assert "1 must: 0.90000 -> 0.99200, minimal, 3 evaluations" in text
        assert text.count("x bad") == 1
        assert "quantized again 0.90000" in text
        await pilot.press("s")
        state = await app.until(lambda s: bool(s.of(Live).plan) and not s.stale)
        (culprit,) = state.of(Bisection).verdict.culprits
        assert state.of(Live).plan == {culprit.name: Choice(skip=True)}

    live(watched("good"), talk)


def test_a_target_is_typed(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await playing.opened(app, pilot, "t")
        await pilot.press(*["backspace"] * 4, *"0.995", "enter")
        await app.until(lambda s: s.of(Bisection).wanted == 0.995)

    live(watched("good"), talk)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_hostile_names_stay_text(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await app.until(lambda s: s.of(Bisection).verdict is not None)
        for key in ("j", "G", "b"):
            await pilot.press(key)
            await pilot.pause()
            assert all(line.isprintable() for line in app.text())

    live(watched("hostile"), talk, size)


def test_what_is_known_of_each_operator() -> None:
    names = ("a", "b", "c", "d")
    mine = Bisection(
        steps=(Answered("start", "bad"), Answered("operators", "good", 0.99, ("a", "b"))), asking=Asking("operators", floats=("a",))
    )
    assert marks(mine, names) == {"a": "current", "b": "untested", "c": "good", "d": "good"}
    mine = Bisection(verdict=Verdict(culprits=(Culprit("b"),)))
    assert marks(mine, names) == {"a": "good", "b": "bad", "c": "good", "d": "good"}


def test_a_stopped_search_is_told_and_its_answers_are_kept_by_the_engine() -> None:
    state, effects = update(State("p", worker="ready"), BisectAsked())
    assert effects[-1].request["do"] == "bisect"
    state, _ = update(state, wire.Error("Cancelled", id=state.last_id))
    assert state.of(Bisection).job is None
    assert state.note is not None
    assert "goes on from here" in state.note.text


def test_an_unreachable_target_is_an_error_in_words() -> None:
    state, _ = update(State("p", worker="ready"), TargetTyped("2.0"))
    state, effects = update(state, BisectAsked(fresh=True))
    assert (effects[-1].request["target"], effects[-1].request["fresh"]) == (2.0, True)
    state, _ = update(state, wire.Error("UsageError", "cannot reach 2", id=state.last_id))
    assert state.of(Bisection).error == "cannot reach 2"


def test_metrics_have_targets_of_their_own() -> None:
    state, _ = update(State("p"), TargetTyped("0.5"))
    state, _ = update(state, MetricAsked())
    assert (state.of(Bisection).metric, state.of(Bisection).wanted) == ("cosine_min", 0.99)
    state, _ = update(state, MetricAsked())
    assert state.of(Bisection).wanted == 20.0


def test_no_culprits_no_change() -> None:
    state, effects = update(State("p", worker="ready"), CulpritsTaken())
    assert effects == ()
    assert not state.of(Live).plan
