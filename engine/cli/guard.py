"""How a command ends: every outcome is an exit code and, where it went wrong, one line on stderr; never a traceback.

What nobody foresaw goes to a crash log in the state folder, without the values of variables: they may be the user's data.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TextIO

from engine.errors import EXIT_FAILED, EXIT_INTERRUPTED, Cancelled, MagikError, OutputError
from engine.events import Event, Report
from engine.messages import unforeseen
from engine.version import VERSION

CRASH_LOGS_KEPT = 8
_STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def guarded(program: str, body: Callable[[], int]) -> int:
    """Run `body` and return the exit code of the process; errors are told on stderr after the name of the `program`."""
    _ready_streams()
    try:
        return body()
    except (KeyboardInterrupt, Cancelled):
        complain(program, "interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read has enough: `| head`
        _close_stdout()
        return EXIT_FAILED
    except MagikError as error:
        complain(program, str(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 the last line of defence
        complain(program, _explained(program, error))
        return EXIT_FAILED


@contextlib.contextmanager
def cancellable(report: Report) -> Iterator[Report]:
    """Give a hook that raises Cancelled once a signal asks to stop, so that work ends where it can clean up.

    A second signal does not wait for that. Signals that are ignored (nohup) stay ignored.
    """
    asked = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    def hook(event: Event) -> None:
        if asked.is_set():
            raise Cancelled
        report(event)

    if threading.current_thread() is not threading.main_thread():
        yield hook
        return
    before = {number: signal.getsignal(number) for number in _STOPPING}
    try:
        for number, old in before.items():
            if old != signal.SIG_IGN:
                signal.signal(number, stop)
        yield hook
    except KeyboardInterrupt as error:  # before click sees it, which prints a line of its own
        raise Cancelled from error
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def one_line(text: str) -> str:
    """Return text as a single line in which nothing can move a terminal's cursor."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in text)


def say(text: str, stream: TextIO | None = None) -> None:
    """Write text to standard output, at once, or to `stream`; OutputError when that cannot be done.

    What cannot be told on stderr is lost: narration is no reason to stop.
    """
    try:
        out = stream or sys.stdout
        out.write(text)
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        if stream is sys.stderr:
            return
        _close_stdout()
        raise OutputError(f"cannot be written: {error.strerror}", where="standard output") from error


def complain(program: str, text: str) -> None:
    """Say one line on stderr; where even that cannot be written there is nobody left to tell."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{program}: {one_line(text)}\n")
        sys.stderr.flush()


def _ready_streams() -> None:
    """Make sure that there are streams, and that a name that is no text does not end the program."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # started with the descriptor closed
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _close_stdout() -> None:
    """Let what is left in the buffer go nowhere, or the interpreter would complain when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _explained(program: str, error: Exception) -> str:
    said = unforeseen(error)
    if isinstance(error, OSError | MemoryError):
        return said
    try:
        return f"{said} (the details are in {_write_crash_log(program, error)})"
    except OSError as problem:
        return f"{said} (the details could not be written: {problem.strerror})"


def _write_crash_log(program: str, error: Exception) -> Path:
    from platformdirs import user_state_path

    folder = user_state_path("magik-tui", appauthor=False) / "crashes"
    folder.mkdir(parents=True, exist_ok=True)
    old = sorted(folder.glob("*.log"))
    for path in old[: max(0, len(old) - CRASH_LOGS_KEPT + 1)]:
        path.unlink(missing_ok=True)
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    head = f"{program} {VERSION}, Python {sys.version.split()[0]} on {sys.platform}\narguments: {sys.argv[1:]!r}\n\n"
    path.write_text(head + "".join(traceback.format_exception(error)), encoding="utf-8", errors="backslashreplace")
    return path
