"""What docs/workbench.md says: its commands are taken, its files have their form, its keys are those there are."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import msgspec

from engine.cli.main import cli
from magik_tui.__main__ import open_workbench, serve_workbench, with_default_command
from magik_tui.app import Workbench
from magik_tui.arrange import Preset
from magik_tui.keys import bindings
from magik_tui.looks import Settings, complaints, names
from magik_tui.panes.registry import TITLES
from magik_tui.screens.workbench import WorkbenchScreen

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "workbench.md").read_text(encoding="utf-8")
JSON = [json.loads(block) for block in re.findall(r"^\n((?:    .*\n)+)", PAGE, re.MULTILINE) if block.lstrip().startswith("{")]


def test_its_commands_are_taken() -> None:
    lines = re.findall(r"^    (magik-tui .*)$", PAGE, re.MULTILINE)
    assert len(lines) == 5
    cli.add_command(serve_workbench)
    for line in lines:
        name, *arguments = with_default_command(cli, shlex.split(line)[1:])
        context = {"open": open_workbench, "serve": serve_workbench}[name].make_context(name, arguments, resilient_parsing=False)
        assert isinstance(context, click.Context)
        for kind in ("theme", "keymap", "layout"):
            assert context.params[kind] in ("", *names(kind, ROOT / "nowhere"))


def test_its_files_have_their_form() -> None:
    layout, keymap, settings = JSON
    msgspec.convert(layout, Preset)
    msgspec.convert(settings, Settings)
    assert complaints(keymap, bindings()) == ()


def test_its_keys_are_those_of_the_frame() -> None:
    said = set(re.findall(r"`([a-z]+\.[a-z_]+)`", PAGE.split("## Keys")[1].split("## Layouts")[0]))
    there = {id_ for owner in (Workbench, WorkbenchScreen) for id_ in bindings()[owner.__qualname__]}
    assert said == there - {f"pane.{name}" for name in TITLES}
    assert all(title in PAGE for title in TITLES.values())
