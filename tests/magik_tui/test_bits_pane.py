"""Mixed widths on the screen: raised, lowered, marked, skipped, ranges, undo, cost and prediction, written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual import events as ui
from textual.pilot import Pilot

from magik_tui import wire
from magik_tui.core import State
from magik_tui.core.bits import Bits, Unit, cost, predicted, why
from magik_tui.core.config import ConfigFile
from magik_tui.core.live import Choice, Live
from magik_tui.core.sensing import Sensing
from magik_tui.core.widths import ends_of
from magik_tui.table import from_layers
from magik_tui.unitlines import foot_line, units_sheet
from magik_tui.widgets.ink import line_text
from tests.magik_tui import playing
from tests.magik_tui.playing import Talk


def live(app: Any, talk: Talk, size: tuple[int, int] = (110, 30)) -> None:
    playing.live(app, talk, size, key="5", ready=lambda s: s.of(Bits).units is not None)


def changes(state: State) -> list[Choice]:
    return list(state.of(Live).plan.values())


def test_a_raised_width_runs_at_once_and_is_undone(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        assert "cost 1.044 of 2" in "\n".join(app.text())
        await pilot.press("j", "+")
        state = await app.until(lambda s: s.of(Live).recomputed == 1 and not s.stale)
        assert changes(state) == [Choice(feature_bits=10)]
        assert state.table.rows[1].feature_bits == 10
        assert state.cursor == 1
        await pilot.pause()
        text = "\n".join(app.text())
        assert "measured 0.99210" in text
        assert "1 layer computed in 0.05 s" in text
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


def test_one_width_is_set_for_all_that_a_filter_shows_as_one_step(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"stage2 bits>7")
        state = await app.until(lambda s: len(s.of(Bits).shown) == 4)
        await pilot.pause()
        assert "4 of 25 units" in "\n".join(app.text())
        await pilot.press("enter")
        await playing.opened(app, pilot, "=")
        text = "\n".join(app.text())
        assert "bits of all 4 shown" in text
        assert "8 bits, cost 1 " in text
        await pilot.press("1", "2", "enter")
        state = await app.until(lambda s: len(s.of(Live).plan) == 4 and not s.stale)
        assert changes(state) == [Choice(feature_bits=12)] * 4
        assert len(state.of(Bits).shown) == 4
        await pilot.press("space", "-")
        state = await app.until(lambda s: Choice(feature_bits=10) in changes(s) and not s.stale)
        assert sorted(c.feature_bits for c in changes(state)) == [10, 12, 12, 12]
        await pilot.press("u", "u")
        state = await app.until(lambda s: not s.of(Live).plan)
        await pilot.press("slash", "escape")
        state = await app.until(lambda s: len(s.of(Bits).shown) == 25)
        assert state.of(Bits).filter.text == ""

    live(watched("good"), talk)


def test_a_filter_that_makes_no_sense_is_told_and_not_kept(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"relu bit>8")
        state = await app.until(lambda s: bool(s.of(Bits).filter.trouble))
        await pilot.pause()
        assert "there is no column bit; did you mean bits?" in "\n".join(app.text())
        await pilot.press("enter")
        state = await app.until(lambda s: not s.of(Bits).filter.text)
        await pilot.press("+")
        state = await app.until(lambda s: bool(s.of(Live).plan))
        assert len(state.of(Live).plan) == 1

    live(watched("good"), talk)


def test_weights_are_tried_and_their_command_line_only_tries(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("W")
        state = await app.until(lambda s: s.note is not None)
        assert state.note.text == "it has no weights"
        await playing.opened(app, pilot, "j", "W")
        await pilot.press("4", "enter")
        state = await app.until(lambda s: bool(s.of(Live).plan))
        assert changes(state) == [Choice(weight_bits=4)]
        name = state.table.rows[1].name
        await pilot.press("dollar_sign")
        state = await app.until(lambda s: s.note is not None and s.note.text.startswith("magik-tui"))
        assert state.note.text == f"magik-tui apply /home/me/resnet18 --variant t40 --weight-bits {name} 4 --dry-run"

    live(watched("good"), talk)


def test_the_bit_file_is_loaded_and_everything_dropped(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("1")
        await app.until(lambda s: s.of(ConfigFile).saved is not None)
        await pilot.press("5", "R")
        state = await app.until(lambda s: len(s.of(Live).plan) == 3)
        assert changes(state) == [Choice(feature_bits=12, max=1.5)] * 3
        assert "no layer is called 'gone'" in app.notes[-1]
        await pilot.press("X")
        state = await app.until(lambda s: not s.of(Live).plan)
        assert app.notes[-1].startswith("dropped what was changed for 3 layers")
        await pilot.press("u")
        await app.until(lambda s: len(s.of(Live).plan) == 3)

    live(watched("good"), talk)


def test_a_unit_that_the_configuration_skips_can_be_quantized(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("G")
        await pilot.pause()
        assert "in float: skipped by QUANT_NODE_SKIP" in "\n".join(app.text())
        await pilot.press("s")
        state = await app.until(lambda s: bool(s.of(Live).plan))
        assert changes(state) == [Choice(skip=False)]
        await pilot.press("s")
        await app.until(lambda s: not s.of(Live).plan)

    live(watched("good"), talk)


def test_what_each_unit_does_is_measured(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("S")
        state = await app.until(lambda s: bool(s.of(Sensing).units))
        assert "7 plans tried" in app.notes[-1]
        await pilot.pause()
        assert "at out" in "\n".join(app.text())
        assert units_sheet(state).rows[2][10:12] == (0.997, 0.001)

    live(watched("good"), talk)


def test_a_change_waits_while_the_switch_is_off(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("2", "A")
        await app.until(lambda s: not s.of(Live).auto)
        await pilot.press("5", "+")
        state = await app.until(lambda s: bool(s.of(Live).plan))
        assert (state.stale, state.of(Live).wanted, state.of(Live).job) == (True, True, None)
        await pilot.pause()
        text = "\n".join(app.text())
        assert "auto-run off, changes wait" in app.text()[-1]
        assert "10 asked, got 8/8: not run yet: Enter runs it" in text
        await pilot.press("enter")
        state = await app.until(lambda s: s.of(Live).recomputed == 1 and not s.stale)
        assert state.table.rows[0].feature_bits == 10
        bar = await playing.opened(app, pilot, "colon")
        await pilot.press(*"auto")
        await pilot.pause()
        assert "Auto-run on or off" in "\n".join(app.text())
        assert bar.is_open

    live(watched("good"), talk)


def test_why_a_unit_is_not_as_it_is_asked_to_be(document: Any) -> None:
    rows = (
        wire.Row("shared", feature_bits=8, method="SHARED"),
        wire.Row("float", quantized=False, reason="no integer form of Odd is known"),
        wire.Row("good", feature_bits=12, weight_bits=8),
        wire.Row("bad", feature_bits=8, weight_bits=8),
    )
    units = tuple(Unit(row.name, feature_bits=12, weight_bits=8 if row.weight_bits else None) for row in rows)
    state = State("p", table=replace(from_layers(wire.Layers(rows)), complete=True)).put(Bits(units=units, shown=(0, 1, 2, 3)))
    assert [why(state, unit, place) for place, unit in enumerate(units)] == [
        "it keeps the levels of what it reads",
        "no integer form of Odd is known",
        "",
        "the table is not of this plan",
    ]
    assert line_text(foot_line(state, 70)).rstrip() == "12 asked, got 8: it keeps the levels of what it reads"
    assert units_sheet(state).rows[0][6] == "it keeps the levels of what it reads"
    assert why(replace(state, stale=True), units[3], 3) == "it is being run"


def test_the_plan_is_written_and_is_then_what_the_files_say(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("+", "a")
        state = await app.until(lambda s: s.note is not None and s.note.text.startswith("wrote"))
        assert state.note.text == "wrote magik_node_quant_bit_info.json, magik_t40.cfg; u takes it back"
        assert not state.of(Live).plan
        await pilot.press("u")  # the files as they were, and the width on top again
        state = await app.until(lambda s: s.note is not None and s.note.text.startswith("as before: "))
        assert changes(state) == [Choice(feature_bits=10)]
        await pilot.press("u")
        await app.until(lambda s: not s.of(Live).plan)
        await pilot.press("+", "a")
        await app.until(lambda s: s.note is not None and s.note.text.startswith("wrote"))
        await pilot.press("j", "+", "u", "u")  # what was changed since goes first, one by one
        state = await app.until(lambda s: s.note is not None and s.note.text.startswith("as before: ") and bool(s.of(Live).plan))
        assert changes(state) == [Choice(feature_bits=10)]

    live(watched("good"), talk)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_hostile_names_stay_text(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        for key in (
            "+",
            "space",
            "j",
            "s",
            "G",
            "m",
            "escape",
            "slash",
            "[",
            "enter",
            "=",
            "escape",
            "dollar_sign",
            "R",
            "t",
            "space",
            *"at=.",
            "enter",
            "t",
            "escape",
        ):
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


def test_a_width_is_typed_in_one_burst_with_what_follows(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        for key, character in (("equals_sign", "="), ("1", "1"), ("2", "2"), ("enter", "\r"), ("minus", "-"), ("j", "j"), ("plus", "+")):
            app.post_message(ui.Key(key, character))
        state = await app.until(lambda s: len(s.of(Live).plan) == 2 and not s.stale)
        assert changes(state) == [Choice(feature_bits=10)] * 2

    live(watched("good"), talk)
