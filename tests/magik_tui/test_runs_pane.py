"""The history on the screen: listed when it is first seen, compared, noted, restored and forgotten only when asked twice."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from magik_tui import wire
from magik_tui.core import State, update
from magik_tui.core.history import ForgetAsked, History, Past, RestoreAsked
from magik_tui.panes.runs import sparkline
from magik_tui.widgets.ink import line_text
from tests.magik_tui import playing
from tests.magik_tui.playing import Talk


def live(app: Any, talk: Talk, size: tuple[int, int] = (100, 30)) -> None:
    playing.live(app, talk, size, key="7", ready=lambda s: s.of(History).runs is not None)


def test_it_lists_runs_and_draws_their_cosines(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        text = "\n".join(app.text())
        assert "output cosine 0.98000 ▁█ 0.99000" in text
        assert "before the fix" in text
        assert text.index("live") < text.index("run  ")

    live(watched("good"), talk)


def test_a_run_is_compared_with_the_table(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await app.until(lambda s: s.of(History).other is not None)
        await pilot.pause()
        text = "\n".join(app.text())
        assert "3 layers better, 0 worse, 22 as before" in text
        assert text.count("+0.1") == 3
        await pilot.press("c")
        await app.until(lambda s: s.of(History).other is None)

    live(watched("good"), talk)


def test_a_note_is_written(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await playing.opened(app, pilot, "t")
        await pilot.press("q", "9", "enter")  # keys of the workbench are letters of a note
        state = await app.until(lambda s: s.of(History).runs[0].note == "q9")
        assert state.of(History).cursor == 0

    live(watched("good"), talk)


def test_nothing_is_forgotten_without_asking_twice(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("j", "D")
        state = await app.until(lambda s: s.note is not None)
        assert "the same key again does it" in state.note.text
        await pilot.press("k", "j", "D")
        await pilot.pause()
        assert len(app.bench.of(History).runs) == 2
        await pilot.press("D")
        await app.until(lambda s: len(s.of(History).runs) == 1)

    live(watched("good"), talk)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_hostile_notes_and_names_stay_text(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("enter", "G", "t", "escape")
        await pilot.pause()
        assert "\x1b" not in "\n".join(app.text())

    live(watched("hostile"), talk, size)


def test_confirming_one_thing_does_not_do_another() -> None:
    state = State("p", worker="ready").put(History(runs=(Past("a"), Past("b"))))
    state, effects = update(state, RestoreAsked())
    assert effects == ()
    state, effects = update(state, ForgetAsked())
    assert effects == ()
    _, effects = update(state, ForgetAsked())
    assert [e.request["act"] for e in effects] == ["forget"]


def test_a_line_of_equal_cosines() -> None:
    runs = tuple(Past(str(i), outputs=(wire.Output("o", 0.5),)) for i in range(3))
    assert line_text(sparkline(History(runs=runs), 60)).rstrip() == "output cosine 0.50000 ███ 0.50000"
    assert line_text(sparkline(History(runs=(Past("a"),)), 60)).rstrip() == "1 runs, none measured."
