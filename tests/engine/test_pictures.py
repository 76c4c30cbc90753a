"""Pictures: every kind becomes plain pixels of the network's size, every broken one an error that names its file."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile

from engine.errors import DataError
from engine.pictures import MAX_PIXELS, decode_picture, is_grey, load_picture

RNG = np.random.default_rng(7)


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def pixels_of(data: bytes, height: int, width: int, color: str = "RGB") -> NDArray[np.uint8]:
    return decode_picture(data, "x", height=height, width=width, channels=1 if color == "GRAY" else 3, color=color)


def giant_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_picture_of_the_right_size_is_its_pixels(tmp_path: Path) -> None:
    pixels = noise(6, 8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    got = load_picture(tmp_path / "x.png", height=6, width=8, channels=3, color="RGB")
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, pixels)
    got = load_picture(tmp_path / "x.png", height=6, width=8, channels=3, color="BGR")
    np.testing.assert_array_equal(got, pixels[:, :, ::-1])
    assert got.flags.c_contiguous


def test_gray_is_the_luma_of_rec_601() -> None:
    pixels = noise(6, 8)
    got = pixels_of(encoded(Image.fromarray(pixels)), 6, 8, "GRAY")
    assert got.shape == (6, 8, 1)
    np.testing.assert_allclose(got[:, :, 0], pixels @ [0.299, 0.587, 0.114], atol=1)


def test_resize_goes_straight_to_height_and_width() -> None:
    half = np.zeros((40, 100, 3), np.uint8)
    half[:, 50:] = 200
    got = pixels_of(encoded(Image.fromarray(half)), 10, 4)
    assert got.shape == (10, 4, 3)
    np.testing.assert_array_equal(got[:, 0], 0)
    np.testing.assert_array_equal(got[:, 3], 200)
    assert (np.diff(got[0, :, 0].astype(int)) >= 0).all()


def test_shrinking_counts_every_pixel() -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    got = pixels_of(encoded(Image.fromarray(stripes)), 8, 8, "GRAY")
    np.testing.assert_allclose(got, 127.5, atol=12)


PLAIN = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
LEVELS16 = (PLAIN.astype(np.uint16) << 8) | 0x7F


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(lambda: encoded(Image.fromarray(PLAIN)), id="L"),
        pytest.param(lambda: encoded(Image.merge("LA", [Image.fromarray(PLAIN), Image.new("L", (8, 6), 3)])), id="LA"),
        pytest.param(lambda: encoded(Image.fromarray(np.dstack([PLAIN] * 3 + [PLAIN]))), id="RGBA"),
        pytest.param(lambda: encoded(Image.fromarray(LEVELS16)), id="16 bit PNG"),
        pytest.param(lambda: encoded(Image.fromarray(LEVELS16), "TIFF"), id="16 bit TIFF"),
        pytest.param(lambda: b"P5 8 6 65535\n" + LEVELS16.astype(">u2").tobytes(), id="16 bit PGM"),
        pytest.param(lambda: b"P5 8 6 255\n" + PLAIN.tobytes(), id="PGM"),
        pytest.param(lambda: encoded(Image.fromarray(PLAIN).convert("P")), id="palette"),
        pytest.param(lambda: encoded(Image.fromarray(PLAIN).convert("P"), transparency=bytes(range(256))), id="P+alpha"),
        pytest.param(lambda: encoded(Image.fromarray(PLAIN), "GIF"), id="GIF"),
        pytest.param(lambda: encoded(Image.fromarray(PLAIN), "BMP"), id="BMP"),
        pytest.param(lambda: encoded(Image.fromarray(PLAIN).convert("RGB"), "WEBP", lossless=True), id="WEBP"),
        pytest.param(lambda: encoded(Image.fromarray(np.dstack([PLAIN] * 3)).convert("CMYK"), "TIFF"), id="CMYK"),
    ],
)
@pytest.mark.parametrize("color", ["RGB", "BGR", "GRAY"])
def test_every_kind_of_picture_has_eight_plain_bits(picture: Callable[[], bytes], color: str) -> None:
    got = pixels_of(picture(), 6, 8, color)
    np.testing.assert_array_equal(got, np.repeat(PLAIN[:, :, None], got.shape[2], axis=2))


def test_two_levels_are_black_and_white() -> None:
    got = pixels_of(encoded(Image.fromarray(PLAIN > 100)), 6, 8)
    np.testing.assert_array_equal(got[:, :, 1], np.where(PLAIN > 100, 255, 0))


def test_exif_does_not_turn_the_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right
    picture = Image.fromarray(noise(6, 8))
    plain, turned = encoded(picture, "JPEG"), encoded(picture, "JPEG", exif=exif)
    np.testing.assert_array_equal(pixels_of(plain, 6, 8), pixels_of(turned, 6, 8))


JPEG = encoded(Image.fromarray(noise(32, 32)), "JPEG")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a picture"),
        (b"plain text", "not a picture"),
        (JPEG[: len(JPEG) // 2], "the picture is damaged"),
        (encoded(Image.fromarray(noise(32, 32)))[:-100], "the picture is damaged"),
        (encoded(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), "a floating point picture"),
        (encoded(Image.fromarray(np.full((4, 4), 1 << 20, np.int32)), "TIFF"), "a 32 bit picture"),
    ],
)
def test_broken_pictures_name_the_file(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        load_picture(path, height=4, width=4, channels=3, color="RGB")
    assert caught.value.where == str(path)


@given(st.binary(max_size=200), st.integers(0, len(JPEG)), st.integers(0, 40))
def test_damaged_bytes_give_pixels_or_a_data_error(junk: bytes, at: int, gone: int) -> None:
    got: NDArray[np.uint8] | DataError
    try:
        got = pixels_of(JPEG[:at] + junk + JPEG[at + gone :], 4, 4)
    except DataError as error:
        got = error
    assert isinstance(got, DataError) or (got.shape, got.dtype) == ((4, 4, 3), np.dtype(np.uint8))


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (10_000, MAX_PIXELS // 10_000 + 1)])
def test_a_picture_bomb_is_refused_before_it_is_decoded(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[object] = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded.append)
    with pytest.raises(DataError, match=f"claims more than {MAX_PIXELS} pixels"):
        pixels_of(giant_png(*size), 4, 4)
    assert decoded == []


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_limit_does_not_hang_on_how_warnings_are_filtered() -> None:
    with pytest.raises(DataError, match="claims more than"):
        pixels_of(giant_png(10_000, MAX_PIXELS // 10_000 + 1), 4, 4)


def test_what_is_not_a_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    for name, message in (("pipe.jpg", "not a regular file"), ("gone.jpg", "No such file"), ("", "cannot be read")):
        with pytest.raises(DataError, match=message):
            load_picture(tmp_path / name, height=4, width=4, channels=3, color="RGB")


def test_color_and_channels_must_agree() -> None:
    for color, channels in (("GRAY", 3), ("RGB", 1), ("BGR", 4), ("YUV", 3)):
        with pytest.raises(DataError, match=f"{color} does not fit an input of {channels} channels"):
            decode_picture(JPEG, "x", height=4, width=4, channels=channels, color=color)


def test_pictures_of_one_channel_are_told_by_their_header() -> None:
    found = {mode: is_grey(encoded(Image.new(mode, (5, 4))), "a.png") for mode in ("1", "L", "LA", "I;16", "RGB", "RGBA", "P")}
    assert [mode for mode, grey in found.items() if grey] == ["1", "L", "LA", "I;16"]
