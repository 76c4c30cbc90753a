"""How many of an order should suffice, if errors added up like noise powers."""

from __future__ import annotations

from collections.abc import Sequence


def enough(errors: Sequence[float], done: int, noises: Sequence[float | None], budget: float | None) -> int:
    """Return the least count, at least `done`, of leading errors to remove so that what is left fits the budget.

    `errors` are noise powers in any unit, `noises` what all but the first `done` of them may amount to: the least count over these
    views is taken, since removing too few costs one more look and removing too many costs several. Without any number it is `done`.
    """
    if budget is None:
        return done
    counts = [_count(errors, done, noise, budget) for noise in noises if noise is not None]
    return min(counts, default=done)


def _count(errors: Sequence[float], done: int, noise: float, budget: float) -> int:
    left = sum(errors[done:])
    if left <= 0:
        return len(errors)
    allowed = budget / noise * left if noise > 0 else 0.0
    for count in range(done, len(errors)):
        if left <= allowed:
            return count
        left -= errors[count]
    return len(errors)


def cut(suspicions: Sequence[float], least: int, most: int) -> int:
    """Return the count, from `least` to below `most`, after which an order that falls falls the farthest; all of it where it is shorter."""
    most = min(most, len(suspicions))
    counts = range(min(least, most), most)
    return min(counts, key=lambda count: _ratio(suspicions[count], suspicions[count - 1]), default=most)


def _ratio(after: float, before: float) -> float:
    return after / before if before > 0 else 1.0
