"""The closer look at a layer: asked for when the cursor rests, drawn without colour, neighbours to jump to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from magik_tui.core import State, update
from magik_tui.core.detail import Details, DetailWanted, Histogram, Weights
from magik_tui.details import bars, detail_lines, histogram_lines, limits, squeezed, weight_lines
from magik_tui.widgets.ink import line_text

Talk = Callable[[Any, Pilot[None]], Awaitable[None]]


def live(app: Any, talk: Talk, size: tuple[int, int] = (120, 50)) -> None:
    async def main() -> None:
        try:
            async with app.run_test(size=size) as pilot:
                await app.until(lambda s: s.phase == "done")
                await talk(app, pilot)
        finally:
            await app.bridge.close()

    asyncio.run(main())


def test_it_comes_when_the_cursor_rests_and_neighbours_are_a_key_away(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("3", "j", "j")
        name = app.bench.table.rows[2].name
        await app.until(lambda s: name in s.of(Details).known)
        await pilot.pause()
        text = "\n".join(app.text())
        assert "values (logarithmic)" in text
        assert "3 channels, 0.1 to 2" in text
        await pilot.press("o")
        await app.until(lambda s: s.cursor == 3)
        known = app.bench.table.rows[3].name
        await app.until(lambda s: known in s.of(Details).known)
        await pilot.press("i")
        await app.until(lambda s: s.cursor == 2)

    live(watched("good"), talk)


def test_zoomed_on_a_small_screen_it_stands_beside_the_facts(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("3", "z")
        await app.until(lambda s: len(s.of(Details).known) == 1)
        await pilot.pause()
        assert any("cosine" in line and "clip" in line for line in app.text())

    live(watched("good"), talk, (80, 24))


@pytest.mark.parametrize("size", [(120, 50), (200, 50)])
def test_hostile_neighbours_stay_text(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("3", "j")
        await app.until(lambda s: len(s.of(Details).known) >= 1)
        await pilot.pause()
        assert all(line.isprintable() for line in app.text())

    live(watched("hostile"), talk, size)


def test_a_newer_wish_takes_the_place_of_an_older_one() -> None:
    state, effects = update(State("p", worker="ready"), DetailWanted("a"))
    assert [e.request["do"] for e in effects] == ["layer"]
    state, effects = update(state, DetailWanted("a"))
    assert effects == ()
    _, effects = update(state, DetailWanted("b"))
    assert [e.request["do"] for e in effects if hasattr(e, "request")] == ["cancel", "layer"]


def test_heights_are_logarithmic_and_nothing_is_lost() -> None:
    assert bars((0, 1, 10, 100), 100) == " ▁▄█"
    assert bars((0, 0), 0) == "  "
    assert squeezed((1, 2, 3, 4), 2) == (3, 7)
    assert squeezed((1, 2), 9) == (1, 2)


def test_limits_stand_where_the_levels_end() -> None:
    found = Histogram(-2.0, 2.0, (1,) * 8, (1,) * 8)
    assert limits(found, (-1.0, 1.0), 8) == "  [   ] "
    assert limits(found, (-3.0, 5.0), 8) == "<      >"


def test_lines_keep_to_their_width() -> None:
    found = Histogram(-2.0, 2.0, (1,) * 64, (1,) * 64)
    for width in (20, 38, 90):
        for line in (*histogram_lines(found, (-1.0, 1.0), width), *weight_lines(Weights(2, (-1.0, 0.0), (0.5, 0.0)), width)):
            assert len(line_text(line)) <= width
    assert line_text(detail_lines(None, 30)[1]).rstrip() == "looking closer"
