"""The clipboard of the terminal, which may be far away: OSC 52, passed through tmux."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

from magik_tui import terminal
from magik_tui.core.export import ToClipboard
from magik_tui.deeds import performs
from magik_tui.text import clean

if TYPE_CHECKING:
    from magik_tui.app import Workbench


def sequence(text: str, tmux: bool) -> str:
    """Return the bytes that put `text` into the clipboard.

    Inside tmux they come twice: as they are, for `set-clipboard on`, and wrapped, for `allow-passthrough on`.
    """
    safe = "\n".join("\t".join(clean(part) for part in line.split("\t")) for line in text.split("\n"))
    osc = f"\x1b]52;c;{base64.b64encode(safe.encode('utf-8', 'replace')).decode('ascii')}\a"
    return osc + "\x1bPtmux;" + osc.replace("\x1b", "\x1b\x1b") + "\x1b\\" if tmux else osc


@performs(ToClipboard)
async def _copy(app: Workbench, effect: ToClipboard) -> None:
    terminal.write(app, sequence(effect.text, bool(os.environ.get("TMUX"))))
