"""Results of searches as JSON documents, schema 1: plain dicts, lists, strings, numbers. docs/tune.md says what the keys mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from .costs import work
from .scoring import Metric, Score
from .sensitivity import Sensitivities, Sensitivity
from .tuning import Goal, Limit, Point, Tuned

SCHEMA = 1

Document = dict[str, Any]


def score_document(score: Score) -> Document:
    """Return the three figures of a score, None where there is none."""
    return {"cosine_avg": score.cosine_avg, "cosine_min": score.cosine_min, "sqnr_db": score.sqnr_db}


def sensitivity_document(found: Sensitivities, *, metric: Metric, at: str) -> Document:
    """Return the document of `magik-tui sensitivity --json`, but for where it came from."""
    return {
        "schema": SCHEMA,
        "metric": metric,
        "at": at,
        "base": score_document(found.base),
        "units": [_unit(each, found.base, metric) for each in found.units],
        "runs": found.runs,
        "interrupted": found.interrupted,
    }


def _unit(each: Sensitivity, base: Score, metric: Metric) -> Document:
    unit = each.unit
    healed, before = each.in_float.of(metric) if each.in_float else None, base.of(metric)
    return {
        "name": unit.name,
        "op": unit.op,
        "nodes": list(unit.nodes),
        "macs": unit.macs,
        "values": unit.values,
        "bits": each.bits,
        "skipped": each.skipped,
        "local_error": each.local_error,
        "alone": [{"bits": bits, "error": _error(score), **score_document(score)} for bits, score in each.alone.items()],
        "in_float": {"error": _error(each.in_float), **score_document(each.in_float)} if each.in_float else None,
        "gain": healed - before if healed is not None and before is not None else None,
    }


def _error(score: Score) -> float | None:
    return None if score.sqnr_db is None else 10.0 ** (-score.sqnr_db / 10)


def tune_document(found: Tuned) -> Document:
    """Return the document of `magik-tui tune --json`, but for where it came from and what was written."""
    goal = found.goal
    return {
        "schema": SCHEMA,
        "metric": goal.metric,
        "at": goal.at,
        "target": goal.target,
        "budget": goal.budget,
        "costs": {str(bits): cost for bits, cost in goal.costs.items()},
        "met": found.met,
        "interrupted": found.interrupted,
        "exact": found.exact,
        "runs": found.runs,
        "base": score_document(found.base),
        "chosen": _point(found.chosen, goal),
        "units": _units(found),
        "front": [_point(point, goal) for point in found.front],
        "limit": _limit(found.limit) if found.limit else None,
        "config": {"LOAD_OP_QUANT_BIT": True},
    }


def _units(found: Tuned) -> list[Document]:
    whole = sum(map(work, found.units))
    return [
        {
            "name": unit.name,
            "op": unit.op,
            "nodes": list(unit.nodes),
            "macs": unit.macs,
            "values": unit.values,
            "share": work(unit) / whole,
            "bits": found.chosen.widths[unit.name],
            "noise": {str(bits): power for bits, power in sorted(found.noises.get(unit.name, {}).items())},
        }
        for unit in found.units
    ]


def _point(point: Point, goal: Goal) -> Document:
    counts: Mapping[int, int] = Counter(point.widths.values())
    return {
        "cost": point.cost,
        **score_document(point.score),
        "predicted": point.predicted,
        "counts": {str(bits): counts[bits] for bits in sorted(counts)},
        "widths": dict(point.widths),
    }


def _limit(limit: Limit) -> Document:
    return {
        "by": limit.by,
        "reachable": limit.reachable,
        "at_16_bits": limit.finest,
        "units": [{"name": name, "share": share} for name, share in limit.units],
    }
