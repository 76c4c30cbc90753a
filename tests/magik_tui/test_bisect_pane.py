"""The bisection on the screen: by itself and by hand, states as they come, the verdict, culprits into the plan and the files."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from magik_tui.core.hunt import Bisection
from magik_tui.core.live import Choice, Live
from tests.magik_tui import playing
from tests.magik_tui.playing import Talk
from tests.magik_tui.test_snapshots import FOLDER, SIZES


def live(app: Any, talk: Talk, size: tuple[int, int] = (110, 30)) -> None:
    playing.live(app, talk, size, key="4")


def test_it_finds_the_culprit_and_puts_it_into_the_plan(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        state = await app.until(lambda s: s.of(Bisection).verdict is not None)
        await pilot.pause()
        text = "\n".join(app.text())
        assert "1 must: 0.90000 -> 0.99200, minimal, 3 evaluations" in text
        assert [line.split()[:2] for line in app.text() if "x bad " in line] == [["x", "bad"], ["x", "bad"]]  # its type, and the layer
        assert "quantized again 0.90000" in text
        await pilot.press("s")
        state = await app.until(lambda s: bool(s.of(Live).plan) and not s.stale)
        (culprit,) = state.of(Bisection).verdict.culprits
        assert state.of(Live).plan == {culprit.name: Choice(skip=True)}
        await pilot.press("a")
        await app.until(lambda s: s.note is not None and s.note.text.startswith("wrote "))

    live(watched("good"), talk)


def test_step_by_step_and_by_hand(watched: Any) -> None:
    """A step and a pause, a mark in place of the metric, two steps taken back, and the rest by itself."""

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        def text() -> str:
            return "\n".join(app.text())

        await pilot.press("space")
        await app.until(lambda s: len(s.of(Bisection).steps) == 1 and s.of(Bisection).job is None)
        await pilot.pause()
        assert "Bisecting operators: 4 left (about 2 steps); paused" in text()
        assert "> next: in float: " in text()
        assert "1 x 0.90000  as it is" in text()
        assert sum("> current" in line for line in app.text()) == len({row.op for row in app.bench.table.rows[:4]}) + 4
        await pilot.press("tilde")
        await app.until(lambda s: len(s.of(Bisection).steps) == 2 and s.of(Bisection).job is None)
        await pilot.pause()
        assert "2 ~  in float: " in text()
        assert "(marked by hand)" in text()
        assert "! step 2 is bad, and less was good: errors are not monotone" in text()
        await pilot.press("u")
        await app.until(lambda s: len(s.of(Bisection).steps) == 1 and s.of(Bisection).job is None)
        await pilot.press("enter")
        state = await app.until(lambda s: s.of(Bisection).verdict is not None)
        assert [step.mark for step in state.of(Bisection).steps] == ["bad", "good", "good"]
        lines = [note.text for note in state.log if note.source == "$" and " bisect " in note.text]
        start = "magik-tui bisect /home/me/resnet18 --variant t40"
        goal = " --metric cosine_avg --target 0.99"
        assert all(line.startswith(start) and line.endswith(goal) for line in lines)
        options = [line.removesuffix(goal).partition(" t40")[2].strip() for line in lines]
        assert options == ["--steps 1", "--mark skip --steps 0", "--undo 1 --steps 0", ""]

    live(watched("good"), talk)


@pytest.mark.parametrize("size", SIZES)
def test_it_looks_as_it_did(watched: Any, size: str) -> None:
    """The whole screen, with a step judged, one marked, and a type suspected."""
    app = watched("good", "--layers", "40", clock=lambda: 1.0)

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        for key in ("z", "g", "exclamation_mark", "space", "tilde", "j", "j"):
            await pilot.press(key)
            await app.until(lambda s: s.of(Bisection).job is None)
        await pilot.pause()
        await pilot.pause()
        seen = "".join(line + "\n" for line in app.text())
        file = FOLDER / f"bisect-{size}.txt"
        if os.environ.get("UPDATE_SNAPSHOTS"):
            file.write_text(seen, encoding="utf-8")
        assert seen == file.read_text(encoding="utf-8")

    live(app, talk, SIZES[size])


def test_what_is_held_beforehand_is_seen_at_its_row(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("g", "exclamation_mark")
        state = await app.until(lambda s: bool(s.of(Bisection).priors.types) and s.of(Bisection).job is None)
        ((kind, held),) = state.of(Bisection).priors.types.items()
        assert (kind, held) == (state.table.rows[0].op, "suspect")
        await pilot.pause()
        row = next(line for line in app.text() if f"all {kind}: " in line)
        assert "? suspect" in row
        assert "(suspect)" in row
        await pilot.press("G", "c")
        await app.until(lambda s: s.note is not None and s.note.text == "it is in float already")
        await pilot.press("k", "c")
        state = await app.until(lambda s: bool(s.of(Bisection).priors.nodes) and s.of(Bisection).job is None)
        assert state.of(Bisection).priors.nodes == {state.table.rows[-2].name: "good"}
        await pilot.pause()
        assert any("(held to be good)" in line for line in app.text())

    live(watched("good"), talk)


def test_a_target_is_typed(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await playing.opened(app, pilot, "t")
        await pilot.press(*["backspace"] * 4, *"0.995", "enter")
        await app.until(lambda s: s.of(Bisection).wanted == 0.995)

    live(watched("good"), talk)


def test_the_log_is_edited_and_replayed(watched: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "editor.py"
    script.write_text("import sys, pathlib; p = pathlib.Path(sys.argv[1]); p.write_text(p.read_text().replace('bad', 'skip'))")
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        app.suspend = contextlib.nullcontext
        await pilot.press("space")
        await app.until(lambda s: len(s.of(Bisection).steps) == 1 and s.of(Bisection).job is None)
        await pilot.press("e")
        state = await app.until(lambda s: [step.mark for step in s.of(Bisection).steps] == ["skip"])
        assert any(note.text.endswith("--replay .magik/bisect/log --steps 0") for note in state.log)

    live(watched("good"), talk)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_hostile_names_stay_text(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        for key in ("g", "exclamation_mark", "j", "j", "j", "j", "j", "j", "c", "space", "tilde", "enter", "G", "b"):
            await pilot.press(key)
            await app.until(lambda s: s.of(Bisection).job is None)
            await pilot.pause()
            assert all(line.isprintable() for line in app.text())

    live(watched("hostile"), talk, size)
