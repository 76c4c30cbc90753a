"""The child process in which the engine works: JSON lines on its stdin and stdout, its stderr in a log file.

The child leads a session and a process group of its own: it never touches the terminal, and everything it started ends
with it. It also ends when its stdin closes, so that nothing is left behind even if this process is killed.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from magik_tui.events import Exited
from magik_tui.wire import Said, read_line, write_line

GRACE = 2.0  # seconds between SIGTERM and SIGKILL
DRAIN = 0.3  # seconds that output may still come after the process is gone (a grandchild may hold the pipe open)
LINE_LIMIT = 512 << 20
LOGS_KEPT = 8


def engine_command(project: str, variant: str | None) -> tuple[str, ...]:
    """Return the command line of the worker that serves `project`; -P keeps folders of the user from posing as ours."""
    return (sys.executable, "-P", "-m", "engine.worker", project, *(("--variant", variant) if variant else ()))


def engine_environment() -> dict[str, str]:
    """Return this environment, with the folder that this package was loaded from on the module path."""
    here = str(Path(__file__).resolve().parent.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))}


class LineSplitter:
    """Cuts a stream of chunks into lines of any length; a line over the limit is dropped."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._parts: list[bytes] = []
        self._size, self._limit = 0, limit

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the lines that `chunk` completes, without their newlines; blank ones are left out."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._keep(part)
            line, self._parts, self._size = b"".join(self._parts), [], 0
            if line.strip():
                yield line
        self._keep(rest)

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            self._parts.clear()
        elif part:
            self._parts.append(part)


class Child(asyncio.SubprocessProtocol):
    """One life of the worker. Calls `on_said` for each message, and `on_exit` once, when the process is gone."""

    def __init__(self, on_said: Callable[[Said], None], on_exit: Callable[[Exited], None], log: Path) -> None:
        self._on_said, self._on_exit, self._log = on_said, on_exit, log
        self._lines = LineSplitter()
        self._transport: asyncio.SubprocessTransport | None = None
        self._ended = False
        # The death of a process is told from a thread of asyncio's own, where textual does not know its app.
        self._context = contextvars.copy_context()
        self.gone = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process id, which is also the id of its group."""
        return self._transport.get_pid() if self._transport else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the process."""
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Hand on the messages that have come."""
        for line in self._lines.feed(data):
            self._on_said(read_line(line))

    def process_exited(self) -> None:
        """Wait a moment for what is still in the pipe; it is not always closed by the death of the process."""
        asyncio.get_running_loop().call_later(DRAIN, self._finish)

    def connection_lost(self, exc: Exception | None) -> None:
        """The process is gone and the pipes are closed."""
        self._finish()

    def _finish(self) -> None:
        if self._ended or self._transport is None:
            return
        self._ended = True
        self.signal(signal.SIGKILL)  # what the process left behind in its group
        how = describe(self._transport.get_returncode())
        self._transport.close()
        self.gone.set()
        exited = Exited(how, last_line(self._log))
        asyncio.get_running_loop().call_soon(self._on_exit, exited, context=self._context)

    def write(self, line: bytes) -> None:
        """Send a line; to a process that is gone it is not sent."""
        pipe = self._transport.get_pipe_transport(0) if self._transport else None
        if pipe is not None and not pipe.is_closing():
            cast(asyncio.WriteTransport, pipe).write(line)

    def signal(self, number: int) -> None:
        """Send a signal to the whole process group, if it is still there."""
        pid = self.pid
        if pid is not None:
            try:
                os.killpg(pid, number)
            except (ProcessLookupError, PermissionError):
                return

    async def end(self) -> None:
        """End the process group: SIGTERM, and SIGKILL when that does not help."""
        if self._ended:
            return
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.gone.wait(), GRACE)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self.gone.wait()


class Bridge:
    """Starts, talks to and ends the worker; every message and the end of the process go to `post`."""

    def __init__(
        self,
        command: Sequence[str],
        post: Callable[[Said | Exited], None],
        logs: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command, self._post, self._environment = tuple(command), post, environment
        self.log = logs / f"worker-{os.getpid()}.log"
        self._child: Child | None = None
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """The process id of the worker, None when there is none."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start the worker; what it says comes through `post`."""
        if not self._closed:
            self._later(self._start())

    async def _start(self) -> None:
        child = Child(self._post, lambda exited: self._exited(child, exited), self.log)
        try:
            await asyncio.to_thread(prepare_log, self.log)
            with self.log.open("ab") as log:
                await asyncio.get_running_loop().subprocess_exec(
                    lambda: child, *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                    stderr=log, env=dict(self._environment or os.environ), start_new_session=True,
                )  # fmt: skip
        except OSError as problem:
            self._post(Exited(f"could not be started: {problem}"))
            return
        self._child = child

    def _exited(self, child: Child, exited: Exited) -> None:
        if self._child is child:
            self._child = None
        self._post(exited)

    def send(self, request: dict[str, Any]) -> None:
        """Send one request."""
        if self._child is not None:
            self._child.write(write_line(request))

    def terminate(self) -> None:
        """End the worker in the background; `Exited` is posted when it is gone."""
        if self._child is not None:
            self._later(self._child.end())
        else:
            self._later(self._end_late())

    async def _end_late(self) -> None:
        """End a worker that is still being started."""
        while self._child is None and any(t is not asyncio.current_task() for t in self._tasks):
            await asyncio.wait([t for t in self._tasks if t is not asyncio.current_task()])
        if self._child is not None:
            await self._child.end()

    async def close(self) -> None:
        """End the worker, even one that is still being started, and wait for that."""
        self._closed = True
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._child is not None:
            await self._child.end()

    def kill(self) -> None:
        """Kill the worker's process group at once: the last resort, callable from anywhere."""
        if self._child is not None:
            self._child.signal(signal.SIGKILL)

    def _later(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def describe(status: int | None) -> str:
    """Return in words how a process ended; `status` is its exit code, negative for a signal."""
    if status is None:
        return "closed its pipes"
    if status < 0:
        try:
            return f"was killed ({signal.Signals(-status).name})"
        except ValueError:
            return f"was killed (signal {-status})"
    return "ended" if status == 0 else f"ended with exit code {status}"


def prepare_log(log: Path) -> None:
    """Make the folder of the worker's log, empty, and drop the logs of all but the latest sessions."""
    log.parent.mkdir(parents=True, exist_ok=True)
    old = sorted((p for p in log.parent.glob("worker-*.log") if p != log), key=lambda p: p.stat().st_mtime)
    for each in old[: max(0, len(old) - LOGS_KEPT + 1)]:
        each.unlink(missing_ok=True)


def last_line(log: Path, most: int = 4096) -> str:
    """Return the last line of a log that says something, or nothing."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - most))
            tail = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "")
