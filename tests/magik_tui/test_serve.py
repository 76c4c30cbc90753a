"""The workbench in a browser: what is served to whom, and a page of it in a headless Chromium."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import aiohttp
import psutil
import pytest

from magik_tui.__main__ import open_workbench, words
from magik_tui.serve import is_local
from tests.magik_tui import browser

ROOT = Path(__file__).resolve().parents[2]
FIRST_LAYERS = ("data/BatchNormScale", "resnetv15_relu0_fwd", "resnetv15_stage1_batchnorm3_fwd")


def made_up(worker: Path) -> str:
    """Return the command of the made-up worker, which wants no project behind it."""
    return shlex.join(["sh", "-c", f"exec {shlex.join([sys.executable, str(worker), 'good'])}"])


class Site:
    """`magik-tui serve` as a process of its own, and what it started."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder / "state"), "TERM": "dumb"}
        command = [sys.executable, "-P", "-m", "magik_tui", "serve", "--port", "0", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        self.out = self.process.stdout
        self.address = self.out.readline().strip()

    def below(self) -> list[psutil.Process]:
        """Return the processes that pages started: workbenches and engines."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def close(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.out.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    opened: list[Site] = []

    def serve(*arguments: str) -> Site:
        opened.append(Site(tmp_path, *arguments))
        return opened[-1]

    yield serve
    for each in opened:
        each.close()


def ended(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=20)[1]


def look(folder: Path, talk: Callable[[browser.Tab], Awaitable[None]]) -> None:
    """Let `talk` use a tab of a browser; skipped where there is no browser, except in CI, which brings one."""
    if browser.program() is None and not os.environ.get("CI"):
        pytest.skip(f"there is no {browser.PROGRAMS[0]} here; on Debian: apt-get install --no-install-recommends chromium")

    async def main() -> None:
        async with browser.browsing(folder / "browser") as tab:
            await talk(tab)

    asyncio.run(main())


def test_a_page_is_the_workbench_and_ends_with_it(site: Callable[..., Site], tmp_path: Path) -> None:
    shutil.copytree(ROOT / "sample_projects/resnet18", tmp_path / "digits", ignore=shutil.ignore_patterns(".magik", "magik_dump_path"))
    served = site(str(tmp_path / "digits"))

    async def talk(tab: browser.Tab) -> None:
        await tab.open(served.address)
        shown = await tab.shows("done")
        assert all(name in shown for name in FIRST_LAYERS)
        assert "Esc or q closes" not in shown
        await tab.press("?")
        await tab.shows("Esc or q closes")
        assert await tab.value("document.title") == f"magik-tui {tmp_path / 'digits'}"
        there = served.below()
        assert {"engine.worker", "magik_tui"} <= {word for process in there for word in process.cmdline()}
        await tab.close()
        assert await asyncio.to_thread(ended, there)

    look(tmp_path, talk)
    assert served.below() == []
    assert served.close() == 0


def test_a_page_whose_workbench_died_says_so(site: Callable[..., Site], worker_script: Path, tmp_path: Path) -> None:
    served = site("--engine-command", made_up(worker_script), "/home/me/resnet18")

    async def talk(tab: browser.Tab) -> None:
        await tab.open(served.address)
        await tab.shows("done")
        there = served.below()
        next(each for each in there if "magik_tui" in each.cmdline()).kill()
        await tab.until("getComputedStyle(document.querySelector('.closed-dialog')).display === 'flex'")
        assert tab.answered
        assert not [url for url in tab.answered if not url.startswith(served.address)]  # not even a font
        assert await asyncio.to_thread(ended, there)

    look(tmp_path, talk)


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_what_pages_started_ends_with_the_server(site: Callable[..., Site], worker_script: Path, how: signal.Signals, code: int) -> None:
    served = site("--engine-command", made_up(worker_script), "/home/me/resnet18")

    async def main() -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{served.address}/ws?width=80&height=24") as line:
            got = b""
            async with asyncio.timeout(30):
                while b"done" not in got:
                    got += await line.receive_bytes()
            there = served.below()
            assert len(there) == 2
            served.process.send_signal(how)
            assert await asyncio.to_thread(ended, there)
            async for _ in line:  # until it is closed
                pass

    asyncio.run(main())
    assert served.process.wait(20) == code


def test_other_sites_and_other_names_are_refused(site: Callable[..., Site], worker_script: Path) -> None:
    served = site("--engine-command", made_up(worker_script), "/home/me/resnet18")
    host = served.address.removeprefix("http://")
    for path, headers, status in (
        ("/", {}, 200),
        ("/", {"Host": "localhost:9000"}, 200),  # a port forwarded by ssh
        ("/", {"Host": "rebound.example"}, 403),
        ("/ws", {"Origin": "http://elsewhere.example"}, 403),
        ("/ws", {"Origin": f"http://{host.rpartition(':')[0]}:1"}, 403),
        ("/ws", {"Origin": "null"}, 403),
    ):
        try:
            with urlopen(Request(f"{served.address}{path}", headers=headers), timeout=20) as answer:
                got, text = answer.status, answer.read().decode()
            assert f"ws://{headers.get('Host', host)}/ws" in text
        except HTTPError as refused:
            got = refused.code
            refused.close()
        assert got == status, (path, headers)
    assert served.below() == []


def test_whose_name_is_of_this_machine() -> None:
    assert all(map(is_local, ("localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "a.localhost")))
    assert not any(map(is_local, ("", "box:8000", "10.0.0.1", "localhost.example", "[::2]:1", "127.0.0.1.example")))


def refused(*arguments: str, missing: str = "nothing") -> str:
    """Return what is said, in one line, where nothing is served."""
    program = f"import sys; sys.modules[{missing!r}] = None; from magik_tui.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-P", "-c", program, "serve", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("package", ["textual_serve", "aiohttp"])
def test_without_the_extra_it_says_how_to_get_it(package: str) -> None:
    said = refused(".", missing=package)
    assert package in said
    assert "pip install 'magik-tui[serve]'" in said


def test_what_cannot_be_served_is_told_at_once(tmp_path: Path) -> None:
    assert "no such project" in refused(str(tmp_path / "none"))
    assert "no such theme" in refused(".", "--theme", "lihgt")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "--port 0" in refused(".", "--port", str(taken.getsockname()[1]))


@pytest.mark.parametrize(
    "line",
    [
        ["."],
        ["--no-mouse", "--set", "SOC=T41", "--set", "QUANT_FEATURE_BIT=10", "--variant", "t41", "-odd name"],
        ["--host", "me@box", "--theme", "mono", "--keymap", "vim", "--layout", "single", "--low-bandwidth", "/projects/x"],
    ],
)
def test_a_page_opens_what_the_command_line_said(line: list[str]) -> None:
    def given(arguments: list[str]) -> dict[str, object]:
        return open_workbench.make_context("open", arguments).params

    wanted = given([*line[:-1], "--", line[-1]])
    assert given(words(open_workbench.params, wanted)) == wanted
