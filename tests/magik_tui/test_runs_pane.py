"""The history on the screen: listed when it is first seen, compared, noted, restored and forgotten only when asked twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from magik_tui import wire
from magik_tui.core import State, update
from magik_tui.core.choices import Choice
from magik_tui.core.config import ConfigFile, Drafted
from magik_tui.core.history import History, NoteAsked, NoteGiven, Past, Whole, with_runs
from magik_tui.core.live import Live
from magik_tui.core.places import PaneChosen
from magik_tui.core.restore import Restore, RestoreAsked, Restoring
from magik_tui.panes.runs import compared_lines, file_changes, run_line, runs_sheet, sparkline
from magik_tui.widgets.ink import line_text
from tests.magik_tui import playing
from tests.magik_tui.playing import Talk


def live(app: Any, talk: Talk, size: tuple[int, int] = (100, 30)) -> None:
    playing.live(app, talk, size, key="7", ready=lambda s: s.of(History).runs is not None)


def test_it_lists_runs_and_draws_their_cosines(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        text = "\n".join(app.text())
        assert "output cosine ▁█ 0.98000 to 0.99000  bad: below 0.98 on a sample" in text
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
        assert text.count("+0.10") == 3
        assert "+0.00110 0.99000 -> 0.99110  output" in text
        assert 'magik.cfg - "QUANT_FEATURE_BIT": 10' in text
        await pilot.press("c")
        await app.until(lambda s: s.of(History).other is None)

    live(watched("good"), talk)


def test_two_runs_are_compared(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("space")
        state = await app.until(lambda s: s.of(History).base is not None)
        await pilot.press("j", "enter")
        state = await app.until(lambda s: s.of(History).other is not None)
        await pilot.pause()
        text = "\n".join(app.text())
        assert f"0 layers better, 0 worse, 25 as before: {state.of(History).other.id} -> {state.of(History).base.id}"[:80] in text
        assert "+0.01000 0.98000 -> 0.99000  output" in text
        assert "on top - QUANT_FEATURE_BIT=10" in text
        assert "on top - before the fix: feature_bits=12" in text
        await pilot.press("k", "space")
        await app.until(lambda s: s.of(History).base is None)

    live(watched("good"), talk, (120, 40))


def test_restoring_says_what_it_does_and_is_taken_back(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("U")
        state = await app.until(lambda s: s.note is not None)
        assert state.note.text == "nothing was restored"
        await playing.opened(app, pilot, "u")
        text = "\n".join(app.text())
        assert "restore: magik_t40.cfg -1 +2 lines,  removed, 1 changed units on top; what stands there now is in no run" in text
        await pilot.press("l")
        await pilot.pause()
        assert app.bench.of(Restoring) == Restoring()
        await playing.opened(app, pilot, "u")
        await pilot.press("r")
        state = await app.until(lambda s: bool(s.of(Live).plan))
        assert state.of(Live).plan == {"": Choice(feature_bits=12)}
        assert app.notes[-1].startswith("restored: magik_t40.cfg; U takes it back")
        await pilot.press("U")
        await app.until(lambda s: not s.of(Live).plan)

    live(watched("good"), talk, (160, 40))


def test_files_that_changed_meanwhile_are_left_alone(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        app.dispatch(Restore(app.bench.of(History).chosen.id, {"config": "older"}, {}))
        state = await app.until(lambda s: s.note is not None)
        assert state.note.text == "nothing was restored: was changed by somebody else meanwhile"
        app.dispatch(PaneChosen("config"))
        await app.until(lambda s: s.of(ConfigFile).saved is not None)
        app.dispatch(Drafted("{}"))
        app.dispatch(RestoreAsked())
        state = await app.until(lambda s: s.note is not None)
        assert "edited and not saved" in state.note.text

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
        await playing.opened(app, pilot, "j", "D")
        assert "from the history?" in "\n".join(app.text())
        await pilot.press("D", "k")
        await pilot.pause()
        assert len(app.bench.of(History).runs) == 2
        await playing.opened(app, pilot, "D")
        await pilot.press("d")
        await app.until(lambda s: len(s.of(History).runs) == 1)

    live(watched("good"), talk)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_hostile_notes_and_names_stay_text(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("enter", "G", "t", "escape")
        await pilot.pause()
        assert "\x1b" not in "\n".join(app.text())

    live(watched("hostile"), talk, size)


def test_the_history_is_a_table_and_a_run_a_command_line() -> None:
    run = Past("a", variant="t41", settings=("A=1",), plan={"nodes": {"x y": {"feature_bits": 12, "max": 1.5, "skip": False}}})
    state = State("/p/net", variant="t40").put(History(runs=(run, Past("b", note="n"))))
    sheet = runs_sheet(state)
    assert [row[0] for row in sheet.rows] == ["a", "b"]
    assert sheet.rows[0][9] == "A=1, x y: feature_bits=12 max=1.5 skip=False"
    assert run_line(state, Past("b")) == "magik-tui run /p/net --variant t40"
    here = replace(state, variant="t41")
    assert run_line(here, run) == (
        "magik-tui apply /p/net --variant t41 --set A=1 --bits 'x y' 12 --range 'x y' ,1.5 --quantize 'x y' --dry-run"
    )


def test_only_what_differs_between_two_runs_is_told() -> None:
    plan = {"nodes": {"a": {"feature_bits": 12}, "b": {"feature_bits": 10}}}
    before = Whole("1", plan=plan, config="{}", bits='{"x": {"QUANT_FEATURE_BIT": 10}, "y": {"MAX": 6}}')
    after = Whole("2", plan={"nodes": {"a": {"feature_bits": 12}}}, config="{}", bits='{"x": {"QUANT_FEATURE_BIT": 12}, "y": {"MAX": 6}}')
    told = ["bit file - x: QUANT_FEATURE_BIT=10", "bit file + x: QUANT_FEATURE_BIT=12", "on top - b: feature_bits=10"]
    assert file_changes(before, after, State("p")) == told
    broken = file_changes(before, Whole("2", plan=plan, config="{}", bits="{\n[\x1b"), State("p"))
    assert broken[-2:] == ["bit file + {", "bit file + [\ufffd"]
    many = {"nodes": {f"layer{i}": {"feature_bits": 12} for i in range(20)}}
    state = State("p").put(History(other=Whole("1", plan=many), base=Whole("2")))
    assert "and 15 lines more of what they were made from" in "\n".join(map(line_text, compared_lines(state, 60)))


def test_a_line_of_equal_cosines() -> None:
    runs = tuple(Past(str(i), outputs=(wire.Output("o", 0.5),)) for i in range(3))
    assert line_text(sparkline(History(runs=runs), 70)).rstrip() == "output cosine ███ 0.50000 to 0.50000  bad: below 0.98 on a sample"
    assert line_text(sparkline(History(runs=runs), 44)).rstrip() == "output cosine ███ 0.50000 to 0.50000"
    assert line_text(sparkline(History(runs=(Past("a"),)), 60)).rstrip() == "1 runs, none measured."


def test_a_new_run_leaves_cursor_and_note_with_theirs() -> None:
    state = State("p", worker="ready").put(History(runs=(Past("b"), Past("a")), cursor=1))
    _, (prompt,) = update(state, NoteAsked())
    newer = with_runs(state.of(History), (Past("c"), Past("b"), Past("a")))
    assert (newer.cursor, newer.chosen) == (2, Past("a"))
    assert prompt.then(" mine ") == NoteGiven("a", "mine")
    _, (sent,) = update(state.put(replace(newer, cursor=0)), NoteGiven("a", "mine"))
    assert (sent.request["run"], sent.request["note"]) == ("a", "mine")
    assert with_runs(History(runs=(Past("b"),)), (Past("c"), Past("b"))).cursor == 0  # the newest is followed
    assert with_runs(newer, (Past("c"),)).cursor == 0
