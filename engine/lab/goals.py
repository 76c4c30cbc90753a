"""What a search for widths is asked to reach, made out of what a person typed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..analysis.costs import finest, width_costs, worthwhile
from ..analysis.scoring import Metric
from ..analysis.tuning import Goal
from ..errors import UsageError
from .lab import Lab

TARGET, DECIBELS = 0.99, 20.0
"""What is aimed at when neither a target nor a budget is given: the guide's mark of a healthy network, and for SQNR that of a bisection."""


def goal_for(lab: Lab, *, target: float | None, budget: float | None, bits: Sequence[int], metric: Metric, at: str) -> Goal:
    """Return the goal of a search on a project; `bits` are the widths to choose from, none for those of the SOC from 8 up.

    UsageError for a figure that the metric cannot have, a budget that buys nothing, widths that the SOC lacks, a layer that is not there.
    """
    if lab.config.weight_fake_quant and not lab.config.feature_fake_quant:
        raise UsageError("WEIGHT_FAKE_QUANT leaves every feature in float: there is no width to choose")
    if target is None and budget is None:
        target = DECIBELS if metric == "sqnr" else TARGET
    if target is not None and not (math.isfinite(target) if metric == "sqnr" else 0 < target <= 1):
        legal = "a number of dB" if metric == "sqnr" else "above 0 and at most 1"
        raise UsageError(f"a target of {target:g} makes no sense: {metric} is {legal}")
    if budget is not None and not (budget > 0 and math.isfinite(budget)):
        raise UsageError(f"a budget of {budget:g} makes no sense: 1 is the cost of everything at 8 bits")
    lab.places(at)
    return Goal(worthwhile(width_costs(lab.profile, bits)), finest(lab.profile), target, budget, metric, at)
