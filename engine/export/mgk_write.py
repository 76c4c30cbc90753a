"""QGraph -> the bytes of a model file: the same graph gives the same bytes, always."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ModelError
from ..ir import Node, QGraph, QNode, RawNode
from ..numerics import NUMERICS, Array, QParams
from .mgk_layout import (
    CHECKED_FROM,
    HEADER_BYTES,
    MAGIC,
    MOST_NESTED,
    NUMERICS_BYTES,
    QUANT,
    SECTIONS,
    SLOTS,
    VALUE,
    VERSION,
    WORD,
    WORDS,
    Tag,
    aligned,
)


class Writer:
    """Tables that grow while the graph is walked, in the one order the reader walks as well."""

    def __init__(self) -> None:
        self.words: dict[str, list[int]] = {name: [] for name in WORDS}
        self.chars, self.values, self.quants = bytearray(), bytearray(), bytearray()
        self.data: list[bytes | memoryview] = []
        self.data_bytes = 0
        self._strings: dict[str, int] = {}
        self._quants: dict[QParams, int] = {}
        self._tensors: dict[str, int] = {}

    def graph(self, graph: QGraph, meta: Mapping[str, str]) -> None:
        """Walk the whole graph."""
        self._name_tensors(graph)
        head = [*self._tensor_list(graph.inputs), *self._tensor_list(graph.outputs), *self._arrays(graph.constants)]
        opsets = [word for domain in sorted(graph.opsets) for word in (self._string(domain), graph.opsets[domain])]
        self._record("graph", *head, *self._list(opsets), graph.ir_version)
        for node in graph.nodes:
            self._node(node)
        for key in sorted(meta):
            self._record("meta", self._string(key), self._string(meta[key]))

    def chunks(self) -> list[bytes | memoryview]:
        """Return the file: header, sections, padding between them."""
        body = {name: np.array(words, "<u4").tobytes() for name, words in self.words.items()}
        body |= {"chars": bytes(self.chars), "values": bytes(self.values), "quants": bytes(self.quants)}
        parts: list[bytes | memoryview] = []
        table, at = [], HEADER_BYTES
        for name in SECTIONS:
            size = self.data_bytes if name == "data" else len(body[name])
            pad = aligned(at) - at
            table.append((at + pad, size))
            parts += [bytes(pad), *(self.data if name == "data" else [body[name]])]
            at += pad + size
        slots = [word for entry in table for word in entry] + [0] * (2 * (SLOTS - len(table)))
        checked = NUMERICS.encode().ljust(NUMERICS_BYTES, b"\0") + struct.pack(f"<{2 * SLOTS}Q", *slots)
        crc = zlib.crc32(checked)
        for part in parts:
            crc = zlib.crc32(part, crc)
        start = struct.pack("<8sIIQII", MAGIC, VERSION, HEADER_BYTES, at, crc, 0)
        if len(start) != CHECKED_FROM or len(start) + len(checked) != HEADER_BYTES:
            raise AssertionError("the header has left its layout")
        return [start, checked, *parts]

    def _name_tensors(self, graph: QGraph) -> None:
        """Write every tensor there is: known ones by name, then those that layers merely mention."""
        known = sorted(graph.types.keys() | graph.qparams.keys())
        used = [*graph.inputs, *graph.outputs, *(t for n in graph.nodes for t in (*n.inputs, *n.outputs))]
        for name in dict.fromkeys([*known, *used]):
            self._tensors[name] = len(self._tensors)
            kind = graph.types.get(name)
            dims = self._list(kind.shape if kind else ())
            dtype = self._string(kind.dtype if kind else "")
            self._record("tensors", self._string(name), dtype, *dims, self._quant(graph.qparams.get(name)), int(kind is not None))

    def _node(self, node: QNode) -> None:
        self._record(
            "nodes",
            self._string(node.op),
            self._string(node.name),
            *self._tensor_list(node.inputs),
            *self._list(self._quant(q) for q in node.ins),
            *self._tensor_list(node.outputs),
            *self._list(self._quant(q) for q in node.outs),
            *self._attrs(node.attrs),
            *self._arrays(node.arrays),
            self._source(node.source) + 1 if node.source else 0,
        )

    def _source(self, node: Node) -> int:
        words = [
            *(self._string(node.op), self._string(node.name)),
            *(*self._string_list(node.inputs), *self._string_list(node.outputs)),
            *(*self._attrs(node.attrs), *self._arrays(node.params)),
            *(self._string(node.inner), self._string(node.reason)),
        ]
        first = len(self.words["raws"]) // WORDS["raws"]
        for raw in node.raw:
            self._raw(raw)
        return self._record("sources", *words, first, len(node.raw))

    def _raw(self, raw: RawNode) -> None:
        self._record(
            "raws",
            *(self._string(raw.op), self._string(raw.domain), raw.opset),
            *(*self._string_list(raw.inputs), *self._string_list(raw.outputs), *self._string_list(raw.captured)),
            *self._attrs(raw.attrs),
            self._array("", np.frombuffer(raw.payload, np.uint8)),
        )

    def _record(self, table: str, *words: int) -> int:
        """Append one record, zeros behind what is given, and return its index."""
        if any(not 0 <= w <= WORD for w in words):
            raise ModelError(f"a number of the graph does not fit the model file ({table}: {words})")
        rows, width = self.words[table], WORDS[table]
        rows += [*words, *[0] * (width - len(words))]
        return len(rows) // width - 1

    def _list(self, words: Iterable[int]) -> tuple[int, int]:
        items = list(words)
        start = len(self.words["lists"])
        for word in items:
            self._record("lists", word)
        return start, len(items)

    def _string_list(self, texts: Sequence[str]) -> tuple[int, int]:
        return self._list([self._string(t) for t in texts])

    def _tensor_list(self, names: Sequence[str]) -> tuple[int, int]:
        return self._list([self._tensors[t] for t in names])

    def _string(self, text: str) -> int:
        if text not in self._strings:
            data = text.encode("utf-8", "surrogatepass")
            self._strings[text] = self._record("strings", len(self.chars), len(data))
            self.chars += data + b"\0"
        return self._strings[text]

    def _quant(self, q: QParams | None) -> int:
        """Return one more than the index of a quantization, 0 for none."""
        if q is None:
            return 0
        if q not in self._quants:
            self._quants[q] = len(self._quants) + 1
            self.quants += struct.pack(QUANT, q.scale, q.zero, q.bits)
        return self._quants[q]

    def _attrs(self, attrs: Mapping[str, Any]) -> tuple[int, int]:
        start = len(self.words["attrs"]) // WORDS["attrs"]
        for key in sorted(attrs):
            value = len(self.values) // struct.calcsize(VALUE)
            self._value(attrs[key], key, 0)
            self._record("attrs", self._string(key), value)
        return start, len(attrs)

    def _value(self, value: Any, key: str, depth: int) -> None:
        if isinstance(value, (tuple, list)) and depth < MOST_NESTED:
            at = len(self.values)
            self.values += bytes(struct.calcsize(VALUE))
            for item in value:
                self._value(item, key, depth + 1)
            behind = (len(self.values) - at) // struct.calcsize(VALUE) - 1
            struct.pack_into(VALUE, self.values, at, Tag.TUPLE, len(value), struct.pack("<Q", behind))
            return
        tag, payload = self._scalar(value, key)
        self.values += struct.pack(VALUE, tag, 0, payload)

    def _scalar(self, value: Any, key: str) -> tuple[Tag, bytes]:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None:
            return Tag.NONE, bytes(8)
        if isinstance(value, bool):
            return Tag.BOOL, struct.pack("<q", value)
        if isinstance(value, int) and -(2**63) <= value < 2**63:
            return Tag.INT, struct.pack("<q", value)
        if isinstance(value, float):
            return Tag.FLOAT, struct.pack("<d", value)
        if isinstance(value, str):
            return Tag.STRING, struct.pack("<Q", self._string(value))
        if isinstance(value, QParams):
            return Tag.QUANT, struct.pack("<Q", self._quant(value))
        if isinstance(value, (bytes, bytearray)):
            return Tag.BYTES, struct.pack("<Q", self._array("", np.frombuffer(value, np.uint8)))
        if isinstance(value, np.ndarray):
            return Tag.ARRAY, struct.pack("<Q", self._array("", value))
        raise ModelError(f"attribute {key} ({type(value).__name__}) does not fit the model file")

    def _arrays(self, arrays: Mapping[str, Array]) -> tuple[int, int]:
        start = len(self.words["arrays"]) // WORDS["arrays"]
        for name in sorted(arrays):
            self._array(name, arrays[name])
        return start, len(arrays)

    def _array(self, name: str, array: Array) -> int:
        if array.dtype.hasobject or array.dtype.names:
            raise ModelError(f"an array of {array.dtype} does not fit the model file", where=name)
        flat = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)
        pad, size = aligned(self.data_bytes) - self.data_bytes, flat.size
        offset = self.data_bytes + pad
        dtype = array.dtype.newbyteorder("<")
        code = dtype.name if dtype.kind == "V" else dtype.str
        dims = self._list(array.shape)
        self.data += [bytes(pad), flat.data] if size else [bytes(pad)]
        self.data_bytes = offset + size
        halves = (offset & WORD, offset >> 32, size & WORD, size >> 32)
        return self._record("arrays", self._string(name), self._string(code), *dims, *halves)
