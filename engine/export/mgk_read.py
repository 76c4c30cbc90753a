"""The bytes of a model file -> QGraph. The bytes may be anybody's: whatever they are, the answer is a graph or a ModelError.

Time and memory are linear in the length of the file (see `mgk_layout`); arrays are read-only views of it.
"""

from __future__ import annotations

import importlib
import math
import re
import struct
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from ..ir import Node, QGraph, QNode, RawNode, TensorType
from ..jsontext import shown
from ..numerics import FEATURE_BITS, Array, QParams, qmax
from .mgk_layout import MOST_NESTED, QUANT, VALUE, WORDS, Tag, aligned
from .mgk_sections import cut, damaged

_PLAIN_DTYPE = re.compile(r"[<|][biufcSU][0-9]{1,9}")
_NAMED_DTYPE = re.compile(r"[a-z][a-z0-9_]{1,30}")


class Reader:
    """Sections of one file, and a cursor per table: `_take` is the only way to a record, and it goes forward only."""

    def __init__(self, data: bytes | memoryview, where: str) -> None:
        self.where = where
        self.file = memoryview(data).cast("B")
        sections = cut(self.file, where)
        self.data = sections["data"]
        self.words = {name: np.frombuffer(sections[name], "<u4").reshape(-1, width).tolist() for name, width in WORDS.items()}
        self.values = list(struct.iter_unpack(VALUE, sections["values"]))
        self.at = dict.fromkeys([*WORDS, "values"], 0)
        self.data_at = 0
        self.strings = self._strings(bytes(sections["chars"]))
        self.quants = [self._qparams(*row) for row in struct.iter_unpack(QUANT, sections["quants"])]
        self.names: list[str] = []

    def fail(self, what: str) -> NoReturn:
        """Refuse the file."""
        raise damaged(what, self.where)

    def meta(self) -> dict[str, str]:
        return {self._string(key): self._string(value) for key, value in self._take("meta", 0, len(self.words["meta"]))}

    def graph(self) -> QGraph:
        """Read the graph; everything but `meta` is used up afterwards, or the file is refused."""
        types, qparams = self._tensors()
        (head,) = self._take("graph", 0, 1)
        inputs, outputs = self._tensor_list(*head[0:2]), self._tensor_list(*head[2:4])
        constants = self._arrays(*head[4:6])
        pairs = self._list(*head[6:8])
        opsets = {self._string(d): v for d, v in zip(pairs[::2], pairs[1::2], strict=False)}
        nodes = tuple(self._node(row) for row in self._take("nodes", 0, len(self.words["nodes"])))
        self._finished()
        return QGraph(inputs, outputs, nodes, types, qparams, constants, opsets, head[8])

    def _strings(self, chars: bytes) -> list[str]:
        texts, at = [], 0
        for offset, size in self.words["strings"]:
            end = offset + size
            if offset != at or end >= len(chars) or chars[end]:
                self.fail("a string is out of place")
            try:
                texts.append(chars[offset:end].decode("utf-8", "surrogatepass"))
            except UnicodeDecodeError:
                self.fail("a string is no UTF-8")
            at = end + 1
        return texts

    def _qparams(self, scale: float, zero: int, bits: int) -> QParams:
        if bits not in FEATURE_BITS or not 0 <= zero <= qmax(bits) or not (math.isfinite(scale) and scale > 0):
            self.fail("a quantization is impossible")
        return QParams(scale, zero, bits)

    def _take(self, table: str, start: int, count: int) -> list[Any]:
        """Return the next records of a table, which must be those the file asks for."""
        rows = self.words[table]
        if start != self.at[table] or count > len(rows) - start:
            self.fail(f"table {table} is out of order")
        self.at[table] += count
        return rows[start : start + count]

    def _finished(self) -> None:
        sizes = {name: len(rows) for name, rows in self.words.items() if name not in ("strings", "meta")} | {"values": len(self.values)}
        left = [name for name, size in sizes.items() if self.at[name] != size]
        if left or self.data_at != len(self.data):
            self.fail(f"something in it belongs to nothing ({', '.join(left) or 'data'})")

    def _tensors(self) -> tuple[dict[str, TensorType], dict[str, QParams]]:
        types: dict[str, TensorType] = {}
        qparams: dict[str, QParams] = {}
        for name, dtype, start, count, quant, typed, *_ in self._take("tensors", 0, len(self.words["tensors"])):
            text, shape = self._string(name), self._list(start, count)
            self.names.append(text)
            if typed:
                types[text] = TensorType(tuple(shape), self._string(dtype))
            q = self._quant(quant)
            if q:
                qparams[text] = q
        if len(set(self.names)) != len(self.names):
            self.fail("a tensor is there twice")
        return types, qparams

    def _node(self, row: list[int]) -> QNode:
        inputs, ins = self._tensor_list(*row[2:4]), tuple(map(self._quant, self._list(*row[4:6])))
        outputs, outs = self._tensor_list(*row[6:8]), tuple(map(self._quant, self._list(*row[8:10])))
        if len(ins) != len(inputs) or len(outs) != len(outputs):
            self.fail(f"node {shown(self._string(row[1]))} has tensors without quantization")
        attrs, arrays = self._attrs(*row[10:12]), self._arrays(*row[12:14])
        source = self._source(row[14] - 1) if row[14] else None
        return QNode(self._string(row[0]), self._string(row[1]), inputs, outputs, ins, outs, attrs, arrays, source)

    def _source(self, index: int) -> Node:
        (row,) = self._take("sources", index, 1)
        inputs, outputs = self._string_list(*row[2:4]), self._string_list(*row[4:6])
        attrs, params = self._attrs(*row[6:8]), self._arrays(*row[8:10])
        raw = tuple(self._raw(r) for r in self._take("raws", *row[12:14]))
        op, name, inner, reason = (self._string(row[i]) for i in (0, 1, 10, 11))
        return Node(op, name, inputs, outputs, attrs, params, inner, reason, raw)

    def _raw(self, row: list[int]) -> RawNode:
        inputs, outputs, captured = (self._string_list(*row[i : i + 2]) for i in (3, 5, 7))
        attrs = self._attrs(*row[9:11])
        payload = self._array(row[11])[1].tobytes()
        return RawNode(self._string(row[0]), inputs, outputs, attrs, self._string(row[1]), row[2], payload, captured)

    def _list(self, start: int, count: int) -> list[int]:
        return [row[0] for row in self._take("lists", start, count)]

    def _string(self, index: int) -> str:
        return self.strings[index] if index < len(self.strings) else self.fail("a string is missing")

    def _string_list(self, start: int, count: int) -> tuple[str, ...]:
        return tuple(map(self._string, self._list(start, count)))

    def _tensor_list(self, start: int, count: int) -> tuple[str, ...]:
        indices = self._list(start, count)
        if any(i >= len(self.names) for i in indices):
            self.fail("a tensor is missing")
        return tuple(self.names[i] for i in indices)

    def _quant(self, index: int) -> QParams | None:
        if index > len(self.quants):
            self.fail("a quantization is missing")
        return self.quants[index - 1] if index else None

    def _attrs(self, start: int, count: int) -> dict[str, Any]:
        attrs = {}
        for key, value in self._take("attrs", start, count):
            if value != self.at["values"]:
                self.fail("an attribute is out of order")
            attrs[self._string(key)] = self._value(0)
        return attrs

    def _value(self, depth: int) -> Any:
        if self.at["values"] >= len(self.values) or depth > MOST_NESTED:
            self.fail("an attribute has no value")
        tag, count, payload = self.values[self.at["values"]]
        self.at["values"] += 1
        index = int.from_bytes(payload, "little")
        if tag == Tag.TUPLE:
            end = self.at["values"] + index
            if count > index or end > len(self.values):
                self.fail("a tuple does not end")
            items = tuple(self._value(depth + 1) for _ in range(count))
            return items if self.at["values"] == end else self.fail("a tuple does not end where it says")
        return self._scalar(tag, index, payload)

    def _scalar(self, tag: int, index: int, payload: bytes) -> Any:
        if tag == Tag.NONE:
            return None
        if tag in (Tag.INT, Tag.BOOL):
            number = int.from_bytes(payload, "little", signed=True)
            return bool(number) if tag == Tag.BOOL else number
        if tag == Tag.FLOAT:
            return struct.unpack("<d", payload)[0]
        if tag == Tag.STRING:
            return self._string(index)
        if tag == Tag.QUANT:
            return self._quant(index)
        if tag in (Tag.BYTES, Tag.ARRAY):
            array = self._array(index)[1]
            return array.tobytes() if tag == Tag.BYTES else array
        self.fail(f"a value of unknown kind {tag}")

    def _arrays(self, start: int, count: int) -> dict[str, Array]:
        if count > len(self.words["arrays"]):
            self.fail("an array is missing")
        return dict(self._array(start + i) for i in range(count))

    def _array(self, index: int) -> tuple[str, Array]:
        """Return the next array and its name, as a view of the file."""
        ((name, code, start, count, *halves),) = self._take("arrays", index, 1)
        offset, size = halves[0] | halves[1] << 32, halves[2] | halves[3] << 32
        dims, dtype = self._list(start, count), self._dtype(self._string(code))
        fits = offset == aligned(self.data_at) and size <= len(self.data) - offset and math.prod(dims) * dtype.itemsize == size
        if not fits or any(self.data[self.data_at : offset]):
            self.fail(f"array {shown(self._string(name))} is out of place")
        self.data_at = offset + size
        raw = np.frombuffer(self.data[offset : offset + size], np.uint8)
        if dtype.kind == "U" and size and int(raw.view("<u4").max()) > 0x10FFFF:
            self.fail("an array of text is no text")
        try:
            return self._string(name), raw.view(dtype).reshape(dims)
        except ValueError:
            self.fail(f"array {shown(self._string(name))} has an impossible shape")

    def _dtype(self, code: str) -> np.dtype[Any]:
        try:
            if not _PLAIN_DTYPE.fullmatch(code):
                if not _NAMED_DTYPE.fullmatch(code):
                    self.fail("an array of an unknown type")
                importlib.import_module("ml_dtypes")  # what numpy lacks: bfloat16, the 8-bit and 4-bit numbers
            dtype = np.dtype(code)
        except (TypeError, ValueError, ImportError):
            self.fail("an array of an unknown type")
        if dtype.hasobject or not dtype.itemsize or dtype.kind not in "biufcSUV":
            self.fail("an array of an unknown type")
        return dtype


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """A model file: the graph, and what it says about itself (model, soc, engine)."""

    graph: QGraph
    meta: dict[str, str] = field(default_factory=dict)
