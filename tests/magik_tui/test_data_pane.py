"""The samples on the screen: sets, what is odd, the worst layer of each, small pictures."""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from magik_tui import graphics
from magik_tui.core.data import Data, Entry, Picture, Sample
from magik_tui.core.places import Places
from magik_tui.panes.data import entry_text, name_width, samples_sheet
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


def test_names_stand_in_one_column_beside_a_cosine_below_zero(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        entry = app.bench.of(Data).entries[1]
        table = app.bench.table
        worse = replace(app.bench, table=replace(table, columns=((-0.76342, *table.columns[0][1:]), *table.columns[1:])))
        before, after = (entry_text(state, entry, 20) for state in (app.bench, worse))
        assert after.startswith(" -0.76342  ")
        assert before.index(entry.sample.name) == after.index(entry.sample.name)

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


def test_a_terminal_that_draws_pictures_is_given_them(watched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr("magik_tui.terminal.write", lambda app, sequence: sent.append(sequence))
    for name in ("TMUX", "STY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-kitty")

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.of(Data).pictures.get("/home/me/debug/cat_000.jpg") is not None)
        await pilot.pause()
        heads = [dict(pair.split("=") for pair in part[3:].split(";")[0].split(",")) for part in sent[-1].split("\x1b\\")[:-1]]
        keys, data = heads[0], "".join(part.split(";")[1] for part in sent[-1].split("\x1b\\")[:-1])
        assert (keys["s"], keys["v"], keys["f"], keys["U"]) == ("24", "18", "24", "1")
        assert [head["m"] for head in heads] == ["1"] * (len(heads) - 1) + ["0"]
        picture = app.bench.of(Data).pictures["/home/me/debug/cat_000.jpg"]
        assert zlib.decompress(base64.b64decode(data)) == picture.rgb
        shown = [line for line in app.text() if graphics.PLACEHOLDER in line]
        assert len(shown) == int(keys["r"])
        assert {line.count(graphics.PLACEHOLDER) for line in shown} == {int(keys["c"])}
        assert "▀" not in "\n".join(app.text())

    live(watched("good"), talk)


@pytest.mark.parametrize(
    ("environment", "spoken"),
    [
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, True),
        ({"TERM": "xterm-ghostty", "TMUX": "/tmp/x"}, False),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm-256color"}, False),
    ],
)
def test_which_terminals_draw_pictures(environment: dict[str, str], spoken: bool) -> None:
    assert graphics.spoken(environment) == spoken


def test_a_picture_keeps_its_shape_and_fits() -> None:
    assert graphics.place(128, 96, 48, 40) == (48, 18)
    assert graphics.place(96, 128, 48, 10) == (15, 10)
    columns, rows = graphics.place(1000, 1, 20, 99)
    assert (columns, rows) == (20, 1)
    assert graphics.place(10, 1000, 99, 99)[1] == len(graphics.ROWS)


def test_short_names_leave_room_for_the_head_over_them() -> None:
    assert name_width((Entry("DEBUG_PATH", Sample("0")),)) == name_width(()) == len("sample")
