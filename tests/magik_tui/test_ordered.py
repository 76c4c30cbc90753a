"""Keys that are typed faster than the focus moves: each does what it does when it is typed slowly."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from textual import events as ui
from textual.pilot import Pilot
from textual.widgets import Input

from magik_tui import ordered
from magik_tui.core.bisect import Bisection
from magik_tui.core.config import ConfigFile
from magik_tui.core.diagnose import Diagnosis
from magik_tui.core.heat import Heat
from magik_tui.core.looking import Looks
from magik_tui.core.places import Places
from tests.magik_tui.playing import live, opened

NAMES = {"/": "slash", "<": "less_than_sign", " ": "space", ":": "colon", "\n": "enter", ".": "full_stop"}


def burst(app: Any, text: str) -> None:
    """Let keys arrive all at once, as they do over a slow line."""
    for character in text:
        app.post_message(ui.Key(NAMES.get(character, character), "\r" if character == "\n" else character))


def test_a_command_typed_at_once_is_a_command(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        for name in ("single", "wide"):  # the line at the bottom is made for the first one, and there for the second
            burst(app, f":layout {name}\nj")
            await app.until(lambda s, name=name: s.of(Places).layout == name)
        await app.until(lambda s: s.cursor == 2)
        assert app.is_running
        assert app.bench.of(Places).focus == "heatmap"

    live(watched("good"), talk)


def test_letters_of_a_command_are_no_keys_of_the_pane(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        burst(app, ":q8rz")
        async with asyncio.timeout(10):
            while not app.screen.query("#prompt-line") or app.screen.query_one("#prompt-line", Input).value != "q8rz":
                await pilot.pause()
        assert app.is_running
        assert not app.bench.of(Places).zoomed

    live(watched("good"), talk)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_a_pane_that_is_made_gets_the_key_behind_its_digit(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        burst(app, "8d")
        await app.until(lambda s: s.of(Diagnosis).found is not None)
        burst(app, "4m2jj8")
        state = await app.until(lambda s: s.of(Places).focus == "diagnose" and s.cursor == 2)
        assert state.of(Bisection).metric == "cosine_min"

    live(watched("good"), talk, size)


def test_a_menu_of_letters_takes_its_letter_at_once(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        burst(app, "yl")
        await app.until(lambda s: s.note is not None and s.note.text == "sent to the terminal: the command line")

    live(watched("good"), talk)


@pytest.mark.parametrize("seed", range(4))
def test_keys_keep_their_order_however_they_arrive(watched: Any, seed: int) -> None:
    """Two questions are answered and another pane is walked; between two keys the loop goes round a few times, or not at all."""
    rounds = random.Random(seed)

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("4")
        for character in "t7\nt6\n2jj":
            burst(app, character)
            for _ in range(rounds.randrange(3 * seed + 1)):
                await asyncio.sleep(0)
        state = await app.until(lambda s: s.cursor == 2)
        assert state.of(Bisection).wanted == 0.9976

    live(watched("good"), talk)


def test_keys_go_on_where_one_is_lost_with_its_widget(watched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordered, "PATIENCE", 0.05)

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        app._follow = lambda node, turn: None  # as if it had been taken down with the key in its queue
        burst(app, "jjj")
        await app.until(lambda s: s.cursor == 3)

    live(watched("good"), talk)


def test_a_letter_that_chooses_nothing_does_nothing(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        bar = await opened(app, pilot, "y")
        await pilot.press("q", "z")
        await pilot.pause()
        assert "z chooses nothing; Esc closes" in "\n".join(app.text())
        await pilot.press("escape")
        await pilot.pause()
        assert not bar.display
        assert app.is_running
        assert not app.bench.of(Places).zoomed

    live(watched("good"), talk)


def test_a_filter_typed_at_once_is_a_filter(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        burst(app, "/cos<0.98 sqnr<9\nn")
        state = await app.until(lambda s: s.of(Heat).filter.text == "cos<0.98 sqnr<9" and s.cursor == 14)
        assert state.of(Heat).sort == "graph"  # the letters were no keys of the heatmap
        assert state.of(Places).focus == "heatmap"

    live(watched("good"), talk)


def test_characters_do_not_overtake_backspace(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "E")
        for key in ("backspace", "backspace", "backspace", "m", "d", "left", "left", "left", "x"):
            app.post_message(ui.Key(key, key if len(key) == 1 else None))
        async with asyncio.timeout(10):
            while app.screen.query_one(Input).value != "resnet18-heatmapx.md":
                await pilot.pause()
        await pilot.press("escape")
        await opened(app, pilot, "colon")
        app.post_message(ui.Key("down", None))
        burst(app, "\n")
        await app.until(lambda s: s.cursor > 0)

    live(watched("good"), talk)


def test_the_text_of_the_configuration_is_edited_in_order(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("1")
        await app.until(lambda s: s.of(ConfigFile).saved is not None)
        await pilot.press("enter")
        await pilot.pause()
        burst(app, "ab")
        app.post_message(ui.Key("backspace", None))
        burst(app, "c\n")
        app.post_message(ui.Key("left", None))
        burst(app, "d")
        await app.until(lambda s: s.of(ConfigFile).draft.startswith("acd\n{"))

    live(watched("good"), talk)


def test_the_help_is_closed_by_the_key_behind_it(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        app.post_message(ui.Key("question_mark", "?"))
        burst(app, "q:theme mono\n")
        await app.until(lambda s: s.of(Looks).theme == "mono")
        assert app.is_running

    live(watched("good"), talk)
