"""Mixed widths on the screen: raised, lowered, marked, skipped, ranges, undo, cost and prediction, written."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from magik_tui import wire
from magik_tui.core import State
from magik_tui.core.bits import Bits, Unit, cost, ends_of, predicted
from magik_tui.core.live import Choice, Live
from magik_tui.core.tuning import Tuning
from tests.magik_tui import playing
from tests.magik_tui.playing import Talk


def live(app: Any, talk: Talk, size: tuple[int, int] = (110, 30)) -> None:
    playing.live(app, talk, size, key="5", ready=lambda s: s.of(Bits).units is not None)


def changes(state: State) -> list[Choice]:
    return list(state.of(Live).plan.values())


def test_a_raised_width_runs_at_once_and_is_undone(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        assert "cost 1.000 of 2" in "\n".join(app.text())
        await pilot.press("j", "+")
        state = await app.until(lambda s: s.of(Live).recomputed == 1 and not s.stale)
        assert changes(state) == [Choice(feature_bits=10)]
        assert state.table.rows[1].feature_bits == 10
        assert state.cursor == 1
        await pilot.pause()
        text = "\n".join(app.text())
        assert "measured 0.99210" in text
        assert "1 layers computed in 0.05 s" in text
        await pilot.press("u")
        state = await app.until(lambda s: not s.of(Live).plan and not s.stale)
        assert state.table.rows[1].feature_bits == 8
        await pilot.press("-", "-")
        state = await app.until(lambda s: bool(s.of(Live).plan))
        assert changes(state) == [Choice(feature_bits=4)]

    live(watched("good"), talk)


def test_the_unit_is_that_of_the_layer_one_was_looking_at(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("2", "j", "j", "j", "5", "+")
        state = await app.until(lambda s: bool(s.of(Live).plan) and not s.stale)
        assert list(state.of(Live).plan) == [state.table.rows[3].name]

    live(watched("good"), talk)


def test_marked_units_change_together(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("space", "space", "+", "s")
        state = await app.until(lambda s: len(s.of(Live).plan) == 2 and not s.stale)
        assert changes(state) == [Choice(feature_bits=10, skip=True)] * 2
        await pilot.press("x")
        await app.until(lambda s: not s.of(Live).plan)

    live(watched("good"), talk)


def test_bad_units_are_marked_together(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("b", "+")
        state = await app.until(lambda s: bool(s.of(Live).plan))
        assert len(state.of(Live).plan) == sum(map(state.table.bad, range(len(state.table.rows))))

    live(watched("good"), talk)


def test_a_range_is_typed_and_a_wrong_one_refused(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await playing.opened(app, pilot, "m")
        await pilot.press(*"2, 1", "enter")
        state = await app.until(lambda s: s.note is not None)
        assert "'2, 1' is no range" in state.note.text
        assert not state.of(Live).plan
        await playing.opened(app, pilot, "m")
        await pilot.press(*"-1, 1.5", "enter")
        state = await app.until(lambda s: bool(s.of(Live).plan))
        assert changes(state) == [Choice(min=-1.0, max=1.5)]

    live(watched("good"), talk)


def test_the_plan_is_written_and_is_then_what_the_files_say(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("+", "a")
        state = await app.until(lambda s: s.note is not None and s.note.text.startswith("wrote"))
        assert state.note.text == "wrote magik_node_quant_bit_info.json, cfg/magik_t40.cfg"
        assert not state.of(Live).plan

    live(watched("good"), talk)


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
        assert changes(state) == [Choice(feature_bits=12)] * 2
        await pilot.pause()
        text = "\n".join(app.text())
        assert "> 1.0573  0.99917" in text
        assert "23x8 2x12 bits" in text
        await pilot.press("p")
        await app.until(lambda s: s.of(Tuning).found is None)

    live(watched("good"), talk)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_hostile_names_stay_text(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        for key in ("+", "space", "j", "s", "G", "m", "escape"):
            await pilot.press(key)
            await pilot.pause()
            assert all(line.isprintable() for line in app.text())

    live(watched("hostile"), talk, size)


def test_cost_and_prediction() -> None:
    units = (Unit("a", work=300, feature_bits=8), Unit("b", work=100, feature_bits=8))
    bits = Bits(units=units, widths=(8, 12), costs={8: 1.0, 12: 2.0}, noise={"a": 0.03, "b": 0.01}, output=0.04, base={"a": 8, "b": 8})
    state = State("p", outputs=(wire.Output("o", 0.98),)).put(bits)
    assert cost(state) == (1.0, 2.0)
    assert predicted(state) == pytest.approx(0.98)
    state = state.put(Live(plan={"a": Choice(feature_bits=12)}))
    assert cost(state) == (1.75, 2.0)
    assert predicted(state) == pytest.approx(1 - 0.02 * (0.01 + 0.03 / 256) / 0.04)


@pytest.mark.parametrize(
    ("text", "ends"),
    [("0, 1.7", (0.0, 1.7)), (", 2", (None, 2.0)), ("-1,", (-1.0, None)), ("", (None, None)), ("1", None), ("a, b", None), ("2, 1", None)],
)
def test_how_a_range_is_typed(text: str, ends: Any) -> None:
    assert ends_of(text) == ends
