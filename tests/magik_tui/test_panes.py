"""The frame that panes stand in: digits, zoom, sizes, layouts, tabs, and what every pane that exists must keep to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot

from magik_tui import events as ev
from magik_tui.core.places import PaneChosen, Places
from magik_tui.panes.base import Pane
from magik_tui.panes.registry import PANES, TITLES
from magik_tui.widgets.body import Body
from magik_tui.widgets.heatmap import Heatmap
from tests.magik_tui.playing import live

SMALL, WIDE, LARGE = (80, 24), (120, 40), (200, 50)


def shown(app: Any) -> list[str]:
    return sorted(pane.name_of_pane for pane in app.screen.query(Pane) if pane.display and pane.size)


def keys(app: Any) -> str:
    """The pane that has the keys, as textual sees it."""
    return next(node.name_of_pane for node in app.focused.ancestors_with_self if isinstance(node, Pane))


def strip(*without: str) -> str:
    """The tabs of a slot that has every pane but some."""
    return "".join(f" {entry.digit} {entry.title} " for entry in PANES if entry.id not in without).rstrip()


def test_a_pane_is_what_its_file_says() -> None:
    assert {entry.id for entry in PANES} >= {"heatmap", "layer", "log"}
    assert [TITLES[entry.id] for entry in PANES] == [entry.title for entry in PANES]
    for entry in PANES:
        assert issubclass(entry.load(), Pane), entry.id


@pytest.mark.parametrize("entry", PANES, ids=lambda entry: entry.id)
def test_every_binding_of_a_pane_has_an_id_and_a_word_for_the_help(entry: Any) -> None:
    for binding in entry.load().BINDINGS:
        assert binding.id, binding.key
        assert binding.tooltip, binding.id


@pytest.mark.parametrize("size", [SMALL, WIDE, LARGE])
def test_digits_jump(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        for entry in (*PANES, *reversed(PANES)):
            await pilot.press(entry.digit)
            await pilot.pause()
            assert keys(app) == entry.id
            assert entry.id in shown(app)
            assert sorted(app.bench.of(Places).visible) == shown(app)

    live(watched("good"), talk, size)


def test_the_keys_of_a_pane_are_hinted_at_as_soon_as_it_is_made(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        for digit, hint in (("4", "Space step"), ("2", "n bad"), ("1", "Enter edit"), ("9", "/ search")):
            await pilot.press(digit)
            async with asyncio.timeout(10):  # it comes by itself, without another key
                while hint not in app.text()[-1]:
                    await pilot.pause()

    live(watched("good"), talk, LARGE)


def test_a_pane_is_made_when_it_is_first_seen(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        assert not app.screen.query("#pane-log")
        await pilot.press("9")
        await pilot.pause()
        assert shown(app) == ["layer", "log"]
        await pilot.press("2")
        await pilot.pause()
        assert shown(app) == ["heatmap", "layer"]
        assert len(app.screen.query("#pane-log")) == 1

    live(watched("good"), talk)


def test_zoom_gives_the_whole_room_and_takes_it_back(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("3", "z")
        await pilot.pause()
        assert shown(app) == ["layer"]
        assert app.screen.query_one("#pane-layer").size == (80, 21)
        assert app.text()[1].startswith(" 1 Config 2 Heatmap 3 Layer 4 Bisect 5 Mixed bits 6 Data 7 Runs 8 Diagnose 9 Log")
        await pilot.press("2")
        await pilot.pause()
        assert shown(app) == ["heatmap"]
        await pilot.press("z")
        await pilot.pause()
        assert shown(app) == ["heatmap", "layer"]

    live(watched("good"), talk)


def test_tab_walks_over_the_panes_in_sight(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        visible = list(app.bench.of(Places).visible)
        assert visible[0] == "heatmap"
        assert len(visible) == 3
        for key, pane in (("tab", visible[1]), ("tab", visible[2]), ("tab", "heatmap"), ("shift+tab", visible[2])):
            await pilot.press(key)
            await pilot.pause()
            assert keys(app) == pane

    live(watched("good"), talk, LARGE)


def test_sizes_change_by_keys_and_go_back(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        def sizes() -> tuple[int, int]:
            return tuple(app.screen.query_one(f"#pane-{pane}").size.width for pane in ("heatmap", "layer"))

        for pressed, expected in ((["3", "]"], (80, 40)), (["[", "["], (84, 36)), (["2", "]"], (86, 34)), (["="], (82, 38))):
            await pilot.press(*("right_square_bracket" if k == "]" else "left_square_bracket" if k == "[" else
                                "equals_sign" if k == "=" else k for k in pressed))  # fmt: skip
            await pilot.pause()
            assert sizes() == expected, pressed

    live(watched("good"), talk, WIDE)


def test_layouts_go_round_and_the_last_follows_the_terminal(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        seen = []
        for _ in range(5):
            await pilot.press("L")
            await pilot.pause()
            seen.append((app.bench.of(Places).preset.name, len(shown(app))))
        assert seen == [("small", 2), ("wide", 2), ("broad", 3), ("single", 1), ("small", 2)]
        await pilot.resize_terminal(*WIDE)
        await pilot.pause()
        assert app.bench.of(Places).preset.name == "wide"

    live(watched("good"), talk)


def test_a_click_on_a_tab_shows_its_pane(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.click(Body, offset=(strip("layer").index("9 Log") + 1, 0))
        await pilot.pause()
        assert keys(app) == "log"
        await pilot.click(Body, offset=(strip("layer").index("2 Heatmap") + 1, 0))
        await pilot.pause()
        assert keys(app) == "heatmap"
        await pilot.click("#pane-layer", offset=(3, 3))
        await pilot.pause()
        assert keys(app) == "layer"

    live(watched("good"), talk)


def test_the_layer_s_pane_moves_the_cursor_too(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("3", "j", "j")
        assert app.bench.cursor == 2
        assert app.screen.query_one(Heatmap).cursor == 2

    live(watched("good"), talk)


@pytest.mark.parametrize("entry", PANES, ids=lambda entry: entry.id)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_hostile_names_in_every_pane(watched: Any, entry: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        app.dispatch(PaneChosen(entry.id))
        async with asyncio.timeout(10):  # a pane of many parts takes more than one turn to be made
            while app.focused is None or keys(app) != entry.id:
                await pilot.pause()
        for _ in range(4):
            await pilot.press("j", "l")
            assert all(line.isprintable() for line in app.text())
        await pilot.press("G", "z")
        await pilot.pause()
        assert all(line.isprintable() for line in app.text())

    live(watched("hostile"), talk, size)


def test_no_frame_shows_a_pane_as_it_was(watched: Any) -> None:
    """A pane that comes back into sight, or takes the whole room, is first seen as it is now."""
    frames: list[list[str]] = []

    class Filmed(watched):
        def _display(self, screen: Any, renderable: Any) -> None:
            super()._display(screen, renderable)
            frames.append(self.text())

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("9")
        await pilot.pause()
        app.dispatch(ev.MovedTo(3))
        await pilot.pause()
        frames.clear()
        await pilot.press("2", "z")
        await pilot.pause()
        chosen = [line for lines in frames for line in lines if line.startswith(">") and "resnetv15" in line]
        assert chosen
        assert all(app.bench.table.rows[3].name[-12:] in line for line in chosen)

    live(Filmed("good"), talk, WIDE)
