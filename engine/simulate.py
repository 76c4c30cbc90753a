"""Running graphs: float layers, integer layers, and each integer layer alone on float inputs.

Pictures are fed as uint8 NHWC pixels, other inputs in model layout. Values of rank 4 come back as contiguous NHWC arrays, the layout of
the dumps and of the board; every other value as it is. Both graphs use the same layout, so values pair element by element.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

import numpy as np

from .dataset import InputSpec, Loaded
from .errors import ModelError
from .ir import Graph, Node, QGraph, QNode, TensorType, digest
from .numerics import Array, QParams
from .ops.base import REGISTRY
from .ops.lowering import Builder, Step
from .ort.selftest import exact_kernels
from .ort.session import Program

PIXELS = "\x1epixels:"
LOCAL = "\x1elocal:"

ROOM = 384 << 20
"""Bytes of float values that samples side by side may have together; where one sample has more, it runs alone, on all processors."""

LARGE = 128 << 20
"""Bytes of float values of one sample above which they are made as NHWC: putting them in order afterwards would hold them twice."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """How samples reach a network: the specification of each input, which of them take pixels, the types of those that are not float32.

    An input in `pictures` is fed pixels and nothing else. Where some samples are .bin files it is fed real numbers, made from pixels too.
    """

    specs: tuple[InputSpec, ...]
    pictures: frozenset[str]
    dtypes: Mapping[str, str] = field(default_factory=dict)

    def feeds(self, loaded: Loaded) -> dict[str, Array]:
        """Return a loaded sample as programs want it: pixels under a name of their own, the rest in its input's type; rank 4 as NHWC."""
        fed: dict[str, Array] = {}
        for s in self.specs:
            value: Array = loaded.feeds[s.name]
            if s.name in self.pictures:
                fed[PIXELS + s.name] = value
                continue
            if value.ndim == 4 and s.name not in loaded.pixels:
                value = value.transpose(0, 2, 3, 1)
            fed[s.name] = np.asarray(value, self.dtypes.get(s.name, "float32"), order="C")
        return fed

    def types(self) -> dict[str, TensorType]:
        """Return what `feeds` gives, by name, with shapes in model layout."""
        pixels = {PIXELS + s.name: TensorType(s.shape, "uint8") for s in self.specs if s.name in self.pictures}
        others = {s.name: TensorType(s.shape, self.dtypes.get(s.name, "float32")) for s in self.specs if s.name not in self.pictures}
        return {**pixels, **others}

    def leaves(self) -> dict[str, str]:
        """Return the key of each input as a leaf of the graph's keys: what is fed there besides the sample's content.

        The name of an input decides which file of a sample it gets, so it counts where samples are files.
        """
        return {
            s.name: digest("input", s.shape, "" if s.name in self.pictures else (s.name, self.dtypes.get(s.name, ""))) for s in self.specs
        }


def lower_floats(graph: Graph, inputs: Inputs) -> Builder:
    """Lower a float graph; picture inputs are cast from pixels."""
    b = Builder()
    b.constants |= graph.constants
    for spec in inputs.specs:
        if spec.name in inputs.pictures:
            b.begin(spec.name)
            b.finish(b.op("Cast", PIXELS + spec.name, to=1), spec.name)
    for node in graph:
        lower_float_node(node, b, graph.types, {})
    return b


def lower_float_node(node: Node, b: Builder, types: Mapping[str, TensorType], renamed: Mapping[str, str]) -> None:
    """Append one float layer: a registered operator's own lowering, or the source operator as it is."""
    b.begin(node.name)
    if node.op != "Float":
        REGISTRY[node.op].lower_float(node, b, types)
        return
    for raw in node.raw:
        captured = tuple(renamed.get(t, t) for t in raw.captured)
        reads = tuple(renamed.get(t, t) for t in raw.inputs)
        b.steps.append(Step(raw.op, (*reads, *captured), raw.outputs, {"rename": tuple(renamed.items())}, raw.domain, raw))


def lower_ints(graph: QGraph, fast: frozenset[str]) -> Builder:
    """Lower an integer graph."""
    b = Builder(fast)
    b.constants |= graph.constants
    for node in graph.nodes:
        lower_int_node(node, b, graph.types)
    return b


def lower_int_node(node: QNode, b: Builder, types: Mapping[str, TensorType]) -> None:
    """Append one layer of an integer graph, a conversion, or a layer that stayed in float."""
    b.begin(node.name)
    if node.op == "Float" and node.source is not None:
        lower_float_node(node.source, b, types, dict(node.attrs.get("rename", ())))
    elif node.op == "Quantize" and node.outs[0] is not None:
        # what a float layer makes may not be a number: it has the level of zero, whatever the CPU's comparison says
        known = b.op("Where", b.op("IsNaN", node.inputs[0]), b.const(0.0, np.float32), node.inputs[0])
        b.finish(b.quantize(known, node.outs[0]), node.outputs[0])
    elif node.op == "Dequantize" and node.ins[0] is not None:
        b.finish(b.dequantize(node.inputs[0], node.ins[0]), node.outputs[0])
    else:
        REGISTRY[node.op].lower_int(node, b)


def lower_locals(graph: QGraph, fast: frozenset[str], pictures: frozenset[str]) -> tuple[Builder, tuple[str, ...]]:
    """Lower every integer layer alone: its inputs are the float values, quantized. Returns the float tensors it is fed with as well.

    A layer's levels come back under LOCAL + tensor.
    """
    b = Builder(fast)
    origin = {n.outputs[0]: n.inputs[0] for n in graph.nodes if n.op == "Quantize"}
    made: dict[str, str] = {}
    fed: dict[str, None] = {}

    def levels(tensor: str, q: QParams) -> str:
        source = origin.get(tensor, tensor)
        if source in pictures:
            return source
        if tensor not in made:
            fed[source] = None
            made[tensor] = LOCAL + "\x1e" + tensor  # a name that no layer's result takes over: other layers read it too
            b.begin(tensor)
            b.finish(b.quantize(source, q), made[tensor])
        return made[tensor]

    for node in graph.nodes:
        if node.op in ("Float", "Quantize", "Dequantize"):
            continue
        ins = tuple(levels(t, q) for t, q in zip(node.inputs, node.ins, strict=True) if q is not None)
        b.begin(node.name)
        alone = replace(node, inputs=ins, outputs=tuple(LOCAL + t for t in node.outputs))
        REGISTRY[node.op].lower_int(alone, b)
    return b, tuple(fed)


def float_bytes(graph: Graph) -> int:
    """Return the bytes of all float values of one sample."""
    return sum(4 * kind.size for kind in graph.types.values() if kind.dtype == "float32")


def require_room(graph: Graph, memory: int) -> None:
    """Raise ModelError where the float values of one sample take more than `memory` bytes: better said than killed for it."""
    need = float_bytes(graph)
    if need > memory:
        said = f"the float values of one sample take {need / 2**30:.1f} GiB, this machine has {memory / 2**30:.1f} GiB of memory"
        raise ModelError(said, hint="a smaller INPUT_SHAPE takes less")


def side_by_side(graph: Graph, most: int) -> int:
    """Return how many samples, `most` or fewer and at least one, may hold all their values at a time."""
    return max(1, min(most, ROOM // max(float_bytes(graph), 1)))


class Networks:
    """The compiled programs of one conversion: float, integer, and layer by layer. Built when first asked for."""

    def __init__(self, graph: Graph, inputs: Inputs, *, threads: int = 0) -> None:
        self.graph, self.inputs, self.threads = graph, inputs, threads
        self._floats: Program | None = None
        self._lock = threading.Lock()

    def prepare(self, executor: Executor) -> None:
        """Begin, on the executor, what the first sample would wait for; what goes wrong is said when it is asked for."""
        executor.submit(self.floats)
        executor.submit(fast)

    def floats(self) -> Program:
        """Return the float program, compiled once: it makes every float tensor of every layer, inner ones too.

        Values come in whatever layout is fastest: see `Program.pieces` and `Program.nhwc_value`.
        """
        with self._lock:
            if self._floats is None:
                require_room(self.graph, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
                self._floats = self._compile_floats()
            return self._floats

    def shed(self) -> None:
        """Let go of the float values of samples that are done, if there are any."""
        with self._lock:
            if self._floats is not None:
                self._floats.shed()

    def _compile_floats(self) -> Program:
        feeds, large = self.inputs.types(), float_bytes(self.graph) > LARGE
        shown = [t for n in self.graph for t in (*n.outputs, n.inner) if t in self.graph.types and self.graph.types[t].dtype == "float32"]
        return Program(
            lower_floats(self.graph, self.inputs),
            feeds,
            list(dict.fromkeys(shown)),
            types=self.graph.types,
            opsets=self.graph.opsets,
            nhwc=True if large else frozenset(feeds),
            blocked=not large,
            threads=self.threads,
        )

    def integers(self, graph: QGraph, wanted: Sequence[str]) -> Program:
        """Compile an integer graph for the wanted tensors."""
        return Program(
            lower_ints(graph, fast()),
            {t: graph.types[t] for t in graph.inputs},
            wanted,
            types=graph.types,
            opsets=graph.opsets,
            nhwc=True,
            threads=self.threads,
        )

    def locals(self, graph: QGraph) -> tuple[Program, tuple[str, ...]] | None:
        """Compile every integer layer alone; None when there is none. Returns the float tensors to feed as well."""
        lowered, fed = lower_locals(graph, fast(), self.inputs.pictures)
        if not lowered.steps:
            return None
        feeds = {t: replace(self.graph.types[t], dtype="float32") for t in fed}
        feeds |= {t: graph.types[t] for t in self.inputs.pictures if any(t in s.inputs for s in lowered.steps)}
        wanted = [LOCAL + t for n in graph.nodes if n.op not in ("Float", "Quantize", "Dequantize") for t in n.outputs]
        types = {**{LOCAL + t: kind for t, kind in graph.types.items()}, **feeds}
        program = Program(lowered, feeds, wanted, types=types, nhwc=True, threads=self.threads)
        return program, fed


@functools.cache
def fast() -> frozenset[str]:
    """Return the integer kernels of onnxruntime that this machine's start-up test has shown exact."""
    return exact_kernels()


def quantized_program(graph: QGraph, wanted: Sequence[str] | None = None) -> Program:
    """Compile an integer graph for the wanted tensors, by default every tensor a layer makes: how a model file read back is run often.

    It is fed what `run_quantized` is.
    """
    names = [t for n in graph.nodes for t in n.outputs] if wanted is None else list(wanted)
    feeds = {t: graph.types[t] for t in graph.inputs}
    return Program(lower_ints(graph, fast()), feeds, names, types=graph.types, opsets=graph.opsets, nhwc=True)


def run_quantized(graph: QGraph, inputs: Mapping[str, Array], wanted: Sequence[str] | None = None) -> dict[str, Array]:
    """Run an integer graph once on inputs as they are fed (pixels NHWC uint8, or float32) and return copies of the wanted tensors.

    Without `wanted`: every tensor a layer makes. This is how a model file read back is run.
    """
    return {t: v.copy() for t, v in quantized_program(graph, wanted).run(inputs).items()}
