"""The methods by the names magik.cfg gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from . import admm, kl, max_abs, mse
from .observe import Observation

Solve = Callable[[Observation, int], tuple[float, float]]

FEATURE_METHODS: Mapping[str, Solve] = MappingProxyType({"MAX_ABS": max_abs.solve, "KL": kl.solve, "MSE": mse.solve, "ADMM": admm.solve})


def default_feature_method(bits: int) -> str:
    """Return the method used where the configuration names none: KL up to 8 bits; beyond, its 2048 bins no longer tell."""
    return "KL" if bits <= 8 else "MSE"
