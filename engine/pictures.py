"""One picture file -> the pixels a network takes.

The vendor's resize is not public. This is the project's own definition: decode, convert to the colour order, then
resize straight to the network's size, aspect ratio not kept, no border, with Pillow's bilinear filter (which widens its
support when it shrinks, so that every source pixel counts). EXIF, colour profiles and transparency are ignored.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from engine.errors import DataError
from engine.reading import read_bytes

# Only these decoders see the bytes, whatever else Pillow can read.
FORMATS = (
    BmpImagePlugin.BmpImageFile.format,
    GifImagePlugin.GifImageFile.format,
    JpegImagePlugin.JpegImageFile.format,
    PngImagePlugin.PngImageFile.format,
    PpmImagePlugin.PpmImageFile.format,
    TiffImagePlugin.TiffImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
)
CHANNELS = {"RGB": 3, "BGR": 3, "GRAY": 1}
MAX_PIXELS = 89_478_485  # 256 MiB of RGB; Pillow warns from the same number on


def load_picture(path: Path, *, height: int, width: int, channels: int, color: str) -> NDArray[np.uint8]:
    """Return the picture at `path` as uint8 of shape (height, width, channels), its channels in the order of `color`.

    `color` is RGB, BGR or GRAY. DataError, naming the file, when it cannot be read, is no picture, is damaged or has
    more than `MAX_PIXELS` pixels, and when `color` does not give `channels`.
    """
    return decode_picture(read_bytes(path), str(path), height=height, width=width, channels=channels, color=color)


def decode_picture(data: bytes, where: str, *, height: int, width: int, channels: int, color: str) -> NDArray[np.uint8]:
    """Do what `load_picture` does for the bytes of a file that goes by the name `where`."""
    if CHANNELS.get(color) != channels:
        fitting = " or ".join(name for name, count in CHANNELS.items() if count == channels) or ".bin samples"
        raise DataError(f"{color} does not fit an input of {channels} channels, expected {fitting}", where=where)
    with _opened(data, where) as opened:
        resized = _plain(opened, "L" if color == "GRAY" else "RGB", where).resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(resized, dtype=np.uint8).reshape(height, width, channels)
    return np.ascontiguousarray(pixels[:, :, ::-1] if color == "BGR" else pixels)


def thumbnail(data: bytes, where: str, side: int) -> NDArray[np.uint8]:
    """Return a picture as RGB of at most `side` pixels a side, quickly: a JPEG is decoded at a fraction of its size."""
    with _opened(data, where) as opened:
        opened.draft("RGB", (side, side))
        scale = min(1.0, side / max(opened.size))
        size = (max(1, round(opened.width * scale)), max(1, round(opened.height * scale)))
        return np.asarray(_plain(opened, "RGB", where).resize(size, Image.Resampling.NEAREST), dtype=np.uint8)


def is_grey(data: bytes, where: str) -> bool:
    """Tell whether a picture has one channel, by its header alone: black and white, or shades of grey."""
    with _opened(data, where) as opened:
        return opened.mode in ("1", "L", "LA", "La", "F") or opened.mode.startswith("I")


@contextmanager
def _opened(data: bytes, where: str) -> Iterator[Image.Image]:
    """Open a picture; whatever goes wrong with it in the block is a DataError that names `where`."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.width * opened.height > MAX_PIXELS:  # known from the header, nothing is decoded yet
                raise _bomb(where)
            yield opened
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _bomb(where) from error
    except UnidentifiedImageError as error:
        raise DataError("not a picture, or its header is damaged", where=where) from error
    except Exception as error:  # a decoder fed with damaged bytes may raise anything at all
        raise DataError(f"the picture is damaged: {error or type(error).__name__}", where=where) from error


def _plain(picture: Image.Image, mode: str, where: str) -> Image.Image:
    """Return `picture` with 8 bits a channel in `mode`, L or RGB."""
    if picture.mode == "F":
        raise DataError("a floating point picture, expected 8 or 16 bits", where=where)
    if picture.mode.startswith("I"):
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise DataError("a 32 bit picture, expected 8 or 16 bits", where=where)
        picture = Image.fromarray((values >> 8).astype(np.uint8))
    elif picture.mode == "P":
        picture = picture.convert("RGBA")  # straight to RGB, Pillow warns of palettes that carry transparency
    elif picture.mode in ("1", "LA", "La"):
        picture = picture.convert("L")
    if picture.mode not in ("L", "RGB"):
        picture = picture.convert("RGB")
    return picture if picture.mode == mode else picture.convert(mode)


def _bomb(where: str) -> DataError:
    return DataError(f"the picture claims more than {MAX_PIXELS} pixels", where=where, hint="scale it down")
