"""The worker's process: started, heard, ended, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from magik_tui import wire
from magik_tui.bridge import Bridge, describe, engine_command, engine_environment, last_line, prepare_log
from magik_tui.events import Exited

Said = wire.Said | Exited


class Ear:
    """Keeps what a bridge posts, and waits for it."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Said] = asyncio.Queue()

    async def until(self, kind: type[Said]) -> Said:
        async with asyncio.timeout(15):
            while True:
                said = await self.heard.get()
                if isinstance(said, kind):
                    return said


def live(work: Callable[[Bridge, Ear], Awaitable[None]], folder: Path, *command: str) -> None:
    async def main() -> None:
        ear = Ear()
        bridge = Bridge(command, ear.heard.put_nowait, folder)
        try:
            await work(bridge, ear)
        finally:
            await bridge.close()

    asyncio.run(main())


def alive(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_line_of_megabytes_arrives_whole(tmp_path: Path, worker_script: Path) -> None:
    async def work(bridge: Bridge, ear: Ear) -> None:
        bridge.start()
        await ear.until(wire.Hello)
        bridge.send({"id": 1, "do": "run"})
        result = await ear.until(wire.Result)
        assert isinstance(result, wire.Result)
        assert len(wire.read(result.value, dict)["warnings"][0]) == 8 << 20

    live(work, tmp_path, sys.executable, str(worker_script), "long")


def test_a_worker_that_is_killed_is_reported_with_its_last_words(tmp_path: Path, worker_script: Path) -> None:
    async def work(bridge: Bridge, ear: Ear) -> None:
        bridge.start()
        await ear.until(wire.Hello)
        bridge.send({"id": 1, "do": "run"})
        assert await ear.until(Exited) == Exited("was killed (SIGKILL)", "Segmentation fault in [kernel]")
        assert bridge.pid is None
        bridge.send({"id": 2, "do": "ping"})  # to nobody: no error
        bridge.start()
        await ear.until(wire.Hello)

    live(work, tmp_path, sys.executable, str(worker_script), "dies")


def test_a_child_of_the_worker_that_holds_the_pipe_open_ends_with_it(tmp_path: Path) -> None:
    script = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        'print(\'{"event": "log", "text": "%d"}\' % child.pid, flush=True)\n'
        "time.sleep(60)\n"
    )

    async def work(bridge: Bridge, ear: Ear) -> None:
        bridge.start()
        said = await ear.until(wire.Log)
        assert isinstance(said, wire.Log)
        assert bridge.pid is not None
        os.kill(bridge.pid, signal.SIGKILL)
        await ear.until(Exited)
        async with asyncio.timeout(5):
            while alive(int(said.text)):  # noqa: ASYNC110 - a process of nobody here tells no event
                await asyncio.sleep(0.02)

    live(work, tmp_path, sys.executable, "-c", script)


def test_a_worker_deaf_to_sigterm_is_killed(tmp_path: Path, worker_script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("magik_tui.bridge.GRACE", 0.2)

    async def work(bridge: Bridge, ear: Ear) -> None:
        bridge.start()
        hello = await ear.until(wire.Hello)
        assert isinstance(hello, wire.Hello)
        bridge.terminate()
        assert await ear.until(Exited) == Exited("was killed (SIGKILL)")
        assert not alive(hello.pid)

    live(work, tmp_path, sys.executable, str(worker_script), "deaf")


def test_a_worker_ended_while_it_is_being_started(tmp_path: Path, worker_script: Path) -> None:
    async def work(bridge: Bridge, ear: Ear) -> None:
        bridge.start()
        bridge.terminate()
        assert await ear.until(Exited) == Exited("was killed (SIGTERM)")
        assert bridge.pid is None

    live(work, tmp_path, sys.executable, str(worker_script), "silent")


def test_a_command_that_does_not_exist_is_an_exit_and_not_an_exception(tmp_path: Path) -> None:
    async def work(bridge: Bridge, ear: Ear) -> None:
        bridge.start()
        exited = await ear.until(Exited)
        assert isinstance(exited, Exited)
        assert "could not be started" in exited.how

    live(work, tmp_path, str(tmp_path / "nothing"))


def test_the_worker_has_a_process_group_of_its_own(tmp_path: Path, worker_script: Path) -> None:
    async def work(bridge: Bridge, ear: Ear) -> None:
        bridge.start()
        await ear.until(wire.Hello)
        assert bridge.pid is not None
        assert os.getpgid(bridge.pid) == bridge.pid != os.getpgid(0)

    live(work, tmp_path, sys.executable, str(worker_script), "good")


def test_the_engine_is_found_although_the_user_stands_in_a_folder_called_engine(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text("raise SystemExit('the wrong engine')")
    import subprocess

    command = [*engine_command("p", None)[:2], "-c", "import engine, sys; sys.stdout.write(engine.__file__)"]
    done = subprocess.run(command, cwd=tmp_path, env=engine_environment(), capture_output=True, text=True, check=True)
    assert str(tmp_path) not in done.stdout


def test_the_engine_command_names_project_and_variant() -> None:
    assert engine_command("net", "t41")[1:] == ("-P", "-m", "engine.worker", "net", "--variant", "t41")
    assert engine_command("net", None)[-1] == "net"


@pytest.mark.parametrize(
    ("status", "text"),
    [(0, "ended"), (3, "ended with exit code 3"), (-9, "was killed (SIGKILL)"), (-200, "was killed (signal 200)"),
     (None, "closed its pipes")],
)  # fmt: skip
def test_how_a_process_ends_in_words(status: int | None, text: str) -> None:
    assert describe(status) == text


def test_old_logs_go(tmp_path: Path) -> None:
    for i in range(20):
        path = tmp_path / f"worker-{i}.log"
        path.write_text("x")
        os.utime(path, (i, i))
    prepare_log(tmp_path / "worker-new.log")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"worker-{i}.log" for i in range(13, 20))


def test_the_last_line_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) == ""
    log.write_bytes(b"x" * 9000 + b"\nlast \xff words\n\n")
    assert last_line(log) == "last \N{REPLACEMENT CHARACTER} words"
