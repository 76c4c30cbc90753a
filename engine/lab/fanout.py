"""Scores by many processes: plans go out in order, a bounded number at a time, and scores come back in the same order.

Who computes is a `Crew`: processes of this machine, or the workers of a cluster. What a process that died was at is given to another one.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from typing import Protocol

from ..analysis.scoring import Score
from ..errors import UsageError, WorkError
from ..events import Progress
from ..plan import Plan
from .lab import STAGE, Lab
from .recipe import Recipe, recipe_of, score_of

TICK = 0.1
"""Seconds between two looks at the hook, which may want to stop."""

LOSSES = 3
"""Times that the processes may break without a score in between."""


class Crew(Protocol):
    """Processes that compute, wherever they are."""

    @property
    def size(self) -> int:
        """Plans that are computed side by side, at least 1."""

    @property
    def share(self) -> float:
        """The part of its machine's memory that one process may take."""

    def executor(self) -> Executor:
        """Return the way to the processes, which are started where there are none."""

    def check(self) -> None:
        """Raise WorkError when nobody will ever answer; called again and again while an answer is waited for."""

    def explain(self, error: BaseException) -> BaseException:
        """Return what is to be raised for an error that came instead of a score: BrokenExecutor stands for work that may be repeated."""

    def drop(self, futures: Iterable[Future[Score]]) -> None:
        """Hear that nobody waits for these any more."""

    def renew(self) -> None:
        """Forget processes that broke; the next `executor` is a fresh one."""

    def close(self) -> None:
        """End everything that was started, at once."""


@dataclass(slots=True, eq=False)
class _Task:
    plan: Plan
    future: Future[Score]


class Fan:
    """What `Lab.fan` may be: `Lab.scores` by way of a crew. Close it, or the crew, when all is done."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew

    def __call__(self, lab: Lab, plans: Iterable[Plan], at: str = "") -> Iterator[Score]:
        """Yield the score of each plan in order, as `Lab.scores` does; a lone plan is computed by this process, on all its threads.

        Up to twice the crew's size of plans are taken in advance. What `lab.report` raises ends it.
        """
        plans = iter(plans)
        first = list(itertools.islice(plans, 2))
        if len(first) < 2:
            yield from (lab.score(plan, at) for plan in first)
            return
        recipe = recipe_of(lab, self.crew.share)
        waiting: deque[_Task] = deque()
        done = 0
        try:
            for plan in itertools.chain(first, plans):
                waiting.append(_Task(plan, self._submitted(recipe, plan, at)))
                if len(waiting) >= 2 * self.crew.size:
                    yield self._next(lab, recipe, at, waiting, done)
                    done += 1
            while waiting:
                yield self._next(lab, recipe, at, waiting, done)
                done += 1
        finally:
            self.crew.drop(task.future for task in waiting)

    def close(self) -> None:
        """End the crew."""
        self.crew.close()

    def _next(self, lab: Lab, recipe: Recipe, at: str, waiting: deque[_Task], done: int) -> Score:
        """Wait for the first score, and take its task away."""
        losses = 0
        while True:
            lab.report(Progress(STAGE, done, done + len(waiting)))
            future = waiting[0].future
            if not wait((future,), timeout=TICK).done:
                self.crew.check()
                continue
            error = self._error(future)
            if error is None:
                waiting.popleft()
                lab.report(Progress(STAGE, done + 1, done + 1 + len(waiting)))
                return future.result()
            if not isinstance(error, BrokenExecutor):
                raise error
            losses += 1
            if losses > LOSSES:
                text = f"the processes that compute died {losses} times in a row"
                raise WorkError(text, hint="if memory is short, --jobs with a smaller number helps") from error
            self.crew.renew()
            for task in waiting:
                if isinstance(self._error(task.future), BrokenExecutor):
                    task.future = self._submitted(recipe, task.plan, at)

    def _error(self, future: Future[Score]) -> BaseException | None:
        """Return what came instead of a score, None for a score or for nothing yet."""
        if not future.done():
            return None
        error = BrokenExecutor("was cancelled") if future.cancelled() else future.exception()
        return None if error is None else self.crew.explain(error)

    def _submitted(self, recipe: Recipe, plan: Plan, at: str) -> Future[Score]:
        """Hand a plan out; where the processes are broken already, return a future that says so."""
        try:
            return self.crew.executor().submit(score_of, recipe, plan, at)
        except BrokenExecutor as error:
            failed: Future[Score] = Future()
            failed.set_exception(error)
            return failed


@contextlib.contextmanager
def fan_of(jobs: int = 0, scheduler: str = "") -> Iterator[Fan | None]:
    """Give what `Lab.fan` should be for so many processes of this machine, or for the dask cluster at an address; end it afterwards.

    None, which leaves plans to this process and its threads, for 0 or 1 processes. UsageError when both are asked for, when the cluster
    does not answer, or when `distributed` is not installed.
    """
    if scheduler and jobs:
        raise UsageError("--jobs starts processes here, --scheduler asks those of a cluster: one of them", where="--jobs")
    if not scheduler and jobs < 2:
        yield None
        return
    crew: Crew
    if scheduler:
        from .cluster import Cluster

        crew = Cluster(scheduler)
    else:
        from .processes import Processes

        crew = Processes(jobs)
    try:
        yield Fan(crew)
    finally:
        crew.close()
