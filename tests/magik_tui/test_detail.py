"""The layer looked at closely: asked for when the cursor rests, drawn without colour, neighbours to jump to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from magik_tui import events as ev
from magik_tui import table as tb
from magik_tui import wire
from magik_tui.core import State, update
from magik_tui.core.asking import Prompt
from magik_tui.core.detail import (
    BackAsked,
    Detail,
    Details,
    Histogram,
    LayerDue,
    LayerSeen,
    NeighbourAsked,
    ViewAsked,
    Weights,
    neighbours,
)
from magik_tui.core.live import Choice, PlanSet
from magik_tui.core.places import Places
from magik_tui.details import histogram_lines, neighbour_lines, weight_lines
from magik_tui.panes.layer import layer_lines
from magik_tui.widgets.ink import line_text
from tests.magik_tui import playing
from tests.magik_tui.playing import Talk

MakeDocument = Callable[..., wire.Document]
HELLO = wire.Hello(protocol=1)
NAME, NEXT, THIRD = "resnetv15_relu0_fwd", "resnetv15_stage1_batchnorm1_fwd", "resnetv15_stage1_batchnorm2_fwd"


def play(state: State, *events: ev.Happening) -> tuple[State, list[ev.Effect]]:
    effects: list[ev.Effect] = []
    for event in events:
        state, more = update(state, event)
        effects += more
    return state, effects


def sent(effects: list[ev.Effect]) -> list[dict[str, Any]]:
    return [effect.request for effect in effects if isinstance(effect, ev.Send) and effect.request["do"] == "layer"]


def alarms(effects: list[ev.Effect]) -> list[ev.Event]:
    return [effect.event for effect in effects if isinstance(effect, ev.Alarm)]


def answer(id_: int, **fields: Any) -> wire.Result:
    return wire.Result(fields, id=id_)


@pytest.fixture
def ready(document: MakeDocument) -> State:
    """A table that is there, the layer pane in sight."""
    state = replace(State(project="/p"), worker="ready", phase="done", table=tb.from_document(document(), ()), last_id=1)
    return state.put(Places(panes=("heatmap", "layer")))


def test_the_worker_is_asked_once_the_cursor_rests(ready: State) -> None:
    state, effects = play(ready, LayerSeen(NAME, 36), LayerSeen(NEXT, 36))
    assert sent(effects) == []
    first, second = alarms(effects)
    state, effects = play(state, first)
    assert sent(effects) == []
    state, effects = play(state, second)
    assert sent(effects) == [{"id": 2, "do": "layer", "name": NEXT, "bins": 36, "plan": {"nodes": {}}}]


def test_a_superseded_answer_is_kept_but_not_shown_and_the_next_is_asked_for(ready: State) -> None:
    state, _ = play(ready, LayerSeen(NAME, 36), LayerDue(1), LayerSeen(NEXT, 36))
    state, effects = play(state, LayerDue(2))
    assert effects == []  # one is on its way; a cancel that a busy engine answers late would end it
    state, effects = play(state, answer(2, name=NAME))
    assert [s["name"] for s in sent(effects)] == [NEXT]
    assert state.of(Details).shown is None
    state, effects = play(state, answer(3, name=NEXT, origin="own"), LayerSeen(NAME, 36))
    assert (sent(effects), alarms(effects)) == ([], [])
    assert state.of(Details).shown == Detail(NAME)


def test_a_new_table_asks_again_and_shows_the_old_answer_meanwhile(ready: State) -> None:
    state, _ = play(ready, LayerSeen(NAME, 36), LayerDue(1), answer(2, name=NAME, origin="own"))
    state, effects = play(state, PlanSet({NAME: Choice(feature_bits=12)}))
    assert sent(effects) == []
    document = {"nodes": msgspec.to_builtins(ready.table.rows), "recomputed": [NAME]}
    state, effects = play(state, wire.Result(document, id=3))
    assert [s["plan"] for s in sent(effects)] == [{"nodes": {NAME: {"feature_bits": 12}}}]
    assert state.of(Details).shown == Detail(NAME, origin="own")
    state, _ = play(state, answer(4, name=NAME, origin="given"))
    assert state.of(Details).shown == Detail(NAME, origin="given")


def test_an_answer_about_the_table_before_is_dropped(ready: State) -> None:
    state, _ = play(ready, LayerSeen(NAME, 36), LayerDue(1))
    state, _ = play(state, ev.RunEnded(ok=True, live=True))
    state, effects = play(state, answer(2, name=NAME, origin="own"))
    assert state.of(Details).shown is None
    assert [s["name"] for s in sent(effects)] == [NAME]


def test_nothing_is_asked_while_a_table_is_in_the_making_or_the_pane_is_out_of_sight(ready: State) -> None:
    for other in (replace(ready, phase="running"), ready.put(Places(panes=("heatmap",))), replace(ready, table=tb.Table())):
        _, effects = play(other, LayerSeen(NAME, 36), LayerDue(1))
        assert sent(effects) == []


def test_a_killed_worker_is_asked_again_when_it_is_back(ready: State) -> None:
    state, _ = play(ready, LayerSeen(NAME, 36), LayerDue(1), ev.Exited("was killed (SIGKILL)"))
    assert state.of(Details).trouble == ""
    _, effects = play(state, HELLO)
    assert [s["name"] for s in sent(effects)] == [NAME]


def test_why_there_is_nothing_to_see_is_said(ready: State) -> None:
    state, _ = play(ready, LayerSeen("gone", 36), LayerDue(1), wire.Error("UsageError", "there is no layer 'gone'", id=2))
    assert state.of(Details).trouble == "there is no layer 'gone'"


def test_jumps_go_to_neighbours_and_back(ready: State) -> None:
    state, _ = play(ready, LayerSeen(NAME, 36), LayerDue(1), answer(2, name=NAME, inputs=["data"], readers=[NEXT, THIRD, "gone"]))
    assert (neighbours(state, readers=False), neighbours(state, readers=True)) == ((), (NEXT, THIRD))
    state, effects = play(state, NeighbourAsked())
    assert state.note is not None
    assert state.note.text == "it reads the network's input"
    state, effects = play(state, NeighbourAsked(readers=True))
    (prompt,) = effects
    assert isinstance(prompt, Prompt)
    assert [choice.label for choice in prompt.choices] == [NEXT, THIRD]
    chosen = prompt.then(THIRD)
    assert chosen is not None
    state, _ = play(state, chosen)
    assert state.table.rows[state.cursor].name == THIRD
    state, _ = play(state, BackAsked())
    assert state.table.rows[state.cursor].name == NAME
    state, _ = play(state, BackAsked())
    assert state.note is not None
    assert state.note.text == "no jump to go back to"


def texts(lines: Any) -> list[str]:
    return [line_text(line).rstrip() for line in lines]


def test_histograms_are_told_apart_without_colour() -> None:
    found = Histogram(-1.0, 1.0, (0, 1, 100, 100, 10, 1, 1, 0), (0, 0, 100, 0, 100, 0, 0, 0))
    lines = texts(histogram_lines(Detail("x", histogram=found, clip=(-0.5, 0.6), origin="own"), 60, 7))
    assert lines == [
        " values  █ both ░ float only ▒ quantized only, log",
        "   █░▒",
        "   █░█",
        "   █░█",
        "  ░█░█░░",
        " ..[===].",
        " -1     1",
    ]


def test_what_is_of_the_layer_before_says_so(ready: State) -> None:
    found = {"inputs": ["data"], "readers": [THIRD], "shape": [1, 2]}
    state, _ = play(
        ready, LayerSeen(NAME, 36), LayerDue(1), answer(2, name=NAME, **found), ViewAsked(), ViewAsked(), ViewAsked(), ViewAsked()
    )
    assert " neighbours  makes 1x2" in texts(layer_lines(state, 50, 8, beside=False))
    state, _ = play(state, ev.MovedTo(1), LayerSeen(NEXT, 36))
    assert " neighbours  of the layer before; reading" in texts(layer_lines(state, 50, 8, beside=False))
    busy = replace(state, phase="running")
    assert not any("neighbours" in line for line in texts(layer_lines(busy, 50, 8, beside=False)))
    state, _ = play(state, LayerDue(2), wire.Error("UsageError", "there is no such layer", id=3))
    assert texts(layer_lines(state, 50, 8, beside=False))[1:] == [" there is no such layer"]


def test_what_has_one_value_has_no_histogram() -> None:
    assert texts(histogram_lines(Detail("x"), 60, 8)) == [" values  all are equal, or none is kept"]


def test_weight_ranges_are_grouped_to_the_width() -> None:
    found = Weights(8, (-1.0, -0.1, 0.0, 0.0, 0.0, 0.0, 0.0, -0.5), (0.5, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7))
    lines = texts(weight_lines(Detail("x", weights=found, notes=("bias did not fit",)), 40, 10))
    assert lines == [
        " weights  8 channels",
        " max  ▅▁▂▃▄▅▅▆",
        " min  █▁     ▅",
        "   widest      1 (channel 0)",
        "   median      0.5",
        "   narrowest   0.1 (channel 1)",
        "   bias did not fit",
    ]
    assert texts(weight_lines(Detail("x", weights=found), 10, 3)) == [" weights", " max  ▅▃▅▆", " min  █  ▅"]


def test_neighbours_are_named_with_their_cosines(ready: State) -> None:
    detail = Detail(NAME, shape=(1, 64, 56, 56), inputs=("data",), readers=(NEXT,))
    lines = texts(neighbour_lines(ready, detail, 60, 9))
    assert lines[0] == " neighbours  makes 1x64x56x56"
    assert lines[1].split() == ["reads", "data"]
    assert lines[2].split()[:3] == ["read", "by", NEXT]
    assert lines[2].endswith(" +")


def live(app: Any, talk: Talk, size: tuple[int, int]) -> None:
    playing.live(app, talk, size, key="3", ready=lambda s: s.of(Details).shown is not None)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
def test_every_part_can_come_first(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        for head in (" values", " weights  64 channels", " worst samples  of 12", " neighbours  makes 1x64x56x56"):
            await pilot.press("v")
            await pilot.pause()
            assert head in "\n".join(app.text())
        await pilot.press("z")
        await pilot.pause()
        text = "\n".join(app.text())
        assert " neighbours" in text
        await pilot.press("v")
        await pilot.pause()
        text = "\n".join(app.text())
        assert "clip -1 .. 1.75" in text
        assert " weights  64 channels" in text

    live(watched("good"), talk, size)


def test_the_keys_jump_and_the_closer_look_follows(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("j", "j")
        state = await app.until(lambda s: s.cursor == 2 and s.of(Details).shown is not None)
        assert state.of(Details).shown.name == state.table.rows[2].name
        await pilot.press("i")
        state = await app.until(lambda s: s.cursor == 1 and s.of(Details).shown is not None)
        await pilot.press("o", "down", "enter")
        await app.until(lambda s: s.cursor == 3)
        await pilot.press("backspace")
        await app.until(lambda s: s.cursor == 1)

    live(watched("good"), talk, (120, 40))


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_hostile_names_stay_text(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        for key in ("v", "v", "v", "v", "z", "j", "j", "j", "j", "v", "o", "escape"):
            await pilot.press(key)
            await app.until(lambda s: s.of(Details).shown is not None)
            await pilot.pause()
            assert all(line.isprintable() for line in app.text())

    live(watched("hostile"), talk, size)


def test_the_view_goes_round(ready: State) -> None:
    state, _ = play(ready, *[ViewAsked()] * 5)
    assert state.of(Details).view == "facts"
