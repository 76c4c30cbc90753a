"""What is changed on top of the configuration, as a value: a choice for each layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Choice(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is asked for one layer; None leaves it to the configuration."""

    feature_bits: int | None = None
    weight_bits: int | None = None
    feature_method: str | None = None
    weight_method: str | None = None
    min: float | None = None
    max: float | None = None
    skip: bool | None = None


NOTHING = Choice()
Plan = Mapping[str, Choice]


def with_choices(plan: Plan, nodes: Mapping[str, Choice]) -> Plan:
    """Return a plan with other choices for some layers."""
    return {name: choice for name, choice in {**plan, **nodes}.items() if choice != NOTHING}


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan as the worker takes it."""
    return {"nodes": {name: msgspec.to_builtins(choice) for name, choice in plan.items()}}


def replaced(choice: Choice, **fields: object) -> Choice:
    """Return a choice with other fields."""
    return msgspec.structs.replace(choice, **fields)
