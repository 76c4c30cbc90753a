"""What every function of one tensor shares: on levels it is a table, computed at conversion, exact on every machine.

Also their recognition where a model spells one with several operators, such as x * clip(x + 3, 0, 6) / 6. A spelling is not compared with
a list of spellings: the operators are evaluated on a grid, and what gives the values of a known function is that function.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array, QParams, affine, lookup_table
from .activation import clip_limits
from .base import Example, Operator, Origin, Own, Parameters, qnode, random_levels, random_params
from .lowering import Builder
from .view import Decline, Match, View

Attrs = Mapping[str, Any]


def constants(**values: float | str) -> Attrs:
    """Return attributes that no one changes."""
    return MappingProxyType(values)


GRID = np.concatenate([np.linspace(-12.0, 12.0, 481), np.linspace(-0.3, 0.3, 61)])
"""Where spellings are compared: past the knees of every known function, with and without 0."""

LONGEST = 9
"""Operators in the longest spelling that is looked for (the tanh form of Gelu has nine)."""


class Unary(Operator):
    """One function. `defaults` are ONNX's attribute defaults; `spelled` lists the attributes under which a spelling is looked for."""

    defaults: ClassVar[Attrs] = constants()
    spelled: ClassVar[tuple[Attrs, ...]] = ()

    @abstractmethod
    def f(self, x: Array, a: Attrs) -> Array:
        """Return the function of a float64 array."""

    def attrs_of(self, raw: RawNode, view: View) -> dict[str, Any] | Decline:
        """Return the attributes of the function that this one source operator is."""
        return {k: type(v)(raw.attrs.get(k, v)) for k, v in self.defaults.items()}

    def single(self, raw: RawNode) -> bool:
        """Tell whether the source operator is the whole function."""
        return raw.op == self.type

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        if self.single(raw):
            source = raw.inputs[0]
            if view.const(source) is not None or not view.is_float(source):
                return Decline("its input is not known to be a float tensor")
            attrs = self.attrs_of(raw, view)
            return attrs if isinstance(attrs, Decline) else self._layer(source, attrs, (raw,))
        features = set(view.features(raw))
        if len(features) != 1 or not view.is_float(*features):
            return Decline("it is no function of one float tensor")
        (source,) = features
        for chain, values in reversed(list(spellings(raw, source, view))):
            for changed in self.spelled:
                form = {**self.defaults, **changed}
                if np.allclose(values, self.f(GRID, form), rtol=1e-5, atol=1e-6):
                    return self._layer(source, form, chain)
        return Decline(f"not the start of a {self.type}")

    def _layer(self, source: str, attrs: Attrs, chain: tuple[RawNode, ...]) -> Match:
        out = chain[-1].outputs[0]
        return Match(Node(self.type, out, (source,), (out,), attrs), chain)

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        b.finish(self.float_steps(node.inputs[0], node.attrs, b), node.outputs[0])

    def float_steps(self, x: str, a: Attrs, b: Builder) -> str:
        """Append the function in float32; where ONNX has the operator, that one."""
        return b.op(self.type, x, **a)

    def origin(self, node: Node) -> Origin:
        return Own()

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        table = lookup_table(lambda x: self.f(x, node.attrs), p.features()[0], p.out)
        return qnode(self.type, node, p, table=table)

    def lower_int(self, q: QNode, b: Builder) -> None:
        b.finish(b.table(q.inputs[0], q.arrays["table"]), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        return inputs[0].astype(np.int64), q.arrays["table"][inputs[0]]

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape = [(1, 3, 5, 4), (1, 7), (1, 1, 1, 1), (300,)][int(rng.integers(4))]
        source = random_params(rng, bits, float(rng.choice([1.0, 6.0, 40.0])) / (1 << bits))
        attrs = {**self.defaults, **(self.spelled[0] if self.spelled else {})}
        target = self._target(rng, source, attrs)
        node = Node(self.type, "y", ("x",), ("y",), attrs)
        types = {"x": TensorType(shape), "y": TensorType(shape)}
        return Example(node, types, (source,), target, (random_levels(rng, source, shape),))

    def _target(self, rng: np.random.Generator, source: QParams, attrs: Attrs) -> QParams:
        """Draw an output quantization: that of the function's own range, or any."""
        if rng.integers(2):
            return random_params(rng, int(rng.integers(2, 17)))
        ends = self.f((np.array([0.0, source.qmax]) - source.zero) * source.scale, attrs)
        low, high = np.clip(ends, -1e6, 1e6)
        return affine(min(low, high), max(low, high), source.bits)


def spellings(raw: RawNode, source: str, view: View) -> list[tuple[tuple[RawNode, ...], Array]]:
    """Return every closed run of operators that starts at `raw` and depends on `source` alone, with its values on the grid.

    Closed: no value inside is read outside or leaves the model, so the run can be replaced by one layer. Shortest first.
    """
    values: dict[str, Array] = {source: GRID}
    chain: list[RawNode] = []
    found = []
    current: RawNode | None = raw
    while current is not None and len(chain) < LONGEST:
        value = _evaluate(current, values, view)
        if value is None:
            break
        chain.append(current)
        out = current.outputs[0]
        values[out] = value
        inside = {n.outputs[0] for n in chain} - {out}
        if all(not view.is_output(t) and all(r in chain for r in view.readers(t)) for t in inside):
            found.append((tuple(chain), value))
        current = None if view.is_output(out) else _next(chain, values, view)
    return found


def _next(chain: Sequence[RawNode], values: Mapping[str, Array], view: View) -> RawNode | None:
    """Return the operator that continues a run: one that reads a value made in it, and nothing computed outside of it."""
    for node in reversed(chain):
        for reader in view.readers(node.outputs[0]):
            if reader not in chain and all(t in values for t in view.features(reader)):
                return reader
    return None


def _evaluate(raw: RawNode, values: Mapping[str, Array], view: View) -> Array | None:
    """Return the grid values of one operator, None when it is not an element-wise function of known values and scalars."""
    if raw.domain or len(raw.outputs) != 1:
        return None
    limits = clip_limits(raw, view)
    if limits is not None:
        x = values.get(raw.inputs[0])
        return None if x is None else np.clip(x, *limits)
    operands = []
    for tensor in raw.inputs:
        value = values.get(tensor)
        if value is None:
            constant = view.const(tensor)
            if constant is None or constant.size != 1 or constant.dtype.kind != "f":
                return None
            value = constant.reshape(-1).astype(np.float64)
        operands.append(value)
    with np.errstate(all="ignore"):
        return _apply(raw, operands)


def _apply(raw: RawNode, x: Sequence[Array]) -> Array | None:
    """Return the value of an element-wise operator of one or two operands, None for one that no spelling uses."""
    if len(x) == 2:
        binary = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power}.get(raw.op)
        return None if binary is None else np.asarray(binary(*x))
    if len(x) != 1:
        return None
    if raw.op == "HardSigmoid":
        return np.clip(float(raw.attrs.get("alpha", 0.2)) * x[0] + float(raw.attrs.get("beta", 0.5)), 0.0, 1.0)
    unary: dict[str, Callable[[Array], Array]] = {"Sigmoid": sigmoid, "Tanh": np.tanh, "Softplus": softplus, "Erf": erf, "Exp": np.exp}
    function = unary.get(raw.op)
    return None if function is None else np.asarray(function(x[0]))


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x))."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def softplus(x: Array) -> Array:
    """Return log(1 + exp(x)), for large x too."""
    return np.asarray(np.logaddexp(0.0, x))


def erf(x: Array) -> Array:
    """Return the error function."""
    return np.array([math.erf(v) for v in np.asarray(x, np.float64).reshape(-1).tolist()], np.float64).reshape(np.shape(x))
