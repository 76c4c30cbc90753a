"""A kernel that gets one integer wrong is not used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from engine.errors import WorkError
from engine.numerics import Array
from engine.ops.lowering import Builder
from engine.ort import selftest, session


def wrong(kernel: str) -> object:
    """Return `run_steps` of a machine on which one kernel gets one integer wrong."""

    def run(b: Builder, feeds: Mapping[str, Array], wanted: Sequence[str]) -> list[Array]:
        found = session.run_steps(b, feeds, wanted)
        if kernel in {s.op for s in b.steps}:
            last = found[-1].reshape(-1)
            last[-1] = last[-1] + np.ones((), last.dtype)
        return found

    return run


@pytest.mark.parametrize("kernel", ["QLinearConv", "MatMulInteger"])
def test_one_wrong_integer_is_enough(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "run_steps", wrong(kernel))
    assert kernel not in selftest.exact_kernels()


def test_kernels_are_judged_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    before = selftest.exact_kernels()
    monkeypatch.setattr(selftest, "run_steps", wrong("MatMulInteger"))
    assert selftest.exact_kernels() == before - {"MatMulInteger"}
    monkeypatch.setattr(selftest, "run_steps", wrong("QLinearConv"))
    assert selftest.exact_kernels() == before - {"QLinearConv"}


def test_a_library_without_them_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(b: Builder, feeds: Mapping[str, Array], wanted: Sequence[str]) -> list[Array]:
        raise WorkError("no such operator")

    monkeypatch.setattr(selftest, "run_steps", without)
    assert selftest.exact_kernels() == frozenset()
