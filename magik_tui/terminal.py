"""The life of the terminal: input that cannot be decoded, signals, crashes, colours. The one module that reaches into textual."""

from __future__ import annotations

import asyncio
import codecs
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

if TYPE_CHECKING:
    from textual.app import App

ENDING = (signal.SIGTERM, signal.SIGHUP)
LAST_RESORT = 4.0  # seconds after a signal when the process ends without any further ado
DEEP = 8  # writes waiting for the terminal; the queue holds 30, and then the event loop stands still


def state_folder() -> Path:
    """Return the folder for logs, where the user's desktop wants such things."""
    return Path(platformdirs.user_state_path("magik-tui", appauthor=False))


def without_colour() -> bool:
    """Tell whether the user wants no colour (NO_COLOR set to anything)."""
    return bool(os.environ.get("NO_COLOR"))


def config_folder() -> Path:
    """Return the folder for the user's own settings, themes, keymaps and layouts."""
    return Path(platformdirs.user_config_path("magik-tui", appauthor=False))


def show_colour(app: App[Any], colour: bool) -> None:
    """Let textual send colours, or none at all, whatever NO_COLOR says."""
    from textual.filter import Monochrome, NoColor

    filters = [each for each in app._filters if not isinstance(each, NoColor | Monochrome)]
    app._filters[:] = filters if colour else [*filters, NoColor()]
    app.no_color = not colour


def limit_colours(few: bool) -> None:
    """Let the next app send 256 colours at most, where bytes are dear, or as many as the terminal says it has."""
    from textual import constants

    vars(constants)["COLOR_SYSTEM"] = "256" if few else os.environ.get("TEXTUAL_COLOR_SYSTEM", "auto")


def write(app: App[Any], sequence: str) -> None:
    """Send an escape sequence to the terminal."""
    driver = getattr(app, "_driver", None)
    if driver is not None:
        driver.write(sequence)


def guard_decoder() -> None:
    """Let bytes that are no UTF-8 pass as U+FFFD: old mouse reports, seen after a reconnect, kill the input thread otherwise.

    textual issue 6668: ESC [ M and three bytes, any of them above 0x7f.
    """
    from textual.drivers import linux_driver

    vars(linux_driver)["getincrementaldecoder"] = _tolerant_decoder


def _tolerant_decoder(encoding: str) -> Callable[..., codecs.IncrementalDecoder]:
    found = codecs.getincrementaldecoder(encoding)
    return lambda errors="replace": found(errors)


def quiet_textual() -> None:
    """Turn smooth scrolling and animations off; textual reads both when it is imported."""
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")


def backlog(app: App[Any]) -> bool:
    """Tell whether the terminal is so slow that the next frame should wait."""
    writer = getattr(getattr(app, "_driver", None), "_writer_thread", None)
    queue = getattr(writer, "_queue", None)
    return queue is not None and queue.qsize() > DEEP


def hang_up_with_stdin() -> None:
    """Send SIGHUP to this process once nobody can write to its stdin any more: what serves a browser may die, and textual goes on."""
    poll = select.poll()
    poll.register(sys.stdin.fileno(), 0)  # POLLHUP is always told

    def wait() -> None:
        poll.poll()
        os.kill(os.getpid(), signal.SIGHUP)

    threading.Thread(target=wait, daemon=True, name="hang-up").start()


class Signals:
    """Turns SIGTERM and SIGHUP into an orderly end; `received` is the first of them."""

    def __init__(self) -> None:
        self.received: int | None = None

    def install(self, leave: Callable[[int], None], kill: Callable[[], None]) -> None:
        """Call `leave(exit code)` in the running loop on a signal; should that hang, `kill()` and end the process."""
        loop = asyncio.get_running_loop()
        for number in ENDING:
            loop.add_signal_handler(number, self._handle, number, leave, kill)

    def _handle(self, number: int, leave: Callable[[int], None], kill: Callable[[], None]) -> None:
        if self.received is not None:
            return
        self.received = number
        code = 128 + number

        def end() -> None:
            time.sleep(LAST_RESORT)
            kill()
            os._exit(code)

        threading.Thread(target=end, daemon=True, name="last-resort").start()
        leave(code)


def write_crash(problem: BaseException | str, folder: Path) -> Path | None:
    """Write what went wrong, without the values of local variables, to a new file; None where that fails."""
    lines = [problem] if isinstance(problem, str) else traceback.format_exception(problem)
    path = folder / f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines), encoding="utf-8", errors="replace")
    except OSError:
        return None
    return path
