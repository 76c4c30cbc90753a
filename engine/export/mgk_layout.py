"""The model file, as constants: what `mgk_write` puts where, what `mgk_read` and the C runtime find there.

Everything is little-endian. A header, then sections, each starting at a multiple of 64 and in the order of `SECTIONS`. All but chars,
quants, values and data are tables of 32-bit words. docs/formats.md has the same as prose and pictures.

    header    0 magic 8s | 8 version u32 | 12 header bytes u32 | 16 file bytes u64 | 24 crc32 of bytes 32 to the end u32 | 28 zero u32
              32 NUMERICS 32s | 64 sixteen times (offset u64, bytes u64)
    chars     UTF-8, a NUL after each string
    strings   (offset in chars, bytes without the NUL)
    lists     words; a list elsewhere is (start, count) in here
    values    16 bytes each: tag u32, count u32, payload 8 bytes; the items of a tuple follow it
    attrs     (key string, value)
    quants    16 bytes each: scale f64, zero i32, bits u32
    arrays    (name string, dtype string, dims list 2, offset in data u64, bytes u64)
    tensors   (name string, dtype string, dims list 2, quant + 1, typed, 0, 0)
    nodes     (op, name, inputs 2, their quants + 1 2, outputs 2, their quants + 1 2, attrs 2, arrays 2, source + 1, 0)
    sources   (op, name, inputs 2, outputs 2, attrs 2, arrays 2, inner, reason, raws 2, 0, 0)
    raws      (op, domain, opset, inputs 2, outputs 2, captured 2, attrs 2, payload array, 0, 0, 0, 0)
    graph     (inputs 2, outputs 2, constants 2, opsets 2, ir version, 0 ...)
    meta      (key string, value string)
    data      arrays, each at a multiple of 64

Whoever reads in the order in which `mgk_write` writes meets every list, value, attribute and array exactly once: a reader checks that with
one cursor per table, and so needs time and memory linear in the file, whatever the file says.
"""

from __future__ import annotations

import enum

MAGIC = b"MAGIKMDL"
VERSION = 1
ALIGN = 64
SECTIONS = (
    *("chars", "strings", "lists", "values", "attrs", "quants", "arrays"),
    *("tensors", "nodes", "sources", "raws", "graph", "meta", "data"),
)
SLOTS = 16
HEADER_BYTES = 64 + 16 * SLOTS
CHECKED_FROM = 32
NUMERICS_BYTES = 32
MOST_NESTED = 32
WORD = 0xFFFFFFFF

WORDS = {"strings": 2, "lists": 1, "attrs": 2, "arrays": 8, "tensors": 8, "nodes": 16, "sources": 16, "raws": 16, "graph": 16, "meta": 2}
"""Words per record of the tables of words."""

VALUE = "<II8s"
QUANT = "<diI"


class Tag(enum.IntEnum):
    """What a value is; its payload: nothing, i64, f64, a u64 index, or for a tuple the number of records behind it."""

    NONE = 0
    BOOL = 1
    INT = 2
    FLOAT = 3
    STRING = 4
    BYTES = 5
    ARRAY = 6
    QUANT = 7
    TUPLE = 8


def aligned(size: int) -> int:
    """Return `size` rounded up to a multiple of `ALIGN`."""
    return -(-size // ALIGN) * ALIGN
