"""What a plan costs on a chip: the work of every unit times what its width costs there.

The work of a unit is its multiply-accumulates; of one that has none (an addition, a table, a pooling), the values it makes, as if each took
one. A unit is charged for the width of what it makes. Costs are relative: everything at 8 bits costs 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from ..errors import UsageError
from ..socs import Profile, profiles
from .scoring import Unit

LEAST = 8
"""The narrowest width that is tried unless somebody asks for less: below it weights would have to be narrow too to gain anything."""


def width_costs(chip: Profile | None, only: Sequence[int] = ()) -> Mapping[int, float]:
    """Return legal width -> relative cost, ascending: of `only`, by default of every width from LEAST up.

    A chip that is not known is taken to be like those that are. UsageError for a width it does not have.
    """
    table = all_widths(chip)
    for bits in only:
        if bits not in table:
            legal = ", ".join(map(str, table))
            raise UsageError(f"{chip.name if chip else 'no known chip'} has {'no ' if chip else ''}{bits}-bit features, legal are {legal}")
    wanted = sorted(set(only)) or [bits for bits in table if bits >= LEAST] or list(table)
    return MappingProxyType({bits: table[bits] for bits in wanted})


def finest(chip: Profile | None) -> int:
    """Return the widest width of a chip."""
    return max(all_widths(chip))


def all_widths(chip: Profile | None) -> Mapping[int, float]:
    """Return every legal width of a chip and its cost; for one that is not known those that any has, each at its highest cost."""
    if chip is not None:
        return chip.feature_bits
    found: dict[int, float] = {}
    for each in profiles().values():
        for bits, cost in each.feature_bits.items():
            found[bits] = max(cost, found.get(bits, 0.0))
    return dict(sorted(found.items()))


def worthwhile(costs: Mapping[int, float]) -> Mapping[int, float]:
    """Return the widths without those that cost as much as a wider one: 10 bits where 12 take the same room."""
    return {bits: cost for bits, cost in costs.items() if all(cost < other for wider, other in costs.items() if wider > bits)}


def work(unit: Unit) -> int:
    """Return what a unit has to do for one picture: multiply-accumulates or, where there are none, values made; at least 1."""
    return max(1, unit.macs or unit.values)


def relative_cost(units: Iterable[Unit], widths: Mapping[str, int], costs: Mapping[int, float]) -> float:
    """Return the cost of the units at these widths relative to all of them at 8 bits."""
    table = list(units)
    whole = sum(map(work, table))
    return sum(work(u) * costs[widths[u.name]] for u in table) / whole if whole else 0.0
