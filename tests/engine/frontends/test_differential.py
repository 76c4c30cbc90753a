"""Every layer of an imported graph computes what onnxruntime computes for the tensor of its name in the original model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.config import Config
from engine.frontends.importer import load
from engine.frontends.recognise import UNFIT
from engine.ops.base import REGISTRY
from tests.engine.frontends.drafts import draw
from tests.engine.frontends.models import run_graph, run_original

SEEDS = range(196)


def import_and_compare(save: Callable[..., Path], seed: int) -> set[str]:
    """Compare every layer of one random graph; return the types of its layers."""
    draft = draw(seed)
    path = save(draft.nodes, {"x": [None, *(1, 6, 8, 9)[1:]]}, [draft.last], draft.constants, opset=draft.opset)
    graph = load(path, Config()).graph
    assert graph.types[draft.last].shape == draft.shape
    feeds = {"x": draft.rng.normal(0, 1, (1, 6, 8, 9)).astype(np.float32)}
    wanted = [t for n in graph for t in n.outputs]
    ours, theirs = run_graph(graph, feeds, wanted), run_original(path, feeds, wanted)
    for node in graph:
        for t in node.outputs:
            tolerance = 1e-5 + 1e-5 * float(np.abs(theirs[t]).max(initial=0))
            np.testing.assert_allclose(ours[t], theirs[t], atol=tolerance, rtol=1e-4, err_msg=f"{node.op} {t}, seed {seed}, {draft.opset}")
            kind = graph.types[t]
            assert (kind.shape, kind.dtype) == (theirs[t].shape, theirs[t].dtype.name)
    assert not [n.reason for n in graph if n.reason.startswith(UNFIT)]
    return {n.op for n in graph}


@pytest.mark.parametrize("group", range(10))
def test_random_graphs(save: Callable[..., Path], group: int) -> None:
    for seed in SEEDS[group::10]:
        import_and_compare(save, seed)


def test_every_layer_type_occurs(save: Callable[..., Path]) -> None:
    """A new operator wants a template here."""
    seen: set[str] = set()
    for seed in SEEDS:
        draft = draw(seed)
        path = save(draft.nodes, {"x": [1, 6, 8, 9]}, [draft.last], draft.constants, opset=draft.opset)
        seen |= {n.op for n in load(path, Config()).graph}
    assert set(REGISTRY) - seen == set()
