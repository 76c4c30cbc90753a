"""Float passes that begin before they are asked for are those that would be made then."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine.dataset import InputSpec
from engine.errors import DataError
from engine.samples import Sample, list_samples
from engine.simulate import Inputs, Networks
from engine.stages import ahead
from engine.stages.ahead import FloatPasses, float_pass
from tests.engine.networks import imported, op, weights

SHAPE = (1, 6, 7, 5)


@pytest.fixture
def networks() -> Networks:
    graph = imported([op("Conv", "x w", "a"), op("Relu", "a", "b")], {"x": list(SHAPE)}, "b", {"w": weights(8, 6, 1, 1, seed=1)})
    return Networks(graph, Inputs((InputSpec("x", SHAPE),), frozenset()), threads=1)


@pytest.fixture
def samples(tmp_path: Path) -> tuple[Sample, ...]:
    for index in range(5):
        (tmp_path / str(index)).mkdir()
        np.random.default_rng(index).normal(0, 1, SHAPE).astype(np.float32).tofile(tmp_path / str(index) / "x.bin")
    return list_samples(tmp_path)


def test_a_pass_is_the_same_begun_early_or_not(networks: Networks, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = sum(k.size * 4 for k in networks.graph.types.values() if k.dtype == "float32")
    monkeypatch.setattr(ahead, "MOST", 4)
    monkeypatch.setattr(ahead, "ROOM", 3 * sizes + sizes // 2)
    with ThreadPoolExecutor(2) as executor:
        passes = FloatPasses(networks, samples, executor)
        assert passes.waiting == 3, "no more than there is room for"
        for sample in samples:
            begun, now = passes.take(sample), float_pass(networks, sample)
            assert begun.runner is not now.runner
            for tensor, value in now.made.items():
                np.testing.assert_array_equal(begun.made[tensor], value)
        assert passes.waiting == 0


def test_a_sample_that_cannot_be_read_says_so_when_it_is_taken(networks: Networks, samples: tuple[Sample, ...]) -> None:
    samples[1].paths[0].write_bytes(b"short")
    with ThreadPoolExecutor(2) as executor:
        passes = FloatPasses(networks, samples, executor)
        assert passes.take(samples[0]).made
        with pytest.raises(DataError, match="5 bytes"):
            passes.take(samples[1])
        assert passes.take(samples[2]).made


def test_without_an_executor_nothing_begins_early(networks: Networks, samples: tuple[Sample, ...]) -> None:
    passes = FloatPasses(networks, samples, None)
    assert passes.waiting == 0
    assert set(passes.take(samples[0]).made) == {"b"}
