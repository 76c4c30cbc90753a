"""From samples to ranges: what is seen of a feature, and the methods that choose its range and the scales of weights."""

from .methods import FEATURE_METHODS, Solve, default_feature_method
from .observe import Observation, Observer, merge
from .weights import WEIGHT_METHODS, weight_scales

__all__ = [
    "FEATURE_METHODS",
    "WEIGHT_METHODS",
    "Observation",
    "Observer",
    "Solve",
    "default_feature_method",
    "merge",
    "weight_scales",
]
