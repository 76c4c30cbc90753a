"""A file is there whole or not at all, and what stops it is said."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from engine.errors import Cancelled, OutputError
from engine.export.files import atomic_write


def listing(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_writes_chunks_and_makes_the_folder(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "f.bin"
    assert atomic_write(target, [b"one", memoryview(b"two")], sync=True) == target
    assert target.read_bytes() == b"onetwo"
    assert listing(target.parent) == ["f.bin"]


@pytest.mark.parametrize("error", [Cancelled(), KeyboardInterrupt(), MemoryError(), OutputError("x")])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise error

    target = tmp_path / "f.bin"
    target.write_bytes(b"old")
    with pytest.raises(type(error)):
        atomic_write(target, chunks())
    assert target.read_bytes() == b"old"
    assert listing(tmp_path) == ["f.bin"]


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "f.bin").mkdir()
    with pytest.raises(OutputError, match="directory") as caught:
        atomic_write(tmp_path / "f.bin", [b"x"])
    assert caught.value.where == str(tmp_path / "f.bin")
    assert "move it away" in caught.value.hint
    assert listing(tmp_path) == ["f.bin"]


def test_a_file_where_the_folder_goes_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(OutputError, match="move it away"):
        atomic_write(tmp_path / "out" / "f.bin", [b"x"])
    assert (tmp_path / "out").read_bytes() == b"mine"


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_no_permission_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(path: Path, mode: str) -> None:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr("engine.export.files.open", refuse, raising=False)
    with pytest.raises(OutputError, match=r"cannot write it: .*you may write to"):
        atomic_write(tmp_path / "f.bin", [b"x"])
    assert listing(tmp_path) == []


FULL = """
import resource, signal, sys
from pathlib import Path
from typing import IO
from engine.errors import OutputError
from engine.export.files import atomic_write
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    atomic_write(Path(sys.argv[1]), [bytes(60_000)] * 3)
except OutputError as error:
    sys.exit(7 if "cannot write it: file too large" in str(error) else 8)
"""


def test_a_limit_of_the_disk_leaves_nothing(tmp_path: Path) -> None:
    """A file-size limit stands for a full disk: the write itself is refused half-way."""
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path / "f.bin"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    assert listing(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, mode: str) -> IO[bytes]:
        return Path("/dev/full").open("wb")

    monkeypatch.setattr("engine.export.files.open", full, raising=False)
    with pytest.raises(OutputError, match=r"no space left.*free some space"):
        atomic_write(tmp_path / "f.bin", [b"x" * 100])
    assert listing(tmp_path) == []
