"""EltwiseMax, EltwiseMin: the larger or smaller of two tensors, element by element, both in units of the output's levels.

y = rint(max(ma * (qa - za), mb * (qb - zb))) + zy, ma = sa / sy; rounding keeps the order, so this is also the larger of the two levels.
"""

from __future__ import annotations

import numpy as np

from ..ir import QNode
from ..numerics import Array, scaled
from .eltwise import Linear


class Extremum(Linear):
    """What both share with a sum: everything but the sum."""

    def _combine(self, q: QNode, first: Array, second: Array) -> tuple[Array, Array]:
        left, right = scaled(first, q.arrays["ma"]), scaled(second, q.arrays["mb"])
        found = np.maximum(left, right) if self.float_op == "Max" else np.minimum(left, right)
        return found, found


class EltwiseMax(Extremum):
    type = "EltwiseMax"
    sources = ("Max",)
    float_op = "Max"


class EltwiseMin(Extremum):
    type = "EltwiseMin"
    sources = ("Min",)
    float_op = "Min"
