"""The alternation never ends worse than it began, and escapes the starts that stick."""

from __future__ import annotations

import numpy as np
import pytest

from engine.calibrate import admm, mse
from engine.calibrate.density import Density
from engine.calibrate.observe import observe

RNG = np.random.default_rng(4)
GAUSS = RNG.standard_normal(60_000).astype(np.float32)
SAMPLES = {
    "gauss": GAUSS,
    "laplace": RNG.laplace(size=60_000).astype(np.float32),
    "outliers": np.append(GAUSS, np.float32([25, -40])),
    "relu": np.maximum(GAUSS, 0),
    "relu6": np.clip(4 * GAUSS, 0, 6),
}


@pytest.mark.parametrize("bits", [4, 8, 10, 12])
@pytest.mark.parametrize("shape", SAMPLES)
def test_never_worse_than_a_start(shape: str, bits: int) -> None:
    seen = observe(SAMPLES[shape])
    low, high = min(seen.minimum, 0.0), max(seen.maximum, 0.0)
    ranges = [admm.solve(seen, bits), (low, high), (low / 2.5, high / 2.5), mse.solve(seen, bits)]
    found, *starts = Density.of(seen).error(*np.array(ranges).T, bits)
    assert found <= min(starts) * (1 + 1e-12)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_step_never_raises_the_error(bits: int) -> None:
    density = Density.of(observe(np.abs(SAMPLES["laplace"])))
    qmax, zero = (1 << bits) - 1, np.zeros(1)
    scale = np.array([float(density.edges[-1]) / qmax / 1.7])
    for _ in range(20):
        fitted = density.fit(scale, zero, bits)
        before, after = (density.error(zero, s * qmax, bits)[0] for s in (scale, fitted))
        assert after <= before * (1 + 1e-9)
        scale = fitted


def test_many_bits_are_not_thrown_away() -> None:
    """A start at 1/2.5 of the range alone loses 18 dB at 12 bits; beside others it does no harm."""
    seen = observe(SAMPLES["gauss"])
    low, high = admm.solve(seen, 12)
    assert high - low > 0.9 * (seen.maximum - seen.minimum)
