"""A row is the mean of what exists, and says how much did not."""

from __future__ import annotations

import pytest

from engine.analysis.metrics import Local, Measured
from engine.analysis.reduce import SQNR_EXACT, Row, reduce


def test_means_and_ends_over_the_samples_that_have_a_value() -> None:
    samples = [
        Measured(4, cosine=0.9, sqnr_db=20.0, max_absolute=1.0, saturation=0.0),
        Measured(4, cosine=0.7, sqnr_db=10.0, max_absolute=3.0, saturation=0.5),
        Measured(4, max_absolute=5.0),
        Measured(4, nonfinite=2),
    ]
    row = reduce(samples, [Local(0.99, 30.0), Local(None, None)])
    assert (row.count, row.unmeasured, row.nonfinite) == (4, 2, 1)
    assert (row.cosine_avg, row.cosine_min, row.cosine_max) == (pytest.approx(0.8), 0.7, 0.9)
    assert (row.max_absolute, row.saturation, row.sqnr_db) == (3.0, 0.25, 15.0)
    assert (row.local_cosine, row.local_sqnr_db) == (0.99, 30.0)
    assert row.euc_distance is None


def test_no_sample_gives_no_number() -> None:
    assert reduce([]) == Row()


def test_samples_without_noise_do_not_lift_the_mean_of_those_with_some() -> None:
    noisy, clean = Measured(4, sqnr_db=30.0), Measured(4, sqnr_db=SQNR_EXACT)
    assert reduce([noisy, clean]).sqnr_db == 30.0
    assert reduce([clean, clean]).sqnr_db == SQNR_EXACT
