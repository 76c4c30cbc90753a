"""Processes of this machine. They are spawned, since threads and onnxruntime do not survive a fork, and they end with this process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any


class Processes:
    """A pool of `size` processes, started when the first plan comes.

    Each holds the reading end of a pipe, the lifeline: where this process ends, however it ends, they end at once.
    """

    def __init__(self, size: int) -> None:
        self.size, self.share = size, 1 / size
        self._context = _Context()
        self._pool: _Pool | None = None
        self._line: tuple[Connection, ...] = ()

    def executor(self) -> Executor:
        """Return the pool."""
        if self._pool is None:
            self._line = self._context.Pipe(duplex=False)
            self._pool = _Pool(self.size, mp_context=self._context, initializer=_hold, initargs=self._line[:1])
        return self._pool

    def check(self) -> None:
        """Do nothing: a pool tells of its own accord."""

    def explain(self, error: BaseException) -> BaseException:
        """Return the error: a pool says itself when it is broken."""
        return error

    def drop(self, futures: Iterable[Future[Any]]) -> None:
        """Let them run: a pool that is ended stumbles over futures that were cancelled."""

    def renew(self) -> None:
        """End what is left of the pool."""
        self.close()

    def close(self) -> None:
        """End the processes, whatever they are at: the store is written so that it bears it."""
        if self._pool is None:
            return
        self._context.terminate()
        self._pool.shutdown(wait=True)
        for end in self._line:
            end.close()
        self._pool = None


class _Context(SpawnContext):
    """A way to start processes that remembers them."""

    def __init__(self) -> None:
        super().__init__()
        self._born: list[SpawnProcess] = []

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]
        process = SpawnProcess(*args, **kwargs)
        self._born.append(process)
        return process

    def terminate(self) -> None:
        """Send every process the signal to end, and forget it."""
        for process in self._born:
            process.terminate()
        self._born.clear()


class _Pool(ProcessPoolExecutor):
    """A pool whose processes never hear ctrl-C: a terminal tells it to all, and the one that started them decides."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit as any executor does; processes that this starts are born with the signal blocked."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hold(line: Connection) -> None:
    """End this process when the other end of the line is closed."""

    def watch() -> None:
        line.poll(None)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
