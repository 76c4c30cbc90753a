"""Rounding a layer's weights together, so that the error of one is taken back by the others.

Rounding each weight to its nearest level is best for the weights, not for what the layer computes. The error of an output channel over
samples of its input x is

    (w - s q)ᵀ H (w - s q),    H = E[x xᵀ],    with H = L Lᵀ:    ‖Lᵀ (w - s q)‖²

and its last coordinate depends on the last weight alone, the one before on two, and so on. So each weight in turn, from the last, is
rounded to the level nearest to what it should be given the errors e = w - s q of those behind it:

    s q[j] ≈ w[j] + Σ e[i] L[i,j] / L[j,j]  over i > j

This is GPTQ (Frantar et al., ICLR 2023, arXiv 2210.17323), which updates the weights with the inverse of H, without an inverse. Inputs
with little power are rounded last, since there is least that could still take back their errors. A tenth of the mean power is added to
the diagonal: a few samples do not know H so well that a large error of one weight may be bought with errors of others.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..numerics import quantize_weights, weight_level

DAMPING = 0.1
"""Of the mean of the diagonal of H, added to it."""

MOST = 1024
"""Weights that are rounded together at most: beyond, time and memory would grow with the square and the cube of their number."""

ROOM = 1 << 23
"""Numbers that all parts of H have together at most."""

TOGETHER = 1 << 19
"""Weights worked on at once: they, their errors and their goals stay in the cache."""

_STEP = 64
"""Weights whose errors meet those further ahead as one product of matrices."""

_TILE = 128
"""Columns that are factored at once."""

_GAIN = 1.0 - 1e-6
"""A channel that wins less than float32 can tell keeps its nearest levels."""

Floats = NDArray[np.float64]


def parts_of(k: int) -> tuple[int, int]:
    """Return in how many parts of what size k weights are rounded; the last part may be filled up with zeros."""
    parts = -(-k // max(1, min(MOST, ROOM // max(k, 1))))
    return parts, -(-k // parts)


def rounded(weight: NDArray[np.float32], scales: NDArray[np.float32], bits: int, gram: Floats) -> NDArray[np.int8]:
    """Return the levels of weights of shape (channels, k) with scales (channels,), int8 in ±(2^(bits-1) - 1).

    `gram` is Σ x xᵀ, of shape (groups * parts, size, size) as `parts_of` has them: the channels of each group, in order, read its parts.
    By this measure no part of a channel is worse than with its nearest levels, and where x are not correlated it has these.
    """
    channels, k = weight.shape
    parts, size = parts_of(k)
    groups = len(gram) // parts
    nearest = quantize_weights(weight, scales, bits)
    wanted = np.zeros((channels, parts * size), np.float32)
    wanted[:, :k] = weight
    levels = np.zeros((channels, parts * size), np.int8)
    levels[:, :k] = nearest
    per_group = channels // groups

    shape = (groups, per_group, parts, size)
    w, q = wanted.reshape(shape).swapaxes(1, 2), levels.reshape(shape).swapaxes(1, 2)  # views
    s = np.broadcast_to(scales.reshape(groups, 1, per_group), (groups, parts, per_group))
    for block in _blocks(groups * parts, per_group * size):
        at = np.divmod(np.arange(block.start, block.stop), parts)
        solver = _Solver(gram[block])
        for rows in _blocks(per_group, len(at[0]) * size):
            here = (*at, rows)
            q[here] = solver.better(w[here].astype(np.float64), s[here].astype(np.float64), q[here], weight_level(bits))
    return levels[:, :k]


def _blocks(count: int, each: int) -> Iterator[slice]:
    step = max(1, TOGETHER // max(each, 1))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


class _Solver:
    """The matrices of some parts, ordered and factored once for all their channels."""

    def __init__(self, gram: Floats) -> None:
        diagonal = np.diagonal(gram, axis1=1, axis2=2)
        self.known = np.isfinite(gram).all(axis=(1, 2)) & (diagonal.max(axis=1, initial=0.0) > 0)
        order = np.argsort(np.where(self.known[:, None], diagonal, 0.0), axis=1, kind="stable")
        self.order = order[:, None, :]
        h = np.take_along_axis(np.take_along_axis(gram, order[:, :, None], 1), self.order, 2)
        unit = np.eye(gram.shape[1])
        h[~self.known] = unit  # nothing, or nothing finite, was seen there: the nearest levels stay
        self.h = h
        self.damping = DAMPING * np.trace(h, axis1=1, axis2=2) / gram.shape[1]
        low = factor(h + self.damping[:, None, None] * unit)
        self.depth = np.diagonal(low, axis1=1, axis2=2).copy()
        self.pull = low / self.depth[:, None, :]

    def better(self, w: Floats, s: Floats, nearest: NDArray[np.int8], level: int) -> NDArray[np.int8]:
        """Return the levels of weights (parts, channels, size), the nearest ones where they are no worse."""
        goal = np.take_along_axis(w, self.order, 2)
        start = np.take_along_axis(nearest, self.order, 2)
        found, cost = self._descend(goal, s, level)
        error = goal - start * s[..., None]
        wins = cost < _GAIN * ((error @ self.h) * error).sum(axis=2)
        made = np.empty_like(nearest)
        np.put_along_axis(made, self.order, np.where(wins[..., None], found, start).astype(np.int8), 2)
        return made

    def _descend(self, goal: Floats, s: Floats, level: int) -> tuple[Floats, Floats]:
        """Round one weight of every channel at a time, from the last to the first; return levels and the error of each channel."""
        size = goal.shape[2]
        aim, q, e = goal.copy(), np.empty_like(goal), np.empty_like(goal)
        for high in range(size, 0, -_STEP):
            low = max(0, high - _STEP)
            near, pull = aim[:, :, low:high], self.pull[:, low:high, low:high]
            for i in range(high - low - 1, -1, -1):
                q[:, :, low + i] = levels = np.clip(np.rint(near[:, :, i] / s), -level, level)
                e[:, :, low + i] = error = goal[:, :, low + i] - levels * s
                near[:, :, :i] += error[:, :, None] * pull[:, None, i, :i]
            if low:
                aim[:, :, :low] += e[:, :, low:high] @ self.pull[:, low:high, :low]
        missed = (aim - q * s[..., None]) * self.depth[:, None, :]  # of Lᵀ e, so that its squares are the error with the damping
        return q, (missed**2).sum(axis=2) - self.damping[:, None] * (e**2).sum(axis=2)


def factor(h: Floats) -> Floats:
    """Return the lower triangular L of each positive definite matrix L Lᵀ, of shape (n, size, size).

    In blocks that LAPACK factors on one thread: its threads wait for each other at every column of a larger one.
    """
    low = np.zeros_like(h)
    size = h.shape[1]
    for start in range(0, size, _TILE):
        end = min(start + _TILE, size)
        rest = h[:, start:, start:end] - low[:, start:, :start] @ low[:, start:end, :start].swapaxes(1, 2)
        low[:, start:end, start:end] = corner = np.linalg.cholesky(rest[:, : end - start])
        if end < size:
            low[:, end:, start:end] = rest[:, end - start :] @ np.linalg.inv(corner).swapaxes(1, 2)
    return low
