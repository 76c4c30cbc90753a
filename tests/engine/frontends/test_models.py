"""Whole small models of every family: imported, compared with onnxruntime's run of the original, quantized and run in integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from engine.config import Config
from engine.frontends.importer import load
from engine.ir import Graph, Node, QGraph
from engine.numerics import Array, dequantize
from engine.numerics import quantize as to_levels
from engine.ops.base import REGISTRY
from engine.ops.work import macs
from engine.plan import Choice, Plan
from engine.quantize import Quantized
from engine.simulate import run_quantized
from tests.engine.frontends import families
from tests.engine.frontends.families import Family
from tests.engine.frontends.models import layers, run_graph, run_original
from tests.engine.networks import quantized

Save = Callable[..., Path]

MODELS: dict[str, tuple[Callable[[int], Family], Sequence[int]]] = {
    "transformer": (families.transformer, (7, 9, 11, 13, 17, 18, 21, 22)),
    "gru": (lambda opset: families.recurrent("GRU", opset), (7, 14, 22)),
    "lstm": (lambda opset: families.recurrent("LSTM", opset), (7, 14, 22)),
    "states": (families.states, (7, 14, 22)),
    "gru step": (families.gru_step, (7, 11, 13, 18, 22)),
    "lstm step": (families.lstm_step, (7, 13, 22)),
    "detector": (families.detector, (10, 11, 13, 18, 21, 22)),
    "mobile": (families.mobile, (7, 11, 14, 22)),
    "sound": (families.sound, (7, 11, 13, 18, 22)),
    "decided branch": (lambda opset: families.conditional(opset, True), (11, 13, 16, 21)),
    "open branch": (lambda opset: families.conditional(opset, False), (11, 13, 16, 21)),
    "loop": (families.loop, (11, 13, 16, 21)),
}
CASES = [pytest.param(make(opset), id=f"{name} {opset}") for name, (make, opsets) in MODELS.items() for opset in opsets]


def feeds_of(graph: Graph, seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {t: rng.normal(0, 1, graph.types[t].shape).astype(np.float32) for t in graph.inputs}


def float_tensors(graph: Graph) -> list[str]:
    return [t for n in graph for t in (*n.outputs, n.inner) if t in graph.types and graph.types[t].dtype == "float32"]


def seen(graph: Graph) -> dict[str, tuple[float, float]]:
    """The extremes of every tensor for one input."""
    feeds = feeds_of(graph, 1)
    values = {**run_graph(graph, feeds, float_tensors(graph)), **feeds}
    return {t: (float(v.min(initial=0)), float(v.max(initial=0))) for t, v in values.items()}


def in_integers(graph: Graph, bits: int, ranges: Mapping[str, tuple[float, float]] | None = None) -> Quantized:
    return quantized(graph, Plan(Choice(bits, 8, "MAX_ABS", "MAX_ABS")), ranges or seen(graph))


def run_integers(graph: QGraph, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Every tensor of an integer graph, in model layout."""
    fed = {t: np.ascontiguousarray(v.transpose(0, 2, 3, 1)) if v.ndim == 4 else v for t, v in feeds.items()}
    made = run_quantized(graph, fed)
    return {t: v.transpose(0, 3, 1, 2) if t in graph.types and v.ndim == 4 else v for t, v in made.items()}


def cosine(a: Array, b: Array) -> float:
    x, y = a.reshape(-1).astype(np.float64), b.reshape(-1).astype(np.float64)
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


@pytest.mark.parametrize("family", CASES)
def test_the_float_simulation_is_onnxruntimes_run_of_the_original(family: Family, save: Save) -> None:
    path = save(family.model())
    graph = load(path, Config()).graph
    feeds = feeds_of(graph, 2)
    wanted = list(graph.outputs)
    ours, theirs = run_graph(graph, feeds, wanted), run_original(path, feeds, wanted)
    for tensor in wanted:
        np.testing.assert_allclose(ours[tensor], theirs[tensor], rtol=1e-4, atol=1e-5, err_msg=tensor)


@pytest.mark.parametrize("family", CASES)
def test_every_integer_is_the_references_and_every_float_layer_says_why(family: Family, save: Save) -> None:
    graph = load(save(family.model()), Config()).graph
    feeds = feeds_of(graph, 2)
    result = in_integers(graph, 8)
    made = run_integers(result.graph, feeds)
    values = {**made, **feeds}
    for q in result.graph.nodes:
        if q.op == "Float":
            continue
        ins = [values[t] for t in q.inputs]
        if q.op == "Quantize":
            wanted: tuple[Array, ...] = (to_levels(ins[0], q.outs[0]),)
        elif q.op == "Dequantize":
            wanted = (dequantize(ins[0], q.ins[0]),)
        else:
            wanted = REGISTRY[q.op].outputs(q, ins)
        for tensor, value in zip(q.outputs, wanted, strict=True):
            assert np.array_equal(made[tensor], value), (q.op, tensor)
    for node, info in zip(graph, result.layers, strict=True):
        touches = any(graph.types[t].dtype == "float32" for t in (*node.inputs, *node.outputs) if t in graph.types)
        assert info.quantized or info.reason
        assert node.op != "Float" or node.reason or not touches, node.name


@pytest.mark.parametrize("family", CASES)
def test_more_bits_are_closer(family: Family, save: Save) -> None:
    graph = load(save(family.model()), Config()).graph
    feeds = feeds_of(graph, 1)
    floats = run_graph(graph, feeds, graph.outputs)
    ranges = seen(graph)
    found: dict[int, list[float]] = {}
    for bits in (8, 12):
        made = in_integers(graph, bits, ranges).graph
        values = run_integers(made, feeds)
        pairs = zip(made.outputs, graph.outputs, strict=True)
        found[bits] = [cosine(values[a], floats[b]) for a, b in pairs if floats[b].dtype == np.float32]
    for coarse, fine in zip(found[8], found[12], strict=True):
        assert coarse > 0.99
        assert fine > max(0.999, coarse - 1e-4)


def share_of_integer_macs(graph: Graph) -> float:
    """The integer part of all multiply-accumulates, when everything that can be quantized is."""
    work = {True: 0, False: 0}
    for node, info in zip(graph, quantized(graph).layers, strict=True):
        work[info.quantized] += macs(node, graph.types)
        assert info.quantized != bool(info.reason), info.name
    return work[True] / sum(work.values())


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("transformer", 1.0),
        ("gru step", 1.0),
        ("lstm step", 1.0),
        ("detector", 1.0),
        ("mobile", 1.0),
        ("sound", 1.0),
        ("decided branch", 1.0),
    ],
)
def test_all_the_work_is_done_in_integers(name: str, least: float, save: Save) -> None:
    make, opsets = MODELS[name]
    for opset in opsets:
        assert share_of_integer_macs(load(save(make(opset).model()), Config()).graph) >= least


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_a_cell_in_one_operator_stays_in_float(name: str, save: Save) -> None:
    graph = load(save(MODELS[name][0](14).model()), Config()).graph
    (cell,) = (n for n in graph if n.op == "Float")
    assert cell.reason.startswith("a recurrent cell runs in float32: ")
    assert 0.1 < share_of_integer_macs(graph) < 0.5


def test_the_shared_models_are_integer_almost_throughout(shared: Path, resnet18_onnx: Path) -> None:
    paths = [*sorted((shared / "models").glob("*.onnx")), resnet18_onnx]
    assert len(paths) >= 3
    for path in paths:
        config = Config(input_shape=((1, 3, 48, 192),)) if path.name == "ppocr_cls.onnx" else Config()
        assert share_of_integer_macs(load(path, config).graph) >= 0.95, path.name


@pytest.mark.parametrize("opset", MODELS["transformer"][1])
def test_a_layer_normalization_is_one_layer_in_every_spelling(opset: int, save: Save) -> None:
    graph = load(save(families.transformer(opset).model()), Config()).graph
    floats = [n for n in graph if n.op == "Float"]
    assert [n.attrs["op_type"] for n in floats] == ["LayerNormalization", "Softmax", "LayerNormalization"]
    assert all("runs in float32" in n.reason for n in floats)
    assert [n.op for n in graph].count("BatchMatMul") == 2
    assert [n.attrs["alpha"] for n in graph if n.op == "BatchMatMul"] == pytest.approx([1 / np.sqrt(8.0), 1.0])


def test_a_normalization_whose_deviation_others_need_stays_in_parts(save: Save) -> None:
    family = families.transformer(13)
    family.outputs.append(next(n.output[0] for n in family.nodes if n.op_type == "Sqrt"))
    graph = load(save(family.model()), Config()).graph
    assert [n.attrs["op_type"] for n in graph if n.op == "Float"] == ["Div", "Softmax", "LayerNormalization"]


def test_root_mean_square_normalization_is_one_layer(save: Save) -> None:
    m = Family(13, inputs={"x": [1, 4, 8]})
    mean = m.over("ReduceMean", m.op("Mul", "x", "x"), [-1], 18)
    root = m.op("Sqrt", m.op("Add", mean, m.number(1e-6)))
    y = m.op("Mul", "x", m.op("Div", m.number(1.0), root))
    m.outputs = [m.op("Mul", y, m.weight(8, mean=1.0), makes="y")]
    path = save(m.model())
    graph = load(path, Config()).graph
    assert layers(graph) == [("Float:RMSNormalization", "y")]
    feeds = feeds_of(graph, 0)
    np.testing.assert_allclose(run_graph(graph, feeds, ["y"])["y"], run_original(path, feeds, ["y"])["y"], rtol=1e-5)


def test_the_branch_that_is_taken_takes_part_in_fusion(save: Save) -> None:
    graph = load(save(families.conditional(13, True).model()), Config()).graph
    assert layers(graph) == [("Relu", "before"), ("Conv2D", "y")]


def test_an_open_branch_says_why_it_is_float(save: Save) -> None:
    graph = load(save(families.conditional(13, False).model()), Config()).graph
    reasons = {n.attrs["op_type"]: n.reason for n in graph if n.op == "Float"}
    assert reasons["If"] == "which branch of an If is taken is known at run time only: both run in float32"
    assert "compares in float32" in reasons["Greater"]


def test_what_follows_a_loop_is_integer_where_its_states_keep_their_shapes(save: Save) -> None:
    graph = load(save(families.loop(13).model()), Config()).graph
    assert layers(graph) == [("MatMul", "start"), ("Float:Loop", "loop2"), ("MatMul", "y")]
    assert graph.types["y"].shape == (1, 4)
    path = save(families.loop(13, grows=True).model())
    graph = load(path, Config()).graph
    assert layers(graph) == [("MatMul", "start"), ("Float:Loop", "loop2"), ("Float:MatMul", "y")]
    assert graph.nodes[-1].reason == "the size of its input is known at run time only"
    feeds = feeds_of(graph, 0)
    ours = run_graph(graph, feeds, ["y"])["y"]
    assert ours.shape == (8, 4)
    np.testing.assert_allclose(ours, run_original(path, feeds, ["y"])["y"], rtol=1e-5)


def test_two_branches_may_use_the_same_names(save: Save) -> None:
    """Both Ifs are decided and make `inside`; a third, open one hides a name of its own."""
    m = families.conditional(13, True)
    tensors = {"kernel": np.full((2, 4, 1, 1), 0.5, np.float32)}
    nodes = [onnx.helper.make_node("Conv", ["y", "kernel"], ["inside"])]
    then = families.branch("then", nodes, "inside", tensors)
    other = families.branch("else", [onnx.helper.make_node("Neg", ["y"], ["inside"])], "inside")
    m.outputs = [m.op("If", m.const(np.array(True)), then_branch=then, else_branch=other, makes="z")]
    path = save(m.model())
    graph = load(path, Config()).graph
    assert layers(graph) == [("Relu", "before"), ("Conv2D", "y"), ("Conv2D", "z")]
    feeds = feeds_of(graph, 0)
    np.testing.assert_allclose(run_graph(graph, feeds, ["z"])["z"], run_original(path, feeds, ["z"])["z"], rtol=1e-5)


def test_a_branch_inside_of_a_branch(save: Save) -> None:
    inner_then = families.branch("deep", [onnx.helper.make_node("Tanh", ["x"], ["t"])], "t")
    inner_else = families.branch("flat", [onnx.helper.make_node("Neg", ["x"], ["t"])], "t")
    inner = onnx.helper.make_node("If", ["no"], ["u"], then_branch=inner_then, else_branch=inner_else)
    m = Family(13, inputs={"x": [1, 4]})
    m.constants["no"] = np.array(False)
    then = families.branch("then", [inner], "u")
    other = families.branch("else", [onnx.helper.make_node("Identity", ["x"], ["u"])], "u")
    m.outputs = [m.op("If", m.const(np.array(True)), then_branch=then, else_branch=other, makes="y")]
    assert layers(load(save(m.model()), Config()).graph) == [("Neg", "y")]


def test_several_outputs_of_one_split_leave_the_model(save: Save) -> None:
    m = Family(13, inputs={"x": [1, 6, 4, 4]})
    parts = m.split(m.op("Relu", "x"), [1, 2, 3], 1)
    m.outputs = [parts[2], m.op("Sigmoid", parts[1]), parts[0]]
    graph = load(save(m.model()), Config()).graph
    feeds = feeds_of(graph, 0)
    result = in_integers(graph, 12)
    made = run_integers(result.graph, feeds)
    for tensor, real in zip(result.graph.outputs, graph.outputs, strict=True):
        np.testing.assert_allclose(made[tensor], run_graph(graph, feeds, [real])[real], atol=2e-3)


@pytest.mark.parametrize("version", range(3, 15))
def test_every_version_of_the_file_format(version: int, save: Save) -> None:
    """Old files list their constants among their inputs; those of operator set 7 and those of 22 fill the versions between them."""
    family = families.mobile(7 if version < 8 else 22)
    family.ir_version = version
    model = family.model()
    assert model.ir_version == version
    assert (len(model.graph.input) > 1) == (version == 3)
    graph = load(save(model), Config()).graph
    assert graph.inputs == ("x",)
    assert share_of_integer_macs(graph) == 1.0


def test_constants_in_files_beside_the_model(tmp_path: Path) -> None:
    family = families.transformer(17)
    path = tmp_path / "model.onnx"
    onnx.save(family.model(), path, save_as_external_data=True, location="model.data", size_threshold=0)
    assert (tmp_path / "model.data").stat().st_size > 1000
    graph = load(path, Config()).graph
    feeds = feeds_of(graph, 0)
    np.testing.assert_allclose(run_graph(graph, feeds, ["y"])["y"], run_original(path, feeds, ["y"])["y"], rtol=1e-4, atol=1e-5)


def test_a_reason_is_never_given_for_an_integer_layer(save: Save) -> None:
    graph = load(save(families.detector(13).model()), Config()).graph
    infos = {info.name: info for info in quantized(graph).layers}
    floats: list[Node] = [n for n in graph if not infos[n.name].quantized]
    assert [n.attrs["op_type"] for n in floats] == ["ArgMax"]
    assert infos["best"].reason.startswith("it looks for positions")
