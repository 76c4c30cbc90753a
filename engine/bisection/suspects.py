"""The problem that a project makes: the layers that may be at fault, and plans with some of them in float."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..analysis.bisect import Goal, Problem
from ..errors import DataError
from ..ir import Graph, digest
from ..lab import Lab
from ..numerics import NUMERICS
from ..plan import Choice, Plan
from ..quantize import shown_type
from ..version import backend

SKIPPED = "skipped by QUANT_NODE_SKIP"


def problem_of(lab: Lab, goal: Goal) -> Problem:
    """Return the problem over the layers that are integer now and can change what is judged.

    UsageError where there is no such node, DataError where there is nothing to compare on or nothing is quantized.
    """
    if not lab.samples:
        raise DataError("there is nothing to compare on", where="DEBUG_PATH", hint="name a folder of pictures or samples")
    if goal.at:
        lab.score(lab.base, goal.at)  # says what is wrong with the name
    rows = lab.evaluate(lab.base)["nodes"]
    reach = _upstream(lab.graph, goal.at)
    errors = {row["name"]: _noise(row) for row in rows if row["quantized"] and row["name"] in reach}
    if not errors:
        where = f"before {goal.at!r} " if goal.at else ""
        reason = next((row["reason"] for row in rows if row["reason"]), "")
        raise DataError(f"nothing {where}is quantized: there is nothing to bisect", hint=reason)
    makers = lab.graph.producers()
    feeders = {n.name: [makers[t].name for t in n.inputs if t in makers] for n in lab.graph.nodes}
    return Problem.of(goal, lab.units, errors, ops={n.name: shown_type(n) for n in lab.graph.nodes}, feeders=feeders)


def _noise(row: Mapping[str, Any]) -> float:
    """Return noise over signal of a layer alone; a layer without a signal, which has no such number, is no suspect."""
    value = row["local_sqnr_db"]
    return 0.0 if value is None else float(10 ** (-value / 10))


def _upstream(graph: Graph, at: str) -> set[str]:
    """Return the layers that a node depends on, itself included; all of them where none is named."""
    if not at:
        return {node.name for node in graph.nodes}
    makers, by_name = graph.producers(), {node.name: node for node in graph.nodes}
    found, waiting = set(), [at]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            node = by_name[name]
            captured = (t for raw in node.raw for t in raw.captured)
            waiting += [makers[t].name for t in (*node.inputs, *captured) if t in makers]
    return found


def with_floats(plan: Plan, names: Iterable[str]) -> Plan:
    """Return the plan with some layers in float, as QUANT_NODE_SKIP would have them."""
    return replace(plan, nodes={**plan.nodes, **{n: replace(plan.nodes.get(n, Choice()), skip=SKIPPED) for n in names}})


def identity(lab: Lab) -> str:
    """Return a key of everything a judged network depends on: model, configuration, samples, this version's arithmetic."""
    sources = lab.sources
    sets = [[(s.name, s.key) for s in samples] for samples in sources.sets().values()]
    return digest("bisect", NUMERICS, backend(), sources.model_key, repr(sources.config), repr(lab.base), sets)
