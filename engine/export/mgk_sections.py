"""The outermost layer of a model file: its header is checked, then the file is cut into sections."""

from __future__ import annotations

import struct
import zlib

from ..errors import ModelError
from ..jsontext import shown
from ..numerics import NUMERICS
from .mgk_layout import CHECKED_FROM, HEADER_BYTES, MAGIC, NUMERICS_BYTES, SECTIONS, SLOTS, VERSION, WORDS, aligned

_AGAIN = "convert the model again"


def damaged(what: str, where: str) -> ModelError:
    """Return, for the caller to raise, the error for a file that contradicts itself."""
    return ModelError(f"a damaged model file: {what}", where=where, hint=_AGAIN)


def cut(file: memoryview, where: str) -> dict[str, memoryview]:
    """Return the sections of a whole file of our version and arithmetic, by name; ModelError when it is not one."""
    _check_header(file, where)
    slots = struct.unpack_from(f"<{2 * SLOTS}Q", file, CHECKED_FROM + NUMERICS_BYTES)
    found, at = {}, HEADER_BYTES
    for name, offset, size in zip(SECTIONS, slots[::2], slots[1::2], strict=False):
        unit = 4 * WORDS.get(name, 0) or (16 if name in ("values", "quants") else 1)
        if offset != aligned(at) or offset > len(file) or size > len(file) - offset or size % unit:
            raise damaged(f"section {name} is out of place", where)
        found[name] = file[offset : offset + size]
        at = offset + size
    return found


def _check_header(file: memoryview, where: str) -> None:
    if len(file) < HEADER_BYTES or file[:8] != MAGIC:
        raise ModelError("this is no model file, or only its beginning", where=where, hint="expected model_quant.mgk or NAME.bin")
    _, version, head, total, crc, zero = struct.unpack_from("<8sIIQII", file)
    if version != VERSION:
        raise ModelError(f"a model file of version {version}: this engine reads {VERSION}", where=where, hint=_AGAIN)
    if total != len(file):
        raise damaged(f"{len(file)} bytes long where its header says {total}", where)
    if head != HEADER_BYTES or zero or zlib.crc32(file[CHECKED_FROM:]) != crc:
        raise damaged("its checksum is wrong", where)
    numerics = bytes(file[CHECKED_FROM : CHECKED_FROM + NUMERICS_BYTES]).rstrip(b"\0")
    if numerics != NUMERICS.encode():
        other = shown(numerics.decode("latin-1"))
        raise ModelError(f"made with the arithmetic {other}: this engine computes {NUMERICS}", where=where, hint=_AGAIN)
