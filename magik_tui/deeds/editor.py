"""The user's own editor: the screen is given back to the terminal while it runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from magik_tui import events as ev
from magik_tui.core.byhand import EditLog, LogEdited
from magik_tui.core.config import OpenEditor, Taken
from magik_tui.deeds import performs

if TYPE_CHECKING:
    from magik_tui.app import Workbench


def command() -> list[str]:
    """Return the user's editor as a command line; vi where none is named. A line that no shell would take is the name of a program."""
    named = (os.environ.get("VISUAL") or os.environ.get("EDITOR") or "").strip() or "vi"
    try:
        return shlex.split(named) or ["vi"]
    except ValueError:
        return [named]


LINE = frozenset(
    [
        "vi",
        "vim",
        "nvim",
        "view",
        "nano",
        "pico",
        "emacs",
        "emacsclient",
        "micro",
        "kak",
        "joe",
        "jed",
        "mg",
        "ne",
        "mcedit",
        "gedit",
        "kate",
    ]
)
"""Editors that take `+LINE` before the file."""


def arguments(words: list[str], file: Path, line: int) -> list[str]:
    """Return an editor's command line for a file, with the cursor on a line where the editor is known to take one."""
    at = [f"+{line}"] if line > 1 and Path(words[0]).name in LINE else []
    return [*words, *at, str(file)]


@performs(OpenEditor)
async def _open(app: Workbench, effect: OpenEditor) -> ev.Event | None:
    """Edit a copy: what the editor leaves becomes the draft, which is saved like any other."""
    text = _edited(app, effect.text, "magik.cfg", effect.line)
    return None if text is None else Taken(text)


@performs(EditLog)
async def _log(app: Workbench, effect: EditLog) -> ev.Event | None:
    """Edit a copy of a log: what the editor leaves is replayed."""
    text = _edited(app, effect.text, "bisect.log")
    return None if text is None else LogEdited(text)


def _run(words: list[str]) -> int | str:
    """Return how a command ended, or why it could not begin: what is raised while the screen is given back would leave it given back."""
    try:
        return subprocess.run(words, check=False).returncode
    except OSError as error:
        return error.strerror or str(error)


def _edited(app: Workbench, before: str, name: str, line: int = 1) -> str | None:
    """Return what the user's editor makes of a text, None where it leaves it as it was, or cannot be opened."""
    words = command()
    with tempfile.TemporaryDirectory(prefix="magik-tui-") as folder:
        file = Path(folder) / name
        file.write_text(before, encoding="utf-8")
        try:
            with app.suspend():
                ended = _run(arguments(words, file, line))
        except SuspendNotSupported:
            ended = "this terminal cannot be given back"
        if isinstance(ended, str):
            app.notify(f"{shlex.join(words)} cannot be opened here: {ended}", severity="error")
            return None
        if ended:
            app.notify(f"{words[0]} ended with {ended}; nothing was taken over", severity="warning")
            return None
        text = file.read_text(encoding="utf-8", errors="replace")
    return text if text != before else None
