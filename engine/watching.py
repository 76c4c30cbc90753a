"""Watching a project's files: what changed, told once things are quiet.

Folders are watched, since editors replace files; what counts is whether a file that matters looks different (size, time), so that what the
engine itself writes beside them, and a file that was only opened, is no change.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from .bitfile import NAME
from .config import load_config, override
from .discover import ProjectFiles, find_project
from .errors import MagikError

logging.getLogger("watchdog").addHandler(logging.NullHandler())  # it complains on stderr of a folder that goes while it is watched

QUIET = 0.3
"""Seconds without an event after which a change is told."""

LONGEST = 2.0
"""Seconds after which it is told although events go on."""

Stamp = tuple[int, int]
Looked = Mapping[str, Mapping[str, Stamp]]


@dataclass(frozen=True, slots=True)
class Watched:
    """The folders to watch (True: with what is in them) and the state of every file that matters, by what it is.

    `places` are the folders and files that the configuration names; `lost` says that the project cannot be found now.
    """

    folders: Mapping[Path, bool]
    state: Looked
    places: tuple[Path, ...] = ()
    lost: bool = False


def look(path: Path, variant: str | None, settings: Sequence[str] = (), before: Watched | None = None) -> Watched:
    """Look at a project's files: `config`, `bits`, `model`, `pictures`. A project that cannot be found is watched at its folder.

    `settings` are KEY=VALUE that override the configuration. While that cannot be read, the places that it named `before` count on.
    """
    try:
        files = find_project(path, variant)
    except MagikError:
        root = path if path.is_dir() else path.parent
        if before is None:
            return Watched({root: False}, {"config": {}})
        return Watched({**before.folders, root: False}, _left(before), before.places, lost=True)
    folders: dict[Path, bool] = {files.root: False, files.config.parent: False, files.model.parent: False}
    state: dict[str, dict[str, Stamp]] = {
        "config": _stamps([files.config]),
        "bits": _stamps([files.root / NAME]),
        "model": _stamps([files.model]),
        "pictures": {},
    }
    places = _sample_places(files, settings, before.places if before else ())
    for place in places:
        if place.is_dir():
            folders[place] = True
            state["pictures"] |= _stamps(sorted(p for p in place.rglob("*") if p.is_file()))
        elif place.exists():
            folders.setdefault(place.parent, False)
            state["pictures"] |= _stamps([place])
    return Watched(folders, state, places)


def _sample_places(files: ProjectFiles, settings: Sequence[str], known: tuple[Path, ...]) -> tuple[Path, ...]:
    try:
        config, _ = override(load_config(files.config)[0], settings)
    except MagikError:
        return known
    named = (config.quant_dataset_path, config.debug_path, config.weight_correct_path, config.feature_correct_path)
    return tuple(dict.fromkeys(files.root / name for name in named if name))


def _left(before: Watched) -> Looked:
    """Return the state of what was there while the project cannot be found: without the file that went, or without the configuration."""
    state = {kind: _stamps([Path(name) for name in files]) for kind, files in before.state.items()}
    return state if before.lost or state != before.state else {**state, "config": {}}


def _stamps(paths: list[Path]) -> dict[str, Stamp]:
    found: dict[str, Stamp] = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue
        found[str(path)] = status.st_size, status.st_mtime_ns
    return found


def difference(before: Looked, now: Looked) -> dict[str, list[str]]:
    """Return what differs: kind -> files that came, went or look different."""
    changed: dict[str, list[str]] = {}
    for kind in dict.fromkeys((*before, *now)):
        old, new = before.get(kind, {}), now.get(kind, {})
        files = [p for p in dict.fromkeys((*old, *new)) if old.get(p) != new.get(p)]
        if files:
            changed[kind] = files
    return changed


class _Bell(FileSystemEventHandler):
    """Remembers that something happened, and when."""

    def __init__(self) -> None:
        self.rung = threading.Event()
        self.last = self.first = 0.0

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note an event; one that only read something is none."""
        if event.event_type in ("opened", "closed_no_write"):
            return
        self.ring()

    def ring(self) -> None:
        """Ask for a look."""
        now = time.monotonic()
        if not self.rung.is_set():
            self.first = now
        self.last = now
        self.rung.set()


def watch(
    path: Path,
    variant: str | None,
    changed: Callable[[Mapping[str, list[str]]], None],
    stopped: Callable[[], bool],
    *,
    settings: Sequence[str] = (),
    ready: Callable[[], None] = lambda: None,
    tick: float = 0.1,
) -> None:
    """Call `changed` with what changed, again and again, until `stopped` says so (asked every `tick` seconds); `ready` once it watches.

    What cannot be watched (no inotify left) is looked at every QUIET seconds instead.
    """
    before = look(path, variant, settings)
    bell = _Bell()
    observer: Any = None
    watched: Mapping[Path, bool] = {}
    try:
        while not stopped():
            if before.folders != watched:
                observer = _observe(observer, before.folders, bell)
                watched = before.folders
                bell.ring()  # something may have happened while nobody watched
                ready()
            if observer is None:
                time.sleep(QUIET)
            elif not bell.rung.wait(tick):
                continue
            elif time.monotonic() - bell.last < QUIET and time.monotonic() - bell.first < LONGEST:
                time.sleep(min(tick, QUIET))
                continue
            bell.rung.clear()
            now = look(path, variant, settings, before)
            different = difference(before.state, now.state)
            before = now
            if different:
                changed(different)
    finally:
        if observer is not None:
            observer.stop()
            observer.join()


def _observe(old: Any, folders: Mapping[Path, bool], bell: _Bell) -> Any:
    """Watch these folders instead of those before; None when the system does not let us."""
    if old is not None:
        old.stop()
        old.join()
    observer = Observer()
    try:
        for folder, deep in folders.items():
            if folder.is_dir():
                observer.schedule(bell, str(folder), recursive=deep)
        observer.start()
    except OSError:
        return None
    return observer
