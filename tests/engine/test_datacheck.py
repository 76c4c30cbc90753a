"""The calibration set looked at: what is warned of, by name, and what is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.datacheck import copies, count_warnings, fault, padding, shared
from engine.pictures import thumbnail
from engine.samples import Sample

from .running import converted, told

Pixels = NDArray[np.uint8]


def noise(height: int = 24, width: int = 32, low: int = 0, high: int = 256) -> Pixels:
    return np.random.default_rng(3).integers(low, high, (height, width, 3), dtype=np.uint8)


def canvas(colour: tuple[int, int, int], inside: Pixels, top: int, left: int) -> Pixels:
    made = np.full((24, 32, 3), colour, np.uint8)
    made[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return made


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (noise(), ""),
        (noise(low=0, high=20), "mostly black"),
        (np.zeros((5, 4, 3), np.uint8), "mostly black"),
        (canvas((114, 114, 114), noise(24, 14), 0, 9), "mostly padding"),
        (canvas((200, 30, 90), noise(10, 32), 0, 0), "mostly padding"),
        (canvas((255, 255, 255), noise(16, 32), 4, 0), ""),
        (np.full((3, 3, 3), 128, np.uint8), "mostly padding"),
        (np.where(np.random.default_rng(1).random((24, 32, 1)) < 0.9, np.uint8(128), noise()), "mostly grey"),
        (np.where(np.random.default_rng(1).random((24, 32, 1)) < 0.9, np.array([40, 128, 90], np.uint8), noise()), ""),
        (noise(1, 1, 60), "mostly padding"),
    ],
)
def test_the_fault_of_a_picture(pixels: Pixels, expected: str) -> None:
    assert fault(pixels) == expected


def test_padding_is_the_share_around_the_rest() -> None:
    pixels = canvas((114, 114, 114), noise(12, 16), 6, 8)
    assert padding(pixels.max(axis=2), pixels.min(axis=2)) == pytest.approx(0.75)
    slope = np.tile(np.arange(0, 96, 3, dtype=np.uint8)[None, :, None], (24, 1, 3))
    assert padding(slope.max(axis=2), slope.min(axis=2)) < 0.2  # the few levels next to an edge are its tone


def test_thumbnails_keep_the_shape(tmp_path: Path) -> None:
    for name, size in (("a.jpg", (640, 480)), ("b.png", (7, 900)), ("c.bmp", (5, 4))):
        Image.fromarray(noise(size[1], size[0])).save(tmp_path / name)
        small = thumbnail((tmp_path / name).read_bytes(), name, 32)
        assert max(small.shape[:2]) <= 32
        assert small.shape[2] == 3
        assert small.shape[1] / small.shape[0] == pytest.approx(size[0] / size[1], rel=0.3, abs=0.05)


def samples(**keys: str) -> list[Sample]:
    return [Sample(name, (Path(name),), key) for name, key in keys.items()]


def test_counts_copies_and_shared_samples() -> None:
    assert count_warnings(10) == count_warnings(200) == []
    assert count_warnings(1) == ["1 sample, 10 to 200 are advised"]
    assert count_warnings(201) == ["201 samples, 10 to 200 are advised"]
    calibration = samples(a="1", b="2", c="1")
    assert copies(calibration) == ["1 of 3 samples are copies: c of a"]
    assert copies(samples(a="1", b="2")) == []
    assert shared(calibration, samples(x="2", y="9")) == ["1 of 2 samples of DEBUG_PATH are in it too, so their cosines are too good: x"]
    assert shared(calibration, samples(y="9")) == []
    assert copies([Sample(str(i), (Path("p"),), "k") for i in range(9)]) == [
        "8 of 9 samples are copies: 1 of 0, 2 of 0, 3 of 0, 4 of 0, 5 of 0 and 3 more"
    ]


def test_a_sound_set_is_not_mentioned(project: Path) -> None:
    assert converted(project)["warnings"] == []


def test_what_is_odd_is_named_and_remembered(project: Path) -> None:
    folder = project / "calibration"
    Image.fromarray(canvas((114, 114, 114), noise(24, 10), 0, 11)).save(folder / "1.png")
    Image.new("RGB", (40, 30)).save(folder / "2.png")
    shutil.copy(folder / "0.png", folder / "3.png")
    shutil.copy(folder / "0.png", project / "debug" / "0.png")
    document, said = told(project, "QUANT_DATASET_SIZE=9")
    expected = [
        "QUANT_DATASET_PATH: 9 samples, 10 to 200 are advised",
        "QUANT_DATASET_PATH: 1 of 9 samples are copies: 3.png of 0.png",
        "QUANT_DATASET_PATH: 1 of 2 samples of DEBUG_PATH are in it too, so their cosines are too good: 0.png",
        "QUANT_DATASET_PATH: 1 picture is mostly padding: 1.png; choose others",
        "QUANT_DATASET_PATH: 1 picture is mostly black: 2.png; choose others",
    ]
    assert document["warnings"] == expected
    assert [text for text in said if text.startswith("QUANT_DATASET_PATH")] == expected
    for picture in folder.iterdir():  # a set that was looked at is not decoded again for it
        picture.touch()
    assert converted(project, "QUANT_DATASET_SIZE=9", "QUANT_FEATURE_BIT=12")["warnings"] == expected
