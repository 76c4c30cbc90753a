"""What the tests of every operator share: adversarial cases, their integer layers, and the comparison of both engines."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from engine.calibrate.weights import weight_scales
from engine.ir import QNode
from engine.numerics import FEATURE_BITS, FLOAT_EXACT, Array, QParams, qmax
from engine.ops.base import REGISTRY, Example, Parameters, Shared, quantization
from engine.ops.lowering import Builder
from engine.ort.session import run_steps

SEEDS = range(30)
FAVOURITES = (8, 8, 4, 8, 16, 8, 12, 8, 7, 16, 8, 10, 5, 8, 15)

ROUNDED_ONCE = {"EltwiseMul"}
"""Their float32 sum is one product of exact factors, which float32 rounds as the requantization would: it needs no room."""


def draw(name: str, seed: int) -> tuple[Example, QNode]:
    """Return an adversarial case of an operator and its integer layer.

    The first seeds take every width of the features, and another one for what the layer makes; the others one width for both.
    """
    rng = np.random.default_rng((seed, sum(name.encode())))
    every = len(FEATURE_BITS)
    bits = FEATURE_BITS[seed] if seed < every else FAVOURITES[seed - every]
    case = REGISTRY[name].example(rng, bits)
    if seed < every and not isinstance(REGISTRY[name].origin(case.node), Shared):
        inner = case.inner and widened(case.inner, int(rng.choice(FEATURE_BITS)))
        case = replace(case, out=widened(case.out, int(rng.choice(FEATURE_BITS))), inner=inner)
    return case, layer_of(name, case)


def widened(q: QParams, bits: int) -> QParams:
    """Return the same range at another width."""
    ratio = qmax(bits) / q.qmax
    return QParams(float(np.float32(q.scale / ratio)), round(q.zero * ratio), bits)


def layer_of(name: str, case: Example) -> QNode:
    """Quantize a case."""
    bits = case.weight_bits
    p = Parameters(case.ins, case.out, case.inner, bits, lambda w: weight_scales(w, bits, "MAX_ABS"), case.types)
    made = REGISTRY[name].quantize(case.node, p)
    assert isinstance(made, QNode), made
    return made


def farthest(q: QNode, case: Example) -> int:
    """Return the largest magnitude the sum of a layer, or a part of it, can have: every level at the end that its weight likes best."""
    if "weight" not in q.arrays:
        corners = itertools.product(*(((0,), (p.qmax,)) for p in case.ins))
        feeds = ([np.full_like(x, level) for x, (level,) in zip(case.inputs, ends, strict=True)] for ends in corners)
        return max(int(np.abs(REGISTRY[q.op].reference(q, fed)[0]).max(initial=0)) for fed in feeds)
    (source,), bias = quantization(q)[0], q.arrays["bias"].astype(np.int64)
    rows = q.arrays["weight"].reshape(len(bias), -1).astype(np.int64)
    products = np.stack([rows * -source.zero, rows * (source.qmax - source.zero)])
    ends = products.max(axis=0).sum(axis=1), products.min(axis=0).sum(axis=1)
    return max(int(np.abs(v).max()) for end in ends for v in (end, end + bias))


@dataclass(slots=True)
class Both:
    """Layers lowered side by side into one session (sessions are what takes time), and what the references make of them."""

    fast: frozenset[str] = frozenset()
    feeds: dict[str, Array] = field(default_factory=dict)
    outputs: dict[str, Array] = field(default_factory=dict)
    sums: dict[str, tuple[str, Array, int]] = field(default_factory=dict)
    b: Builder = field(init=False)

    def __post_init__(self) -> None:
        self.b = Builder(self.fast)

    def add(self, tag: str, case: Example, q: QNode) -> Array:
        """Add a layer; return the sum of its reference."""
        ins, outs = (tuple(f"{tag}:{t}" for t in names) for names in (q.inputs, q.outputs))
        layer = replace(q, name=f"{tag}:{q.name}", inputs=ins, outputs=outs)
        self.b.begin(layer.name)
        operator = REGISTRY[q.op]
        operator.lower_int(layer, self.b)
        acc, first = operator.reference(q, case.inputs)
        made = operator.outputs(q, case.inputs)
        assert np.array_equal(made[0], first)
        self.feeds |= dict(zip(ins, case.inputs, strict=True))
        self.outputs |= dict(zip(outs, made, strict=True))
        if layer.name in self.b.accumulators:
            room = 0 if q.op in ROUNDED_ONCE or acc.dtype.kind == "f" else farthest(q, case)
            self.sums[self.b.accumulators[layer.name]] = (q.op, acc, room)
        return acc

    def check(self) -> None:
        """Compare outputs, then sums too: one that is asked for is a border that no optimizer crosses, and in earnest none is."""
        equal(self.outputs, self.run(list(self.outputs)))
        found = self.run([*self.sums, *self.outputs])
        equal(self.outputs, {t: found[t] for t in self.outputs})
        for tensor, (op, wanted, room) in self.sums.items():
            value = found[tensor]
            if value.dtype == np.float32:
                assert room < FLOAT_EXACT, f"{tensor}: sums of {op} reach {room}, which float32 does not hold"
            exact = wanted.dtype.kind == "i" and op not in ROUNDED_ONCE
            same = np.array_equal(value.astype(np.int64), wanted) if exact else np.array_equal(value, wanted.astype(np.float32))
            assert same, tensor

    def run(self, wanted: list[str]) -> dict[str, Array]:
        return dict(zip(wanted, run_steps(self.b, self.feeds, wanted), strict=True))


def equal(expected: Mapping[str, Array], found: Mapping[str, Array]) -> None:
    """Compare tensors, types included."""
    for tensor, wanted in expected.items():
        assert found[tensor].dtype == wanted.dtype
        assert np.array_equal(found[tensor], wanted), tensor
