"""The samples on the screen: sets, what is odd, the worst layer of each, small pictures."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from magik_tui.core.data import Data, Picture
from magik_tui.core.places import Places
from magik_tui.panes.data import samples_sheet
from magik_tui.sheets import as_csv
from magik_tui.widgets.thumb import palette, row
from tests.magik_tui import playing
from tests.magik_tui.playing import Talk


def live(app: Any, talk: Talk, size: tuple[int, int] = (110, 30)) -> None:
    playing.live(app, talk, size, key="6", ready=lambda s: s.of(Data).sets is not None)


def test_sets_samples_and_their_worst_layers(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        text = "\n".join(app.text())
        assert "QUANT_DATASET_PATH: 2 samples, 10 to 200 are advised" in text
        assert "DEBUG_PATH  12 samples" in text
        await pilot.press("j", "enter")
        state = await app.until(lambda s: s.of(Places).focus == "heatmap")
        column = [c for c in state.table.columns[0] if c is not None]
        assert state.table.cell(state.cursor, 0) == min(column)

    live(watched("good"), talk)


def test_the_samples_are_a_table(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("j", "j", "j")
        sheet = samples_sheet(app.bench)
        assert len(sheet.rows) == 14
        name, key, layer, cosine, odd, files = sheet.rows[sheet.row]
        assert (name, key, odd, files) == ("cat_002.jpg", "DEBUG_PATH", "", "/home/me/debug/cat_002.jpg")
        column = [c for c in app.bench.table.columns[2] if c is not None]
        assert (cosine, layer) == (min(column), app.bench.table.rows[app.bench.table.columns[2].index(min(column))].name)
        assert sheet.rows[-1][1:] == ("QUANT_DATASET_PATH", None, None, "mostly black", "b.png")
        assert as_csv(sheet).count("\n") == 15

    live(watched("good"), talk)


def test_a_sample_that_is_not_measured_leads_nowhere_and_says_why(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("G", "enter")
        await app.until(lambda s: s.note is not None and "this row is none of them" in s.note.text)
        assert app.bench.of(Places).focus == "data"

    live(watched("good"), talk)


def test_the_next_odd_sample_and_its_picture(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.of(Data).pictures.get("/home/me/debug/cat_000.jpg") is not None)  # that of the set under the cursor
        await pilot.press("n")
        state = await app.until(lambda s: s.of(Data).pictures.get("b.png") is not None)
        assert state.of(Data).chosen.sample.fault == "mostly black"
        await pilot.pause()
        assert sum("▀" in line for line in app.text()) >= 5
        await pilot.press("p")
        await pilot.pause()
        assert "▀" not in "\n".join(app.text())

    live(watched("good"), talk)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_hostile_samples_stay_text(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        for key in ("G", "k", "k", "n", "pageup"):
            await pilot.press(key)
            await pilot.pause()
            assert all(line.isprintable() for line in app.text())

    live(watched("hostile"), talk, size)


def test_pixels_become_the_nearest_of_256_colours() -> None:
    assert (palette(0, 0, 0), palette(255, 255, 255), palette(255, 0, 0), palette(0, 135, 255)) == (16, 231, 196, 33)
    assert 232 <= palette(128, 130, 127) <= 255


def test_neighbours_of_one_colour_are_one_segment() -> None:
    red = Picture(4, 2, bytes((255, 0, 0)) * 8)
    assert [s.text for s in row(red, 0, 10, 5, plain=False)] == ["▀▀▀▀"]
    assert row(red, 1, 10, 5, plain=False) == []
    assert [s.text for s in row(Picture(2, 2, bytes(12)), 0, 9, 9, plain=True)] == ["  "]
