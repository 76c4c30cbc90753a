"""`magik-tui doctor`: what this machine, this terminal and this project are like, for a person who looks for what is wrong."""

from __future__ import annotations

import locale
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine.cli.guard import say
from engine.discover import find_project
from engine.errors import EXIT_DONE, EXIT_FAILED, MagikError
from engine.jsontext import printable
from engine.messages import to_line
from engine.version import VERSION

LIBRARIES = ("onnx", "onnxruntime", "numpy", "pillow", "textual", "rich", "watchdog", "msgspec", "click")
LEAST_FREE = 1 << 30
SLOW_LINE = "over a slow line, ssh -C makes what the screen sends 12 to 50 times smaller"


def doctor(project: Path | None, *, as_json: bool) -> int:
    """Print what was found; 1 when something will not work."""
    found = examine(project)
    if as_json:
        say(to_line({"schema": 1, "checks": found, "ok": all(c["ok"] for c in found)}))
    else:
        say("".join(f"{'ok  ' if c['ok'] else 'BAD '} {c['what']}: {printable(c['said'], 300)}\n" for c in found))
    return EXIT_DONE if all(c["ok"] for c in found) else EXIT_FAILED


def examine(project: Path | None) -> list[dict[str, Any]]:
    """Return what was found: `what` was looked at, what it `said`, whether that is `ok`."""
    parts = [*_versions(), *_kernels(), *_terminal(), *_folders()]
    if project is not None:
        parts += _project(project)
    return [{"what": what, "said": said, "ok": ok} for what, said, ok in parts]


Check = tuple[str, str, bool]


def _versions() -> Iterator[Check]:
    yield "magik-tui", f"{VERSION}, Python {platform.python_version()} at {sys.executable}", sys.version_info >= (3, 11)
    yield "machine", f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors", True
    for name in LIBRARIES:
        try:
            yield name, version(name), True
        except PackageNotFoundError:
            yield name, "not installed", False


def _kernels() -> Iterator[Check]:
    """The start-up test of integer kernels: without them everything works, slower."""
    from engine.simulate import fast

    found = sorted(fast())
    yield "integer kernels", f"exact on this machine: {', '.join(found)}" if found else "none is exact here; the slower way is taken", True


def _terminal() -> Iterator[Check]:
    term = os.environ.get("TERM", "")
    yield "TERM", term or "not set", term not in ("", "dumb", "unknown")
    colours = os.environ.get("COLORTERM") or ("256" if "256" in term else "16 or more")
    yield "colours", "none, NO_COLOR is set" if os.environ.get("NO_COLOR") else colours, True
    size = shutil.get_terminal_size((0, 0))
    small = size.columns and (size.columns < 60 or size.lines < 15)
    yield "size", f"{size.columns}x{size.lines}" if size.columns else "no terminal", not small
    encoding = locale.getpreferredencoding(False)
    yield "encoding", encoding, encoding.lower().replace("-", "") == "utf8"
    remote = bool(os.environ.get("SSH_TTY") or os.environ.get("SSH_CONNECTION"))
    yield "connection", f"ssh: {SLOW_LINE}" if remote else "local", True
    yield "tmux", "inside tmux" if os.environ.get("TMUX") else "no", True


def _folders() -> Iterator[Check]:
    import platformdirs

    for what, place in (
        ("state", platformdirs.user_state_path("magik-tui")),
        ("configuration", platformdirs.user_config_path("magik-tui")),
    ):
        yield f"{what} folder", str(place), _writable(place)


def _writable(place: Path) -> bool:
    while not place.exists() and place != place.parent:
        place = place.parent
    return os.access(place, os.W_OK)


def _project(path: Path) -> Iterator[Check]:
    try:
        files = find_project(path, None)
    except MagikError as error:
        yield "project", str(error), False
        return
    yield "project", f"{files.root}, variants {', '.join(files.variants)}", True
    yield "model", str(files.model), files.model.is_file()
    yield "configuration", str(files.config), files.config.is_file()
    yield (
        "project folder",
        "can be written" if _writable(files.root) else "cannot be written: no artefacts, no history",
        _writable(files.root),
    )
    free = shutil.disk_usage(files.root).free
    yield "disk", f"{free / 2**30:.1f} GiB free", free >= LEAST_FREE
