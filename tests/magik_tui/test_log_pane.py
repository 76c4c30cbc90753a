"""The log on the screen: what is looked for is found, counted, marked and brought into sight."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from textual.pilot import Pilot

from magik_tui.core import Note, State, update
from magik_tui.core.searching import LogSearch, LogSearched, MatchAsked, matches, place
from magik_tui.panes.log import log_lines
from magik_tui.widgets.ink import line_text
from tests.magik_tui import playing
from tests.magik_tui.conftest import fake_worker

NOTES = (Note("info", "Calibrate"), Note("warning", "CALIBRATE twice", "data"), Note("info", "done"), Note("info", "Calibrate"))


def opened(notes: tuple[Note, ...] = NOTES) -> State:
    return State("p", log=notes)


def looked_at(state: State) -> tuple[int | None, tuple[int, ...]]:
    found = matches(state)
    return place(state, found), found


def test_a_search_begins_where_one_looks_and_goes_round() -> None:
    state, _ = update(opened(), LogSearched("calib", 1))
    assert looked_at(state) == (1, (0, 1, 3))
    state, _ = update(state, MatchAsked(1))
    assert looked_at(state)[0] == 2
    state, _ = update(state, MatchAsked(1))
    assert looked_at(state)[0] == 0
    state, _ = update(state, MatchAsked(-1))
    assert looked_at(state)[0] == 2
    state, _ = update(opened(), LogSearched("done", 3))
    assert looked_at(state) == (0, (2,))


def test_the_line_that_is_looked_at_stays_while_the_log_grows_and_loses_its_beginning() -> None:
    state, _ = update(opened(), LogSearched("calib", 3))
    state = replace(state, log=(*state.log[1:], Note("info", "calibrated again")))
    assert looked_at(state) == (1, (0, 2, 3))
    state, _ = update(replace(state, log=()), MatchAsked(1))
    assert state.note is not None
    assert state.note.text == "no line of the log says 'calib'"
    state, _ = update(opened(), MatchAsked(1))
    assert state.note is not None
    assert "/ begins a search" in state.note.text


def test_a_source_is_found_too_and_what_is_found_is_marked_by_more_than_colour() -> None:
    state, _ = update(opened(), LogSearched("data:"))
    found = matches(state)
    assert found == (1,)
    lines, starts = log_lines(state, 40, found, found[0])
    assert line_text(lines[starts[1]]) == "warning>data: CALIBRATE twice"
    assert line_text(lines[starts[0]]) == "info    Calibrate"


def test_it_is_typed_counted_and_left(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        async def seen(count: str, line: str) -> None:
            await pilot.pause()
            text = app.text()
            assert any(each.startswith("/ ") and each.endswith(f" {count}") for each in text)
            assert [each.partition(">")[2].split()[:2] for each in text if each.startswith("info   >")] == [line.split()]

        app.bench = replace(app.bench, log=tuple(Note("info", f"step {number}") for number in range(100)))
        app.dispatch(LogSearched(""))
        await pilot.press("z", "g", "slash", *"step 7")
        await app.until(lambda s: s.of(LogSearch).text == "step 7")
        await seen("1/11", "step 7")
        await pilot.press("down", "enter", "n")
        await seen("3/11", "step 71")
        await pilot.press("N", "N", "N")
        await seen("11/11", "step 79")
        await pilot.press("slash", *"zz")
        await pilot.pause()
        assert "no line says it" in "\n".join(app.text())
        await pilot.press("escape")
        await app.until(lambda s: s.of(LogSearch) == LogSearch())
        await pilot.pause()
        assert not any("step 7zz" in line for line in app.text())
        await pilot.press("j")  # the page has the keys again
        assert app.focused.id == "log"

    playing.live(watched("good"), talk, (120, 40), key="9")


def test_hostile_text_is_found_and_stays_text(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        app.bench = replace(app.bench, log=tuple(Note("info", name) for name in fake_worker.HOSTILE))
        for name in fake_worker.HOSTILE:
            app.dispatch(LogSearched(name))
            await pilot.pause()
            found = matches(app.bench)
            assert bool(found) == bool(name)
            assert all(line.isprintable() for line in app.text())

    playing.live(watched("hostile"), talk, (80, 24), key="9")
