"""The workbench as its user meets it, driven by keys against the made-up worker, in a terminal of known size."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Static

from magik_tui import events as ev
from magik_tui.app import Workbench
from magik_tui.screens.overlay import Overlay
from magik_tui.table import RULES
from magik_tui.widgets.heatmap import Heatmap

SMALL, LARGE = (80, 24), (200, 50)
Talk = Callable[[Any, Pilot[None]], Awaitable[None]]


def live(app: Workbench, talk: Talk, size: tuple[int, int] = SMALL) -> None:
    async def main() -> None:
        try:
            async with app.run_test(size=size) as pilot:
                await talk(app, pilot)
        finally:
            await app.bridge.close()

    asyncio.run(main())


@pytest.mark.parametrize("size", [SMALL, (120, 40), LARGE])
def test_the_table_fills_and_every_line_is_used(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "done")
        await pilot.pause()
        text = app.text()
        assert text[0].startswith(" resnet18  T40  resnet18.onnx ")
        assert "mean output cosine 0.99110 ~ 7 " in text[0]
        assert " 2 Heatmap " in text[1]
        assert text[2].split()[:5] == ["layer", "type", "bits", "worst", "mean"]
        assert text[3].startswith(">  resnetv15_relu0_fwd")
        assert text[-1].startswith(" done 25 layers, 7 < 0.98 in " if size == SMALL else " done 25 layers, 12 samples, 7 ")
        parts = [app.screen.query_one(f"#{name}").size.height for name in ("header", "note", "status", "body")]
        assert (parts[:3], sum(parts)) == ([1, 0, 1], size[1])
        heights = {(80, 24): (6, 15), (120, 40): (37, 37), (200, 50): (29, 47)}
        assert (app.screen.query_one("#layer").size.height, app.screen.query_one(Heatmap).size.height) == heights[size]

    live(watched("good"), talk, size)


def test_the_cursor_and_the_layer_pane_follow_the_keys(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "done")
        steps = [
            ("j", 1), ("down", 2), ("k", 1), ("up", 0), ("pagedown", 14), ("pageup", 0), ("G", 24), ("g", 0), ("end", 24),
            ("home", 0), ("n", 12), ("n", 13), ("N", 12),
        ]  # fmt: skip
        for key, row in steps:
            await pilot.press(key)
            assert app.bench.cursor == row, key
            name = app.bench.table.rows[row].name
            text = app.text()
            assert sum(line.startswith(">") for line in text[3:17]) == 1, key
            assert any(line.startswith(f" {name} ") for line in text[17:]), key
        for key, column in [("l", 1), ("right", 2), ("h", 1), ("left", 0), ("left", 0)]:
            await pilot.press(key)
            assert app.bench.column == column, key
            assert any(f"{column + 1}/12 cat_{column:03d}.jpg" in line for line in app.text())

    live(watched("good"), talk)


def test_no_column_hides_behind_the_map(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "done")
        await pilot.pause()
        heatmap = app.screen.query_one(Heatmap)
        assert (heatmap.size.width, heatmap.room) == (80, 78)
        assert app.text()[2].rstrip().endswith(" 123456789012")

    live(watched("good"), talk)


def test_a_click_chooses_a_row(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "done")
        await pilot.click(Heatmap, offset=(5, 4))
        await app.until(lambda s: s.cursor == 3)

    live(watched("good"), talk)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_hostile_names_on_every_part_of_the_screen(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "done")
        for row in range(0, len(app.bench.table.rows), 3):
            app.dispatch(ev.MovedTo(row))
            assert all(line.isprintable() for line in app.text())
        await pilot.press("w", "escape")
        app.notify("[/] hello")
        await pilot.pause()

    live(watched("hostile"), talk, size)


def test_only_changed_rows_are_drawn_again(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "done")
        await pilot.pause()
        heatmap, asked = app.screen.query_one(Heatmap), []
        heatmap.refresh = lambda *regions, **_: asked.extend(region.y for region in regions)
        heatmap.show(app.bench)
        assert asked == []
        heatmap.show(replace(app.bench, cursor=3))
        assert asked == [1, 4]
        heatmap.show(replace(app.bench, cursor=3, column=2))
        assert asked[2:] == [0, 1, 4]

    live(watched("good"), talk)


def test_help_is_made_from_the_live_bindings(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "done")
        await pilot.press("question_mark")
        assert isinstance(app.screen, Overlay)
        text = " ".join(str(app.screen.query_one(Static).visual).split())
        for binding in app.screen_stack[0].BINDINGS:
            assert binding.tooltip in text
        assert "ctrl+c, q, ctrl+q " in text
        await pilot.press("escape")
        assert not isinstance(app.screen, Overlay)

    live(watched("good"), talk, LARGE)


def test_help_scrolls_with_every_key_pressed(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "done")
        await pilot.press("question_mark")
        await pilot.pause()
        frame = app.screen.query_one(VerticalScroll)
        text = str(app.screen.query_one(Static).visual)
        assert all(word in text for word, _ in RULES)
        assert "q or ? closes this help" in " ".join(text.split())
        assert max(map(len, text.splitlines())) <= frame.scrollable_content_region.width
        for action, y in ((1, 5), (-1, 3)):
            for _ in range(5 if action > 0 else 2):
                app.screen.action_scroll_page(action)  # without a frame between them
            assert frame.scroll_y == y
        await pilot.press("G")
        assert frame.scroll_y == frame.max_scroll_y > 5
        await pilot.press("g")
        assert frame.scroll_y == 0
        await pilot.press("q")
        assert not isinstance(app.screen, Overlay)

    live(watched("good"), talk, (60, 15))


def test_an_empty_log_is_a_line_and_no_page(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "waiting")
        await pilot.press("w")
        await pilot.pause()
        assert any(line.startswith(" the log is empty") for line in app.text())
        assert app.screen.query_one(Heatmap).has_focus

    live(watched("silent"), talk)


def test_garbage_and_warnings_can_be_read(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "done")
        await pilot.pause()
        assert any(line.startswith(" warning: picture [b]3[/b] is corrupt: skipped (") for line in app.text())
        await pilot.press("w")
        await pilot.pause()
        text = "\n".join(app.text())
        assert "dataset: picture [b]3[/b] is corrupt: skipped" in text
        assert "terminate called after [throwing]" in text
        await pilot.press("w")
        assert app.screen.query_one(Heatmap).has_focus
        await pilot.press("escape")
        assert not any(line.startswith(" warning:") for line in app.text())

    live(watched("garbage"), talk)


def test_a_run_that_fails_keeps_the_table_marked_stale_and_says_why(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        before = (await app.until(lambda s: s.phase == "done")).table
        await pilot.press("r")
        state = await app.until(lambda s: s.phase == "failed")
        await pilot.pause()
        assert state.table is before
        text = app.text()
        assert text[0].endswith(" stale 0.99110")
        assert "w log" in text[-1]
        assert any("error: cfg/magik_t40.cfg:7:12: expected a number" in line for line in text)
        assert sum(app.screen.query_one(f"#{part}").size.height for part in ("header", "body", "note", "status")) == 24

    live(watched("fails"), talk)


def test_esc_stops_a_run(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.table.measured > 0)
        pid = app.bridge.pid
        await pilot.press("escape")
        await app.until(lambda s: s.phase == "cancelled" and s.worker == "ready")
        assert app.bridge.pid == pid

    live(watched("slow", "--pause", "0.3"), talk)


def test_esc_stops_a_deaf_worker_within_a_second_and_starts_another(watched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("magik_tui.bridge.GRACE", 0.2)

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "running" and s.total > 0)
        pid, asked = app.bridge.pid, time.monotonic()
        await pilot.press("escape")
        await app.until(lambda s: s.phase == "cancelled")
        assert time.monotonic() - asked < 1
        await app.until(lambda s: s.worker == "ready")
        assert app.bridge.pid not in (None, pid)

    live(watched("deaf", "--pause", "5"), talk)


def test_a_killed_worker_is_an_error_and_starts_again(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.table.measured > 0)
        os.kill(app.bridge.pid, signal.SIGKILL)
        await app.until(lambda s: s.phase == "done")
        assert any(text.startswith("The engine's process was killed (SIGKILL); it starts again.") for text in app.notes)
        assert not any(line.startswith(" error:") for line in app.text())

    live(watched("slow", "--pause", "0.02"), talk)


def test_the_worker_starts_after_the_first_paint(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "waiting")
        assert "the layers appear when the graph is known" in "\n".join(app.text())
        await pilot.press("escape", "q")

    live(watched("silent"), talk)


def test_a_terminal_that_is_too_small_says_so_and_recovers(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "done")
        await pilot.resize_terminal(59, 24)
        await pilot.pause()
        small = app.screen.query_one("#small", Static)
        assert small.display
        assert "59x24" in str(small.visual)
        assert not app.screen.query_one(Heatmap).region
        await pilot.resize_terminal(60, 15)
        await pilot.pause()
        assert not small.display
        assert app.screen.query_one(Heatmap).size.height == 6

    live(watched("good"), talk)


def test_without_colour_glyphs_and_marks_say_it_all(watched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "done")
        await pilot.press("n")
        await pilot.pause()
        assert any(line.startswith(">x resnetv15_relu12_fwd") and line[:78].endswith("▒▒░▒░▒▒░▒░▒▒") for line in app.text())
        strips = [strip for widget in app.screen.query("Heatmap, Lines") for strip in widget.render_lines(widget.size.region)]
        styles = [segment.style for strip in strips for segment in strip if segment.style is not None]
        assert styles
        assert all(s.color is None or s.color.is_default for s in styles)
        assert all(s.bgcolor is None or s.bgcolor.is_default for s in styles)
        assert any(s.reverse for s in styles)

    live(watched("good"), talk)


def test_five_thousand_layers_open_and_scroll(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await app.until(lambda s: s.phase == "done")
        await pilot.press("G")
        await pilot.pause()
        assert app.bench.cursor == 4999
        assert any(line.startswith("> ") for line in app.text())
        began = time.perf_counter()
        app.screen.query_one(Heatmap).show(replace(app.bench, cursor=4990))
        assert time.perf_counter() - began < 0.05

    live(watched("good", "--layers", "5000", "--samples", "3"), talk, LARGE)
