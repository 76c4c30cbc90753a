"""The C header that carries the bytes of a model file: `magik_model_NAME.mk.h`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .names import c_identifier

PER_LINE = 16
_CHUNK = PER_LINE << 14
_HEX = np.frombuffer("".join(f"0x{b:02x}, " for b in range(256)).encode(), np.uint8).reshape(256, 6)
_CELL = _HEX.shape[1]


def header(name: str, data: bytes | memoryview) -> Iterator[bytes]:
    """Yield the text of the header in chunks of a few megabytes.

    It defines `static const unsigned char magik_model_NAME_mk[]`, 16 bytes a line, behind an include guard; characters of `name` that C
    does not take become `_`.
    """
    symbol = f"magik_model_{c_identifier(name)}_mk"
    guard = f"{symbol.upper()}_H"
    yield f"#ifndef {guard}\n#define {guard}\n\nstatic const unsigned char {symbol}[] = {{\n".encode()
    flat = np.frombuffer(data, np.uint8)
    for start in range(0, flat.size, _CHUNK):
        yield _lines(flat[start : start + _CHUNK])
    yield f"}};\n\n#endif /* {guard} */\n".encode()


def _lines(flat: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> bytes:
    """Return full lines for a run of bytes; only the last line of all may be shorter."""
    full = flat.size // PER_LINE * PER_LINE
    cells = _HEX[flat[:full]].reshape(-1, PER_LINE * _CELL)
    cells[:, -1] = ord("\n")  # the blank behind the last comma of a line
    rest = _HEX[flat[full:]].tobytes()
    return cells.tobytes() + (rest[:-1] + b"\n" if rest else b"")
