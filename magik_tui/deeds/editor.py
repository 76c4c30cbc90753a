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
from magik_tui.core.config import OpenEditor, Taken
from magik_tui.deeds import performs

if TYPE_CHECKING:
    from magik_tui.app import Workbench


def command() -> list[str]:
    """Return the user's editor as a command line; vi where none is named."""
    return shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")


@performs(OpenEditor)
async def _open(app: Workbench, effect: OpenEditor) -> ev.Event | None:
    """Edit a copy: what the editor leaves becomes the draft, which is saved like any other."""
    with tempfile.TemporaryDirectory(prefix="magik-tui-") as folder:
        file = Path(folder) / "magik.cfg"
        file.write_text(effect.text, encoding="utf-8")
        try:
            with app.suspend():
                done = subprocess.run([*command(), str(file)], check=False)  # noqa: ASYNC221 nothing else may draw meanwhile
        except (OSError, SuspendNotSupported) as error:
            app.notify(f"{shlex.join(command())} cannot be opened here: {error or 'this terminal cannot be given back'}", severity="error")
            return None
        if done.returncode:
            app.notify(f"{command()[0]} ended with {done.returncode}; nothing was taken over", severity="warning")
            return None
        text = file.read_text(encoding="utf-8", errors="replace")
    return Taken(text) if text != effect.text else None
