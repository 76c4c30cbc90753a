"""Correction of weights and biases: the algebra, layer after layer against plain numpy, and what a user is told."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from engine.calibrate.bias_correct import ChannelMeans, corrected
from engine.dataset import InputSpec, Sample
from engine.events import Event, Log, silent
from engine.fake import fake_graph
from engine.ir import Graph, Node, TensorType
from engine.numerics import Array, affine
from engine.ops.base import REGISTRY
from engine.ops.conv2d import convolve
from engine.ops.lowering import Builder
from engine.ort.session import Program, Runner, run_steps
from engine.plan import Choice, Plan
from engine.quantize import quantize
from engine.simulate import Inputs
from engine.stages.correction import MOST, correct, correctable, overlaps
from engine.stages.sweep import live_bytes
from engine.store import Store

from ..running import converted, rows, told
from ..tiny import picture

SHAPE = (1, 3, 6, 6)
CONV = {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 1, 1, 1), "group": 1, "low": -np.inf, "high": np.inf, "function": ""}
BITS = 4


def network() -> Graph:
    """Return x -> a (ReLU) -> b, c (SiLU) -> d = b + c."""
    random = np.random.default_rng(11)

    def conv(name: str, source: str, inner: str = "", **attrs: object) -> Node:
        params = {"weight": random.normal(0.05, 0.3, (3, 3, 3, 3)).astype(np.float32)}
        if name != "b":
            params["bias"] = random.normal(0, 0.2, 3).astype(np.float32)
        return Node("Conv2D", name, (source,), (name,), {**CONV, **attrs}, params, inner)

    add = Node("EltwiseAdd", "d", ("b", "c"), ("d",), {"constant": -1, "low": -np.inf, "high": np.inf, "function": ""})
    nodes = (conv("a", "x", low=0.0), conv("b", "a"), conv("c", "a", "t", function="SiLU"), add)
    return Graph(("x",), ("d",), nodes, {name: TensorType(SHAPE) for name in "xabctd"})


def written(folder: Path, count: int) -> tuple[list[Sample], list[Array]]:
    """Write samples, whose mean is not zero, and return them with their values."""
    random = np.random.default_rng(12)
    samples, values = [], []
    for index in range(count):
        (folder / f"s{index}").mkdir()
        path = folder / f"s{index}" / "x.bin"
        values.append(random.normal(0.4, 1, SHAPE).astype("<f4"))
        path.write_bytes(values[-1].tobytes())
        samples.append(Sample(f"s{index}", (path,), f"key{index}"))
    return samples, values


def coarse(weight: Array) -> Array:
    w = weight.astype(np.float64)
    scale = np.abs(w).max(axis=(1, 2, 3), keepdims=True) / (2 ** (BITS - 1) - 1)
    return np.rint(w / scale) * scale


def on_grid(x: Array, low: float, high: float) -> Array:
    q = affine(low, high, 8)
    return (np.clip(np.rint(x / q.scale) + q.zero, 0, 255) - q.zero) * q.scale


def channel_means(values: list[Array]) -> Array:
    return np.mean([v.mean(axis=(0, 2, 3)) for v in values], axis=0)


def run_correct(
    graph: Graph,
    samples: list[Sample],
    *,
    features: bool,
    store: Store | None = None,
    said: list[Event] | None = None,
    heard: Callable[[Event], None] = silent,
) -> Graph:
    resolved = Plan(Choice(8, BITS, None, "MAX_ABS", skip="")).resolve((n.name, n.op) for n in graph)
    ranges = {t: lambda choice: (-6.0, 6.0) for t in graph.types}
    quantized = quantize(graph, ranges, resolved)
    inputs = Inputs((InputSpec("x", SHAPE),), frozenset())
    hook = said.append if said is not None else heard
    return correct(graph, quantized, resolved, inputs, samples, features=features, store=store or Store(None), report=hook)


def param_of(graph: Graph, name: str, param: str) -> Array:
    return next(n for n in graph if n.name == name).params[param].astype(np.float64)


def bias_of(graph: Graph, name: str) -> Array:
    return param_of(graph, name, "bias")


def test_the_algebra() -> None:
    total = ChannelMeans()
    total.add(np.array([1.0, 2.0], np.float32))
    total.add(np.array([3.0, np.nan], np.float32))
    assert total.result().tolist() == [2.0, 0.0]
    assert corrected(None, np.array([1.0, 0.0]), np.array([0.25, 0.5])).tolist() == [0.75, -0.5]
    assert corrected(np.array([1.0], np.float32), np.array([1.0]), np.array([0.5])).tolist() == [1.5]


def test_weights_layer_after_layer(tmp_path: Path) -> None:
    """Each layer sees what the corrected ones before it make; a clamp is part of a layer, an absorbed table is not."""
    graph, (samples, xs) = network(), written(tmp_path, 5)
    a, b, c, _ = graph.nodes
    made = run_correct(graph, samples, features=False)
    rough = {name: param_of(made, name, "weight") for name in "abc"}

    def sums(node: Node, inputs: list[Array], weight: Array, bias: Array) -> list[Array]:
        return [convolve(x.astype(np.float64), weight, CONV) + bias.reshape(1, -1, 1, 1) for x in inputs]

    exact_a = [np.maximum(v, 0) for v in sums(a, xs, a.params["weight"].astype(np.float64), a.params["bias"])]
    exact_b = sums(b, exact_a, b.params["weight"].astype(np.float64), np.zeros(3))
    exact_c = sums(c, exact_a, c.params["weight"].astype(np.float64), c.params["bias"])

    rough_a = [np.maximum(v, 0) for v in sums(a, xs, rough["a"], a.params["bias"])]
    bias_a = a.params["bias"] + channel_means(exact_a) - channel_means(rough_a)
    assert bias_of(made, "a") == pytest.approx(bias_a, abs=2e-5)
    better_a = [np.maximum(v, 0) for v in sums(a, xs, rough["a"], bias_a)]
    bias_b = channel_means(exact_b) - channel_means(sums(b, better_a, rough["b"], np.zeros(3)))
    assert bias_of(made, "b") == pytest.approx(bias_b, abs=2e-5)
    bias_c = c.params["bias"] + channel_means(exact_c) - channel_means(sums(c, better_a, rough["c"], c.params["bias"]))
    assert bias_of(made, "c") == pytest.approx(bias_c, abs=2e-5)
    assert np.abs(bias_a - a.params["bias"]).max() > 1e-3

    inputs = {"a": xs, "b": better_a, "c": better_a}
    moved = 0
    for node in (a, b, c):
        levels = rough[node.name] / param_of(made, node.name, "weight_scale").reshape(-1, 1, 1, 1)
        assert np.allclose(levels, np.rint(levels), atol=1e-5)
        assert np.abs(levels).max() < 2 ** (BITS - 1)
        nearest = coarse(node.params["weight"])
        moved += int((np.abs(rough[node.name] - nearest) > 1e-4).sum())
        lost, least = (sum_of_squares(inputs[node.name], w - node.params["weight"]) for w in (nearest, rough[node.name]))
        assert (least <= lost * (1 + 1e-6)).all()
        assert least.sum() < 0.95 * lost.sum()
    assert moved


def sum_of_squares(inputs: list[Array], weight: Array) -> Array:
    """Return what a difference of weights makes of each output channel, summed over samples and positions."""
    return sum(((convolve(x.astype(np.float64), weight, CONV)) ** 2).sum(axis=(0, 2, 3)) for x in inputs)


def test_features_add_what_their_rounding_shifts(tmp_path: Path) -> None:
    """The reference has quantized weights already: only what rounding and clipping the features adds is corrected."""
    graph, (samples, xs) = network(), written(tmp_path, 5)
    a = graph.nodes[0]
    made = run_correct(graph, samples, features=True)

    def values(inputs: list[Array]) -> list[Array]:
        bias = a.params["bias"].reshape(1, -1, 1, 1)
        return [np.maximum(convolve(x.astype(np.float64), coarse(a.params["weight"]), CONV) + bias, 0) for x in inputs]

    exact, rough = values(xs), values([on_grid(x, -6, 6) for x in xs])
    assert bias_of(made, "a") == pytest.approx(a.params["bias"] + channel_means(exact) - channel_means(rough), abs=2e-5)


def test_the_store_knows_it_and_the_steps_are_told(tmp_path: Path) -> None:
    graph, (samples, _), store = network(), written(tmp_path, 2), Store(None)
    said: list[Event] = []
    first = run_correct(graph, samples, features=False, store=store, said=said)
    assert [e.text for e in said if isinstance(e, Log)] == [f"bias_correct Op-----> {n}, total Op is 3" for n in (1, 2, 3)]
    for sample in samples:
        sample.paths[0].unlink()
    again = run_correct(graph, samples, features=False, store=store)
    for name in "abc":
        for param in ("weight", "weight_scale", "bias"):
            assert np.array_equal(param_of(first, name, param), param_of(again, name, param))


def test_what_is_held_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most MOST samples; fewer where their live values would not fit, and it is said."""
    graph, said = network(), list[Event]()
    resolved = Plan(Choice(8, BITS, None, "MAX_ABS", skip="")).resolve((n.name, n.op) for n in graph)
    quantized = quantize(graph, {t: lambda choice: (-6.0, 6.0) for t in graph.types}, resolved)
    live = live_bytes(fake_graph(graph, quantized, features=False), correctable(graph, quantized))
    assert 0 < live <= 3 * 4 * int(np.prod(SHAPE))
    monkeypatch.setattr("engine.stages.correction.ROOM", 3 * 3 * 4 * int(np.prod(SHAPE)))
    samples, _ = written(tmp_path, 8)
    run_correct(graph, samples, features=False, said=said)
    (text,) = [e.text for e in said if isinstance(e, Log) and "samples" in e.text]
    used = int(text.split()[2])
    assert 1 <= used < 8 < MOST


def test_nothing_of_a_step_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The buffers of each step are gone with it, without waiting for the interpreter to look for what holds itself."""
    made = weakref.WeakSet[Runner]()
    start = Runner.__init__

    def started(runner: Runner, program: Program) -> None:
        start(runner, program)
        made.add(runner)

    monkeypatch.setattr(Runner, "__init__", started)
    counts: list[int] = []
    samples, _ = written(tmp_path, 3)
    gc.disable()
    try:
        run_correct(network(), samples, features=False, heard=lambda event: counts.append(len(made)))
    finally:
        gc.enable()
    assert len(counts) > 2
    assert max(counts) <= 1


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_an_operator_with_a_bias_says_where_its_channels_are(name: str) -> None:
    """A bias added to the float layer moves exactly that channel along the axis named."""
    operator, random = REGISTRY[name], np.random.default_rng(2)
    example = operator.example(random, 8)
    node = example.node
    axis = operator.channel_axis(node)
    if axis is None:
        assert not {"weight", "bias"} <= set(node.params)
        return
    channels = len(node.params["weight"])
    plain = {**node.attrs, "low": -np.inf, "high": np.inf, "function": ""}
    results = []
    for shift in (0.0, 1.0):
        bias = node.params.get("bias", np.zeros(channels, np.float32)) + np.float32(shift) * np.arange(1, channels + 1, dtype=np.float32)
        b = Builder()
        b.begin("y")
        moved = Node(node.op, "y", node.inputs, ("y",), plain, {**node.params, "bias": bias.astype(np.float32)})
        operator.lower_float(moved, b, example.types)
        feeds = {t: v.astype(np.float32) for t, v in zip(node.inputs, example.inputs, strict=True)}
        results.append(run_steps(b, feeds, ["y"])[0].astype(np.float64))
    step = np.moveaxis(results[1] - results[0], axis, 0).reshape(channels, -1)
    tolerance = 1e-5 * max(1.0, float(np.abs(results[0]).max()))
    assert step == pytest.approx(np.arange(1, channels + 1).reshape(-1, 1) * np.ones((1, step.shape[1])), abs=tolerance)


def adds_products(name: str) -> bool:
    """Tell whether an operator has a bias of its own and more than one weight for an output."""
    nodes = (REGISTRY[name].example(np.random.default_rng(seed), 8).node for seed in range(8))
    return any(REGISTRY[name].channel_axis(n) is not None and n.params["weight"][0].size > 1 for n in nodes)


SUMMING = [name for name in sorted(REGISTRY) if adds_products(name)]


def windows_of(node: Node, types: Mapping[str, TensorType], x: Array, most: int) -> Array:
    """Return what the weights of a layer multiply, (groups, k, positions)."""
    b = Builder()
    b.begin("y")
    b.finish(REGISTRY[node.op].lower_windows(node, b, types, most), "windows")
    return run_steps(b, {"x": x.astype(np.float32)}, ["windows"])[0].astype(np.float64)


def plain_sums(node: Node, types: Mapping[str, TensorType], x: Array) -> Array:
    """Return the sums of products of a layer, (channels, positions)."""
    b = Builder()
    b.begin("y")
    attrs = {**node.attrs, "low": -np.inf, "high": np.inf, "function": ""}
    bare = Node(node.op, "y", node.inputs, ("y",), attrs, {"weight": node.params["weight"]})
    REGISTRY[node.op].lower_float(bare, b, types)
    value = run_steps(b, {"x": x.astype(np.float32)}, ["y"])[0].astype(np.float64)
    axis = REGISTRY[node.op].channel_axis(node)
    assert axis is not None
    return np.moveaxis(value, axis, 0).reshape(len(node.params["weight"]), -1)


def products(windows: Array, weight: Array) -> Array:
    grouped = weight.astype(np.float64).reshape(len(windows), -1, windows.shape[1])
    return (grouped @ windows).reshape(len(weight), -1)


@pytest.mark.parametrize("name", SUMMING)
@pytest.mark.parametrize("seed", range(4))
def test_windows_are_what_weights_multiply(name: str, seed: int) -> None:
    """Weights times windows are the sums of the layer at every position, or at some of them, evenly spread."""
    example = REGISTRY[name].example(np.random.default_rng(seed), 8)
    node, x = example.node, np.random.default_rng(seed).normal(0, 1, example.inputs[0].shape)
    exact = plain_sums(node, example.types, x)
    tolerance = 1e-5 * max(1.0, float(np.abs(exact).max()))
    every = windows_of(node, example.types, x, 1 << 30)
    assert products(every, node.params["weight"]) == pytest.approx(exact, abs=tolerance)
    some = windows_of(node, example.types, x, 5)
    assert 1 <= some.shape[2] <= 5
    for column in products(some, node.params["weight"]).T:
        assert np.abs(exact - column[:, None]).max(axis=0).min() <= tolerance


@pytest.mark.parametrize("name", ["Conv2D", "ConvTranspose2D"])
def test_windows_of_a_batch(name: str) -> None:
    weight = np.random.default_rng(1).normal(0, 1, (4, 2, 2, 2)).astype(np.float32)
    attrs = {**CONV, "pads": (0, 0, 0, 0), "group": 2, "output_padding": (0, 0)}
    node, size = Node(name, "y", ("x",), ("y",), attrs, {"weight": weight}), 6 if name == "Conv2D" else 8
    types = {"x": TensorType((3, 4, 7, 7)), "y": TensorType((3, 4, size, size))}
    x = np.random.default_rng(2).normal(0, 1, (3, 4, 7, 7))
    windows = windows_of(node, types, x, 1 << 30)
    assert products(windows, weight) == pytest.approx(plain_sums(node, types, x), abs=1e-4)


def test_a_shared_sample_is_warned_of() -> None:
    def sample(name: str, key: str) -> Sample:
        return Sample(name, (Path(name),), key)

    sets = {
        "QUANT_DATASET_PATH": (sample("a", "1"), sample("b", "2")),
        "DEBUG_PATH": (sample("c", "3"),),
        "WEIGHT_CORRECT_PATH": (sample("copy of b", "2"), sample("d", "4")),
        "FEATURE_CORRECT_PATH": (sample("d", "4"),),
    }
    assert overlaps(sets) == ["WEIGHT_CORRECT_PATH: 1 of 2 samples are in QUANT_DATASET_PATH too: copy of b"]


def test_a_project_with_a_correction_set(project: Path) -> None:
    """The mean error of a layer without a clamp is gone on the samples it was corrected on; the shared ones are told."""
    (project / "correct").mkdir()
    for index in range(3):
        picture(project / "correct" / f"{index}.png", seed=100 + index)
    common = ("QUANT_WEIGHT_BIT=4", "WEIGHT_FAKE_QUANT=true", "DEBUG_PATH=./correct")
    before = rows(converted(project, *common))
    document, said = told(project, *common, "WEIGHT_CORRECT_PATH=./correct")
    after = rows(document)
    assert "bias_correct Op-----> 4, total Op is 4" in said
    assert any(text.startswith("WEIGHT_CORRECT_PATH: 3 of 3 samples are in DEBUG_PATH too") for text in document["warnings"])
    for name in ("c2", "scores"):
        assert abs(after[name]["mean_error"]) < 1e-5 < abs(before[name]["mean_error"])
    assert after["scores"]["sqnr_db"] > before["scores"]["sqnr_db"]
    integers = [converted(project, "QUANT_WEIGHT_BIT=4", *more) for more in ((), ("WEIGHT_CORRECT_PATH=./correct",))]
    assert integers[1]["outputs"][0]["cosine_avg"] > integers[0]["outputs"][0]["cosine_avg"]
    both = rows(converted(project, "QUANT_WEIGHT_BIT=4", "WEIGHT_CORRECT_PATH=./correct", "FEATURE_CORRECT_PATH=./correct"))
    assert both["scores"]["cosine_avg"] > rows(integers[0])["scores"]["cosine_avg"]
