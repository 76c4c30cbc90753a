"""One operator at a time, in the spellings and corner cases that exporters write: which layer it becomes, and that it computes the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.config import Config
from engine.dataset import InputSpec
from engine.frontends.importer import load
from engine.numerics import quantize as to_levels
from engine.ops.base import REGISTRY
from engine.simulate import LOCAL, Inputs, Networks
from tests.engine.frontends import families
from tests.engine.frontends.families import Family
from tests.engine.frontends.models import layers, run_graph, run_original
from tests.engine.frontends.test_models import feeds_of, in_integers

Save = Callable[..., Path]
Draw = Callable[[Family], str]

PICTURE, SOUND, TOKENS = [1, 4, 6, 5], [1, 4, 9], [1, 5, 8]


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def transposed(**attrs: object) -> Draw:
    group = int(str(attrs.get("group", 1)))
    return lambda m: m.op("ConvTranspose", "x", m.weight(4, 6 // group, 3, 2), m.weight(6), **attrs)


def resized(mode: str, *, scale: float = 0.0, size: int = 0) -> Draw:
    def draw(m: Family) -> str:
        sizes = [m.const(np.array([1, 1, scale, 2], np.float32))] if scale else ["", m.const(ints(1, 4, size, 9))]
        return m.op("Resize", "x", "", *sizes, mode="linear", coordinate_transformation_mode=mode)

    return draw


def normalized(m: Family) -> str:
    c = m.op("ConvTranspose", "x", m.weight(4, 3, 2, 2), strides=[2, 2])
    y = m.op("BatchNormalization", c, m.weight(3, mean=1.0), m.weight(3), m.weight(3), m.const(np.array([0.5, 1, 2], np.float32)))
    return m.op("Relu", y)


def one_axis(m: Family) -> str:
    c = m.op("Conv", "x", m.weight(6, 2, 3), m.weight(6), group=2, strides=[2], pads=[1, 2])
    y = m.op("BatchNormalization", c, m.weight(6, mean=1.0), m.weight(6), m.weight(6), m.const(np.ones(6, np.float32)))
    return m.op("Mul", y, m.op("Sigmoid", y))


def scaled_product(m: Family) -> str:
    product = m.op("MatMul", "x", m.op("Transpose", "x", perm=[0, 2, 1]))
    return m.op("Relu", m.op("Mul", m.op("Div", product, m.number(2.0)), m.number(-0.5)))


def padded(*pads: int, value: float | None = None, mode: str = "constant", axes: tuple[int, ...] = ()) -> Draw:
    def draw(m: Family) -> str:
        more = [m.const(ints(*pads)), "" if value is None else m.number(value), m.const(ints(*axes)) if axes else ""]
        return m.op("Pad", "x", *more, mode=mode)

    return draw


CASES: list[tuple[str, str, list[int], Draw]] = [
    *(("ConvTranspose2D", f"auto {auto}", PICTURE, transposed(auto_pad=auto, strides=[2, 3])) for auto in ("SAME_UPPER", "SAME_LOWER")),
    ("ConvTranspose2D", "auto valid", PICTURE, transposed(auto_pad="VALID", strides=[1, 2])),
    ("ConvTranspose2D", "output shape", PICTURE, transposed(output_shape=[12, 9], strides=[2, 2])),
    (
        "ConvTranspose2D",
        "all at once",
        PICTURE,
        transposed(group=2, dilations=[2, 1], strides=[2, 2], pads=[1, 0, 2, 1], output_padding=[1, 0]),
    ),
    ("ConvTranspose2D", "normalized", PICTURE, normalized),
    ("Conv1D", "with all behind it", SOUND, one_axis),
    ("Conv1D", "same", SOUND, lambda m: m.op("Conv", "x", m.weight(3, 4, 4), auto_pad="SAME_LOWER", strides=[2])),
    ("BatchMatMul", "factors and a clamp", TOKENS, scaled_product),
    ("BatchMatMul", "constant on the left", TOKENS, lambda m: m.op("MatMul", m.weight(3, 5), "x")),
    ("BatchMatMul", "constants for every head", [2, 5, 8], lambda m: m.op("MatMul", "x", m.weight(2, 8, 3))),
    (
        "Split",
        "equal parts",
        PICTURE,
        lambda m: m.op("Concat", *reversed([m.op("Split", "x", count=2, axis=-3, num_outputs=2), "split0.1"]), axis=1),
    ),
    ("Split", "uneven parts", PICTURE, lambda m: m.op("Split", "x", count=3, axis=2, num_outputs=3)),
    ("Gather", "from the end", PICTURE, lambda m: m.op("Gather", "x", m.const(ints(-1, 0, -2)), axis=1)),
    ("Gather", "one row", PICTURE, lambda m: m.op("Gather", "x", m.const(np.array(2)), axis=-2)),
    ("DepthToSpace", "rows of columns", PICTURE, lambda m: m.op("DepthToSpace", "x", blocksize=2, mode="CRD")),
    ("SpaceToDepth", "blocks of one", PICTURE, lambda m: m.op("SpaceToDepth", "x", blocksize=1)),
    ("Expand", "more axes", SOUND, lambda m: m.op("Expand", "x", m.const(ints(2, 1, 1, 9)))),
    ("Tile", "two axes", SOUND, lambda m: m.op("Tile", "x", m.const(ints(1, 2, 3)))),
    ("Pad", "zeros at the channels", PICTURE, padded(0, 1, 0, 0, 0, 2, 0, 1)),
    ("Pad", "a number", PICTURE, padded(0, 0, 1, 1, 0, 0, 1, 0, value=-1.5)),
    ("Pad", "cut and grow", SOUND, padded(0, 0, -2, 0, 0, 3)),
    ("Pad", "some axes", PICTURE, padded(1, 2, axes=(-1,))),
    *(("Pad", mode, SOUND, padded(0, 1, 3, 0, 2, 2, mode=mode)) for mode in ("reflect", "edge", "wrap")),
    ("ReduceMean", "everything", PICTURE, lambda m: m.op("ReduceMean", "x", keepdims=0)),
    ("ReduceMean", "of a sound", SOUND, lambda m: m.op("GlobalAveragePool", "x")),
    ("ReduceSum", "two axes", PICTURE, lambda m: m.op("ReduceSum", "x", m.const(ints(-1, 1)))),
    ("ReduceMax", "one axis", PICTURE, lambda m: m.op("ReduceMax", "x", m.const(ints(1)), keepdims=0)),
    ("ReduceMin", "everything", TOKENS, lambda m: m.op("ReduceMin", "x")),
    ("EltwiseMax", "of a constant", PICTURE, lambda m: m.op("Max", "x", m.weight(4, 1, 1))),
    ("EltwiseMin", "of two", PICTURE, lambda m: m.op("Min", "x", m.op("Neg", "x"))),
    ("Where", "a constant elsewhere", PICTURE, lambda m: m.op("Where", m.const(np.arange(5) > 2), "x", m.number(0.5))),
    ("PRelu", "slopes per channel", PICTURE, lambda m: m.op("PRelu", "x", m.weight(4, 1, 1))),
    *(
        ("ResizeBilinear", f"{mode} {how}", PICTURE, resized(mode, **how))
        for mode in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
        for how in ({"scale": 1.3}, {"scale": 2.0}, {"scale": 0.4}, {"size": 7}, {"size": 1})
    ),
]


@pytest.mark.parametrize(("kind", "shape", "draw"), [pytest.param(k, s, d, id=f"{k} {what}") for k, what, s, d in CASES])
def test_a_layer_computes_what_its_operator_does(kind: str, shape: list[int], draw: Draw, save: Save) -> None:
    m = Family(18, inputs={"x": shape})
    m.outputs = [draw(m)]
    path = save(m.model())
    graph = load(path, Config()).graph
    assert kind in [n.op for n in graph], layers(graph)
    assert not [n.reason for n in graph if n.reason]
    feeds = feeds_of(graph, 1)
    (out,) = graph.outputs
    wanted = run_original(path, feeds, [out])[out]
    np.testing.assert_allclose(run_graph(graph, feeds, [out])[out], wanted, rtol=1e-4, atol=1e-5)
    made = in_integers(graph, 12)
    assert all(info.quantized for info in made.layers)
    q = next(n for n in made.graph.nodes if n.op == kind)
    assert all(p is not None for p in (*q.ins, *q.outs))


@pytest.mark.parametrize(
    ("draw", "why"),
    [
        (lambda m: m.op("Add", "x", m.const(np.where(np.arange(5) < 3, 0, -1e9).astype(np.float32))), "it masks with -1e+09"),
        (lambda m: m.op("Where", m.const(np.arange(5) < 3), "x", m.number(-1e4)), "it masks with -10000"),
        (lambda m: m.op("Where", m.op("Greater", "x", m.number(0)), "x", m.number(1)), "its condition is computed at run time"),
        (lambda m: m.op("Conv", "x", m.op("Softmax", m.weight(4, 4, 1, 1), makes="w"), m.op("ReduceMax", "x")), "its bias is computed"),
        (lambda m: m.op("ConvTranspose", "x", m.op("Tanh", "x")), "its weights are computed at run time"),
        (lambda m: m.op("Pad", "x", m.const(ints(0, 0, 1, 0, 0, 0, 0, 0)), m.number(-np.inf)), "no level stands for its constant -inf"),
        (lambda m: m.op("Max", "x", "x", "x"), "it combines 3 tensors"),
        (lambda m: m.op("Div", "x", m.op("Exp", "x")), "dividing by a feature runs in float32"),
        (lambda m: m.op("TopK", "x", m.const(ints(2)), count=2), "it looks for positions"),
        (lambda m: m.op("InstanceNormalization", "x", m.weight(4), m.weight(4)), "normalization runs in float32"),
        (lambda m: m.op("Einsum", "x", "x", equation="abcd,abcd->abc"), "an Einsum runs in float32"),
    ],
)
def test_why_an_operator_stays_in_float(draw: Draw, why: str, save: Save) -> None:
    m = Family(18, inputs={"x": PICTURE})
    m.outputs = [draw(m)]
    assert any(n.reason.startswith(why) for n in load(save(m.model()), Config()).graph), why


def test_layers_with_several_outputs_are_compared_one_by_one(save: Save) -> None:
    """The program of layers fed with float values gives every output of a split."""
    graph = load(save(families.detector(13).model()), Config()).graph
    specs = tuple(InputSpec(t, graph.types[t].shape) for t in graph.inputs)
    networks = Networks(graph, Inputs(specs, frozenset()))
    made = in_integers(graph, 8).graph
    found = networks.locals(made)
    assert found is not None
    program, fed = found
    values = {**run_graph(graph, feeds_of(graph, 1), [t for t in fed if t not in graph.inputs]), **feeds_of(graph, 1)}
    nhwc = {t: np.ascontiguousarray(v.transpose(0, 2, 3, 1)) if v.ndim == 4 else v for t, v in values.items()}
    alone = program.run({t: nhwc[t] for t in fed})
    split = next(n for n in made.nodes if n.op == "Split")
    source = split.inputs[0]
    levels = REGISTRY["Split"].outputs(split, [to_levels(values[source], split.ins[0])])
    assert len(levels) == 2
    for tensor, wanted in zip(split.outputs, levels, strict=True):
        assert np.array_equal(alone[LOCAL + tensor].transpose(0, 3, 1, 2), wanted)
