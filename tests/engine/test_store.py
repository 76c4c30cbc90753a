"""The store forgets, never lies, and never stops the work."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.ir import digest
from engine.store import ABANDONED, Store

KEY = digest("key")


def objects(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def only_object(folder: Path) -> Path:
    (path,) = objects(folder)
    return path


def test_a_store_without_a_folder_keeps_things_in_memory() -> None:
    store = Store(None)
    assert store.get(KEY) is None
    store.put(KEY, b"value")
    assert store.get(KEY) == b"value"
    assert Store(None).get(KEY) is None


def test_a_store_is_blank_until_something_is_put(tmp_path: Path) -> None:
    for folder in (tmp_path / "store", None):
        store = Store(folder)
        assert store.get(KEY) is None
        assert store.blank()
        store.put(KEY, b"value")
        assert not store.blank()
    assert not Store(tmp_path / "store").blank()


def test_what_was_put_is_found_by_another_store(tmp_path: Path) -> None:
    Store(tmp_path / "deep" / "store").put(KEY, b"value")
    assert Store(tmp_path / "deep" / "store").get(KEY) == b"value"
    assert Store(tmp_path / "deep" / "store").get(digest("other")) is None


@pytest.mark.parametrize("data", [b"", b"\0", bytes(1 << 20)])
def test_any_bytes_come_back(data: bytes, tmp_path: Path) -> None:
    Store(tmp_path).put(KEY, data)
    assert Store(tmp_path).get(KEY) == data


def test_an_object_lies_where_the_design_says(tmp_path: Path) -> None:
    Store(tmp_path).put(KEY, b"value")
    assert only_object(tmp_path) == tmp_path / "objects" / KEY[:2] / KEY[2:]


def test_memory_lets_the_least_recently_used_go() -> None:
    store = Store(None, memory_bytes=100)
    for name in "abc":
        store.remember(name, name, 30)
    assert store.recall("a") == "a"
    store.remember("d", "d", 30)
    assert [store.recall(name) for name in "abcd"] == ["a", None, "c", "d"]


def test_the_budget_counts_what_replaces_and_what_was_replaced() -> None:
    store = Store(None, memory_bytes=100)
    for _ in range(10):
        store.remember("a", "new", 60)
    store.remember("b", "b", 40)
    assert (store.recall("a"), store.recall("b")) == ("new", "b")
    store.remember("a", "small", 10)
    store.remember("c", "c", 50)
    assert [store.recall(name) for name in "abc"] == ["small", "b", "c"]


def test_what_is_larger_than_memory_is_found_on_disk(tmp_path: Path) -> None:
    store = Store(tmp_path, memory_bytes=10)
    store.put(KEY, bytes(100))
    assert store.recall(KEY) is None
    assert store.get(KEY) == bytes(100)


@pytest.mark.parametrize("spoil", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: b"", lambda d: d[:5], lambda d: d[:-1] + b"!"])
def test_a_torn_or_foreign_file_is_a_miss(spoil: object, tmp_path: Path) -> None:
    assert callable(spoil)
    Store(tmp_path).put(KEY, b"the value")
    path = only_object(tmp_path)
    path.write_bytes(spoil(path.read_bytes()))
    store = Store(tmp_path)
    assert store.get(KEY) is None
    assert not path.exists()
    store.put(KEY, b"again")
    assert (Store(tmp_path).get(KEY), store.trouble) == (b"again", "")


def test_a_folder_where_an_object_should_be_is_a_miss(tmp_path: Path) -> None:
    (tmp_path / "objects" / KEY[:2] / KEY[2:]).mkdir(parents=True)
    store = Store(tmp_path)
    assert store.get(KEY) is None
    store.put(KEY, b"value")
    assert store.get(KEY) == b"value"
    assert "directory" in store.trouble
    assert objects(tmp_path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_disk_that_refuses_is_left_alone_and_the_work_goes_on(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def refuse(*args: object, **options: object) -> object:
        calls.append(args)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    store = Store(tmp_path)
    store.put("one" + KEY, b"1")
    store.put("two" + KEY, b"2")
    assert (store.get("one" + KEY), store.get("two" + KEY)) == (b"1", b"2")
    assert store.trouble == f"{tmp_path}: {os.strerror(code)}"
    assert len(calls) == 1
    assert objects(tmp_path) == []


def test_a_disk_that_fills_up_in_the_middle_keeps_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    store = Store(tmp_path)
    store.put(KEY, b"value")
    assert store.trouble
    assert objects(tmp_path) == []


def test_a_file_where_the_store_should_be(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("mine")
    store = Store(tmp_path / "store")
    assert store.get(KEY) is None
    store.put(KEY, b"value")
    store.trim()
    assert store.trouble
    assert (tmp_path / "store").read_text() == "mine"


def test_the_store_may_be_deleted_while_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "store"
    real, calls = Path.mkdir, []

    def mkdir(path: Path, *args: bool, **options: bool) -> None:
        real(path, *args, **options)
        calls.append(path)
        if len(calls) == 1:
            path.rmdir()

    store = Store(folder)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", mkdir)
        store.put(KEY, b"value")
    assert store.trouble == ""
    assert Store(folder).get(KEY) == b"value"


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_trim_deletes_the_least_recently_used_until_the_rest_fits(tmp_path: Path) -> None:
    store = Store(tmp_path, disk_bytes=250)
    keys = [digest(i) for i in range(4)]
    for age, key in zip((40, 30, 20, 10), keys, strict=True):
        store.put(key, bytes(92))
        aged(tmp_path / "objects" / key[:2] / key[2:], age * 60)
    assert Store(tmp_path).get(keys[0]) == bytes(92)  # reading it makes it young
    store.trim()
    fresh = Store(tmp_path)
    assert [fresh.get(key) is not None for key in keys] == [True, False, False, True]


def test_trim_takes_nothing_from_a_store_that_fits(tmp_path: Path) -> None:
    store = Store(tmp_path, disk_bytes=1000)
    for i in range(4):
        store.put(digest(i), bytes(92))
    store.trim()
    assert len(objects(tmp_path)) == 4


def test_trim_clears_away_what_killed_runs_left_and_nothing_that_is_being_written(tmp_path: Path) -> None:
    store = Store(tmp_path, disk_bytes=0)
    store.put(KEY, b"value")
    young, old = (tmp_path / "objects" / KEY[:2] / f".new-{name}" for name in ("young", "old"))
    for path, age in ((young, ABANDONED / 2), (old, ABANDONED * 2)):
        path.write_bytes(bytes(1000))
        aged(path, age)
    store.trim()
    assert objects(tmp_path) == [young]


def test_trim_of_a_store_that_is_not_there(tmp_path: Path) -> None:
    Store(None).trim()
    Store(tmp_path / "nowhere").trim()
    assert list(tmp_path.iterdir()) == []


def values(seed: int) -> list[tuple[str, bytes]]:
    return [(digest(i), digest(i, "value").encode() * (i + 1)) for i in range(seed, seed + 40)]


def write_and_read(folder: Path, seed: int) -> bool:
    """Write forty objects while others write twenty of them too; tell whether every one reads back right."""
    store = Store(folder, memory_bytes=0)
    for key, value in values(seed):
        store.put(key, value)
        store.trim()
    return store.trouble == "" and all(store.get(key) == value for key, value in values(seed))


def test_threads_write_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path, memory_bytes=2000)

    def work(seed: int) -> bool:
        for key, value in values(seed):
            store.put(key, value)
            if store.get(key) != value:
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, [0, 20, 0, 20]))
    assert store.trouble == ""
    assert [Store(tmp_path).get(key) for key, _ in values(20)] == [value for _, value in values(20)]


def test_processes_write_at_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.starmap(write_and_read, [(tmp_path, 0), (tmp_path, 20)]) == [True, True]
    assert not list(tmp_path.rglob(".new-*"))
    assert len(objects(tmp_path)) == 60
