"""Themes, keymaps and layouts: those that come with the workbench are sound, the user's come first, wrong ones are said and stop nobody."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

from engine.errors import ConfigError, UsageError
from magik_tui import looks as lk
from magik_tui import terminal
from magik_tui.app import Workbench
from magik_tui.arrange import Preset
from magik_tui.core import State, update
from magik_tui.core.looking import Looks, LooksChanged, ThemeChosen
from magik_tui.core.places import Places
from magik_tui.deeds.session import session_file, write_session
from magik_tui.keys import bindings
from magik_tui.opening import Wishes, first_state

NOWHERE = Path("/nonexistent")


@pytest.mark.parametrize("name", lk.names("theme", NOWHERE))
def test_every_theme_can_be_used(name: str) -> None:
    app = Workbench("p", wishes=Wishes(theme=name))
    found = lk.load("theme", name, lk.ThemeFile, NOWHERE)
    variables = app.get_css_variables()
    assert {"title-paper", "cursor-ink", "column-ink", "text-error"} <= set(variables)
    assert app.no_color is not found.colour
    assert found.title


@pytest.mark.parametrize("name", lk.names("keymap", NOWHERE))
def test_every_keymap_names_bindings_that_exist(name: str) -> None:
    found = lk.load("keymap", name, lk.KeymapFile, NOWHERE)
    assert lk.complaints(found.keys, bindings()) == ()
    assert found.title


def test_every_binding_has_an_id_to_be_remapped_by_and_a_word_for_the_help() -> None:
    bindings()  # loads all who have any
    owners = {each for name, module in list(sys.modules.items()) if name.startswith("magik_tui.")
              for each in vars(module).values() if isinstance(each, type) and issubclass(each, DOMNode)}  # fmt: skip
    mine = [owner for owner in owners if owner.__module__.startswith("magik_tui.") and "BINDINGS" in owner.__dict__]
    assert len(mine) >= 12
    without = [(owner.__qualname__, b.key) for owner in mine for b in Binding.make_bindings(owner.BINDINGS) if not (b.id and b.tooltip)]
    assert without == []


def test_the_safe_keymap_leaves_no_key_that_something_on_the_way_takes() -> None:
    safe = lk.load("keymap", "tmux-safe", lk.KeymapFile, NOWHERE).keys
    from magik_tui.panes.registry import PANES
    from magik_tui.screens.workbench import WorkbenchScreen

    owners: list[Any] = [Workbench, WorkbenchScreen, *(entry.load() for entry in PANES)]
    keys = {key for owner in owners for binding in owner.BINDINGS for key in safe.get(binding.id, binding.key).split(",")}
    taken = {f"ctrl+{letter}" for letter in "abhijmqsz"} | {"ctrl+space", "ctrl+enter", "ctrl+backslash"}
    assert not taken & keys
    assert not [key for key in keys if key.startswith(("alt+", "super+", "ctrl+shift"))]


def test_a_name_that_is_none_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such theme: lihgt \(did you mean light\?\)"):
        lk.load("theme", "lihgt", lk.ThemeFile, tmp_path)
    with pytest.raises(UsageError, match=r"no such keymap: \.\./x"):
        lk.load("keymap", "../x", lk.KeymapFile, tmp_path)
    with pytest.raises(UsageError, match=r"no such layout: /.*gone\.json"):
        lk.load("layout", str(tmp_path / "gone.json"), Preset, tmp_path)
    told = lk.complaints({"row.nxt": "j", "zzz": "k"}, {"P": {"row.next": "j,down"}})
    assert told == ("the keymap names row.nxt, which no key does; did you mean row.next?", "the keymap names zzz, which no key does")


def test_a_key_that_does_two_things_is_said() -> None:
    have = {"Pane": {"row.next": "j,down", "row.previous": "k,up", "row.last": "G"}, "Screen": {"app.quit": "q", "help.open": "j"}}
    assert lk.complaints({"row.next": "j,down"}, have) == ()
    assert lk.complaints({"row.next": "k,x"}, have) == ("the keymap takes k from row.previous for row.next",)
    assert lk.complaints({"help.open": "q", "app.quit": "Q"}, have) == ()
    assert lk.complaints({"row.next": "x", "row.last": "x"}, have) == ("the keymap takes x from row.last for row.next",)


@pytest.mark.parametrize("text", ["{", "[]", '{"colours": {}}', '{"keys": 3, "colour": 1}', "\xff", '{"levels": {"paper": [999]}}'])
def test_a_broken_file_is_a_clear_error(text: str, tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=r"own\.json"):
        lk.load("theme", str(file), lk.ThemeFile, tmp_path)


def own(config: Path, name: str, value: object) -> None:
    path = config / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def test_the_user_s_own_come_first(tmp_path: Path) -> None:
    own(tmp_path, "keymaps/vim.json", {"keys": {"row.next": "n"}})
    own(tmp_path, "keymap.json", {"row.previous": "p"})
    assert lk.keys("vim", tmp_path) == {"row.next": "n", "row.previous": "p"}
    assert lk.keys("", tmp_path) == {"row.previous": "p"}
    own(tmp_path, "layouts/mine.json", {"least": [300, 10], "panes": ["log"]})
    state, wrong = opened(tmp_path)
    assert wrong == ()
    assert {"mine", "small", "wide"} <= {preset.name for preset in state.of(Places).presets}


def opened(folder: Path, wishes: Wishes | None = None, *, colour: bool = True) -> tuple[State, tuple[str, ...]]:
    return first_state(State("/p/net"), wishes or Wishes(), folder, folder, colour=colour)


def test_the_command_line_wins_over_the_session_and_that_over_the_settings(tmp_path: Path) -> None:
    own(tmp_path, "settings.json", {"theme": "light", "keymap": "vim", "layout": "single", "low_bandwidth": True, "mouse": False})
    state, _ = opened(tmp_path)
    looks, places = state.of(Looks), state.of(Places)
    assert (looks.theme, looks.keymap, places.layout, looks.low, looks.mouse) == ("light", "vim", "single", True, False)
    write_session(session_file(tmp_path, "/p/net"), state.put(Looks("ansi", "tmux-safe")).put(Places(("heatmap",), layout="wide")))
    state, _ = opened(tmp_path)
    assert (state.of(Looks).theme, state.of(Looks).keymap, state.of(Places).layout) == ("ansi", "tmux-safe", "wide")
    state, _ = opened(tmp_path, Wishes("mono", "default", "broad"))
    assert (state.of(Looks).theme, state.of(Looks).keymap, state.of(Places).layout) == ("mono", "default", "broad")
    assert opened(tmp_path, colour=False)[0].of(Looks).theme == "mono"
    assert opened(tmp_path, Wishes("light"), colour=False)[0].of(Looks).theme == "light"


def test_a_start_without_colour_leaves_the_user_s_theme_to_the_next(tmp_path: Path) -> None:
    file = session_file(tmp_path, "/p/net")
    write_session(file, opened(tmp_path, Wishes("light"))[0])
    plain, _ = opened(tmp_path, colour=False)
    write_session(file, plain)
    assert opened(tmp_path)[0].of(Looks).theme == "light"
    chosen, _ = update(plain, ThemeChosen("ansi"))
    write_session(file, update(chosen, LooksChanged("ansi"))[0])
    assert opened(tmp_path)[0].of(Looks).theme == "ansi"


def test_a_wish_that_cannot_be_met_is_an_error_only_on_the_command_line(tmp_path: Path) -> None:
    config = terminal.config_folder()
    own(config, "settings.json", {"theme": "default", "colour": "blue"})
    own(config, "keymap.json", ["x"])
    own(config, "layouts/half.json", {"parts": 3})
    app = Workbench("p")
    assert len(app._complaints) == 3
    assert all(".json" in text for text in app._complaints)
    for wishes in (Wishes(theme="x"), Wishes(layout="x"), Wishes(keymap="x")):
        with pytest.raises(UsageError, match="no such"):
            Workbench("p", wishes=wishes)


@pytest.mark.parametrize("ink", ["no-colour", "#12", "red lots"])
def test_a_theme_with_a_colour_that_is_none_is_refused(ink: str) -> None:
    theme = json.loads((Path(lk.__file__).parent.parent / "layouts/themes/default.json").read_text(encoding="utf-8"))
    for part in (
        {"inks": {"title-paper": ink}},
        {"colours": {**theme["colours"], "primary": ink}},
        {"colours": {**theme["colours"], "x": "red"}},
    ):
        own(terminal.config_folder(), "themes/own.json", {**theme, **part})
        with pytest.raises(ConfigError, match="own"):
            Workbench("p", wishes=Wishes(theme="own"))


@pytest.fixture(autouse=True)
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return terminal.config_folder
