"""Float graph + ranges + plan -> integer graph.

A layer is integer when its operator knows how and its inputs can be; otherwise it runs in float32 between a dequantize and a quantize, and
`LayerInfo.reason` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from .calibrate.weights import weight_scales
from .frontends.reasons import no_integer_form
from .ir import Graph, Node, QGraph, QNode, TensorType
from .numerics import Array, QParams, affine
from .ops import base
from .ops.base import GIVEN_SCALES, REGISTRY, Fixed, Own, Parameters, Shared
from .ops.view import Decline
from .plan import Choice, Resolved

Range = tuple[float, float]
PIXELS = QParams(1.0, 0, 8)
"""A picture input holds its own 8-bit levels: nothing is lost before the first layer."""


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """What became of one layer: `reason` is "" when it is integer; `q` quantizes its first output.

    `origin` tells where the range comes from: "own" (observed), "shared" (its input's), "fixed" (mathematics), "given" (the configuration).
    """

    name: str
    op: str
    reason: str = ""
    q: QParams | None = None
    origin: str = "own"
    inner: QParams | None = None
    weight_bits: int | None = None
    requested_bits: int | None = None
    low: float | None = None
    high: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def quantized(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """The integer graph and what became of every layer, in graph order."""

    graph: QGraph
    layers: tuple[LayerInfo, ...]


def shown_type(node: Node) -> str:
    """Return the operator type a person sees: an opaque layer shows the operator of the source model."""
    return str(node.attrs.get("op_type", node.op)) if node.op == "Float" else node.op


def tensors_to_observe(graph: Graph) -> tuple[str, ...]:
    """Return every tensor whose range quantization may need: outputs and inner tensors of layers with a range of their own."""
    wanted: dict[str, None] = {t: None for t in graph.inputs if graph.types[t].dtype == "float32"}
    for node in graph:
        operator = REGISTRY.get(node.op)
        if node.inner:
            wanted[node.inner] = None
        if operator is None or isinstance(operator.origin(node), Own):
            wanted |= {t: None for t in node.outputs if t in graph.types and graph.types[t].dtype == "float32" and graph.types[t].size}
    return tuple(wanted)


def quantize(
    graph: Graph,
    ranges: Mapping[str, Callable[[Choice], Range]],
    resolved: Resolved,
    *,
    inputs: Mapping[str, QParams] | None = None,
    weights: Callable[[Array, int, str], Array] = weight_scales,
    step: Callable[[int, int], None] = lambda done, total: None,
    made: Made | None = None,
) -> Quantized:
    """Return the integer graph.

    `ranges[tensor]` gives the observed range under a choice (its method and bits); `inputs` gives graph inputs that arrive as levels.
    `made` remembers layers from one call to the next: a layer whose parameters did not change is the same object again.
    """
    work = _Work(graph, ranges, resolved, dict(inputs or {}), weights, Made() if made is None else made)
    for index, node in enumerate(graph.nodes):
        work.layer(node)
        step(index + 1, len(graph.nodes))
    outputs = tuple(work.as_float(t) for t in graph.outputs)
    qparams = {t: q for t, q in work.qparams.items() if q is not None}
    integers = QGraph(graph.inputs, outputs, tuple(work.nodes), work.types, qparams, graph.constants, graph.opsets, graph.ir_version)
    return Quantized(integers, tuple(work.infos))


def ends(q: QParams) -> Range:
    """Return the real values of the lowest and the highest level."""
    return q.scale * (0 - q.zero), q.scale * (q.qmax - q.zero)


HELD = 512 << 20
"""Bytes of integer weights and tables that `Made` remembers at most."""


class Made:
    """Layers by what they were made from, so that a changed plan makes only the layers it changes.

    A float layer, and a layer's weights, are told by identity; they are held, so that no other object takes their place. Of layers whose
    arrays take more than `room` bytes together, the ones made first go.
    """

    def __init__(self, room: int = HELD) -> None:
        self._room, self._used = room, 0
        self._layers: dict[Hashable, tuple[Node, QNode | Decline, tuple[str, ...]]] = {}
        self._scales: dict[tuple[int, int, str], tuple[Array | None, Array, Array]] = {}

    def layer(
        self, node: Node, parts: Hashable, make: Callable[[Callable[[str], None]], QNode | Decline], notes: list[str]
    ) -> QNode | Decline:
        """Return what `make` makes of `node` with these parts, made once; its notes are added to `notes` every time."""
        key = (id(node), parts)
        if key not in self._layers:
            told: list[str] = []
            made = make(told.append)
            self._layers[key] = node, made, tuple(told)
            self._used += size_of(made)
            while self._used > self._room and len(self._layers) > 1:
                self._used -= size_of(self._layers.pop(next(iter(self._layers)))[1])
        _, made, told_then = self._layers[key]
        notes.extend(told_then)
        return made

    def scales(self, node: Node, bits: int, method: str, weights: Callable[[Array, int, str], Array]) -> Callable[[Array], Array]:
        """Return the function from a layer's weights to their scales, which searches once per width and method."""

        given = node.params.get(GIVEN_SCALES)
        if given is not None:
            return lambda w: given
        held = node.params.get("weight")
        key = (id(held), bits, method)

        def found(w: Array) -> Array:
            known = self._scales.get(key)
            if known is None or not np.array_equal(known[1], w):
                known = self._scales[key] = held, w, weights(w, bits, method)
            return known[2]

        return found


def size_of(made: QNode | Decline) -> int:
    """Return the bytes of the arrays that an integer layer has of its own."""
    return sum(array.nbytes for array in made.arrays.values()) if isinstance(made, QNode) else 0


@dataclass(slots=True)
class _Work:
    """The integer graph while it grows."""

    graph: Graph
    ranges: Mapping[str, Callable[[Choice], Range]]
    resolved: Resolved
    qparams: dict[str, QParams | None]
    weights: Callable[[Array, int, str], Array]
    made: Made
    nodes: list[QNode] = field(default_factory=list)
    infos: list[LayerInfo] = field(default_factory=list)
    types: dict[str, TensorType] = field(default_factory=dict)
    choice_of: dict[str, Choice] = field(default_factory=dict)
    makers: dict[str, Node] = field(default_factory=dict)
    converted: dict[tuple[str, str], str] = field(default_factory=dict)
    pairs: dict[str, Range] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.types |= self.graph.types
        self.makers |= self.graph.producers()
        for tensor, q in self.qparams.items():
            if q is not None:
                self.types[tensor] = replace(self.types[tensor], dtype=q.dtype.name)

    def layer(self, node: Node) -> None:
        """Append one layer, integer if it can be."""
        choice = self.resolved.choices[node.name]
        for tensor in node.outputs:
            self.choice_of[tensor] = choice
        notes: list[str] = []
        made = self._integer(node, choice, notes)
        if isinstance(made, QNode):
            self._add(made)
            q, inner = made.outs[0], made.attrs.get("inner")
            has_weights = "weight" in made.arrays
            self._inform(node, choice, "", q, inner, choice.weight_bits if has_weights else None, notes)
            return
        self._float(node)
        self._inform(node, choice, made, None, None, None, notes)

    def _integer(self, node: Node, choice: Choice, notes: list[str]) -> QNode | str:
        """Return the integer layer, or the reason there is none."""
        operator = REGISTRY.get(node.op)
        if operator is None or node.reason:
            return node.reason or no_integer_form(shown_type(node))
        if choice.skip:
            return choice.skip
        for tensor in node.inputs:
            kind = self.types[tensor]
            if self.qparams.get(tensor) is None and (kind.dtype != "float32" or tensor in self.graph.constants):
                return f"its input is {'constant' if tensor in self.graph.constants else kind.dtype}"
        before = len(self.nodes)
        ins = tuple(self.quantized(t, choice) for t in node.inputs)
        p = self._parameters(operator, node, choice, ins)
        reads = tuple(t for t, _ in ins)

        def make(note: Callable[[str], None]) -> QNode | Decline:
            return operator.quantize(replace(node, inputs=reads), replace(p, note=note))

        made = self.made.layer(node, (reads, p.ins, p.out, p.inner, p.weight_bits, choice.weight_method), make, notes)
        if isinstance(made, Decline):
            self._forget(before)
            return made.reason
        return made

    def _parameters(self, operator: base.Operator, node: Node, choice: Choice, ins: tuple[tuple[str, QParams], ...]) -> Parameters:
        bits = choice.feature_bits or 8
        origin = operator.origin(node)
        if isinstance(origin, Shared):
            shared, out = ins[origin.index]
            pair = self.pairs.get(shared, ends(out))
        else:
            pair = self._range(node.outputs[0], choice)
            if isinstance(origin, Fixed) and choice.low is None and choice.high is None:
                pair = origin.low, origin.high
            out = affine(*pair, bits)
        self.pairs[node.outputs[0]] = min(pair[0], 0.0), max(pair[1], 0.0)
        inner = affine(*self.ranges[node.inner](choice), bits) if node.inner else None
        weight_bits, method = choice.weight_bits or 8, choice.weight_method or "MAX_ABS"
        scales = self.made.scales(node, weight_bits, method, self.weights)
        return Parameters(tuple(q for _, q in ins), out, inner, weight_bits, scales, self.types)

    def _range(self, tensor: str, choice: Choice) -> Range:
        if choice.low is not None and choice.high is not None:
            return choice.low, choice.high
        low, high = self._seen(tensor, choice)
        return (low if choice.low is None else choice.low), (high if choice.high is None else choice.high)

    def _seen(self, tensor: str, choice: Choice) -> Range:
        """Return the range of a tensor's values: observed, or that of the tensor it is made of by a layer that could have shared it.

        A tensor without elements, which nobody can observe, has the range [0, 0].
        """
        if tensor in self.ranges:
            return self.ranges[tensor](choice)
        q = self.qparams.get(tensor)
        if q is not None:
            return ends(q)
        maker = self.makers.get(tensor)
        operator = REGISTRY.get(maker.op) if maker else None
        if maker is None or operator is None:
            return 0.0, 0.0
        origin = operator.origin(maker)
        if isinstance(origin, Fixed):
            return origin.low, origin.high
        return self._seen(maker.inputs[origin.index], choice) if isinstance(origin, Shared) else (0.0, 0.0)

    def _float(self, node: Node) -> None:
        reads = tuple(self.as_float(t) for t in node.inputs)
        ins = tuple(self.qparams.get(t) for t in reads)

        def make(note: Callable[[str], None]) -> QNode | Decline:
            renamed = {a: b for a, b in dict(zip(node.inputs, reads, strict=True)).items() if a != b}
            attrs = {"rename": tuple(sorted(renamed.items()))} if renamed else {}
            source = replace(node, inputs=reads)
            return QNode("Float", node.name, reads, node.outputs, ins, (None,) * len(node.outputs), attrs, {}, source)

        made = self.made.layer(node, ("Float", reads, ins), make, [])
        if isinstance(made, QNode):
            self._add(made)

    def _inform(
        self, node: Node, choice: Choice, reason: str, q: QParams | None, inner: QParams | None, bits: int | None, notes: list[str]
    ) -> None:
        low, high = self.pairs.get(node.outputs[0], (None, None)) if q else (None, None)
        origin = self._origin(node, choice) if q else "own"
        info = LayerInfo(node.name, shown_type(node), reason, q, origin, inner, bits, choice.feature_bits, low, high, tuple(notes))
        self.infos.append(info)

    @staticmethod
    def _origin(node: Node, choice: Choice) -> str:
        origin = REGISTRY[node.op].origin(node)
        if isinstance(origin, Shared):
            return "shared"
        if choice.low is not None or choice.high is not None:
            return "given"
        return "fixed" if isinstance(origin, Fixed) else "own"

    def _add(self, made: QNode) -> None:
        self.nodes.append(made)
        for tensor, q in zip(made.outputs, made.outs, strict=True):
            self.qparams[tensor] = q
            if q is not None:
                self.types[tensor] = replace(self.types[tensor], dtype=q.dtype.name)

    def _forget(self, length: int) -> None:
        """Take back the conversions that a layer which then declined had asked for."""
        for made in self.nodes[length:]:
            del self.converted[made.op, made.inputs[0]]
            for tensor in made.outputs:
                del self.qparams[tensor], self.types[tensor]
        del self.nodes[length:]

    def quantized(self, tensor: str, reader: Choice) -> tuple[str, QParams]:
        """Return a tensor's levels, quantizing a float tensor with its own range the first time an integer layer reads it.

        A graph input, which no layer makes, is quantized with the width and method of the layer that reads it first.
        """
        q = self.qparams.get(tensor)
        if q is not None:
            return tensor, q
        name = self._conversion("Quantize", tensor)
        known = self.qparams.get(name)
        if known is None:
            choice = self.choice_of.get(tensor, replace(reader, low=None, high=None))
            known = affine(*self._range(tensor, choice), choice.feature_bits or 8)
            self.types[name] = self.types[tensor]
            self._add(QNode("Quantize", name, (tensor,), (name,), (None,), (known,)))
        return name, known

    def as_float(self, tensor: str) -> str:
        """Return a tensor's real values, dequantizing levels the first time a float layer (or the outside) reads them."""
        q = self.qparams.get(tensor)
        if q is None:
            return tensor
        name = self._conversion("Dequantize", tensor)
        if name not in self.qparams:
            self.types[name] = replace(self.types[tensor], dtype="float32")
            self._add(QNode("Dequantize", name, (tensor,), (name,), (q,), (None,)))
        return name

    def _conversion(self, op: str, tensor: str) -> str:
        """Return the name of a tensor's one conversion: the tensor's with the operator behind it, and never a name that the model uses."""
        if (op, tensor) not in self.converted:
            name = f"{tensor}/{op}"
            while name in self.types or name in self.graph.constants:
                name += "_"
            self.converted[op, tensor] = name
        return self.converted[op, tensor]
