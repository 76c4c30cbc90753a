"""The session's file, in the state folder: one for each project."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magik_tui.core.session import SaveSession, saved
from magik_tui.core.state import State
from magik_tui.deeds import performs
from magik_tui.deeds.files import write_whole

if TYPE_CHECKING:
    from magik_tui.app import Workbench

VERSION = 1


def session_file(folder: Path, project: str) -> Path:
    """Return where the session of `project` is kept: its folder's name for people, a hash of its whole path to be sure."""
    path = os.path.realpath(project)
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(path).name)[:40]
    return folder / "sessions" / f"{name}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}.json"


def read_session(path: Path) -> dict[str, Any]:
    """Return what is kept in a session's file; nothing where there is none, or where it makes no sense."""
    try:
        kept = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) and kept.get("version") == VERSION else {}


def write_session(path: Path, state: State) -> None:
    """Keep the session; OSError where that cannot be done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = json.dumps({"version": VERSION, **saved(state)})  # ASCII: names of files may be no text
    write_whole(path, kept.encode("ascii"), 0o600)


@performs(SaveSession)
async def _save(app: Workbench, effect: SaveSession) -> None:
    await asyncio.to_thread(app.save_session)
