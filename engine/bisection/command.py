"""A program of the user's judges a network: exit code 0 is good, 125 cannot tell, every other one below 128 is bad.

It gets the report of the step (the document of `magik-tui run --json`) on standard input, and in its environment

    MAGIK_OUTPUTS         a folder: quantized/SAMPLE/OUTPUT.npy, float/SAMPLE/OUTPUT.npy, and index.json with the names
    MAGIK_PROJECT         the project's folder
    MAGIK_STEP            the number of the step, from 1

Arrays are in the model's layout. What it prints is no verdict: the last line is kept as a note, and a last line of standard output that
is a number as the value of the step.
"""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..analysis.bisect import Answer, Mark
from ..analysis.scoring import METRICS
from ..errors import UsageError, WorkError, nearest
from ..jsontext import printable, shown

CANNOT_TELL = 125
TAIL = 1 << 16
"""Bytes of what a program printed that are looked at."""
PATIENCE = 0.1
"""Seconds between two looks at whether somebody wants to stop."""


@dataclass(frozen=True, slots=True)
class Program:
    """A command line, cut as a shell would, and the seconds one run may take."""

    arguments: tuple[str, ...]
    timeout: float

    @classmethod
    def parse(cls, command: str, timeout: float) -> Program:
        """Return the program of a command line; UsageError where it cannot be cut, or where there is no such program."""
        try:
            arguments = tuple(shlex.split(command))
        except ValueError as error:
            raise UsageError(f"cannot be read as a command: {error}".lower(), where="--metric") from error
        if not arguments:
            raise UsageError("expected a metric or a command", where="--metric")
        if shutil.which(arguments[0]) is None:
            near = nearest(arguments[0], METRICS)
            hint = f"did you mean {near}?" if near else f"the metrics are {', '.join(METRICS)}; anything else is a program to run"
            raise UsageError(f"there is no metric and no program {shown(arguments[0], 200)}", where="--metric", hint=hint)
        return cls(arguments, timeout)

    def judge(self, folder: Path, report: bytes, environment: Mapping[str, str], waiting: Callable[[], None]) -> Answer:
        """Run the program on a report, and return what it says.

        `folder` holds what it prints while it runs; `waiting` is called now and then and may raise to stop it. UsageError where there is
        no such program, WorkError where it is killed, ends with a code of 128 or more, or takes too long.
        """
        (folder / "report.json").write_bytes(report)
        out, errors = folder / "stdout", folder / "stderr"
        with (
            (folder / "report.json").open("rb") as stdin,
            out.open("wb") as stdout,
            errors.open("wb") as stderr,
        ):
            child = self._start(stdin=stdin, stdout=stdout, stderr=stderr, env={**os.environ, **environment})
            try:
                code = self._wait(child, waiting)
            finally:
                _end(child)
        said, complained = _last_line(out), _last_line(errors)
        if code < 0 or code >= 128:
            raise WorkError(f"the metric command {_ending(code)}{_quoted(complained or said)}", hint=KEPT)
        mark: Mark = "good" if code == 0 else "skip" if code == CANNOT_TELL else "bad"
        value = _number(said)
        note = complained or ("" if value is not None else said)
        return Answer(mark, value, note or ("" if code in (0, 1, CANNOT_TELL) else f"exit code {code}"))

    def _start(self, **streams: object) -> subprocess.Popen[bytes]:
        name = self.arguments[0]
        try:
            return subprocess.Popen(self.arguments, start_new_session=True, **streams)  # type: ignore[call-overload, no-any-return]
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"cannot run {shown(name, 200)}: {reason}", where="--metric") from error

    def _wait(self, child: subprocess.Popen[bytes], waiting: Callable[[], None]) -> int:
        end = time.monotonic() + self.timeout
        while True:
            try:
                return child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                waiting()
                if time.monotonic() >= end:
                    message = f"the metric command took more than {self.timeout:g} s"
                    raise WorkError(message, hint=f"--timeout gives it longer; {KEPT}") from None


KEPT = "what was answered is kept: the same command goes on from there"


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left of a program and of what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _ending(code: int) -> str:
    number = -code if code < 0 else code - 128
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"ended with exit code {code}"
    return f"was killed by {name}" if code < 0 else f"ended with exit code {code} ({name}?)"


def _last_line(path: Path) -> str:
    """Return the last line that says something, as text a terminal can show."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - TAIL))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines()]
    return next((printable(line, 200) for line in reversed(lines) if line), "")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _quoted(text: str) -> str:
    return f', saying "{text}"' if text else ""
