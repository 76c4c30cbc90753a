"""The graph as immutable values: what a frontend produces, what the engine quantizes and runs.

Two graphs use the same shape of data: `Graph` holds float nodes as the guide names them, `QGraph` the integer nodes made from it.
Tensors are named by strings; shapes are in the model's layout (NCHW); how values lie in memory is the simulator's business.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .numerics import NUMERICS, Array, QParams

Attr = Any
"""int, float, str, bytes, None, or a tuple of them."""


@dataclass(frozen=True, slots=True)
class TensorType:
    """A tensor's static type: `shape` in model layout (every dimension known, batch 1) and numpy dtype name."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class RawNode:
    """One operator as the source model has it, free of the source's library.

    `attrs` holds plain values; `payload` is the serialized original (an ONNX NodeProto), kept so that an operator nobody here knows can
    still be run; `opset` is the version of its domain; `captured` names outer tensors its subgraphs read.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    domain: str = ""
    opset: int = 0
    payload: bytes = b""
    captured: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Node:
    """One layer: a registered operator type, the tensors it reads and makes, constants it owns.

    `name` is the output tensor of the last source operator fused into it. `inner` names a tensor that exists only inside the layer
    (the sum before a fused SiLU) and that calibration observes. `reason` says why a layer stays in float; "" when it need not.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    params: Mapping[str, Array] = field(default_factory=dict)
    inner: str = ""
    reason: str = ""
    raw: tuple[RawNode, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A float network: inputs with their types, layers in topological order, outputs, the type of every tensor.

    `constants` are tensors that opaque layers read; constants of known layers live in their `params`. `parts` maps names that the source
    model has for what is inside of a layer (its operators, tensors between them) to the layer.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    types: Mapping[str, TensorType]
    constants: Mapping[str, Array] = field(default_factory=dict)
    opsets: Mapping[str, int] = field(default_factory=dict)
    ir_version: int = 10
    parts: Mapping[str, str] = field(default_factory=dict)

    def producers(self) -> dict[str, Node]:
        """Map each tensor to the layer that makes it."""
        return {t: n for n in self.nodes for t in n.outputs}

    def consumers(self) -> dict[str, list[Node]]:
        """Map each tensor to the layers that read it, in order."""
        table: dict[str, list[Node]] = {}
        for n in self.nodes:
            for t in dict.fromkeys(n.inputs):
                table.setdefault(t, []).append(n)
        return table

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class QNode:
    """One integer layer: everything its kernel needs, and nothing else.

    `ins` and `outs` are the quantization of its inputs and outputs; None marks a float tensor. `arrays` holds integer weights, int32
    biases, float32 multipliers, tables. A layer that stays in float has `op` "Float" and carries its float `Node` in `source`.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ins: tuple[QParams | None, ...]
    outs: tuple[QParams | None, ...]
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    source: Node | None = None


@dataclass(frozen=True, slots=True, eq=False)
class QGraph:
    """An integer network; tensors of float layers are float32, the others uint8 or uint16 (`qparams` lists those)."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[QNode, ...]
    types: Mapping[str, TensorType]
    qparams: Mapping[str, QParams]
    constants: Mapping[str, Array] = field(default_factory=dict)
    opsets: Mapping[str, int] = field(default_factory=dict)
    ir_version: int = 10


def digest(*parts: Any) -> str:
    """Return a content hash (32 hex digits) of nested plain values, arrays and frozen records; dict order does not matter."""
    h = hashlib.sha256()  # the fastest of the safe ones where the CPU knows it
    _feed(h, parts)
    return h.hexdigest()[:32]


def _feed(h: Any, value: Any) -> None:
    """Feed a value with a tag and a length before each item, so that different structures never give the same bytes."""
    if isinstance(value, str):  # most of all values, keys above all
        data = value.encode("utf-8", "surrogatepass")
        h.update(b"s%d;%b" % (len(data), data))
    else:
        _feed_other(h, value.item() if isinstance(value, np.generic) else value)


def _feed_other(h: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        _feed_array(h, value)
    elif isinstance(value, (bytes, bytearray)):
        h.update(b"b%d;" % len(value))
        h.update(value)
    elif isinstance(value, (tuple, list)):
        h.update(b"t%d;" % len(value))
        for item in value:
            _feed(h, item)
    elif isinstance(value, Mapping):
        h.update(b"m%d;" % len(value))
        for key in sorted(value):
            _feed(h, key)
            _feed(h, value[key])
    elif isinstance(value, QParams):
        _feed(h, ("q", value.scale.hex(), value.zero, value.bits))
    elif value is None or isinstance(value, int):
        h.update(f"i{value!r};".encode())
    elif isinstance(value, float):
        h.update(f"f{value.hex()};".encode())
    else:
        raise TypeError(f"cannot hash a {type(value).__name__}")


def _feed_array(h: Any, value: Array) -> None:
    """Feed an array; strings as such, since an array of objects holds addresses."""
    kind = value.dtype.name if value.dtype.kind == "V" else value.dtype.str  # small floats are all "V" to numpy
    h.update(f"a{kind}{value.shape};".encode())
    if value.dtype.kind == "O":
        _feed(h, value.reshape(-1).tolist())
    else:
        h.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)


_FIELDS: weakref.WeakKeyDictionary[Node | QNode, str] = weakref.WeakKeyDictionary()


def fields_key(node: Node | QNode) -> str:
    """Return the hash of what a layer computes, without its names; remembered, since weights are large and layers immutable."""
    found = _FIELDS.get(node)
    if found is None:
        if isinstance(node, QNode):
            source = fields_key(node.source) if node.source else ""
            found = digest(node.op, node.attrs, node.arrays, node.ins, node.outs, source)
        else:
            opaque = [(r.op, r.domain, r.opset, r.payload) for r in node.raw] if node.op == "Float" else []
            found = digest(node.op, node.attrs, node.params, opaque)
        _FIELDS[node] = found
    return found


def keys(graph: Graph | QGraph, leaves: Mapping[str, str], kind: str) -> dict[str, str]:
    """Return the key of every tensor: a Merkle hash over NUMERICS, the layer's fields and the keys of what it reads.

    `leaves` gives the key of each graph input (a sample's content); names, paths and times are in no key.
    """
    table: dict[str, str] = dict(leaves)
    for name, value in graph.constants.items():
        table[name] = digest("const", value)
    for node in graph.nodes:
        key = digest(kind, NUMERICS, fields_key(node), [table.get(t, "") for t in node.inputs])
        for index, tensor in enumerate(node.outputs):
            table[tensor] = f"{key}.{index}" if index else key
        if isinstance(node, Node) and node.inner:
            table[node.inner] = key + ".inner"
    return table
