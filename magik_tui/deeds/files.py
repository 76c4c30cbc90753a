"""Files that the user asked for: whole, or not there."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from magik_tui import events as ev
from magik_tui.core.export import Exists, Unwritten, WriteSheet, Written
from magik_tui.deeds import performs

if TYPE_CHECKING:
    from magik_tui.app import Workbench


def write_whole(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write `data` under a temporary name beside `path`, then rename; OSError leaves neither half a file nor the temporary one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(mode & ~umask)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


@performs(WriteSheet)
async def _write_sheet(app: Workbench, effect: WriteSheet) -> ev.Event:
    return await asyncio.to_thread(export, effect)


def export(effect: WriteSheet) -> ev.Event:
    """Write a sheet in the form that the ending of its name says; return what came of it."""
    from magik_tui.sheets import written

    path = Path(effect.name.strip()).expanduser()
    try:
        if path.exists() and not effect.overwrite:
            return Exists(effect.sheet, effect.name)
        data = written(effect.sheet, path.suffix[1:].lower()).encode("utf-8", "replace")
        write_whole(path, data)
    except OSError as problem:
        return Unwritten(effect.name, problem.strerror or str(problem))
    except ValueError as problem:  # a name with a NUL in it
        return Unwritten(effect.name, str(problem))
    return Written(str(path), len(data))
