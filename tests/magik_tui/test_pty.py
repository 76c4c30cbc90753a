"""A real terminal: bytes, signals, crashes, old mouse reports. The only place where these can be seen."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.magik_tui.emulator import Screen

APP = Path(__file__).with_name("pty_app.py")
ROOT = APP.parent.parent.parent
LEAVE_SCREEN, SHOW_CURSOR = b"\x1b[?1049l", b"\x1b[?25h"
SGR = re.compile(rb"\x1b\[([\d;:]*)m")


class Terminal:
    """A pseudo terminal with the workbench in it, in a session of its own."""

    def __init__(self, folder: Path, *mode: str, size: tuple[int, int] = (80, 24), **environment: str) -> None:
        self.folder, self.got = folder, b""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLORTERM", "COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [sys.executable, str(APP), *mode, "--pid-file", str(folder / "pids")],
            stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
            env={**clean, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT),
                 "XDG_STATE_HOME": str(folder / "state"), **environment},
        )  # fmt: skip

    def read(self, quiet: float = 0.15, most: float = 10) -> bytes:
        """Return what the workbench writes until it has been quiet for so many seconds."""
        got, end = b"", time.monotonic() + most
        while time.monotonic() < end and select.select([self.master], [], [], quiet)[0]:
            try:
                got += os.read(self.master, 1 << 16)
            except OSError:  # EIO: the other side is closed
                break
        self.got += got
        return got

    def until(self, text: bytes, seconds: float = 15) -> None:
        """Read until `text` has been written."""
        end, start = time.monotonic() + seconds, len(self.got)
        while text not in self.got[start:]:
            assert time.monotonic() < end, f"{text!r} never came; the end is {self.got[-2000:]!r}"
            self.read(quiet=0.05, most=0.2)

    def press(self, keys: bytes) -> bytes:
        os.write(self.master, keys)
        return self.read()

    def wait(self, seconds: float = 10) -> int:
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            self.read(quiet=0.05, most=0.2)
        code = self.process.wait(0.1)
        self.read(quiet=0.05)
        return code

    def workers(self) -> list[int]:
        """Return the workers that are still there."""
        pids = (self.folder / "pids").read_text().split()
        return [int(pid) for pid in pids if _alive(int(pid))]

    def restored(self) -> bool:
        """Tell whether the terminal is as it was: main screen, cursor, line discipline."""
        after = termios.tcgetattr(self.slave)
        seen = self.got.rfind(LEAVE_SCREEN) > self.got.rfind(b"\x1b[?1049h")
        return seen and self.got.rfind(SHOW_CURSOR) > self.got.rfind(b"\x1b[?25l") and after == self.before

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def make(*mode: str, **fields: Any) -> Terminal:
        opened.append(Terminal(tmp_path, *mode, **fields))
        return opened[-1]

    yield make
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize(("size", "table", "idle"), [((80, 24), 60_000, 3.0), ((200, 50), 160_000, 0.5)])
def test_the_byte_budget(open_terminal: Callable[..., Terminal], size: tuple[int, int], table: int, idle: float) -> None:
    terminal = open_terminal("good", "--layers", "60", size=size)
    terminal.until(b"done")
    terminal.read(quiet=1.5)  # a layer in sight is looked at closely once the cursor rests
    assert len(terminal.got) <= table  # from the start to the finished table
    assert terminal.read(quiet=idle, most=idle) == b""
    assert terminal.press(b"\x1b[O\x1b[I") == b""  # the terminal loses and regains the focus
    for key in (b"j", b"\x1b[B", b"l"):
        assert 0 < len(terminal.press(key)) <= 3_000, key
    assert 0 < len(terminal.press(b"x")) <= 4_000


def test_keys_answer_at_once_with_an_engine_far_away(open_terminal: Callable[..., Terminal]) -> None:
    """The line takes 0.2 s each way: what waits for the engine comes after 0.4 s at the soonest."""
    terminal = open_terminal("good", "--layers", "60", "--delay", "0.2")
    terminal.until(b"done")
    took = []
    for key in b"jjklhnNjkG":
        terminal.read(quiet=0.05)
        pressed = time.monotonic()
        os.write(terminal.master, bytes([key]))
        assert select.select([terminal.master], [], [], 10)[0], key
        took.append(time.monotonic() - pressed)
    assert statistics.median(took) < 0.2


def test_a_run_writes_at_most_four_frames_a_second(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("slow", "--pause", "0.01", "--samples", "100")
    terminal.until(b"distance")
    writes, end = 0, time.monotonic() + 0.8
    while time.monotonic() < end:
        writes += len(terminal.read(quiet=0.05, most=0.05)) > 0
    assert 1 <= writes <= 5


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_restore_the_terminal_and_stop_the_worker(
    open_terminal: Callable[..., Terminal], number: signal.Signals, code: int
) -> None:
    terminal = open_terminal("slow", "--pause", "0.2")
    terminal.until(b"CollectFeature")
    assert len(terminal.workers()) == 1
    terminal.process.send_signal(number)
    assert terminal.wait() == code
    assert terminal.restored()
    assert terminal.workers() == []


@pytest.mark.parametrize("mode", ["slow", "deaf"])
def test_ctrl_c_quits_and_leaves_nothing_behind(open_terminal: Callable[..., Terminal], mode: str) -> None:
    terminal = open_terminal(mode, "--pause", "0.2")
    terminal.until(b"CollectFeature")
    os.write(terminal.master, b"\x03")
    assert terminal.wait() == 0
    assert terminal.restored()
    assert terminal.workers() == []


def test_a_closed_terminal_ends_everything(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("slow", "--pause", "0.2")
    terminal.until(b"CollectFeature")
    os.close(terminal.slave)
    os.close(terminal.master)
    terminal.master, terminal.slave = os.openpty()
    assert terminal.process.wait(10) == 129
    end = time.monotonic() + 5
    while terminal.workers() and time.monotonic() < end:
        select.select([], [], [], 0.05)
    assert terminal.workers() == []


def test_the_worker_ends_even_when_the_workbench_is_killed(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("good")
    terminal.until(b"done")
    terminal.process.kill()
    terminal.process.wait()
    end = time.monotonic() + 5
    while terminal.workers() and time.monotonic() < end:
        select.select([], [], [], 0.05)
    assert terminal.workers() == []


def test_old_mouse_reports_do_not_kill_it_and_q_quits(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("good")
    terminal.until(b"done")
    terminal.press(b"\x1b[M\x20\xe1\x30")
    assert len(terminal.press(b"j")) > 0
    terminal.press(b"q")
    assert terminal.wait() == 0
    assert terminal.restored()
    assert terminal.workers() == []


def test_a_crash_restores_the_terminal_and_prints_one_line(open_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = open_terminal("good")
    terminal.until(b"done")
    terminal.read()
    os.write(terminal.master, b"X")
    assert terminal.wait() == 1
    assert terminal.restored()
    assert terminal.workers() == []
    said = re.sub(rb"\x1b\[[?\d;]*[a-zA-Z]", b"", terminal.got[terminal.got.rfind(LEAVE_SCREEN) :]).strip()
    assert said.startswith(b"magik-tui: the workbench failed; what happened is in ")
    assert b"\n" not in said
    log = Path(said.decode().rpartition(" in ")[2])
    assert log.is_relative_to(tmp_path)
    assert "the test wanted this 7" in log.read_text()
    assert "hunter2'" not in log.read_text()


def test_no_colour_means_none(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("good", NO_COLOR="1")
    terminal.until(b"done")
    terminal.press(b"n")
    codes = {code for match in SGR.finditer(terminal.got) for code in match[1].split(b";")}
    assert codes <= {b"", b"0", b"1", b"2", b"4", b"7", b"22", b"24", b"27", b"39", b"49"}
    assert "▒▒░▒░▒▒░▒░▒▒".encode() in SGR.sub(b"", terminal.got)


def test_where_bytes_are_dear_frames_are_rare_and_colours_few(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("slow", "--pause", "0.02", "--samples", "100", "--low-bandwidth")
    terminal.until(b"distance")
    writes, end = 0, time.monotonic() + 2.4
    while time.monotonic() < end:
        writes += len(terminal.read(quiet=0.05, most=0.05)) > 0
    assert 1 <= writes <= 4
    codes = [match[1] for match in SGR.finditer(terminal.got)]
    assert any(b"38;5;" in code for code in codes)
    assert not any(b"38;2;" in code or b"48;2;" in code for code in codes)


def test_without_the_mouse_the_terminal_keeps_it(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("good", "--no-mouse")
    terminal.until(b"done")
    assert b"\x1b[?1003h" not in terminal.got
    assert b"\x1b[?1000h" not in terminal.got


def test_changing_panes_and_asking_stay_within_a_screen_of_bytes(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("good", "--layers", "60")
    terminal.until(b"done")
    terminal.read()
    for keys, most in ((b"9", 4_000), (b"2", 8_000), (b"z", 4_000), (b"z", 4_000), (b":", 4_000), (b"l", 3_000), (b"\x1b", 8_000)):
        os.write(terminal.master, keys)
        assert 0 < len(terminal.read(quiet=0.5)) <= most, keys  # Esc is told from the begin of a sequence by waiting
    again = terminal.press(b"\x0c")  # ctrl+l trusts nothing and sends it all
    assert all(word in again for word in (b"resnet18.onnx", b"resnetv15_relu0_fwd", b"done", b"cat_000.jpg"))
    assert terminal.read(quiet=1.0, most=1.0) == b""


def test_zooming_sends_a_screen_once_and_no_more_of_it_than_differs(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("good", "--layers", "60", size=(120, 40))
    terminal.until(b"done")
    terminal.read(quiet=1.5)
    for key, most in ((b"z", 14_000), (b"z", 16_000), (b"9", 6_000), (b"2", 14_000)):
        os.write(terminal.master, key)
        assert 0 < len(terminal.read(quiet=0.5)) <= most, key


SMALL_KEYS = (b"", b"j", b"9", b"2", b"z", b"G", b":", b"lay", b"\x1b", b"L", b"1", b"?")
LARGE_KEYS = (b"9", b"2", b"7", b":", b"\x1b", b"]", b"?")  # a layer that is in sight is looked at closely after each move


@pytest.mark.parametrize(("size", "keys"), [((80, 24), SMALL_KEYS), ((200, 50), LARGE_KEYS)], ids=["80x24", "200x50"])
def test_what_is_not_sent_is_there_already(open_terminal: Callable[..., Terminal], size: tuple[int, int], keys: tuple[bytes, ...]) -> None:
    terminal = open_terminal("hostile", "--layers", "60", size=size)
    terminal.until(b"done")
    terminal.read(quiet=1.5)
    screen, read = Screen(*size), 0

    def shown() -> list[str]:
        nonlocal read
        screen.read(terminal.got[read:].decode())
        read = len(terminal.got)
        return screen.lines()

    assert "?" not in shown()[0][:3]
    for each in keys:
        os.write(terminal.master, each)
        terminal.read(quiet=0.8)
        before = shown()
        terminal.press(b"\x0c")
        assert shown() == before, each


@pytest.mark.parametrize("how", [b"q", signal.SIGTERM, signal.SIGHUP])
def test_the_session_is_kept_however_it_ends(open_terminal: Callable[..., Terminal], how: bytes | signal.Signals) -> None:
    terminal = open_terminal("good")
    terminal.until(b"done")
    terminal.press(b"jj9")
    if isinstance(how, bytes):
        terminal.press(how)
    else:
        terminal.process.send_signal(how)
    terminal.wait()
    (file,) = (terminal.folder / "state/magik-tui/sessions").glob("*.json")
    kept = json.loads(file.read_text())
    assert kept["sight"]["recent"][0] == "log"
    assert kept["cursor"]["layer"] == "resnetv15_stage1_batchnorm2_fwd"
    again = open_terminal("good")
    again.until(b"magik-tui run")


def test_hostile_names_send_no_control_sequence(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("hostile", "--layers", "20", size=(120, 40))
    terminal.until(b"done")
    terminal.press(b"jjjj")
    assert b"\x1b[31mred" not in terminal.got
    assert b"\x1b[2J" not in terminal.got.split(b"\x1b[?1049h", 1)[1]
    assert "\N{REPLACEMENT CHARACTER}[31mred".encode() in terminal.got
