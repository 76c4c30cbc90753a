"""A conversion that is stopped, wherever, leaves nothing half done."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine import project as facade
from engine.discover import find_project, job_for
from engine.errors import Cancelled
from engine.events import Event, Progress
from engine.store import Store
from tests.engine import tiny
from tests.engine.running import converted, settled


def stop_at(index: int) -> Callable[[Event], None]:
    """A hook that stops the work at its index-th event."""
    count = iter(range(1_000_000))

    def report(event: Event) -> None:
        if next(count) == index:
            raise Cancelled

    return report


def stops(project: Path, *, fresh: bool) -> Iterator[int]:
    """Stop a conversion at each of its events in turn, and yield how far each came."""
    index = 0
    while True:
        job = job_for(find_project(project))
        try:
            facade.run(job, report=stop_at(index), store=Store(None) if fresh else None, jobs=1 + index % 2)
        except Cancelled:
            yield index
            index += 1
        else:
            return


@pytest.mark.parametrize("fresh", [False, True], ids=["resuming", "from the start"])
def test_stopping_anywhere_leaves_nothing_half_done(fresh: bool, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    untouched = tmp_path / "untouched"
    shutil.copytree(project, untouched)
    inputs = tiny.files(project)
    seen = 0
    for index in stops(project, fresh=fresh):
        seen = index + 1
        assert tiny.temporary(project) == []
        now = tiny.files(project)
        assert inputs.items() <= now.items()
        if not {name for name in now if name.startswith(("out/", "magik_dump_path/"))}:
            continue
        assert index > 5  # artefacts come last
    assert seen > 15
    found = settled(converted(project))
    monkeypatch.chdir(untouched)
    expected = settled(converted(untouched))
    for document in (found, expected):
        document.pop("model"), document.pop("artefacts")
    assert found == expected
    assert {k: v for k, v in tiny.files(project).items() if ".magik" not in k} == {
        k: v for k, v in tiny.files(untouched).items() if ".magik" not in k
    }


def test_progress_never_goes_back_and_ends_complete(project: Path) -> None:
    events: list[Event] = []
    converted(project, report=events.append)
    last: dict[str, Progress] = {}
    for event in events:
        if isinstance(event, Progress):
            before = last.get(event.stage)
            assert before is None or (before.done <= event.done and before.total == event.total)
            last[event.stage] = event
    assert {"CollectFeatureDistribution", "ComputeScale", "Compute distance"} <= set(last)
    assert all(e.done == e.total for e in last.values())
