"""The heatmap as it is drawn: filtered while one types, its keys, its map, names that are hostile, and many layers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from textual.pilot import Pilot

from magik_tui import figures as fg
from magik_tui import table as tb
from magik_tui import wire
from magik_tui.core import State, update
from magik_tui.core.heat import BadMoved, FilterTyped, Heat, LocalAsked, RowMoved, SortAsked, TurnAsked, view
from magik_tui.figures import figures
from magik_tui.widgets.filterline import FilterLine
from magik_tui.widgets.grid import extent, lay_out, row_line
from magik_tui.widgets.heatmap import Heatmap
from magik_tui.widgets.ink import line_width
from tests.magik_tui.playing import live, opened

MakeDocument = Callable[..., wire.Document]


def test_a_filter_narrows_while_one_types(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        heatmap, line = app.screen.query_one(Heatmap), app.screen.query_one(FilterLine)
        await pilot.press("slash", *"cos", "less_than_sign", *"0.98")
        await app.until(lambda s: heatmap.count == 7)
        assert any(row.startswith("/ cos<0.98") and "7 of 25 layers  Enter keeps, Esc clears" in row for row in app.text())
        await pilot.press("down")
        assert app.bench.cursor == 13
        await pilot.press("enter", "n", "n", "N")
        await pilot.pause()
        assert (app.bench.cursor, heatmap.has_focus, line.is_open) == (14, True, False)
        assert any(row.startswith("/ cos<0.98") and row.endswith(" 7 of 25 layers") for row in app.text())
        await pilot.press("slash", "x")
        await app.until(lambda s: s.of(Heat).filter.trouble != "")
        await pilot.pause()
        assert any("cos< needs a number, as in cos<0.98, not 0.98x" in row for row in app.text())
        await pilot.press("escape")
        await app.until(lambda s: heatmap.count == 25)
        await pilot.pause()
        assert (app.bench.cursor, line.size.height, heatmap.has_focus) == (14, 0, True)
        assert sum(row.startswith(">") for row in app.text()[3:17]) == 1
        await pilot.press("slash", *"cos", "less_than_sign", *"0.98", "enter")
        await app.until(lambda s: heatmap.count == 7)
        await pilot.press("escape")  # the line was left long ago, and nothing is at work
        await app.until(lambda s: heatmap.count == 25)
        await pilot.pause()
        assert (line.size.height, heatmap.has_focus) == (0, True)

    live(watched("good"), talk)


def test_a_filter_is_kept_where_one_goes_elsewhere(watched: Any) -> None:
    """The line is closed then: what has the keys next does not type into it, and Esc drops the filter as it does any."""

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        heatmap, line = app.screen.query_one(Heatmap), app.screen.query_one(FilterLine)
        for away in ("tab", "ctrl+p"):
            await pilot.press("2", "slash", *"relu3", away)
            await app.until(lambda s: not line.is_open)
            assert app.bench.of(Heat).filter.text == "relu3"
            assert not heatmap.has_focus
            await pilot.press("escape", "2")
            await app.until(lambda s: heatmap.has_focus and heatmap.count == 1)
            await pilot.press("escape")
            await app.until(lambda s: heatmap.count == 25)
        assert app.bench.of(Heat).filter.text == ""

    live(watched("good"), talk, (120, 40))


def test_the_keys_of_the_heatmap(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("s", "g")
        await pilot.pause()
        assert app.text()[2] == " by worst"
        assert "worst↑" in app.text()[3]
        assert app.bench.cursor == view(app.bench).order[0]
        await pilot.press("S", "m")
        await pilot.pause()
        assert app.text()[2] == " SQNR in dB · by worst, best first"
        assert "worst↓" in app.text()[3]
        await pilot.press("a", "g", "3", "j")  # the layer's pane walks in the same order
        assert app.bench.of(Heat).local
        assert app.bench.cursor == view(app.bench).order[1] != 1
        bar = await opened(app, pilot, "2", "d")
        assert bar.is_open
        await pilot.press("enter")
        await app.until(lambda s: view(s).figures.difference)
        await pilot.press("a", "m", "m")
        await app.until(lambda s: s.of(Heat).metric == "cosine" and not s.of(Heat).local)
        await pilot.press("n")
        await pilot.pause()
        assert app.text()[2].startswith(" difference to 2026")
        assert any(row.startswith(">x ") and "-.0300" in row and "▼▼▼" in row for row in app.text())
        await pilot.press("d")
        await app.until(lambda s: not view(s).figures.difference)

    live(watched("good"), talk)


def test_a_click_on_the_map_goes_there(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        heatmap = app.screen.query_one(Heatmap)
        await pilot.click(Heatmap, offset=(79, 7))
        await app.until(lambda s: s.cursor == 6 * 400 // heatmap.page)
        await pilot.pause()
        bars = [row[79] == "▐" for row in app.text()[3 : 3 + heatmap.page]]
        assert bars[6]
        assert sum(bars) in (1, 2)

    live(watched("good", "--layers", "400"), talk)


def test_a_move_of_the_cursor_leaves_the_map_as_it_is(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        heatmap, asked = app.screen.query_one(Heatmap), []
        drawn = heatmap._map
        heatmap.refresh = lambda *regions, **_: asked.extend(region.y for region in regions)
        heatmap.show(replace(app.bench, cursor=3))
        assert asked == [1, 4]
        assert heatmap._map is drawn

    live(watched("good", "--layers", "400"), talk)


def test_hostile_names_are_filtered_sorted_and_compared(watched: Any, hostile: Sequence[str]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        for text in (*hostile, *(f'"{name}"' for name in hostile)):
            app.dispatch(FilterTyped(text))
            assert all(row.isprintable() for row in app.text())
        app.dispatch(FilterTyped(f'"{hostile[0]}"'))
        assert hostile[0] in {app.bench.table.rows[row].name for row in view(app.bench).order}
        app.dispatch(FilterTyped(""))
        for key in ("s", "s", "s", "s", "m", "a"):
            await pilot.press(key)
            assert all(row.isprintable() for row in app.text())
        await opened(app, pilot, "d")
        assert all(row.isprintable() for row in app.text())
        await pilot.press("enter")
        await app.until(lambda s: view(s).figures.difference)
        await pilot.pause()
        assert all(row.isprintable() for row in app.text())

    live(watched("hostile"), talk)


def test_lines_of_hostile_names_stand_under_each_other(document: MakeDocument) -> None:
    table = tb.from_document(document("hostile", 40, 3), ())
    before = tb.from_document(document("hostile", 30, 3), ())
    for measure in fg.MEASURES:
        shown = fg.differences(figures(table, measure), figures(before, measure), table, before)
        for width in (60, 80, 150):
            grid = lay_out(extent(table), width, 0)
            assert len({line_width(row_line(table, row, grid, shown=shown)) for row in range(40)}) == 1


def test_five_thousand_layers_are_ordered_and_filtered_at_once(document: MakeDocument) -> None:
    state = State("/p/net", table=tb.from_document(document("good", 5000, 12), ()))
    view(state)
    spent = []
    filters = (FilterTyped("cos<0.98 conv sqnr<14"), FilterTyped(""))
    for event in (SortAsked("worst"), TurnAsked(), *filters, RowMoved(1), BadMoved(1), LocalAsked(), SortAsked("name")):
        began = time.process_time()
        state, _ = update(state, event)
        assert view(state).order
        spent.append(time.process_time() - began)
    assert sorted(spent)[len(spent) // 2] < 0.05, spent
