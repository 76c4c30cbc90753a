"""The workbench in tmux, as a person has it: keys go in, the screen is read, nothing else is known."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 60.0  # seconds for anything: a busy machine is slow


def missing() -> str:
    """Return why there can be no tmux here, or nothing."""
    return "" if shutil.which("tmux") or os.environ.get("CI") else "there is no tmux here; on Debian: apt-get install tmux"


class Tmux:
    """A tmux server of its own with the workbench on `project` in a window of 120x40."""

    def __init__(self, folder: Path, project: Path, *options: str, size: tuple[int, int] = (120, 40)) -> None:
        self._socket, self.code = tempfile.TemporaryDirectory(prefix="tmux-"), folder / "exit-code"  # a socket's path has to be short
        line = shlex.join([sys.executable, "-P", "-m", "magik_tui", "open", *options, str(project)])
        self.code.unlink(missing_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TMUX", "COLUMNS", "LINES")},
            "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config"),
        }  # fmt: skip
        self.environment = environment
        width, height = map(str, size)
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", width, "-y", height, f"{line}; echo $? > {shlex.quote(str(self.code))}")

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", f"{self._socket.name}/s", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
            env=self.environment,
        )
        return done.stdout

    def screen(self) -> str:
        """Return what is on the screen; nothing once the workbench is gone."""
        return self._tmux("capture-pane", "-p")

    def until(self, holds: Callable[[str], object]) -> str:
        """Wait until the screen has a property, and return it."""
        end = time.monotonic() + LIMIT
        while not holds(shown := self.screen()):
            assert time.monotonic() < end, f"it never came; the screen is\n{shown}"
            time.sleep(0.03)
        return shown

    def shows(self, *texts: str) -> str:
        """Wait until all of `texts` are on the screen, and return it."""
        return self.until(lambda shown: all(text in shown for text in texts))

    def press(self, key: str, *texts: str) -> str:
        """Press a key, by the name that tmux gives it, and wait for `texts`, or for a screen that differs from the one before."""
        before = self.screen()
        self._tmux("send-keys", key)
        return self.shows(*texts) if texts else self.until(lambda shown: shown != before)

    def write(self, text: str, *texts: str) -> str:
        """Type text."""
        self._tmux("send-keys", "-l", text)
        return self.shows(*texts or (text,))

    def walk(self, key: str, holds: Callable[[str], object], most: int = 60) -> str:
        """Press a key again and again until the screen has a property."""
        shown = self.screen()
        for _ in range(most):
            if holds(shown):
                return shown
            shown = self.press(key)
        raise AssertionError(f"{key} leads nowhere; the screen is\n{shown}")

    def quit(self) -> int:
        """Press q and return the exit code of the workbench, once it is gone."""
        self._tmux("send-keys", "q")
        self.until(lambda _: self.code.exists() and self.code.read_text())
        return int(self.code.read_text())

    def close(self) -> None:
        """End the server and what is in it."""
        self._tmux("kill-server")
        self._socket.cleanup()
