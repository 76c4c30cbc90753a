"""Data sets: what is found in a folder, what a picture or a .bin becomes, what happens to the broken ones."""

from __future__ import annotations

import os
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.dataset import (
    InputSpec,
    Sample,
    iter_samples,
    list_samples,
    load_bin,
    load_picture,
    load_sample,
    match_inputs,
    sample_key,
)
from engine.errors import DataError
from engine.events import Event, Log

RNG = np.random.default_rng(7)
RGB = InputSpec("data", (1, 3, 6, 8))


def noise(height: int, width: int) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.PNG", "a.jpg", "c.bmp"):
        noise(12, 10).save(tmp_path / name)
    return tmp_path


# ---------------------------------------------------------------- listing


def test_pictures_are_listed_by_name_and_strangers_told_of_once(folder: Path) -> None:
    for name in (".hidden.jpg", "Thumbs.db", ".DS_Store", "notes.txt", "z.csv", "more.md", "labels.xml"):
        (folder / name).write_text("x")
    (folder / "deeper").mkdir()
    events: list[Event] = []
    samples = list_samples(folder, events.append)
    assert [sample.name for sample in samples] == ["a.jpg", "b.PNG", "c.bmp"]
    assert samples[0].paths == (folder / "a.jpg",)
    text = f"{folder}: no sample in 5 of 8 entries: deeper, labels.xml, more.md, ..."
    assert events == [Log(text, level="warning", source="dataset")]


def test_one_file_or_one_sample_folder(folder: Path) -> None:
    assert [sample.name for sample in list_samples(folder / "a.jpg")] == ["a.jpg"]
    one = folder / "0"
    one.mkdir()
    (one / "x.bin").write_bytes(b"1")
    (one / "y.BIN").write_bytes(b"2")
    assert list_samples(one) == (Sample("0", (one / "x.bin", one / "y.BIN")),)
    assert list_samples(one / "x.bin") == (Sample("x.bin", (one / "x.bin",)),)


def test_sample_folders(tmp_path: Path) -> None:
    for name in ("1", "0", "10"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "740_input.bin").write_bytes(b"x")
        (tmp_path / name / "readme.txt").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    events: list[Event] = []
    samples = list_samples(tmp_path, events.append)
    assert [sample.name for sample in samples] == ["0", "1", "10"]
    assert samples[2].paths == (tmp_path / "10" / "740_input.bin",)
    assert [event.text for event in events if isinstance(event, Log)] == [f"{tmp_path}: no sample in 1 of 4 entries: empty"]


def test_folders_without_samples(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: cannot be read: No such file.*expected a folder of pictures"):
        list_samples(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no samples, expected pictures \(bmp gif"):
        list_samples(tmp_path)
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "a.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match="pictures one folder below"):
        list_samples(tmp_path)
    (tmp_path / "notes.txt").write_bytes(b"x")
    with pytest.raises(DataError, match=r"notes.txt: expected a picture .* or a .bin file"):
        list_samples(tmp_path / "notes.txt")
    with pytest.raises(DataError, match="null"):
        list_samples("a\0b")


def test_a_name_that_is_not_text_becomes_text(tmp_path: Path) -> None:
    raw = os.path.join(os.fsencode(tmp_path), b"\xff\xe9.png")  # noqa: PTH118 (a name in bytes)
    try:
        Path(os.fsdecode(raw)).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    (sample,) = list_samples(tmp_path)
    assert sample.name == "\\udcff\\udce9.png"


# ---------------------------------------------------------------- .bin


def test_a_bin_is_float32_or_uint8_by_its_size(tmp_path: Path) -> None:
    values = RNG.normal(size=(2, 3)).astype("<f4")
    (tmp_path / "f.bin").write_bytes(values.tobytes())
    (tmp_path / "u.bin").write_bytes(bytes(range(6)))
    got = load_bin(tmp_path / "f.bin", (2, 3))
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, values)
    got = load_bin(tmp_path / "u.bin", [3, 2])
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, [[0, 1], [2, 3], [4, 5]])
    with pytest.raises(DataError, match=r"6 bytes, expected 16 \(float32\) or 4 \(uint8\) for shape \[1, 4\]"):
        load_bin(tmp_path / "u.bin", (1, 4))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bin_holds_finite_numbers(tmp_path: Path, bad: float) -> None:
    (tmp_path / "f.bin").write_bytes(np.array([1, bad], "<f4").tobytes())
    with pytest.raises(DataError, match=r"f.bin: holds NaN or infinity"):
        load_bin(tmp_path / "f.bin", (2,))


def bins(*names: str) -> Sample:
    return Sample("0", tuple(Path("0") / name for name in names))


def test_the_longest_input_name_wins() -> None:
    sample = bins("740_input.bin", "74.bin", "last_state_tgru.bin", "other.bin")
    names = ["last_state_tgru", "74", "740", "last"]
    with pytest.raises(DataError, match=r"0: no file for input last: expected last\*.bin, found 740_input.bin, "):
        match_inputs(sample, names)
    got = match_inputs(sample, names[:3])
    assert {name: path.name for name, path in got.items()} == {
        "last_state_tgru": "last_state_tgru.bin",
        "74": "74.bin",
        "740": "740_input.bin",
    }
    assert list(got) == names[:3]


def test_a_slash_in_an_input_name_is_an_underscore_in_the_file() -> None:
    assert match_inputs(bins("model_in_0.bin"), ["model/in"])["model/in"].name == "model_in_0.bin"


def test_two_files_for_one_input_are_refused() -> None:
    with pytest.raises(DataError, match=r"several files for input x: x_a\.bin, x_b\.bin"):
        match_inputs(bins("x_a.bin", "x_b.bin"), ["x"])


# ---------------------------------------------------------------- samples


def test_a_picture_feeds_the_one_input(folder: Path) -> None:
    (sample, *_) = list_samples(folder)
    feeds = load_sample(sample, [RGB])
    assert list(feeds) == ["data"]
    assert feeds["data"].shape == (1, 6, 8, 3)
    assert feeds["data"].dtype == np.uint8
    alone = load_picture(sample.paths[0], height=6, width=8, channels=3, color="RGB")
    np.testing.assert_array_equal(feeds["data"][0], alone)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([RGB, replace(RGB, name="state")], r"one picture cannot feed 2 inputs \(data, state\)"),
        ([replace(RGB, shape=(1, 1, 6, 8))], r"RGB pictures cannot feed input data of shape \[1, 1, 6, 8\]"),
        ([replace(RGB, shape=(4, 3, 6, 8))], r"expected \[1,3,height,width\]"),
        ([replace(RGB, shape=(1, 3), color="GRAY")], r"expected \[1,1,height,width\]"),
        ([], "one picture cannot feed 0 inputs"),
    ],
)
def test_what_pictures_cannot_feed_is_said_once(folder: Path, specs: list[InputSpec], message: str) -> None:
    events: list[Event] = []
    with pytest.raises(DataError, match=message):
        list(iter_samples(list_samples(folder), specs, events.append))
    assert events == []


def test_bins_feed_each_its_input_and_strangers_are_named(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "740_input.bin").write_bytes(np.full((1, 3, 1, 2), number, "<f4").tobytes())
        (tmp_path / str(number) / "state.bin").write_bytes(bytes([number] * 4))
        (tmp_path / str(number) / "extra.bin").write_bytes(b"x")
    events: list[Event] = []
    specs = [InputSpec("state", (1, 4)), InputSpec("740", (1, 3, 1, 2))]
    got = list(iter_samples(list_samples(tmp_path), specs, events.append))
    assert events == [Log("sample 0: no input takes 'extra.bin'", level="warning", source="dataset")]
    assert [list(feeds) for _, feeds in got] == [["state", "740"]] * 2
    np.testing.assert_array_equal(got[1][1]["740"], np.ones((1, 3, 1, 2), np.float32))
    np.testing.assert_array_equal(got[1][1]["state"], np.ones((1, 4), np.uint8))


def test_keys_follow_the_content(folder: Path) -> None:
    first, second, _ = list_samples(folder)
    assert first.key == ""
    renamed = folder / "d.jpg"
    renamed.write_bytes(first.paths[0].read_bytes())
    assert sample_key(Sample("d", (renamed,))) == sample_key(first) != sample_key(second)
    ((loaded, _),) = iter_samples([first], [RGB])
    assert loaded == replace(first, key=sample_key(first))
    renamed.write_bytes(first.paths[0].read_bytes() + b"\0")
    assert sample_key(Sample("d", (renamed,))) != sample_key(first)


def test_exchanged_bins_are_another_sample(tmp_path: Path) -> None:
    keys = set()
    for number, (a, b) in enumerate([(b"12", b"34"), (b"34", b"12"), (b"1", b"234")]):
        one = tmp_path / str(number)
        one.mkdir()
        (one / "a.bin").write_bytes(a)
        (one / "b.bin").write_bytes(b)
        keys.add(sample_key(list_samples(one)[0]))
    assert len(keys) == 3


# ---------------------------------------------------------------- streams


@pytest.mark.parametrize("pooled", [False, True])
def test_a_corrupt_picture_is_passed_over_with_a_warning(folder: Path, pooled: bool) -> None:
    (folder / "b.PNG").write_bytes(b"junk")
    events: list[Event] = []
    with ThreadPoolExecutor(2) as pool:
        pictures = iter_samples(list_samples(folder), [RGB], events.append, executor=pool if pooled else None)
        assert [sample.name for sample, _ in pictures] == ["a.jpg", "c.bmp"]
    text = f"skipped: {folder / 'b.PNG'}: not a picture, or its header is damaged"
    assert events == [Log(text, level="warning", source="dataset")]


def test_all_corrupt_is_an_error(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(b"junk")
    with pytest.raises(DataError, match=r"each of the 3 samples is unreadable; the first one: .*a.jpg: not a picture"):
        list(iter_samples(list_samples(folder), [RGB]))
    with pytest.raises(DataError, match="no samples"):
        list(iter_samples([], [RGB]))


class Counting(Executor):
    """Runs at once, in order, and counts what was asked for."""

    asked = 0

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.asked += 1
        future: Future[object] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_a_pool_runs_no_further_ahead_than_asked(folder: Path) -> None:
    samples = list_samples(folder) * 5
    pool = Counting()
    seen = 0
    for sample, _ in iter_samples(samples, [RGB], executor=pool, ahead=3):
        assert sample.name == samples[seen].name
        seen += 1
        assert pool.asked <= seen + 2
    assert seen == 15


def test_the_stream_decodes_on_demand(folder: Path) -> None:
    (folder / "c.bmp").write_bytes(b"junk")
    events: list[Event] = []
    stream = iter_samples(list_samples(folder), [RGB], events.append)
    next(stream)
    next(stream)
    assert events == []
    assert list(stream) == []
    assert len(events) == 1


def test_the_common_pictures(shared: Path) -> None:
    samples = list_samples(shared / "images" / "calib")
    spec = replace(RGB, shape=(1, 3, 64, 48), color="BGR")
    got = [feeds["data"] for _, feeds in iter_samples(samples[:5], [spec])]
    assert [feed.shape for feed in got] == [(1, 64, 48, 3)] * 5
