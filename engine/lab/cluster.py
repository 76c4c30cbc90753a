"""The workers of a dask cluster, which see the project and its store under the same paths. The one file that knows `distributed`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any

from ..errors import UsageError, WorkError

ANSWER = 10.0
"""Seconds that a scheduler has to answer."""

EMPTY = 60.0
"""Seconds that a cluster may be without a worker."""

LOOK = 2.0
"""Seconds between two looks at the workers."""


class Cluster:
    """A dask cluster at an address such as tcp://host:8786. Give its workers one thread each: a process computes one plan at a time.

    The scheduler gives the plan of a worker that died to another one. UsageError when nobody answers at the address, or when `distributed`
    is not installed.
    """

    def __init__(self, address: str, *, answer: float = ANSWER, empty: float = EMPTY) -> None:
        try:
            import distributed
        except ImportError as error:
            text = "a cluster needs the package distributed"
            raise UsageError(text, where="--scheduler", hint="pip install 'magik-tui[cluster]'") from error
        self.address, self._empty = address, empty
        try:
            self._client = distributed.Client(address, timeout=answer, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            text = f"no dask scheduler answers at {address}"
            raise UsageError(text, where="--scheduler", hint="an address is like tcp://host:8786") from error
        self._killed: type[Exception] = distributed.KilledWorker
        self._executor: Executor = self._client.get_executor(pure=False)
        self._looked = self._seen = time.monotonic()
        self._workers = self._count()

    @property
    def size(self) -> int:
        """The workers there were at the last look, at least 1."""
        return max(1, self._workers)

    @property
    def share(self) -> float:
        """0: nobody here knows how many workers share a machine."""
        return 0.0

    def executor(self) -> Executor:
        """Return the client's executor."""
        return self._executor

    def check(self) -> None:
        """Raise WorkError when the scheduler is gone, or has been without workers for a while."""
        if time.monotonic() - self._looked < LOOK:
            return
        self._workers = self._count()
        if self._client.status != "running":
            raise self._lost()
        now = self._looked = time.monotonic()
        if self._workers:
            self._seen = now
        elif now - self._seen > self._empty:
            raise WorkError(f"the cluster at {self.address} has had no worker for {self._empty:.0f} seconds")

    def explain(self, error: BaseException) -> BaseException:
        """Return what a person can act on."""
        if isinstance(error, self._killed):
            return WorkError(f"several workers of the cluster died of one plan: {error}", hint="they may be short of memory")
        if isinstance(error, BrokenExecutor):
            return self._lost()
        if isinstance(error, ImportError):
            return WorkError(f"a worker of the cluster lacks what it needs: {error}", hint="install the same magik-tui[cluster] there")
        return error

    def drop(self, futures: Iterable[Future[Any]]) -> None:
        """Take back what no worker has begun."""
        for future in futures:
            future.cancel()

    def renew(self) -> None:
        """Do nothing: the scheduler looks after its workers."""

    def close(self) -> None:
        """Take leave of the scheduler, which drops what is still asked for."""
        self._client.close()

    def _count(self) -> int:
        return len(self._client.scheduler_info()["workers"])

    def _lost(self) -> WorkError:
        return WorkError(f"the dask scheduler at {self.address} is gone")
