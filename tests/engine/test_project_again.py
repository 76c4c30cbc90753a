"""A second conversion computes what changed and what depends on it, and nothing else."""

from __future__ import annotations

import os
import shutil
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine import project as facade
from engine import simulate
from engine.discover import find_project, job_for
from engine.errors import WorkError
from engine.events import Event, Layers, SampleMeasured, silent
from engine.ort.session import Program
from engine.stages import ahead, calibration
from engine.store import Store
from tests.engine import tiny
from tests.engine.running import converted, rows, settled


class Reads:
    """Counts the samples that are decoded."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, sample: Any, specs: Any) -> Any:
        self.names.append(f"{sample.paths[0].parent.name}/{sample.name}")
        return self.real(sample, specs)

    real = staticmethod(calibration.read_sample)

    def of(self, folder: str) -> list[str]:
        return [n.split("/")[1] for n in self.names if n.startswith(folder + "/")]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    counter = Reads()
    monkeypatch.setattr(calibration, "read_sample", counter)
    return counter


@pytest.fixture
def many(project: Path) -> Path:
    """The tiny project with 40 calibration pictures."""
    for index in range(3, 40):
        tiny.picture(project / "calibration" / f"{index}.png", seed=index)
    return project


def stamps(root: Path) -> dict[str, tuple[int, int]]:
    return {str(p.relative_to(root)): (p.stat().st_mtime_ns, p.stat().st_size) for p in root.rglob("*") if p.is_file()}


def test_an_identical_run_comes_from_the_store_and_writes_nothing(project: Path, reads: Reads) -> None:
    first = converted(project)
    before, count = stamps(project), len(reads.names)
    events: list[Event] = []
    second = converted(project, report=events.append)
    assert settled(second) == settled(first)
    assert list(second["timing"]) == ["cached"]
    after = stamps(project)
    assert {k: v for k, v in after.items() if "/store/" not in k} == {k: v for k, v in before.items() if "/store/" not in k}
    assert set(after) == set(before)
    assert len(reads.names) == count
    (layers,) = (e for e in events if isinstance(e, Layers))
    assert [r["name"] for r in layers.rows] == list(rows(first))
    assert [e.sample for e in events if isinstance(e, SampleMeasured)] == ["0.png", "1.png"] == list(layers.samples)


@pytest.mark.parametrize("touched", ["out/net.bin", "out/magik_model_net.mk.h", "out/save-magik/model_quant.mgk"])
@pytest.mark.parametrize("how", ["changed", "missing"])
def test_a_touched_artefact_is_written_again(touched: str, how: str, project: Path) -> None:
    first = converted(project)
    path = project / touched
    good = path.read_bytes()
    path.unlink() if how == "missing" else path.write_bytes(good[:-1] + b"?")
    second = converted(project)
    assert path.read_bytes() == good
    assert "cached" not in second["timing"]
    assert settled(second) == settled(first)


@pytest.mark.parametrize("how", ["changed", "missing", "renamed"])
def test_a_touched_dump_is_written_again(how: str, project: Path) -> None:
    converted(project)
    path = project / "magik_dump_path" / "ptq_model" / "scores.bin"
    good = path.read_bytes()
    if how == "changed":
        path.write_bytes(b"?" + good[1:])
    else:
        path.unlink() if how == "missing" else path.rename(path.with_name("other.bin"))
    converted(project)
    assert path.read_bytes() == good


def test_a_copied_project_writes_artefacts_of_its_own(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converted(project)
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    shutil.rmtree(copy / "out")
    monkeypatch.chdir(copy)
    document = converted(copy)
    assert (copy / "out" / "net.bin").read_bytes() == (project / "out" / "net.bin").read_bytes()
    assert all(Path(a).resolve().is_relative_to(copy.resolve()) for a in document["artefacts"])


def test_other_bits_read_no_calibration_picture_again(many: Path, reads: Reads) -> None:
    converted(many)
    assert len(reads.of("calibration")) == 40
    reads.names.clear()
    twelve = converted(many, "QUANT_FEATURE_BIT=12", "QUANT_FEATURE_METHOD=MSE")
    assert reads.of("calibration") == []
    assert twelve["nodes"][0]["feature_bits"] == 12
    reads.names.clear()
    converted(many)
    assert reads.of("calibration") == reads.of("debug")[1:] == []  # at most the one for the dumps


@pytest.mark.parametrize("name", ["00.png", "25b.png", "zz.png"])
def test_a_picture_added_costs_its_chunk(name: str, many: Path, reads: Reads) -> None:
    converted(many)
    reads.names.clear()
    tiny.picture(many / "calibration" / name, seed=99)
    grown = converted(many)
    assert name in reads.of("calibration")
    assert len(reads.of("calibration")) <= 2 * calibration.CHUNK
    assert len(reads.of("debug")) <= 2
    shutil.rmtree(many / ".magik")
    assert settled(converted(many)) == settled(grown)


def test_a_picture_added_to_the_debug_set_costs_itself(project: Path, reads: Reads) -> None:
    converted(project)
    reads.names.clear()
    tiny.picture(project / "debug" / "9.png", seed=9)
    document = converted(project)
    assert "9.png" in reads.of("debug")
    assert set(reads.of("debug")) <= {"0.png", "9.png"}  # the first one for the dumps
    assert reads.of("calibration") == []
    assert len(document["nodes"][0]["samples"]) == 3


def test_renamed_pictures_are_the_same_pictures(project: Path, reads: Reads) -> None:
    first = converted(project)
    reads.names.clear()
    for folder in ("calibration", "debug"):
        for path in list((project / folder).iterdir()):
            path.rename(path.with_name(f"renamed_{path.name}"))
    second = converted(project)
    assert reads.of("calibration") == []
    assert rows(second)["scores"]["cosine_avg"] == rows(first)["scores"]["cosine_avg"]
    assert [c["sample"] for c in second["nodes"][0]["samples"]] == ["renamed_0.png", "renamed_1.png"]


def test_threads_do_not_change_the_result(many: Path) -> None:
    job = job_for(find_project(many))
    found = [facade.run(job, report=silent, store=Store(None), jobs=jobs) for jobs in (1, 3)]
    assert settled(found[0]) == settled(found[1])


def test_a_large_network_holds_the_values_of_one_sample_at_a_time(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are made in another layout then, and the samples run one by one on all processors: no figure tells."""
    job = job_for(find_project(many))
    small = facade.run(job, report=silent, store=Store(None), jobs=3)
    for room in (simulate, ahead):
        monkeypatch.setattr(room, "ROOM", 1)
    monkeypatch.setattr(simulate, "LARGE", 0)
    lock, held, most = threading.Lock(), Counter[Program](), Counter[Program]()
    borrow, give_back = Program.borrow, Program.give_back

    def borrowed(program: Program) -> Any:
        with lock:
            held[program] += 1
            most[program] = max(most[program], held[program])
        return borrow(program)

    def given_back(program: Program, runner: Any) -> None:
        with lock:
            held[program] -= 1
        give_back(program, runner)

    monkeypatch.setattr(Program, "borrow", borrowed)
    monkeypatch.setattr(Program, "give_back", given_back)
    large = facade.run(job, report=silent, store=Store(None), jobs=3)
    assert settled(large) == settled(small)
    assert set(most.values()) == {1}


def test_other_mean_is_another_run_and_going_back_is_free(many: Path, reads: Reads) -> None:
    """What a configuration computed stays, whatever was tried meanwhile."""
    first = converted(many)
    other = converted(many, "MEAN=[100]")
    assert len(reads.of("calibration")) == 80
    assert rows(other)["scores"]["max"] != rows(first)["scores"]["max"]
    reads.names.clear()
    again = converted(many, "QUANT_DATASET_SIZE=40")
    assert reads.of("calibration") == []
    assert rows(again) == rows(first)


def test_a_picture_that_changes_under_the_work_stops_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it gives now would be remembered for what it was."""
    real = facade.gather

    def gather(*args: Any) -> Any:
        sources = real(*args)
        tiny.picture(project / "calibration" / "1.png", seed=77)
        return sources

    with monkeypatch.context() as patch:
        patch.setattr(facade, "gather", gather)
        with pytest.raises(WorkError, match=r"1\.png: the sample was changed while the work went on \(run it again\)"):
            converted(project)
    assert converted(project)["nodes"]


def test_a_store_that_is_off_is_told_and_changes_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, os.strerror(28))

    expected = settled(converted(project))
    shutil.rmtree(project / ".magik")
    events: list[Event] = []
    with monkeypatch.context() as patch:
        patch.setattr("engine.store._write", full)
        document = converted(project, report=events.append)
    assert settled(document) == expected
    assert any("the store is off: " in getattr(e, "text", "") for e in events)
