"""The search for widths on the screen: what is typed, what is wrong with it, the command line that does the same, the front."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from magik_tui import wire
from magik_tui.core import State, update
from magik_tui.core.bits import Bits
from magik_tui.core.goals import Goal, Place, goal_of
from magik_tui.core.live import Choice, Live, PlanSet
from magik_tui.core.tuning import Limit, Point, TargetTyped, Tuned, Tuning, tuned_line
from magik_tui.unitlines import front_lines
from magik_tui.widgets.ink import line_text
from tests.magik_tui import playing
from tests.magik_tui.playing import Talk

PLACE = Place("a b", ("a b", "c2"), (4, 8, 12))
READY = State("p", worker="ready", phase="done")


def live(app: Any, talk: Talk, size: tuple[int, int] = (110, 30)) -> None:
    playing.live(app, talk, size, key="5", ready=lambda s: s.of(Bits).units is not None)


def test_widths_are_tuned_and_the_front_is_drawn(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await playing.opened(app, pilot, "t")
        await pilot.press(*["backspace"] * 5, *"1.5", "enter")
        state = await app.until(lambda s: s.note is not None)
        assert "'1.5' is no target" in state.note.text
        assert state.of(Tuning).job is None
        await playing.opened(app, pilot, "t")
        await pilot.press(*["backspace"] * 5, *"0.999", "enter")
        state = await app.until(lambda s: len(s.of(Live).plan) == 2 and not s.stale)
        assert list(state.of(Live).plan.values()) == [Choice(feature_bits=12)] * 2
        await pilot.pause()
        text = "\n".join(app.text())
        assert "> 1.0573  0.99917" in text
        assert "23x8 2x12 bits" in text
        assert state.of(Tuning).typed == "0.999"
        await pilot.press("dollar_sign")
        state = await app.until(lambda s: s.note is not None and s.note.text.endswith("--apply"))
        assert state.note.text == "magik-tui tune /home/me/resnet18 --variant t40 --target 0.999 --apply"
        await pilot.press("p")
        await app.until(lambda s: s.of(Tuning).found is None)

    live(watched("good"), talk)


def test_budget_widths_metric_and_layer_are_typed_behind_the_target(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("j")
        await playing.opened(app, pilot, "t")
        await pilot.press(*["backspace"] * 5, *"25 budget=1.3 bits=8,12 metric=sqnr at=.", "enter")
        state = await app.until(lambda s: s.of(Tuning).found is not None)
        name = state.table.rows[1].name
        line = f"magik-tui tune /home/me/resnet18 --variant t40 --target 25 --budget 1.3 --bits 8,12 --at {name} --metric sqnr"
        assert line in app.notes
        assert line in [note.text for note in state.log]
        assert f"the target is met: SQNR 27.80 dB at {name} for cost 1.0573" in app.notes[-1]
        await app.until(lambda s: not s.stale)
        await pilot.pause()
        text = "\n".join(app.text())
        assert "cost  SQNR dB" in text
        assert "> 1.0573    27.80" in text
        await playing.opened(app, pilot, "t")
        assert app.query_one("#prompt-line").value == "25 budget=1.3 bits=8,12 metric=sqnr at=."

    live(watched("good"), talk)


@pytest.mark.parametrize(
    ("text", "goal", "options"),
    [
        ("0.99", Goal(0.99), "--target 0.99"),
        ("budget=1.3", Goal(budget=1.3), "--budget 1.3"),
        ("bits=12,8,8 0.9999999", Goal(0.9999999, bits=(8, 12)), "--target 0.9999999 --bits 8,12"),
        ("metric=sqnr -3", Goal(-3.0, metric="sqnr"), "--target -3 --metric sqnr"),
        ("target=1 at='a b' metric=cosine_min", Goal(1.0, at="a b", metric="cosine_min"), "--target 1 --at a b --metric cosine_min"),
    ],
)
def test_what_a_line_asks_for(text: str, goal: Goal, options: str) -> None:
    assert goal_of(text, PLACE) == goal
    assert " ".join(goal.options()) == options


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no target: a cosine above 0 and at most 1 is expected"),
        ("bits=8", "there is no target"),
        ("1.5", "'1.5' is no target: a cosine above 0"),
        ("nan", "'nan' is no target"),
        ("much metric=sqnr", "'much' is no target: a number of dB is expected"),
        ("0.9 0.8", "target is said twice, at '0.8'"),
        ("0.9 budget=0", "'0' is no budget: a number above 0 is expected"),
        ("0.9 budget=inf", "'inf' is no budget"),
        ("0.9 bits=8;12", "'8;12' are no widths"),
        ("0.9 bits=8,9", "no 9 bits here: 4, 8, 12 are legal"),
        ("0.9 metric=cosine", "'cosine' is no metric: cosine_avg, cosine_min, sqnr are"),
        ("0.9 at=c3", "there is no layer 'c3'; at=. is the one under the cursor"),
        ("0.9 bugdet=2", "'bugdet' means nothing here: a target, then budget=, bits=, metric=, at= are understood"),
        ("0.9 at='a b", "a quotation mark is not closed"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_and_nothing_asked(text: str, said: str) -> None:
    assert goal_of(text, PLACE).trouble.startswith(said)
    state, effects = update(READY.put(Bits(widths=(4, 8, 12))), TargetTyped(text if "at=" not in text else "0.9 at="))
    assert effects == ()
    assert state.note.level == "error"
    assert state.of(Tuning).job is None


def found(answer: Tuned, state: State = READY) -> tuple[State, tuple[Any, ...]]:
    """The state once a search has answered, and the effects."""
    state, effects = update(state, TargetTyped("0.9"))
    reply = wire.Result(msgspec.Raw(msgspec.json.encode(answer)), id=effects[-1].request["id"])
    return update(state, reply)


def test_what_is_in_the_way_is_told() -> None:
    point = Point(1.5, 0.9, 0.8, 20.0)
    state, _ = found(Tuned(target=0.99, chosen=point, limit=Limit("budget"), metric="cosine_min", at="c2", runs=3))
    said = "the target is not met, the best there is (a dearer plan meets the target): worst cosine 0.80000 at c2 for cost 1.5000"
    assert state.note.text.startswith(said)
    assert state.note.level == "warning"
    assert tuned_line(state) == ""
    state, _ = found(Tuned(met=True, chosen=point))
    assert state.note.text == "the best for the budget: output cosine 0.90000 for cost 1.5000, 0 plans tried; the files ask for it already"


def test_the_command_line_is_that_of_the_search_only_while_nothing_else_is_changed() -> None:
    answer = Tuned(met=True, chosen=Point(1.0, 0.95), widths={"a": 12})
    state, _ = found(answer)
    assert state.of(Live).plan == {"a": Choice(feature_bits=12)}
    assert state.note.text.endswith("; a writes it")
    assert tuned_line(state) == "magik-tui tune p --target 0.9 --apply"
    state, _ = update(state, PlanSet({"b": Choice(skip=True)}))
    assert tuned_line(state) == ""
    state, _ = found(answer, READY.put(Live(plan={"b": Choice(skip=True)})))
    assert tuned_line(state) == ""
    state, _ = update(state, TargetTyped("0.8"))
    assert tuned_line(state) == "magik-tui tune p --target 0.8"
    assert state.note.text.endswith("(changes on top of the configuration do not count: write them first)")


@pytest.mark.parametrize(("metric", "head", "row"), [("sqnr", "SQNR dB", "20.00"), ("cosine_min", "worst", "0.80000")])
def test_the_front_shows_what_was_asked_for(metric: str, head: str, row: str) -> None:
    points = (Point(1.0, 0.9, 0.8, 20.0, {"8": 2}), Point(2.0))
    lines = [line_text(line) for line in front_lines(Tuned(metric=metric, front=points), 80, 9)]
    assert head in lines[0]
    assert row in lines[1]
    assert " - " in lines[2]
    assert len({len(line) for line in lines}) == 1
