"""Plans as plain JSON: what a person changed on top of the configuration, as screens and scripts say it.

    {"types": {"Conv2D": {"feature_bits": 10}}, "nodes": {"resnetv15_relu0_fwd": {"skip": true, "min": 0, "max": 1.7}}}

A key that is absent or null leaves the wider choice alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from .errors import ConfigError
from .numerics import FEATURE_BITS, WEIGHT_BITS
from .plan import Choice, Plan
from .socs import illegal

SKIPPED = "skipped by hand"
METHODS = {"feature_method": ("KL", "MSE", "ADMM", "MAX_ABS"), "weight_method": ("MAX_ABS", "ADMM")}


class ChoiceText(msgspec.Struct, forbid_unknown_fields=True):
    """What is asked for one layer or type; `skip` true keeps it in float, false quantizes what something wider skips."""

    feature_bits: int | None = None
    weight_bits: int | None = None
    feature_method: str | None = None
    weight_method: str | None = None
    min: float | None = None
    max: float | None = None
    skip: bool | None = None


class PlanText(msgspec.Struct, forbid_unknown_fields=True):
    """Choices by operator type and by layer name."""

    types: dict[str, ChoiceText] = {}
    nodes: dict[str, ChoiceText] = {}


def plan_over(base: Plan, document: object, soc: str = "") -> Plan:
    """Return `base` with what `document` asks for on top; ConfigError says what is wrong with it, for the chip `soc`."""
    try:
        text = msgspec.convert(document if document is not None else {}, PlanText)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error), where="plan") from error
    types = {n: _choice(t, n, soc).over(base.types.get(n, Choice())) for n, t in text.types.items()}
    nodes = {n: _choice(t, n, soc).over(base.nodes.get(n, Choice())) for n, t in text.nodes.items()}
    return replace(base, types={**base.types, **types}, nodes={**base.nodes, **nodes})


def to_document(plan: Plan) -> dict[str, Any]:
    """Return the choices of a plan, but for its default, as plain JSON."""
    return {"types": {n: _plain(c) for n, c in plan.types.items()}, "nodes": {n: _plain(c) for n, c in plan.nodes.items()}}


def _plain(choice: Choice) -> dict[str, Any]:
    fields: Mapping[str, Any] = {
        "feature_bits": choice.feature_bits,
        "weight_bits": choice.weight_bits,
        "feature_method": choice.feature_method,
        "weight_method": choice.weight_method,
        "min": choice.low,
        "max": choice.high,
        "skip": None if choice.skip is None else bool(choice.skip),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _choice(text: ChoiceText, name: str, soc: str) -> Choice:
    for side, bits, legal in (("feature", text.feature_bits, FEATURE_BITS), ("weight", text.weight_bits, WEIGHT_BITS)):
        if bits is None:
            continue
        wrong = illegal(soc, "feature" if side == "feature" else "weight", bits)
        if wrong or bits not in legal:
            raise ConfigError(wrong or f"{side}_bits is {bits}, expected {legal[0]} to {legal[-1]}", where=name)
    for field, known in METHODS.items():
        value = getattr(text, field)
        if value is not None and value not in known:
            raise ConfigError(f"{field} is {value!r}, expected {', '.join(known)}", where=name)
    if not all(v is None or math.isfinite(v) for v in (text.min, text.max)):
        raise ConfigError("min and max have to be finite", where=name)
    if text.min is not None and text.max is not None and text.min > text.max:
        raise ConfigError(f"min {text.min:g} is above max {text.max:g}", where=name)
    skip = None if text.skip is None else SKIPPED if text.skip else ""
    return Choice(text.feature_bits, text.weight_bits, text.feature_method, text.weight_method, text.min, text.max, skip)
