"""Plans made of a plan, for a search to try: a unit at another width, a unit alone, a unit in float."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..plan import Choice, Plan
from .scoring import Unit

ALONE = "only one unit is quantized"
FLOAT = "tried in float"


def skipped(plan: Plan, unit: Unit) -> str:
    """Return why the plan leaves a unit in float, "" when it does not."""
    return plan.resolve([(unit.name, unit.op)]).choices[unit.name].skip or ""


def width_of(plan: Plan, unit: Unit) -> int:
    """Return the feature bits that the plan asks for a unit."""
    return plan.resolve([(unit.name, unit.op)]).choices[unit.name].feature_bits or 8


def at_widths(plan: Plan, units: Iterable[Unit], widths: Mapping[str, int]) -> Plan:
    """Return the plan with the feature bits of every unit named in `widths` changed; whatever else it says of them stays."""
    nodes = dict(plan.nodes)
    for unit in units:
        if unit.name in widths:
            nodes |= {n: replace(nodes.get(n, Choice()), feature_bits=widths[unit.name]) for n in unit.nodes}
    return replace(plan, nodes=nodes)


def in_float(plan: Plan, unit: Unit) -> Plan:
    """Return the plan with one unit in float; where an integer layer reads what it makes, that is quantized as before."""
    return replace(plan, nodes={**plan.nodes, **{n: replace(plan.nodes.get(n, Choice()), skip=FLOAT) for n in unit.nodes}})


def alone(plan: Plan, unit: Unit, bits: int, finest: int) -> Plan:
    """Return the plan with nothing quantized but one unit, at `bits`.

    What it reads comes from float layers and is quantized with `finest` bits: the error is then the unit's own, and errors of units add up
    without one being counted twice. Weight bits, methods and given ranges are those of the plan.
    """
    default = replace(plan.default, feature_bits=finest, skip=ALONE)
    types = {kind: replace(choice, feature_bits=None, skip=None) for kind, choice in plan.types.items()}
    nodes = {name: replace(choice, feature_bits=None, skip=None) for name, choice in plan.nodes.items()}
    nodes |= {n: replace(nodes.get(n, Choice()), feature_bits=bits, skip="") for n in unit.nodes}
    return Plan(default, types, nodes)
