"""The source model as plain values: its operators, constants and types, free of the library that read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import ModelError
from ..ir import RawNode, TensorType
from ..numerics import Array


@dataclass(frozen=True, slots=True)
class Declared:
    """What a model says of a tensor: a dimension that it leaves open is None; `dims` is None when even the rank is open."""

    dims: tuple[int | None, ...] | None
    dtype: str

    def static(self) -> TensorType | None:
        """Return the type when every dimension is known."""
        if self.dims is None or None in self.dims:
            return None
        return TensorType(tuple(d for d in self.dims if d is not None), self.dtype)

    def __str__(self) -> str:
        dims = "of any rank" if self.dims is None else "[" + ",".join("?" if d is None else str(d) for d in self.dims) + "]"
        return f"{dims} {self.dtype}"


@dataclass(frozen=True, slots=True, eq=False)
class RawGraph:
    """A source model between reading and recognition; nodes are in topological order.

    `declared` tells what the model says of its inputs, `types` what is known for certain, `labels` maps the names of operators to
    their output tensors.
    """

    nodes: tuple[RawNode, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Array]
    declared: Mapping[str, Declared]
    opsets: Mapping[str, int]
    ir_version: int
    types: Mapping[str, TensorType] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def producers(self) -> dict[str, RawNode]:
        """Map each computed tensor to the operator that makes it."""
        return {t: n for n in self.nodes for t in n.outputs if t}


def reads(node: RawNode) -> tuple[str, ...]:
    """Return every tensor an operator reads, those of its subgraphs included, each once."""
    return tuple(dict.fromkeys(t for t in (*node.inputs, *node.captured) if t))


def without_dead_code(graph: RawGraph) -> RawGraph:
    """Drop operators and constants that no output needs; inputs stay."""
    needed = set(graph.outputs)
    kept: list[RawNode] = []
    for node in reversed(graph.nodes):
        if needed.intersection(t for t in node.outputs if t):
            kept.append(node)
            needed.update(reads(node))
    constants = {name: value for name, value in graph.constants.items() if name in needed}
    return replace(graph, nodes=tuple(reversed(kept)), constants=constants)


def topological(nodes: Sequence[RawNode], given: Iterable[str]) -> tuple[RawNode, ...]:
    """Return the operators in an order where every tensor is made before it is read, the file's order wherever that is one.

    `given` are the inputs and constants. ModelError when a tensor is made twice, never, or out of itself.
    """
    producer: dict[str, RawNode] = {}
    known = set(given)
    for node in nodes:
        for t in filter(None, node.outputs):
            if t in producer or t in known:
                raise ModelError(f"tensor {t!r} is made twice, the second time by operator {node.op}")
            producer[t] = node
    done: set[int] = set()
    order: list[RawNode] = []
    for start in nodes:
        _visit(start, producer, known, done, order)
    return tuple(order)


def _visit(start: RawNode, producer: Mapping[str, RawNode], known: set[str], done: set[int], order: list[RawNode]) -> None:
    """Append `start` after everything it needs: a depth-first walk with its own stack, since models are deeper than Python's."""
    stack, open_nodes = [start], set[int]()
    while stack:
        node = stack[-1]
        if id(node) in done:
            stack.pop()
            continue
        waiting = []
        for t in reads(node):
            if t in known:
                continue
            maker = producer.get(t)
            if maker is None:
                raise ModelError(f"operator {node.op} reads tensor {t!r}, which nothing makes")
            if id(maker) not in done:
                waiting.append(maker)
        if not waiting:
            done.add(id(node))
            order.append(node)
            stack.pop()
            continue
        if id(node) in open_nodes:
            raise ModelError(f"operator {node.op}, which makes {node.outputs[0]!r}, needs its own result")
        open_nodes.add(id(node))
        stack.extend(reversed(waiting))
