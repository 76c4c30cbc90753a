"""An operator is defined once: its recogniser, its lowerings, its parameters, its reference and its adversarial example.

Registration happens by subclassing; an operator without an example is refused when its module is imported. There is no second list.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array, QParams
from .lowering import Builder
from .view import Decline, Match, View

REGISTRY: dict[str, Operator] = {}
"""Layer type -> its one operator."""

GIVEN_SCALES = "weight_scale"
"""The parameter of a layer whose weights lie on levels already: the float32 scales (channels,) of these, instead of a method's."""


@dataclass(frozen=True, slots=True)
class Own:
    """The output's range is observed."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The output has the quantization of input `index`: the layer moves or selects integers and never rounds."""

    index: int = 0


@dataclass(frozen=True, slots=True)
class Fixed:
    """The output's range follows from mathematics."""

    low: float
    high: float


Origin = Own | Shared | Fixed


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a layer is quantized with.

    `ins` are the quantizations of its inputs (None for a float input), `out` that of its output, `inner` that of its inner tensor.
    `weight_scales` maps weights of shape (channels, k) to float32 scales of shape (channels,). `note` records what had to give.
    """

    ins: tuple[QParams | None, ...]
    out: QParams
    inner: QParams | None
    weight_bits: int
    weight_scales: Callable[[Array], Array]
    types: Mapping[str, TensorType]
    note: Callable[[str], None] = field(default=lambda text: None)

    def features(self) -> tuple[QParams, ...]:
        """Return the quantizations of the inputs, all of which are quantized."""
        return tuple(q for q in self.ins if q is not None)


@dataclass(frozen=True, slots=True)
class Example:
    """One adversarial case: a float layer, the types and quantizations of its tensors, integer inputs."""

    node: Node
    types: Mapping[str, TensorType]
    ins: tuple[QParams, ...]
    out: QParams
    inputs: tuple[Array, ...]
    inner: QParams | None = None
    weight_bits: int = 8


class Operator(ABC):
    """One layer type. Instances hold no state; subclasses with a `type` register themselves."""

    type: ClassVar[str] = ""
    sources: ClassVar[tuple[str, ...]] = ()
    """Names of the source operators at which recognition starts."""

    domains: ClassVar[tuple[str, ...]] = ("",)

    priority: ClassVar[int] = 0
    """Recognisers of a higher priority are asked first: a pattern of several operators before those that know its first one alone."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.type:
            return
        if cls.example is Operator.example:
            raise TypeError(f"operator {cls.type} has no adversarial example")
        if cls.type in REGISTRY:
            raise TypeError(f"operator {cls.type} is defined twice")
        REGISTRY[cls.type] = cls()

    @abstractmethod
    def match(self, raw: RawNode, view: View) -> Match | Decline:
        """Recognise the layer that starts at `raw`, or say why it is not this one."""

    def origin(self, node: Node) -> Origin:
        """Tell where the quantization of the output comes from."""
        return Own()

    def channel_axis(self, node: Node) -> int | None:
        """Return the axis of the output along which `params["bias"]` lies, None for a layer that has no bias of its own.

        Such a layer keeps its weights with the channels first and, if it absorbs a function, names it in the attribute "function".
        """
        return None

    def lower_windows(self, node: Node, b: Builder, types: Mapping[str, TensorType], most: int) -> str:
        """Append what the weights of a layer that adds products multiply, and return its name: float32 (groups, k, positions).

        k runs as in `weight.reshape(channels, -1)`, and each group feeds as many of the channels as the next, in order. Of a large output
        an even part of its positions is taken, `most` of them or one per batch. ValueError where a layer has a bias of its own and more
        than one weight for each of its outputs, and does not say.
        """
        raise ValueError(f"{self.type} does not say what its weights multiply")

    @abstractmethod
    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        """Append the float layer; its outputs (and inner tensor) get their names through `b.finish`."""

    @abstractmethod
    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        """Compute the integer layer, or decline with a reason."""

    @abstractmethod
    def lower_int(self, q: QNode, b: Builder) -> None:
        """Append the integer layer, exact to the last bit."""

    @abstractmethod
    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        """Return (accumulator, output) by the slow obvious way, in model layout; the accumulator is what requantization starts from."""

    @abstractmethod
    def example(self, rng: np.random.Generator, bits: int) -> Example:
        """Draw a case that would show a wrong sum, a wrong order or a wrong rounding: one-signed data, ties, extreme levels, odd sizes."""

    def outputs(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """Return every output by the slow obvious way; `reference` gives the first, and most layers have no other."""
        return (self.reference(q, inputs)[1],)

    def macs(self, node: Node, types: Mapping[str, TensorType]) -> int:
        """Return the multiply-accumulates of one run; 0 for layers that only move or compare."""
        return 0


def qnode(op: str, node: Node, p: Parameters, attrs: Mapping[str, Any] | None = None, **arrays: Array) -> QNode:
    """Build the integer layer of `node`; several outputs share one quantization."""
    return QNode(op, node.name, node.inputs, node.outputs, p.ins, (p.out,) * len(node.outputs), dict(attrs or {}), arrays)


def quantization(q: QNode) -> tuple[tuple[QParams, ...], QParams]:
    """Return the quantizations of the inputs and of the output of an integer layer; raises ValueError where one is a float tensor."""
    ins, out = tuple(p for p in q.ins if p is not None), q.outs[0]
    if out is None or len(ins) != len(q.ins):
        raise ValueError(f"layer {q.name} reads or makes a float tensor")
    return ins, out


def candidates(raw: RawNode) -> list[Operator]:
    """Return the operators whose recogniser starts at this source operator: by priority, then in order of registration."""
    found = [o for o in REGISTRY.values() if raw.op in o.sources and raw.domain in o.domains]
    return sorted(found, key=lambda o: -o.priority)


def random_levels(rng: np.random.Generator, q: QParams, shape: Sequence[int]) -> Array:
    """Draw levels that stress sums: mostly at the extremes, or all on one side of the zero point."""
    kind = int(rng.integers(4))
    if kind == 0:
        data = rng.integers(0, q.qmax + 1, shape)
    elif kind == 1:
        data = rng.choice([0, q.qmax], shape)
    elif kind == 2:
        data = np.full(shape, q.qmax)
    else:
        data = np.clip(q.zero + rng.integers(-2, 3, shape), 0, q.qmax)
    return np.asarray(data).astype(q.dtype)


def random_params(rng: np.random.Generator, bits: int, scale: float | None = None) -> QParams:
    """Draw a quantization whose zero point is at an end, in the middle, or anywhere."""
    top = (1 << bits) - 1
    zero = int(rng.choice([0, top, top // 2, int(rng.integers(0, top + 1))]))
    drawn = float(np.float32(scale if scale is not None else rng.choice([2.0**-7, 0.013, 1.0 / 3.0, 0.02])))
    return QParams(drawn, zero, bits)
