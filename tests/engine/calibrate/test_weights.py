"""Scales of weights, channel by channel, against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from engine.calibrate import WEIGHT_METHODS, weight_scales

Weights = NDArray[np.float32]

RNG = np.random.default_rng(8)
SPREAD = (RNG.standard_normal((24, 200)) * np.geomspace(1e-30, 1e30, 24)[:, None]).astype(np.float32)
HEAVY = RNG.standard_t(2, (16, 300)).astype(np.float32)

methods = pytest.mark.parametrize("method", WEIGHT_METHODS)


def errors(weights: Weights, scale: Weights, bits: int) -> NDArray[np.float64]:
    """Squared error per channel relative to its power, in float64."""
    top = (1 << (bits - 1)) - 1
    a = scale.astype(np.float64)[:, None]
    q = np.clip(np.rint(weights / scale[:, None]), -top, top)
    left: NDArray[np.float64] = ((weights - q * a) ** 2).sum(axis=1) / (weights.astype(np.float64) ** 2).sum(axis=1)
    return left


def test_max_abs_maps_the_largest_weight_to_the_last_level() -> None:
    weights = np.array([[1, -127, 3], [0.5, 0.25, -0.125], [0, 0, 0]], np.float32)
    assert weight_scales(weights, 8, "MAX_ABS").tolist() == [1.0, np.float32(0.5 / 127), 1.0]
    assert weight_scales(weights, 2, "MAX_ABS").tolist() == [127.0, 0.5, 1.0]


@methods
@given(
    weights=hnp.arrays(
        np.float32, st.tuples(st.integers(0, 6), st.integers(0, 12)), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
    ),
    bits=st.integers(2, 8),
)
def test_every_scale_is_normal_and_no_wider_than_max_abs(method: str, weights: Weights, bits: int) -> None:
    scale = weight_scales(weights, bits, method)
    assert scale.dtype == np.float32
    assert scale.shape == (len(weights),)
    assert np.all(np.isfinite(scale))
    assert np.all(scale >= np.finfo(np.float32).tiny)
    assert np.all(scale[~weights.any(axis=1)] == 1)


@methods
def test_channels_do_not_see_each_other(method: str) -> None:
    together = weight_scales(SPREAD, 4, method)
    alone = np.concatenate([weight_scales(row[None], 4, method) for row in SPREAD])
    assert np.array_equal(together, alone)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("weights", [SPREAD, HEAVY], ids=["spread", "heavy"])
def test_admm_is_never_worse_than_its_starts(weights: Weights, bits: int) -> None:
    widest = weight_scales(weights, bits, "MAX_ABS")
    found = errors(weights, weight_scales(weights, bits, "ADMM"), bits)
    for shrink in (1, 2**-0.25, 2**-0.5, 0.5, 0.25):
        assert np.all(found <= errors(weights, (widest * np.float32(shrink)).astype(np.float32), bits) * (1 + 1e-4))


def test_admm_gains_most_where_bits_are_few() -> None:
    weights = RNG.standard_normal((8, 2000)).astype(np.float32)

    def gain(bits: int) -> float:
        plain, fitted = (errors(weights, weight_scales(weights, bits, method), bits).sum() for method in ("MAX_ABS", "ADMM"))
        return float(fitted / plain)

    assert gain(4) < 0.7
    assert gain(4) < gain(8) < 1


def test_admm_is_close_to_the_best_scale_there_is() -> None:
    weights = RNG.standard_normal((12, 400)).astype(np.float32)
    widest = weight_scales(weights, 4, "MAX_ABS")
    best = np.min([errors(weights, (widest * f).astype(np.float32), 4) for f in np.linspace(0.2, 1, 400)], axis=0)
    assert np.mean(errors(weights, weight_scales(weights, 4, "ADMM"), 4) / best) < 1.03
