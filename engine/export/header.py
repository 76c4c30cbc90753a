"""The C header that carries the bytes of a model file: `magik_model_NAME.mk.h`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .names import c_identifier

PER_LINE = 16
_CHUNK = PER_LINE << 14
_CELL = 6
_DIGITS = np.frombuffer(b"".join(b"%02x" % b for b in range(256)), np.uint16)
"""The two hexadecimal digits of every byte, as they lie in memory."""


def header(name: str, data: bytes | memoryview) -> Iterator[bytes | memoryview]:
    """Yield the text of the header in chunks of a few megabytes; a chunk is valid until the next one is asked for.

    It defines `static const unsigned char magik_model_NAME_mk[]`, 16 bytes a line, behind an include guard; characters of `name` that C
    does not take become `_`.
    """
    symbol = f"magik_model_{c_identifier(name)}_mk"
    guard = f"{symbol.upper()}_H"
    yield f"#ifndef {guard}\n#define {guard}\n\nstatic const unsigned char {symbol}[] = {{\n".encode()
    flat = np.frombuffer(data, np.uint8)
    cells = _empty_lines(min(flat.size, _CHUNK))
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        cells[: part.size, 1] = _DIGITS[part]
        if part.size % PER_LINE:
            yield cells[: part.size].tobytes()[:-1] + b"\n"
        else:
            yield cells[: part.size].data.cast("B")
    yield f"}};\n\n#endif /* {guard} */\n".encode()


def _empty_lines(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    """Return `count` cells `0x??, ` as (count, 3) pairs of characters, a line break behind every PER_LINE of them."""
    cells = np.empty((count, _CELL // 2), np.uint16)
    cells[:] = np.frombuffer(b"0x??, ", np.uint16)
    cells[PER_LINE - 1 :: PER_LINE, 2] = np.frombuffer(b",\n", np.uint16)[0]
    return cells
