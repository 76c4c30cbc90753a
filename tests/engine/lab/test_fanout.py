"""Scores by other processes are those of this one, whatever happens to the processes."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.analysis.scoring import Score
from engine.discover import find_project, job_for
from engine.errors import Cancelled, UsageError, WorkError
from engine.events import Event, silent
from engine.lab import Lab, open_lab
from engine.lab.fanout import LOSSES, Fan, fan_of
from engine.lab.processes import Processes
from engine.lab.recipe import recipe_of, score_of
from engine.plan import Choice, Plan
from tests.engine import tiny


@pytest.fixture
def lab(project: Path) -> Iterator[Lab]:
    with open_lab(job_for(find_project("."), ["QUANT_FEATURE_BIT=10"]), report=silent) as found:
        yield found


def plans_of(lab: Lab) -> list[Plan]:
    """Return plans that all have different scores."""
    raised = [lab.base.with_node(u.name, Choice(feature_bits=bits)) for u in lab.units for bits in (4, 8, 12)]
    skipped = [lab.base.with_node(n, Choice(skip="float")) for u in lab.units for n in u.nodes]
    return [lab.base, *raised, *skipped]


class Here:
    """A crew of this very thread: `work` stands for what its process does with a task."""

    size, share = 2, 1.0

    def __init__(self, work: Callable[..., Any] = score_of) -> None:
        self.work, self.submitted, self.renewed = work, 0, 0

    def executor(self) -> Executor:
        crew = self

        class At(Executor):
            def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
                crew.submitted += 1
                future: Future[Any] = Future()
                try:
                    future.set_result(crew.work(*args))
                except Exception as error:  # noqa: BLE001 as an executor does
                    future.set_exception(error)
                return future

        return At()

    def check(self) -> None:
        pass

    def explain(self, error: BaseException) -> BaseException:
        return error

    def drop(self, futures: Iterable[Future[Any]]) -> None:
        pass

    def renew(self) -> None:
        self.renewed += 1

    def close(self) -> None:
        pass


def test_processes_say_what_this_one_says(lab: Lab) -> None:
    plans = plans_of(lab)
    with fan_of(jobs=2) as fan:
        spread = replace(lab, fan=fan)
        assert list(spread.scores(plans)) == list(lab.scores(plans))
        assert list(spread.scores(plans[:4], at="c2")) == list(lab.scores(plans[:4], at="c2"))
        assert 1 <= len(multiprocessing.active_children()) <= 2
    assert multiprocessing.active_children() == []


def test_a_process_that_is_killed_loses_nothing(lab: Lab) -> None:
    plans = plans_of(lab)
    with fan_of(jobs=2) as fan:
        found = replace(lab, fan=fan).scores(plans)
        scores = [next(found)]
        before = {p.pid for p in multiprocessing.active_children()}
        for pid in before:
            os.kill(pid or 0, signal.SIGKILL)
        scores += found
        after = {p.pid for p in multiprocessing.active_children()}
    assert scores == list(lab.scores(plans))
    assert after
    assert not before & after


def test_a_hook_stops_it_and_no_process_stays(lab: Lab) -> None:
    told: list[Event] = []

    def stop(event: Event) -> None:
        told.append(event)
        if len(told) > 3:
            raise Cancelled

    with fan_of(jobs=2) as fan, pytest.raises(Cancelled):
        list(replace(lab, fan=fan, report=stop).scores(plans_of(lab)))
    assert multiprocessing.active_children() == []


def test_errors_come_whole(lab: Lab) -> None:
    with fan_of(jobs=2) as fan, pytest.raises(UsageError) as caught:
        list(replace(lab, fan=fan).scores(plans_of(lab), at="scoers"))
    assert caught.value.hint == "did you mean 'scores'?"


def test_it_notices_files_that_changed_meanwhile(lab: Lab) -> None:
    tiny.picture(lab.job.root / "debug" / "0.png", seed=99)
    with fan_of(jobs=2) as fan, pytest.raises(WorkError, match="no longer those the search began with"):
        list(replace(lab, fan=fan).scores(plans_of(lab)))


def test_a_file_of_the_nodes_bits_written_meanwhile_is_no_other_project(lab: Lab) -> None:
    plans = plans_of(lab)[:3]
    expected = list(lab.scores(plans))
    tiny.configure(lab.job.root, QUANT_OP_SKIP=["MatMul"], QUANT_FEATURE_METHOD="MAX_ABS")
    assert [score_of(recipe_of(lab, 1.0), plan, "") for plan in plans] == expected


def test_only_so_many_plans_are_taken_in_advance(lab: Lab) -> None:
    crew, taken = Here(lambda recipe, plan, at: Score()), []

    def plans() -> Iterator[Plan]:
        for index in range(50):
            taken.append(index)
            yield lab.base

    found = Fan(crew)(lab, plans())
    next(found)
    assert len(taken) == crew.submitted == 2 * crew.size
    found.close()  # type: ignore[attr-defined]


def test_a_lone_plan_stays_here(lab: Lab) -> None:
    crew = Here()
    assert list(Fan(crew)(lab, [lab.base])) == [lab.score(lab.base)]
    assert list(Fan(crew)(lab, [])) == []
    assert crew.submitted == 0


def test_a_crew_that_breaks_is_renewed_and_work_repeated(lab: Lab) -> None:
    attempts: list[Plan] = []

    def work(recipe: object, plan: Plan, at: str) -> Score:
        attempts.append(plan)
        if len(attempts) in (2, 3, 6):
            raise BrokenExecutor("killed")
        return Score(cosine_avg=float(plans.index(plan)))

    plans = plans_of(lab)
    crew = Here(work)
    assert [s.cosine_avg for s in Fan(crew)(lab, plans)] == list(map(float, range(len(plans))))
    assert crew.renewed >= 2


def test_a_crew_that_always_breaks_is_given_up(lab: Lab) -> None:
    def work(recipe: object, plan: Plan, at: str) -> Score:
        raise BrokenExecutor("killed")

    crew = Here(work)
    with pytest.raises(WorkError, match="died 4 times in a row") as caught:
        list(Fan(crew)(lab, plans_of(lab)))
    assert crew.renewed == LOSSES
    assert "--jobs" in caught.value.hint


def test_processes_end_with_the_one_that_started_them() -> None:
    crew = Processes(1)
    busy = crew.executor().submit(signal.pause)
    (process,) = multiprocessing.active_children()
    crew.close()
    assert isinstance(busy.exception(), BrokenExecutor)
    assert process.exitcode is not None
    assert multiprocessing.active_children() == []


def test_ctrl_c_is_for_the_one_that_started_them() -> None:
    crew = Processes(1)
    pid = crew.executor().submit(os.getpid).result()
    os.kill(pid, signal.SIGINT)
    assert crew.executor().submit(os.getpid).result() == pid
    crew.close()


def test_fewer_than_two_processes_are_none() -> None:
    for jobs in (0, 1):
        with fan_of(jobs=jobs) as fan:
            assert fan is None


def test_processes_here_and_a_cluster_are_two_things() -> None:
    with pytest.raises(UsageError, match="one of them"), fan_of(jobs=2, scheduler="tcp://127.0.0.1:1"):
        pass


KILLED = """
import os, sys
from engine.lab.processes import Processes
crew = Processes(1)
print(crew.executor().submit(os.getpid).result(), flush=True)
sys.stdin.read()
"""


def test_they_end_even_if_that_one_is_killed() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", KILLED], text=True, **pipes) as parent:
        assert parent.stdout
        ended = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert select.select([ended], [], [], 60) == ([ended], [], [])
    finally:
        os.close(ended)
