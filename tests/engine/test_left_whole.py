"""What is left behind when writing fails or somebody interrupts: whole files or none, inputs untouched, nothing temporary."""

from __future__ import annotations

import errno
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import engine.project
from engine.cli import transform
from engine.errors import Cancelled
from engine.events import Event, Report

from .tiny import LINE, convert, files, refused, temporary

ROOT = Path(__file__).resolve().parents[2]
MADE = (".magik", "out", "magik_dump_path")


@pytest.mark.parametrize("kind", ["a file where the folder should be", "a folder where the file should be", "no such device"])
def test_an_output_that_cannot_be_written(kind: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, the path, and what stood there still stands."""
    out = project / "out"
    if kind == "a file where the folder should be":
        out.write_text("mine")
    elif kind == "a folder where the file should be":
        (out / "net.bin").mkdir(parents=True)
        (out / "net.bin" / "mine").write_text("mine")
    else:
        out.symlink_to("/proc/version/none")
    refused(project, capsys, 1, "out")


class FullDisk:
    """Stands for a disk that is full after `room` bytes: writes beyond fail the way the system fails them."""

    def __init__(self, room: int, monkeypatch: pytest.MonkeyPatch, below: Path) -> None:
        self.room, self.failed = room, 0
        real = open

        def guarded(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
            opened = real(file, mode, *rest, **more)
            inside = isinstance(file, str | os.PathLike) and Path.cwd().joinpath(file).is_relative_to(below)
            if inside and set(mode) & set("wxa+"):
                write = opened.write

                def limited(data: Any) -> int:
                    self.room -= len(data)
                    if self.room < 0:
                        self.failed += 1
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    return int(write(data))

                return _Writer(opened, limited)
            return opened

        monkeypatch.setattr("builtins.open", guarded)
        monkeypatch.setattr(io, "open", guarded)


class _Writer:
    def __init__(self, file: Any, write: Callable[[Any], int]) -> None:
        self._file, self.write = file, write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


@pytest.mark.parametrize("room", [0, 100, 2000, 6000])
def test_a_full_disk(room: int, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever file is the one that does not fit: exit code 1, no temporary files, no torn artefact."""
    with monkeypatch.context() as patch:
        disk = FullDisk(room, patch, project)
        code, out, errors = convert(capsys)
    assert disk.failed
    assert code == 1
    assert "no space left on device" in errors.lower()
    assert "Enjoy" not in out
    assert temporary(project) == []
    torn = files(project)
    assert convert(capsys)[0] == 0
    whole = files(project)
    assert {name: digest for name, digest in torn.items() if whole[name] != digest} == {}


def test_a_real_full_disk(project: Path) -> None:
    """On a file system of 64 KiB the conversion stops with exit code 1 and leaves no temporary file."""
    small = project / "out"
    small.mkdir()
    mount = ["unshare", "--mount", "sh", "-c"]
    fill = 'mount -t tmpfs -o size=64k tmpfs out && head -c 62000 /dev/zero > out/filler && "$@"; code=$?; ls -A out >&2; exit $code'
    probe = subprocess.run([*mount, fill, "sh", "true"], cwd=project, capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("no file system can be mounted here")
    command = [sys.executable, "-m", "engine.cli.transform", *LINE]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*mount, fill, "sh", *command], cwd=project, env=environment, capture_output=True, text=True, check=False)
    said, *left = done.stderr.splitlines()
    assert done.returncode == 1
    assert "no space left" in said.lower()
    assert left == ["filler"]


def stages_of(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Return every event a conversion reports, in order, and forget what it computed."""
    events: list[Event] = []
    real = engine.project.run

    def run(job: Any, *, report: Report, **rest: Any) -> dict[str, Any]:
        def hook(event: Event) -> None:
            events.append(event)
            report(event)

        return real(job, report=hook, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(engine.project, "run", run)
        assert transform.main(LINE) == 0
    for made in MADE:
        shutil.rmtree(project / made, ignore_errors=True)
    return events


@pytest.mark.parametrize("stop", [Cancelled, KeyboardInterrupt])
def test_an_interrupt_at_every_step(
    stop: type[BaseException], project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whenever it comes: exit code 130, inputs untouched, no temporary file, and every artefact that is there is whole."""
    inputs = files(project)
    count = len(stages_of(project, monkeypatch))
    assert transform.main(LINE) == 0
    whole = files(project)
    capsys.readouterr()
    real = engine.project.run
    for step in range(count):
        for made in MADE:
            shutil.rmtree(project / made, ignore_errors=True)

        def run(job: Any, *, report: Report, last: int = step, **rest: Any) -> dict[str, Any]:
            seen = iter(range(count))

            def hook(event: Event) -> None:
                if next(seen) == last:
                    raise stop
                report(event)

            return real(job, report=hook, **rest)

        with monkeypatch.context() as patch:
            patch.setattr(engine.project, "run", run)
            assert transform.main(LINE) == 130, step
        out, errors = capsys.readouterr()
        assert (errors, "Enjoy" in out) == ("magik-transform-tools: interrupted\n", False)
        assert temporary(project) == []
        left = files(project)
        assert inputs.items() <= left.items() <= whole.items(), step
    assert transform.main(LINE) == 0
    assert files(project) == whole


@pytest.mark.parametrize("name", ["magik_dump_path", ".magik"])
def test_a_file_where_our_folder_should_be(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dumps that cannot be written are an error; without a store the work is only slower, and that is said. The file stays."""
    (project / name).write_text("mine")
    code, out, errors = convert(capsys)
    assert name in out + errors
    assert code == (0 if name == ".magik" else 1)
    assert (project / name).read_text() == "mine"
    assert temporary(project) == []
