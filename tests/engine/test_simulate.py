"""Whole networks: in float as onnxruntime runs the original, in integers as the references compute them, layer by layer on float inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto

from engine.config import Config
from engine.dataset import InputSpec, Loaded
from engine.errors import ModelError
from engine.frontends.importer import load
from engine.ir import Graph, QGraph, TensorType
from engine.numerics import Array, dequantize
from engine.numerics import quantize as to_levels
from engine.ops.base import REGISTRY
from engine.ort.session import Program
from engine.plan import Choice, Plan
from engine.quantize import PIXELS as LEVELS
from engine.samples import Sample
from engine.simulate import LOCAL, PIXELS, Inputs, Networks, fast, lower_ints, run_quantized
from tests.engine.frontends.models import make_model
from tests.engine.networks import DEFAULT, imported, op, quantized, weights

SHAPE = (1, 3, 13, 11)
NODES = [
    op("Conv", "x w1 b1", "c1", pads=[1, 1, 1, 1]),
    op("Relu", "c1", "r1"),
    op("Conv", "r1 w2", "c2", pads=[1, 1, 1, 1], strides=[2, 2], group=17),
    op("Conv", "c2 w3", "t"),
    op("Sigmoid", "t", "g"),
    op("Mul", "t g", "silu"),
    op("Softmax", "silu", "soft", axis=1),
    op("Add", "silu soft", "sum"),
    op("MaxPool", "sum", "pool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    op("Concat", "pool silu", "cat", axis=1),
    op("GlobalAveragePool", "cat", "mean"),
    op("Flatten", "mean", "flat"),
    op("Gemm", "flat m b2", "y"),
]
CONSTANTS = {
    "w1": weights(17, 3, 3, 3, seed=1),
    "b1": weights(17, seed=2),
    "w2": weights(17, 1, 3, 3, seed=3),
    "w3": weights(40, 17, 1, 1, seed=4),
    "m": weights(80, 6, seed=5),
    "b2": weights(6, seed=6),
}
INPUTS = Inputs((InputSpec("x", SHAPE),), frozenset({"x"}))


def network() -> Graph:
    return imported(NODES, {"x": list(SHAPE)}, "y", CONSTANTS)


def pixels(seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (1, *SHAPE[2:], 3), dtype=np.uint8)


def picture(value: Array) -> Loaded:
    return Loaded(Sample("p", (Path("p.png"),)), {"x": value}, frozenset({"x"}))


def nchw(value: Array) -> Array:
    return value.transpose(0, 3, 1, 2) if value.ndim == 4 else value


def float_values(graph: Graph, value: Array) -> dict[str, Array]:
    """Every tensor of the float program, in model layout."""
    program = Networks(graph, INPUTS).floats()
    made = program.run(INPUTS.feeds(picture(value)))
    return {t: nchw(program.nhwc_value(t, v)).copy() for t, v in made.items()}


def seen(graph: Graph) -> dict[str, tuple[float, float]]:
    values = float_values(graph, pixels())
    return {t: (float(v.min()), float(v.max())) for t, v in values.items()}


def by_reference(graph: QGraph, feeds: Mapping[str, Array], floats: Program | None = None) -> dict[str, Array]:
    """Run an integer graph by the operators' references; the softmax, which has none, in plain numpy."""
    values = dict(feeds)
    for node in graph.nodes:
        if node.op == "Quantize" and node.outs[0]:
            values[node.outputs[0]] = to_levels(values[node.inputs[0]], node.outs[0])
        elif node.op == "Dequantize" and node.ins[0]:
            values[node.outputs[0]] = dequantize(values[node.inputs[0]], node.ins[0])
        else:
            values[node.outputs[0]] = REGISTRY[node.op].reference(node, [values[t] for t in node.inputs])[1]
    return values


def test_the_float_program_is_the_original_model(tmp_path: Path) -> None:
    names = ["r1", "c2", "t", "silu", "soft", "sum", "pool", "cat", "mean", "flat", "y"]
    path = tmp_path / "model.onnx"
    path.write_bytes(make_model(NODES, {"x": list(SHAPE)}, names, CONSTANTS).SerializeToString())
    x = nchw(pixels()).astype(np.float32)
    expected = dict(zip(names, ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(names, {"x": x}), strict=True))
    found = float_values(load(path, Config()).graph, pixels())
    assert set(found) == set(names)
    for name, value in expected.items():
        scale = np.abs(np.asarray(value)).max()
        np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-5 * scale, err_msg=name)


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_an_integer_network_is_its_references_whatever_the_kernels(bits: int) -> None:
    """Fast kernels, integers carried in float32, and the slow obvious way: the same bytes in every tensor."""
    nodes = [n for n in NODES if n.output[0] != "soft"]
    nodes[nodes.index(next(n for n in nodes if n.output[0] == "sum"))] = op("Add", "silu c2", "sum")
    constants = {**CONSTANTS, "w3": weights(17, 17, 1, 1, seed=4), "m": weights(34, 6, seed=5)}
    graph = imported(nodes, {"x": list(SHAPE)}, "y", constants)
    made = quantized(graph, Plan(Choice(bits, 8)), seen(graph), {"x": LEVELS}).graph
    wanted = [t for n in made.nodes for t in n.outputs]
    value = pixels(1)
    expected = by_reference(made, {"x": nchw(value)})
    for kernels in {frozenset[str](), fast()}:
        feeds = {t: made.types[t] for t in made.inputs}
        found = Program(lower_ints(made, kernels), feeds, wanted, types=made.types, nhwc=True).run({"x": value})
        for tensor in wanted:
            assert found[tensor].dtype == expected[tensor].dtype
            assert np.array_equal(nchw(found[tensor]), expected[tensor]), (tensor, kernels)
    levels = [expected[t] for t in wanted if t in made.qparams]
    assert all(np.unique(v).size > 4 for v in levels)  # nothing is proved by constants


def test_mixed_widths_are_their_references() -> None:
    nodes = [n for n in NODES if n.output[0] not in ("soft", "sum")]
    graph = imported(
        [*nodes[:6], op("MaxPool", "silu", "pool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), *nodes[7:]], {"x": list(SHAPE)}, "y", CONSTANTS
    )
    plan = Plan(DEFAULT, nodes={"r1": Choice(12, 4), "silu": Choice(10), "cat": Choice(16), "mean": Choice(9), "y": Choice(8, 3)})
    made = quantized(graph, plan, seen(graph), {"x": LEVELS}).graph
    found = run_quantized(made, {"x": pixels(2)})
    expected = by_reference(made, {"x": nchw(pixels(2))})
    for tensor, value in found.items():
        assert np.array_equal(nchw(value), expected[tensor]), tensor


def test_float_islands_compute_what_the_original_operator_does() -> None:
    graph = network()
    made = quantized(graph, ranges=seen(graph), inputs={"x": LEVELS}).graph
    found = run_quantized(made, {"x": pixels(3)})
    silu = nchw(found["silu/Dequantize"]).astype(np.float64)
    assert np.array_equal(silu, dequantize(nchw(found["silu"]), made.qparams["silu"]))
    powers = np.exp(silu - silu.max(axis=1, keepdims=True))
    np.testing.assert_allclose(nchw(found["soft"]), powers / powers.sum(axis=1, keepdims=True), atol=1e-6)
    assert np.array_equal(found["soft/Quantize"], to_levels(found["soft"], made.qparams["soft/Quantize"]))


def test_every_layer_alone_is_its_reference_on_quantized_float_inputs() -> None:
    graph = network()
    made = quantized(graph, ranges=seen(graph), inputs={"x": LEVELS}).graph
    compiled = Networks(graph, INPUTS).locals(made)
    assert compiled is not None
    program, fed = compiled
    value = pixels(4)
    floats = float_values(graph, value)
    assert set(fed) == {"r1", "c2", "silu", "soft", "sum", "pool", "cat", "mean", "flat"}
    nhwc = {t: np.ascontiguousarray(floats[t].transpose(0, 2, 3, 1)) if floats[t].ndim == 4 else floats[t] for t in fed}
    found = program.run({"x": value, **nhwc})
    layers = [n for n in made.nodes if n.op not in ("Float", "Quantize", "Dequantize")]
    assert len(found) == len(layers) == 9
    for node in layers:
        sources = [t.removesuffix("/Quantize") for t in node.inputs]
        ins = [nchw(value) if t == "x" else to_levels(floats[t], q) for t, q in zip(sources, node.ins, strict=True) if q]
        expected = REGISTRY[node.op].reference(node, ins)[1]
        assert np.array_equal(nchw(found[LOCAL + node.outputs[0]]), expected), node.name


def test_layers_alone_share_quantized_inputs_that_one_of_them_hands_on() -> None:
    """A concatenation of one tensor, a slice of everything, a reshape to the same shape: what they read is read by others as well."""
    nodes = [
        op("Relu", "x", "a"),
        op("Reshape", "a same", "b"),
        op("Concat", "a", "c", axis=1),
        op("Transpose", "a", "d", perm=[0, 1]),
        op("Add", "b c", "e"),
        op("Add", "a d", "f"),
    ]
    graph = imported(nodes, {"x": [1, 6]}, "e f a", {"same": np.array([1, 6])})
    inputs = Inputs((InputSpec("x", (1, 6)),), frozenset())
    made = quantized(graph).graph
    compiled = Networks(graph, inputs).locals(made)
    assert compiled is not None
    program, fed = compiled
    x = np.linspace(-2, 3, 6, dtype=np.float32).reshape(1, 6)
    real = {"x": x, **{t: np.maximum(x, 0) for t in "abcd"}}
    found = program.run({t: real[t] for t in fed})
    for name in "abcd":
        assert np.array_equal(found[LOCAL + name], to_levels(real[name], made.qparams[name])), name
    assert np.array_equal(found[LOCAL + "e"], found[LOCAL + "f"])


def test_a_network_without_integer_layers_has_nothing_to_run_alone() -> None:
    graph = network()
    made = quantized(graph, Plan(Choice(8, skip="all")), inputs={"x": LEVELS})
    assert Networks(graph, INPUTS).locals(made.graph) is None


def test_everything_skipped_is_the_float_network() -> None:
    graph = network()
    made = quantized(graph, Plan(Choice(8, skip="all")), inputs={"x": LEVELS}).graph
    found, floats = run_quantized(made, {"x": pixels(5)}), float_values(graph, pixels(5))
    for node in graph:
        expected = floats[node.outputs[0]]
        np.testing.assert_allclose(nchw(found[node.outputs[0]]), expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_programs_are_compiled_once() -> None:
    networks = Networks(network(), INPUTS)
    assert networks.floats() is networks.floats()


def test_pictures_are_fed_as_pixels() -> None:
    value = pixels(6)
    assert INPUTS.feeds(picture(value)) == {PIXELS + "x": value}
    assert INPUTS.types() == {PIXELS + "x": TensorType(SHAPE, "uint8")}


def test_a_picture_for_an_input_of_real_numbers_and_a_file_of_the_same_numbers_are_fed_alike() -> None:
    inputs = Inputs(INPUTS.specs, frozenset())
    value = pixels(7)
    from_picture = inputs.feeds(picture(value))["x"]
    from_file = inputs.feeds(Loaded(Sample("s", (Path("s/x.bin"),)), {"x": nchw(value).astype(np.float32)}))["x"]
    assert from_picture.dtype == from_file.dtype == np.float32
    assert from_file.flags.c_contiguous
    assert np.array_equal(from_picture, value)
    assert np.array_equal(from_file, value)
    assert inputs.types() == {"x": TensorType(SHAPE)}


@pytest.mark.parametrize(("dtype", "kind"), [("int64", TensorProto.INT64), ("int32", TensorProto.INT32), ("float16", TensorProto.FLOAT16)])
def test_an_input_is_fed_in_its_own_type(dtype: str, kind: int) -> None:
    nodes = [op("Cast", "i", "f", to=1), op("Relu", "f", "y")]
    graph = imported(nodes, {"i": ([1, 4], kind), "s": []}, "y")
    inputs = Inputs((InputSpec("i", (1, 4)), InputSpec("s", ())), frozenset(), {t: graph.types[t].dtype for t in graph.inputs})
    loaded = Loaded(Sample("s", (Path("s/i.bin"),)), {"i": np.float32([[1, 2, 3, -4]]), "s": np.float32(2)})
    feeds = inputs.feeds(loaded)
    assert (feeds["i"].dtype.name, feeds["s"].shape) == (dtype, ())
    program = Networks(graph, inputs).floats()
    assert program.run(feeds)["y"].tolist() == [[1, 2, 3, 0]]


def test_leaves_tell_inputs_apart() -> None:
    """By name where each gets a file of its own; a picture has no name, and equal pictures for equal shapes are equal."""

    def leaves(names: str, pictures: str = "", **options: Any) -> list[str]:
        specs = tuple(InputSpec(n, options.get("shape", SHAPE)) for n in names)
        return list(Inputs(specs, frozenset(pictures), options.get("dtypes", {})).leaves().values())

    assert len(set(leaves("ab"))) == 2
    assert leaves("ab")[::-1] == leaves("ba")
    assert leaves("a", "a") == leaves("b", "b")
    assert leaves("a", "a") != leaves("a")
    assert leaves("a") != leaves("a", shape=(1, 3, 13, 12))
    assert leaves("a") != leaves("a", dtypes={"a": "int64"})


def test_a_sample_that_does_not_fit_into_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here on a machine of 1 KiB, of which the output alone takes 1716 bytes."""
    graph = imported([op("Relu", "x", "y")], {"x": list(SHAPE)}, "y")
    networks = Networks(graph, Inputs((InputSpec("x", SHAPE),), frozenset()))
    with monkeypatch.context() as small:
        small.setattr("engine.simulate.os.sysconf", lambda _: 32)
        with pytest.raises(ModelError, match=r"one sample take 0\.0 GiB, this machine has 0\.0 GiB of memory \(a smaller INPUT_SHAPE"):
            networks.floats()
    assert networks.floats()
