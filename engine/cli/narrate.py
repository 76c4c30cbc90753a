"""Events as lines of text: progress in the vendor's words, log lines in the vendor's form or a plain one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TextIO

from engine.cli.guard import one_line, say
from engine.events import Event, Log, Progress

Format = Callable[[Log], str]


class Narrator:
    """A report hook that writes to one stream.

    On a terminal (`live`) the progress of the current stage is one line, written over again and again; elsewhere, if `progress` says
    so, a stage is one line when it is finished. Log lines go above the progress.
    """

    def __init__(self, stream: TextIO, form: Format, *, progress: bool = True) -> None:
        self._stream, self._form, self._progress = stream, form, progress
        self.live = stream.isatty()
        self._open = ""
        self._finished: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Tell of one event; rows and samples are for programs."""
        if isinstance(event, Log):
            self.line(self._form(event))
        elif isinstance(event, Progress):
            self._step(event)

    def line(self, text: str) -> None:
        """Write a line, and the open progress line again under it."""
        say(self._erased() + one_line(text) + "\n" + self._open, self._stream)

    def close(self) -> None:
        """End an open progress line, so that what follows begins on its own."""
        if self._open:
            self._open = ""
            say("\n", self._stream)

    def _step(self, event: Progress) -> None:
        whole = event.done >= event.total
        text = f"{one_line(event.stage)}: {100.0 if whole else 100 * event.done / event.total:.2f} %"
        if event.stage in self._finished or not (self.live or (self._progress and whole)):
            return
        if not self._open.startswith(f"{one_line(event.stage)}: "):
            self.close()
        said = self._erased() + text
        self._open = "" if whole else text
        if whole:
            self._finished.add(event.stage)
            said += "\n"
        say(said, self._stream)

    def _erased(self) -> str:
        return "\r" + " " * len(self._open) + "\r" if self._open else ""


def plain(event: Log) -> str:
    """Return a log line for people: what matters first."""
    return event.text if event.level == "info" else f"{event.level}: {event.text}"


def vendor(event: Log) -> str:
    """Return a log line in the vendor's form: time, level, file, line and function that speak."""
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")
    return f"{now}: {event.level[:1].upper()} {_speaker()}] {event.text}"


def _speaker() -> str:
    """Return file:line-function of whoever reported: the nearest caller of ours that is neither a command nor a hook around a hook."""
    spoke = frame = sys._getframe(1)
    while frame is not None and _module(frame).startswith("engine."):
        spoke = frame
        if not _module(frame).startswith("engine.cli.") and frame.f_code.co_name != "__call__":
            break
        frame = frame.f_back  # type: ignore[assignment]
    return f"{Path(spoke.f_code.co_filename).name}:{spoke.f_lineno}-{spoke.f_code.co_name.strip('<>')}"


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
