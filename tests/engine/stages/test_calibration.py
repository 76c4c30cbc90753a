"""How calibration cuts its samples, what it keeps, and that no way of working changes what it sees."""

from __future__ import annotations

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dataset import InputSpec, Sample, sample_key
from engine.errors import DataError
from engine.events import Event, Log, silent
from engine.ir import keys
from engine.plan import Choice
from engine.simulate import Inputs, Networks
from engine.stages.calibration import CHUNK, COUNTED, chunked, glimpse, method_of, observe, range_finders, stride_of
from engine.store import Store
from tests.engine.networks import imported, op, weights


def named(name: str) -> Sample:
    return Sample(name, (Path(name),), hashlib.blake2b(name.encode()).hexdigest())


@given(st.lists(st.integers(0, 10_000), unique=True, max_size=120), st.integers(0, 120), st.integers(0, 10_000))
def test_a_sample_that_comes_changes_few_chunks(numbers: list[int], at: int, new: int) -> None:
    samples = [named(str(n)) for n in numbers]
    chunks = list(chunked(samples))
    assert [s for chunk in chunks for s in chunk] == samples
    assert all(1 <= len(chunk) <= 2 * CHUNK for chunk in chunks)
    grown = list(chunked([*samples[:at], named(f"new {new}"), *samples[at:]]))
    first = next(i for i, chunk in enumerate(grown) if any(s.name.startswith("new") for s in chunk))
    # behind it all is as before from the first chunk on that its content ends, not its length
    ended = (i for i, chunk in enumerate(grown) if i > first and int(chunk[-1].key[:8], 16) % CHUNK == 0)
    last = next(ended, len(grown))
    assert all(chunk in chunks for chunk in (*grown[:first], *grown[last + 1 :]))


def test_a_picture_among_many_costs_its_chunk() -> None:
    samples = [named(str(n)) for n in range(400)]
    chunks = list(chunked(samples))
    assert 400 / CHUNK * 0.6 < len(chunks) < 400 / CHUNK * 1.6
    cost = [
        sum(len(chunk) for chunk in chunked([*samples[:at], named(f"new {at}"), *samples[at:]]) if chunk not in chunks)
        for at in range(0, 400, 7)
    ]
    assert np.mean(cost) < 3 * CHUNK  # that of a sample is longer than that of a chunk: long chunks are hit more often


@pytest.mark.parametrize("shape", [(1, 64, 112, 112), (1, 256, 40, 40), (1, 64, 208, 208), (1, 3, 640, 641), (1, 7, 1, 50000)])
def test_of_large_features_every_column_is_counted(shape: tuple[int, ...]) -> None:
    stride = stride_of(shape)
    size = math.prod(shape)
    assert 1 < stride <= size // COUNTED
    columns = np.arange(0, shape[2] * shape[3], stride) % shape[3]
    assert shape[2] < stride or len(np.unique(columns)) == shape[3]


@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (1, 1 << 20), (1, 1000, 768), ()])
def test_small_features_and_those_without_a_width_are_counted_whole(shape: tuple[int, ...]) -> None:
    assert stride_of(shape) == 1


def test_the_method_is_the_one_named_or_the_default() -> None:
    assert method_of(Choice(feature_method="MSE")) == "MSE"
    assert method_of(Choice()) == method_of(Choice(8)) == "KL"


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Eleven .bin samples, the fifth of them too short."""
    random = np.random.default_rng(0)
    found = []
    for index in range(11):
        path = tmp_path / f"{index:02}" / "x.bin"
        path.parent.mkdir()
        random.normal(0, 1 + index, (1, 3, 140, 130)).astype("<f4").tofile(path)
        if index == 4:
            path.write_bytes(path.read_bytes()[:-4])
        sample = Sample(path.parent.name, (path,))
        found.append(replace(sample, key=sample_key(sample)))
    return found


def networks() -> Networks:
    nodes = [op("Conv", "x w", "c", strides=[2, 2]), op("Relu", "c", "r"), op("Flatten", "r", "f"), op("Tanh", "c", "y")]
    graph = imported(nodes, {"x": [1, 3, 140, 130]}, "f y", {"w": weights(5, 3, 1, 1)})
    return Networks(graph, Inputs((InputSpec("x", (1, 3, 140, 130)),), frozenset()), threads=1)


def seen(samples: list[Sample], store: Store, threads: int = 0, events: list[Event] | None = None) -> dict[str, bytes]:
    """What is observed of every tensor."""
    nets = networks()
    table = keys(nets.graph, nets.inputs.leaves(), "float")
    report = events.append if events is not None else silent
    tensors = ["x", "c", "r", "y"]
    if not threads:
        found = observe(nets, table, tensors, samples, store=store, report=report)
    else:
        with ThreadPoolExecutor(threads) as pool:
            found = observe(nets, table, tensors, samples, store=store, report=report, executor=pool)
    return {t: o.to_bytes() for t, o in found.items()}


def test_threads_order_and_the_store_change_nothing(samples: list[Sample]) -> None:
    expected = seen(samples, Store(None))
    assert seen(samples, Store(None), threads=3) == expected
    assert seen(samples[::-1], Store(None)) == expected
    store = Store(None)
    seen(samples[:7], store)
    assert seen(samples, store) == expected  # a part of it was known
    assert seen(samples, store, threads=2) == expected  # all of it was


def test_extremes_are_those_of_all_values(samples: list[Sample]) -> None:
    good = [s for s in samples if s.name != "04"]
    nets = networks()
    table = keys(nets.graph, nets.inputs.leaves(), "float")
    found = observe(nets, table, ["x"], good, store=Store(None), report=silent)["x"]
    everything = np.concatenate([np.fromfile(s.paths[0], "<f4") for s in good])
    assert (found.minimum, found.maximum) == (everything.min(), everything.max())
    assert 0.2 * everything.size < found.count < 0.5 * everything.size


def test_a_sample_that_cannot_be_read_is_told_each_time_and_left_out(samples: list[Sample]) -> None:
    store = Store(None)
    for _ in range(2):
        events: list[Event] = []
        found = seen(samples, store, events=events)
        (log,) = (e for e in events if isinstance(e, Log))
        assert log.level == "warning"
        assert "04/x.bin: 218396 bytes, expected 218400 (float32)" in log.text
    assert found == seen([s for s in samples if s.name != "04"], Store(None))


def test_when_none_can_be_read_the_first_is_named(samples: list[Sample]) -> None:
    with pytest.raises(DataError, match=r"the only calibration sample is not readable: .*x\.bin"):
        seen(samples[4:5], Store(None))


def test_an_object_that_is_torn_between_the_question_and_the_answer_is_made_again(samples: list[Sample], tmp_path: Path) -> None:
    expected = seen(samples, Store(tmp_path / "store"))
    for path in (tmp_path / "store").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-3])
    assert seen(samples, Store(tmp_path / "store")) == expected


def test_a_range_is_searched_once(samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.stages import calibration

    nets = networks()
    table = keys(nets.graph, nets.inputs.leaves(), "float")
    found = observe(nets, table, ["x", "c"], samples[:3], store=Store(None), report=silent)
    calls: list[int] = []
    real = calibration.FEATURE_METHODS["MAX_ABS"]
    monkeypatch.setattr(calibration, "FEATURE_METHODS", {"MAX_ABS": lambda o, bits: calls.append(bits) or real(o, bits)})
    store = Store(None)
    choices = [Choice(8, feature_method="MAX_ABS"), Choice(10, feature_method="MAX_ABS")]
    ranges = [[range_finders(found, store=store)[t](c) for t in ("x", "c") for c in choices] for _ in range(2)]
    assert ranges[0] == ranges[1]
    assert calls == [8, 10, 8, 10]


def test_ranges_kept_by_other_threads_are_those_kept_at_once(samples: list[Sample], tmp_path: Path) -> None:
    nets = networks()
    table = keys(nets.graph, nets.inputs.leaves(), "float")
    found = observe(nets, table, ["x", "c"], samples[:3], store=Store(None), report=silent)
    stored: list[dict[str, bytes]] = []
    for name in ("at once", "beside"):
        store = Store(tmp_path / name)
        with ThreadPoolExecutor(2) as executor:
            finders = range_finders(found, store=store, executor=executor if name == "beside" else None)
            for find in finders.values():
                find(Choice(8))
        stored.append({p.name: p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()})
    assert len(stored[0]) == 2
    assert stored[0] == stored[1]


@pytest.mark.parametrize("shape", [(1, 40_000, 1, 1), (1, 3, 200, 200), (1, 50, 4, 4)])
def test_a_glimpse_is_a_copy_whatever_the_shape(shape: tuple[int, ...]) -> None:
    """The buffers of a run are written again while the glimpse is counted."""
    nodes = [op("Relu", "x", "r"), op("Sigmoid", "r", "y")]
    graph = imported(nodes, {"x": list(shape)}, "y")
    inputs = Inputs((InputSpec("x", shape),), frozenset())
    program = Networks(graph, inputs, threads=1).floats()
    runner = program.borrow()
    fed = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    for name, value in runner.run({"x": np.ascontiguousarray(fed.transpose(0, 2, 3, 1))}).items():
        assert not np.shares_memory(glimpse(program, name, value, stride_of(shape)).part, value)
