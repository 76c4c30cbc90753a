"""Programs: several sessions in a row, several threads at once, tensors of every size, and the optimizers that must not run."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine.errors import ModelError, WorkError
from engine.ir import Graph, TensorType
from engine.numerics import Array, QParams
from engine.numerics import quantize as to_levels
from engine.ops.conv2d import convolve
from engine.ops.lowering import Builder
from engine.ort.model import Model
from engine.ort.session import Program, open_session, run_steps
from engine.simulate import lower_float_node
from tests.engine.networks import imported, op, weights


def program(graph: Graph, wanted: str, **options: Any) -> Program:
    b = Builder()
    b.constants |= graph.constants
    for node in graph:
        lower_float_node(node, b, graph.types, {})
    return Program(b, {t: graph.types[t] for t in graph.inputs}, wanted.split(), types=graph.types, opsets=graph.opsets, **options)


def old_and_new() -> Graph:
    """A graph of opset 9: its LogSoftmax and Hardmax meant something else than they do now, its Conv and Add are ours."""
    nodes = [
        op("Conv", "x w", "c1", pads=[1, 1, 1, 1]),
        op("LogSoftmax", "c1", "u", axis=1),
        op("Conv", "u v", "c2"),
        op("Hardmax", "c2", "s", axis=1),
        op("Add", "s c2", "a"),
        op("LogSoftmax", "a", "y", axis=1),
    ]
    constants = {"w": weights(17, 3, 3, 3), "v": weights(5, 17, 1, 1, seed=1)}
    return imported(nodes, {"x": [1, 3, 6, 5]}, "y", constants, opset=9)


def log_softmax_of_the_rest(x: Array) -> Array:
    """LogSoftmax before opset 13: over everything from the axis on."""
    return x - np.log(np.exp(x.astype(np.float64)).sum())


@pytest.mark.parametrize("options", [{}, {"nhwc": True}, {"blocked": True}, {"nhwc": frozenset({"x", "c2"}), "blocked": True}])
def test_operators_of_other_versions_run_in_sessions_of_their_own(options: dict[str, Any]) -> None:
    compiled = program(old_and_new(), "y s c1 c2 u a", **options)
    assert [part.opset for part, _ in compiled.parts] == [21, 9, 21, 9, 21, 9]
    x = np.random.default_rng(0).normal(size=(1, 3, 6, 5)).astype(np.float32)
    fed = x.transpose(0, 2, 3, 1) if "x" in compiled.nhwc else x
    values = compiled.run({"x": fed})
    found = {t: compiled.nhwc_value(t, v).transpose(0, 3, 1, 2) for t, v in values.items()}
    convolution = {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 1, 1, 1), "group": 1}
    np.testing.assert_allclose(found["c1"], convolve(x, weights(17, 3, 3, 3), convolution), atol=1e-5)
    np.testing.assert_allclose(found["u"], log_softmax_of_the_rest(found["c1"]), atol=1e-5)
    assert found["s"].sum() == 1  # one maximum in all of it
    assert np.argmax(found["s"]) == np.argmax(found["c2"])
    np.testing.assert_allclose(found["a"], found["s"] + found["c2"], atol=1e-6)
    np.testing.assert_allclose(found["y"], log_softmax_of_the_rest(found["a"]), atol=1e-5)


def test_a_tensor_may_be_wanted_and_cross_a_border_in_any_layout() -> None:
    x = np.random.default_rng(0).normal(size=(1, 3, 6, 5)).astype(np.float32)
    plain = program(old_and_new(), "y c1").run({"x": x})
    nhwc = program(old_and_new(), "y c1", nhwc=True).run({"x": np.ascontiguousarray(x.transpose(0, 2, 3, 1))})
    for tensor in ("y", "c1"):
        assert np.array_equal(nhwc[tensor].transpose(0, 3, 1, 2), plain[tensor])
    alone = program(old_and_new(), "y").run({"x": x})
    assert list(alone) == ["y"]
    assert np.array_equal(alone["y"], plain["y"])


def test_threads_share_a_program_and_nothing_else() -> None:
    """Each thread has its own buffers: the same values as one thread alone, however runs overlap."""
    compiled = program(old_and_new(), "y a", blocked=True, threads=1)
    random = np.random.default_rng(0)
    feeds = [random.normal(size=(1, 3, 6, 5)).astype(np.float32) for _ in range(24)]
    expected = [{t: v.copy() for t, v in compiled.run({"x": x}).items()} for x in feeds]
    meet = threading.Barrier(3)

    def work(first: int) -> bool:
        meet.wait(10)
        same = True
        for x, wanted in list(zip(feeds, expected, strict=True))[first::3]:
            found = compiled.run({"x": x})
            meet.wait(10)  # everybody has run before anybody looks
            same &= all(np.array_equal(found[t], wanted[t]) for t in wanted)
        return same

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(3))) == [True] * 3


def test_buffers_are_used_again() -> None:
    compiled = program(old_and_new(), "y")
    first = compiled.run({"x": np.ones((1, 3, 6, 5), np.float32)})["y"]
    kept = first.copy()
    second = compiled.run({"x": np.zeros((1, 3, 6, 5), np.float32)})["y"]
    assert np.shares_memory(first, second)
    assert not np.array_equal(kept, second)


def test_tensors_whose_size_the_data_decides() -> None:
    """Every run has its own sizes, none at all included, and what an earlier run gave stays as it was."""
    nodes = [op("NonZero", "x", "places"), op("Cast", "places", "f", to=1), op("Relu", "f", "y")]
    compiled = program(imported(nodes, {"x": [1, 6]}, "y places"), "y places")
    rows = [[1, 0, 0, 2, 0, 3], [0, 0, 0, 0, 0, 1], [1, 1, 1, 1, 1, 1], [0] * 6, [0, 1, 0, 0, 0, 0]]
    found = [compiled.run({"x": np.array([row], np.float32)}) for row in rows]
    for row, values in zip(rows, found, strict=True):
        assert values["places"].tolist() == [list(places) for places in np.nonzero([row])]
        assert values["y"].tolist() == values["places"].tolist()


def test_a_scalar_stays_a_scalar() -> None:
    graph = imported([op("Gather", "t i", "y")], {"i": ([], TensorProto.INT64)}, "y", {"t": np.eye(4, dtype=np.float32)})
    assert program(graph, "y").run({"i": np.array(2)})["y"].tolist() == [0, 0, 1, 0]


def test_a_scalar_may_cross_a_border() -> None:
    nodes = [op("ReduceMax", "x", "m", keepdims=0), op("Hardmax", "x", "h"), op("Mul", "h m", "y"), op("LogSoftmax", "y", "z")]
    graph = imported(nodes, {"x": [1, 4]}, "z m", opset=9)
    compiled = program(graph, "z m y")
    assert len(compiled.parts) > 1
    found = compiled.run({"x": np.float32([[1, 2, 4, 3]])})
    assert (found["m"].shape, float(found["m"])) == ((), 4.0)
    assert found["y"].tolist() == [[0, 0, 4, 0]]


def test_a_tensor_without_elements() -> None:
    nodes = [op("Slice", "x from to", "none"), op("Softmax", "none", "still"), op("Concat", "still x", "y", axis=0)]
    graph = imported(nodes, {"x": [2, 3]}, "y still", {"from": np.array([0]), "to": np.array([0])})
    found = program(graph, "y still").run({"x": np.ones((2, 3), np.float32)})
    assert (found["still"].shape, found["y"].shape) == ((0, 3), (2, 3))


def test_what_is_wanted_may_be_what_was_fed_or_wanted_twice() -> None:
    b = Builder()
    b.finish(b.op("Relu", "x"), "y")
    compiled = Program(b, {"x": TensorType((1, 2))}, ["x", "y", "y"], types={"y": TensorType((1, 2))})
    found = compiled.run({"x": np.float32([[-1, 1]])})
    assert {t: v.tolist() for t, v in found.items()} == {"x": [[-1, 1]], "y": [[0, 1]]}


def test_what_nobody_wants_is_not_run() -> None:
    b = Builder()
    b.finish(b.op("Relu", "x"), "y")
    b.finish(b.op("NoSuchOperator", "x"), "z")
    assert run_steps(b, {"x": np.float32([-1])}, ["y"])[0].tolist() == [0]
    with pytest.raises(WorkError, match=r"onnxruntime cannot run 1 operators \(NoSuchOperator to NoSuchOperator\)"):
        run_steps(b, {"x": np.float32([-1])}, ["z"])


def test_a_tensor_that_nobody_makes() -> None:
    b = Builder()
    b.finish(b.op("Relu", "lost"), "y")
    with pytest.raises(ModelError, match="the type of tensor 'lost' is not known"):
        run_steps(b, {"x": np.float32([-1])}, ["y"])


def test_a_run_that_fails_says_what_onnxruntime_says() -> None:
    b = Builder()
    b.finish(b.op("Gather", "t", "i"), "y")
    compiled = Program(b, {"t": TensorType((3,)), "i": TensorType((1,), "int64")}, ["y"], types={"y": TensorType((1,))})
    with pytest.raises(WorkError, match=r"onnxruntime failed: .*indices element out of data bounds"):
        compiled.run({"t": np.zeros(3, np.float32), "i": np.array([7])})
    assert compiled.run({"t": np.arange(3, dtype=np.float32), "i": np.array([2])})["y"].tolist() == [2]


def loud(channels: int) -> Array:
    """Weights which no 8-bit scale holds: in every channel one drowns the others."""
    weight = weights(channels, channels, 3, 3, seed=8) * np.float32(0.01)
    weight[:, 0, 0, 0] = 3.0
    return weight


def between_levels(weight: Array, *, fused: bool) -> Model:
    """A float convolution, and what may be fused with it, between DequantizeLinear and QuantizeLinear: what tempts the optimizers."""
    one, two, zero = (
        numpy_helper.from_array(np.asarray(v), n) for n, v in (("s", np.float32(0.05)), ("t", np.float32(0.1)), ("z", np.uint8(128)))
    )
    nodes = [op("DequantizeLinear", "x s z", "a"), op("Conv", "a w", "c", pads=[1, 1, 1, 1])]
    if fused:
        nodes += [op("Mul", "c m", "d"), op("Add", "d m", "e"), op("QuantizeLinear", "e t z", "y")]
    else:
        nodes += [op("QuantizeLinear", "c t z", "y")]
    scale = np.random.default_rng(3).uniform(0.5, 1.5, (weight.shape[0], 1, 1)).astype(np.float32)
    tensors = [one, two, zero, numpy_helper.from_array(weight, "w"), numpy_helper.from_array(scale, "m")]
    shape = [1, weight.shape[1], 9, 9]
    ins = [helper.make_tensor_value_info("x", TensorProto.UINT8, shape)]
    outs = [helper.make_tensor_value_info("y", TensorProto.UINT8, None)]
    graph = helper.make_graph(nodes, "g", ins, outs, tensors)
    return Model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString(), {})


@pytest.mark.parametrize("fused", [False, True])
def test_float_weights_between_levels_stay_float(fused: bool) -> None:
    """WeightBiasQuantization would make them 8-bit integers, which shows in weights like these."""
    weight = loud(16)
    model = between_levels(weight, fused=fused)
    x = np.random.default_rng(1).integers(0, 256, (1, 16, 9, 9), dtype=np.uint8)
    (found,) = open_session(model).run(None, {"x": x})
    attrs = {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 1, 1, 1), "group": 1}
    real = (x.astype(np.float64) - 128) * np.float64(np.float32(0.05))
    scale = np.random.default_rng(3).uniform(0.5, 1.5, (16, 1, 1)).astype(np.float32) if fused else None

    def levels(w: Array) -> Array:
        y = convolve(real, w.astype(np.float64), attrs)
        y = y if scale is None else y * scale + scale
        return to_levels(y, QParams(float(np.float32(0.1)), 128, 8)).astype(int)

    assert np.abs(found - levels(weight)).max() <= 1  # a tie may fall either way
    assert np.abs(found - levels(np.rint(weight / (3 / 127)) * (3 / 127))).max() > 2
