"""A quantized network as steps that can be run one by one, each with the key of what it makes.

A step is one layer; layers between which tensors of unknown type pass are one step together. A float layer that reads what the float
network has, and computes what it computes there, has the float network's key: its values are those of the reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..ir import Graph, QGraph, QNode, TensorType, digest, fields_key
from ..numerics import NUMERICS
from ..quantize import PIXELS


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Step:
    """Layers that run in one session: what they read from outside, what they make, and the key of that (one per tensor)."""

    nodes: tuple[QNode, ...]
    reads: tuple[str, ...]
    makes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """The steps of a network in order.

    `keys` names every tensor's content but for the sample, `reference` maps tensors to the float network's
    whose values they have, and `origins` the levels of a float tensor to that tensor.
    """

    graph: QGraph
    steps: tuple[Step, ...]
    keys: Mapping[str, str]
    reference: Mapping[str, str]
    origins: Mapping[str, str]


def course_of(graph: QGraph, floats: Graph, float_keys: Mapping[str, str], leaves: Mapping[str, str]) -> Course:
    """Return the course of a quantized network beside the float network it was made from."""
    own = {node.name: node for node in floats.nodes}
    table: dict[str, str] = dict(leaves)
    reference: dict[str, str] = {}
    pure: set[str] = {t for t in graph.inputs if t not in graph.qparams}
    for name, value in graph.constants.items():
        table[name] = digest("const", value)
        pure.add(name)
    for node in graph.nodes:
        if node.op == "Dequantize" and node.ins[0] == PIXELS and node.inputs[0] in graph.inputs:
            table[node.outputs[0]] = leaves[node.inputs[0]]
            pure.add(node.outputs[0])
            continue
        source = own.get(node.name)
        same = node.op == "Float" and source is not None and node.source is not None and fields_key(node.source) == fields_key(source)
        if same and all(t in pure for t in reads_of(node)):
            for tensor, real in zip(node.outputs, source.outputs if source else (), strict=True):
                table[tensor] = float_keys[real]
                pure.add(tensor)
                if real in floats.types and floats.types[real].dtype == "float32":
                    reference[tensor] = real
            continue
        key = digest("int", NUMERICS, fields_key(node), [table.get(t, "") for t in reads_of(node)])
        for index, tensor in enumerate(node.outputs):
            table[tensor] = f"{key}.{index}" if index else key
    origins = {n.outputs[0]: n.inputs[0] for n in graph.nodes if n.op == "Quantize"}
    return Course(graph, steps_of(graph), table, reference, origins)


def reads_of(node: QNode) -> tuple[str, ...]:
    """Return every tensor a layer reads, those of its subgraphs too."""
    if node.source is None or node.source.op != "Float":
        return node.inputs
    renamed = dict(node.attrs.get("rename", ()))
    inner = {t for r in node.source.raw for t in r.outputs}
    named = (renamed.get(t, t) for r in node.source.raw for t in (*r.inputs, *r.captured) if t and t not in inner)
    return tuple(dict.fromkeys((*node.inputs, *named)))


def steps_of(graph: QGraph) -> tuple[Step, ...]:
    """Cut a network into steps at tensors of a known type."""
    groups: list[list[QNode]] = []
    place: dict[str, int] = {}
    for node in graph.nodes:
        first = min((place[t] for t in reads_of(node) if t in place and not crosses(graph.types.get(t))), default=len(groups))
        joined = [n for group in groups[first:] for n in group]
        del groups[first:]
        groups.append([*joined, node])
        for member in (*joined, node):
            place |= dict.fromkeys(member.outputs, first)
    return tuple(_step(group, graph) for group in groups)


def crosses(kind: TensorType | None) -> bool:
    """Tell whether a tensor of this type can pass from one session to another through memory of ours."""
    return kind is not None and kind.dtype not in ("object", "str")


def _step(nodes: Sequence[QNode], graph: QGraph) -> Step:
    made = [t for n in nodes for t in n.outputs]
    inside = set(made)
    reads = dict.fromkeys(t for n in nodes for t in reads_of(n) if t not in inside and t not in graph.constants)
    return Step(tuple(nodes), tuple(reads), tuple(t for t in made if crosses(graph.types.get(t))))
