"""Scores by a dask cluster on loopback: a scheduler and two workers, each a process as a user starts it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from distributed import Client

from engine.discover import find_project, job_for
from engine.errors import UsageError, WorkError
from engine.events import silent
from engine.lab import Lab, open_lab
from engine.lab.cluster import Cluster
from engine.lab.fanout import Fan, fan_of
from engine.plan import Choice, Plan

QUIET = {**os.environ, "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error", "PYTHONWARNINGS": "ignore"}


@dataclass
class Dask:
    """A running cluster."""

    address: str
    processes: list[subprocess.Popen[bytes]]

    def start_worker(self) -> None:
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
        self.start("dask_worker", self.address, *options)

    def start(self, program: str, *arguments: str) -> None:
        line = [sys.executable, "-m", f"distributed.cli.{program}", *arguments]
        self.processes.append(subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=QUIET))

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@contextlib.contextmanager
def cluster_of(folder: Path, workers: int) -> Iterator[Dask]:
    """Start a cluster; its scheduler writes its address into a file, for which the workers and the client wait."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    dask = Dask(f"tcp://127.0.0.1:{port}", [])
    try:
        dask.start("dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show")
        for _ in range(workers):
            dask.start_worker()
        yield dask
    finally:
        dask.end()


@pytest.fixture
def lab(project: Path) -> Iterator[Lab]:
    with open_lab(job_for(find_project(".")), report=silent) as found:
        yield found


def plans_of(lab: Lab) -> list[Plan]:
    return [lab.base, *(lab.base.with_node(u.name, Choice(feature_bits=bits)) for u in lab.units for bits in (4, 8, 10, 12))]


def test_a_cluster_says_what_this_process_says_though_a_worker_is_killed(lab: Lab, tmp_path: Path) -> None:
    plans = plans_of(lab)
    with cluster_of(tmp_path, 2) as dask:
        with Client(dask.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        with fan_of(scheduler=dask.address) as fan:
            assert fan
            assert fan.crew.size == 2
            spread = replace(lab, fan=fan)
            assert list(spread.scores(plans[:4])) == list(lab.scores(plans[:4]))
            with pytest.raises(UsageError, match=r"'scoers' is no layer of this network \(did you mean 'scores'\?\)"):
                list(spread.scores(plans, at="scoers"))
            found = spread.scores(plans)
            scores = [next(found)]
            dask.processes[1].send_signal(signal.SIGKILL)
            assert scores + list(found) == list(lab.scores(plans))


def test_a_cluster_without_workers_is_given_up(lab: Lab, tmp_path: Path) -> None:
    with cluster_of(tmp_path, 0) as dask:
        crew = Cluster(dask.address, answer=60, empty=0)
        try:
            assert crew.size == 1
            with pytest.raises(WorkError, match="has had no worker for 0 seconds"):
                list(replace(lab, fan=Fan(crew)).scores(plans_of(lab)))
        finally:
            crew.close()


def test_a_scheduler_that_ends_is_told(lab: Lab, tmp_path: Path) -> None:
    with cluster_of(tmp_path, 0) as dask:
        crew = Cluster(dask.address, answer=60)
        try:
            found = replace(lab, fan=Fan(crew)).scores(plans_of(lab))
            dask.processes[0].kill()
            with pytest.raises(WorkError, match="is gone"):
                list(found)
        finally:
            crew.close()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1", "nowhere://x"])
def test_an_address_where_nobody_answers(address: str) -> None:
    with pytest.raises(UsageError, match="no dask scheduler answers at"):
        Cluster(address, answer=1)


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'magik-tui\[cluster\]'"), fan_of(scheduler="tcp://127.0.0.1:9"):
        pass
