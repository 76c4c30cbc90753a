"""The plan: what the engine obeys, per layer. A change is a new plan.

`resolve` is the one place where default < operator type < layer is decided.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from .config import Config
from .errors import nearest

NO_PARTS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Choice:
    """What was asked for one layer, one operator type, or all; None leaves it to the wider choice.

    `feature_bits` 2..16, `weight_bits` 2..8, methods by their magik.cfg names, `low` and `high` the ends of a given range. `skip` says why
    a layer stays in float whatever it could be; "" quantizes it.
    """

    feature_bits: int | None = None
    weight_bits: int | None = None
    feature_method: str | None = None
    weight_method: str | None = None
    low: float | None = None
    high: float | None = None
    skip: str | None = None

    def over(self, wider: Choice) -> Choice:
        """Return this choice with its gaps filled from a wider one."""
        fields = {name: getattr(wider, name) for name in self.__slots__ if getattr(self, name) is None}
        return replace(self, **fields)


@dataclass(frozen=True, slots=True)
class Plan:
    """Choices for everything, for operator types, for layers."""

    default: Choice = field(default_factory=Choice)
    types: Mapping[str, Choice] = field(default_factory=dict)
    nodes: Mapping[str, Choice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("types", "nodes"):  # tables of its own: nobody can change a plan from outside
            object.__setattr__(self, name, dict(getattr(self, name)))

    @classmethod
    def of(cls, config: Config) -> Plan:
        """Return the plan that a configuration asks for."""
        default = Choice(
            config.quant_feature_bit,
            config.quant_weight_bit,
            config.quant_feature_method,
            config.quant_weight_method or "MAX_ABS",
            skip="",
        )
        types, nodes = Choice(skip="skipped by QUANT_OP_SKIP"), Choice(skip="skipped by QUANT_NODE_SKIP")
        return cls(default, dict.fromkeys(config.quant_op_skip, types), dict.fromkeys(config.quant_node_skip, nodes))

    def with_node(self, name: str, choice: Choice) -> Plan:
        """Return this plan with another choice for one layer."""
        return replace(self, nodes={**self.nodes, name: choice})

    def resolve(self, layers: Iterable[tuple[str, str]], parts: Mapping[str, str] = NO_PARTS) -> Resolved:
        """Decide every layer of a network given as (name, operator type) pairs, and report what matches nothing.

        `parts` maps names of what is inside of a layer to the layer.
        """
        pairs = list(layers)
        choices = {}
        for name, kind in pairs:
            wide = self.types.get(kind, Choice()).over(self.default)
            choices[name] = self.nodes.get(name, Choice()).over(wide)
        names, kinds = {n for n, _ in pairs}, {k for _, k in pairs}
        lost = [_unmatched("operator type", k, kinds) for k in self.types if k not in kinds]
        lost += [_unmatched("layer", n, names, parts) for n in self.nodes if n not in names]
        return Resolved(choices, tuple(lost))


@dataclass(frozen=True, slots=True)
class Resolved:
    """The decision for every layer, and one sentence for every name that matched nothing."""

    choices: Mapping[str, Choice]
    unmatched: tuple[str, ...] = ()


def _unmatched(what: str, name: str, known: Collection[str], parts: Mapping[str, str] = NO_PARTS) -> str:
    """Say that a name matches nothing, and what may be meant: the layer it is part of, the nearest name, or one of a few."""
    close = nearest(name, known)
    if name in parts:
        return f"no {what} {name!r}, it is part of {parts[name]!r}"
    if close:
        return f"no {what} {name!r}, did you mean {close!r}?"
    return f"no {what} {name!r}" + (f", there are {', '.join(sorted(known))}" if known and what != "layer" else "")
