"""Reading a large model once: the weights go from the file straight into their arrays, the rest is parsed.

A parser of protocol buffers copies every byte of the file, and copies the weights again when they are asked for. Here the file is walked
along its length prefixes (https://protobuf.dev/programming-guides/encoding), and the raw data of large initializers is left out of what
is parsed.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from math import prod
from pathlib import Path

import numpy as np

from ..errors import ModelError
from ..numerics import Array

LARGE = 4096
"""Raw data of at least this many bytes is read on its own."""

_GRAPH, _INITIALIZER = 7, 5  # fields of ModelProto and GraphProto
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA = 1, 2, 8, 9  # fields of TensorProto
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_NATIVE = {1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 10: "<f2", 11: "<f8", 12: "<u4", 13: "<u8"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: it lies at [start, end), its value at [value, end); `number` is 0 for a whole message."""

    number: int
    wire: int
    start: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class Weight:
    """Where in the file the data of an initializer lies, and what it is."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int


def read_apart(path: Path) -> tuple[bytes, dict[str, Array]]:
    """Return the file without the raw data of its large initializers, and those initializers as read-only arrays by name.

    What is no protocol buffer comes back whole, for the parser to judge. OSError as from open; ModelError when the file shrinks meanwhile.
    """
    with FileIO(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size < LARGE:
            return file.readall(), {}
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                slim, weights = _split(data, size)
            except (IndexError, ValueError):
                return data[:], {}
        return slim, {w.name: _load(file, w) for w in weights}


def _load(file: FileIO, weight: Weight) -> Array:
    array = np.empty(weight.shape, weight.dtype)
    place = array.reshape(-1).view(np.uint8).data
    file.seek(weight.offset)
    done = 0
    while done < weight.size:
        got = file.readinto(place[done:])
        if not got:
            raise ModelError(f"the file ends inside constant {weight.name!r}", where=str(file.name))
        done += got
    array.flags.writeable = False
    return array


def _split(data: mmap.mmap, size: int) -> tuple[bytes, list[Weight]]:
    """Return the model without its large weights, and where those are. Raises IndexError or ValueError for what is no message."""
    parts: list[bytes] = []
    weights: list[Weight] = []
    for field in _fields(data, 0, size):
        if field.number != _GRAPH or field.wire != _BYTES:
            parts.append(data[field.start : field.end])
            continue
        graph: list[bytes] = []
        for inner in _fields(data, field.value, field.end):
            weight = _weight(data, inner) if inner.number == _INITIALIZER and inner.wire == _BYTES else None
            if weight is None:
                graph.append(data[inner.start : inner.end])
            else:
                weights.append(weight)
        body = b"".join(graph)
        parts += [_varint(_GRAPH << 3 | _BYTES), _varint(len(body)), body]
    return b"".join(parts), weights


def _weight(data: mmap.mmap, tensor: Field) -> Weight | None:
    """Return where the data of an initializer lies, None unless it is large, raw and of a type numpy has."""
    if tensor.end - tensor.value < LARGE:
        return None
    dims: list[int] = []
    name, kind, raw = "", 0, None
    for field in _fields(data, tensor.value, tensor.end):
        if field.number == _DIMS:
            dims += _integers(data, field)
        elif field.number == _DATA_TYPE:
            kind = _integer(data, field.value)[0]
        elif field.number == _NAME:
            name = data[field.value : field.end].decode("utf-8")
        elif field.number == _RAW_DATA:
            raw = field
    if raw is None or kind not in _NATIVE or raw.end - raw.value != prod(dims) * np.dtype(_NATIVE[kind]).itemsize:
        return None
    return Weight(name, _NATIVE[kind], tuple(dims), raw.value, raw.end - raw.value)


def _integers(data: mmap.mmap, field: Field) -> list[int]:
    """Return a repeated integer, packed or not."""
    if field.wire == _VARINT:
        return [_integer(data, field.value)[0]]
    found, at = [], field.value
    while at < field.end:
        value, at = _integer(data, at)
        found.append(value)
    return found


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message at [start, end)."""
    at = start
    while at < end:
        key, value = _integer(data, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            stop = _integer(data, value)[1]
        elif wire == _BYTES:
            length, value = _integer(data, value)
            stop = value + length
        elif wire in (_FIXED64, _FIXED32):
            stop = value + (8 if wire == _FIXED64 else 4)
        else:
            raise ValueError("no field of a known kind")
        if stop > end or not number:
            raise ValueError("a field that ends outside its message")
        yield Field(number, wire, at, value, stop)
        at = stop


def _integer(data: mmap.mmap, at: int) -> tuple[int, int]:
    """Return the variable-length integer at a position and the position behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("no integer")


def _varint(value: int) -> bytes:
    """Return an integer as protocol buffers write it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
