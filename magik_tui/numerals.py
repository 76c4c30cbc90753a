"""How numbers are written: metrics, sizes of any kind, time. Nothing here knows of a terminal."""

from __future__ import annotations

import math


def fixed(value: float | None, places: int = 5) -> str:
    """Return a metric with `places` decimals, or "-" where there is no such value."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.{places}f}"


def short(value: float | None, digits: int = 5) -> str:
    """Return a number of any size in few characters, or "-" where there is no such value."""
    return "-" if value is None or not math.isfinite(value) else f"{value + 0.0:.{digits}g}"  # no "-0"


def numbers(value: float | None, places: int = 5, tail: str = "") -> tuple[str, ...]:
    """Return a metric and its `tail` with ever fewer digits, then in scientific form: a reader chooses the first that fits."""
    if value is None or not math.isfinite(value):
        return (f"-{tail}",)
    plain_forms = (f"{value:.{count}f}{tail}" for count in range(places, -1, -1) if abs(value) >= 1 or count >= min(places, 3))
    return (*plain_forms, *(f"{value:.{count}e}{tail}" for count in (3, 2, 1, 0)), f"{value:.0e}")


def shorts(value: float | None, digits: int = 5) -> tuple[str, ...]:
    """Return a number of any size with ever fewer digits."""
    return tuple(short(value, count) for count in range(digits, 0, -1))


def duration(seconds: float) -> str:
    """Return whole seconds as people read them: 7s, 2m05s, 1h02m."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"
