"""The chips as data: which widths each can compute with, and what a width costs. One JSON file per chip lies beside this one.

The widths of features are those the vendor names for its chips; weights are stored as 8 bits at most. The vendor publishes no cost: ours is
the storage a value moves, in bytes (4 bits pack in pairs; 10 and 12 bits lie in 16), so 8-bit features with 8-bit weights cost 1.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

Side = Literal["feature", "weight"]


@dataclass(frozen=True, slots=True)
class Profile:
    """One chip: legal width in bits -> cost of a multiply-accumulate relative to 8 bits, in ascending order of width."""

    name: str
    feature_bits: Mapping[int, float]
    weight_bits: Mapping[int, float]

    def widths(self, side: Side) -> Mapping[int, float]:
        """Return the legal widths of one side and their costs."""
        return self.feature_bits if side == "feature" else self.weight_bits


@functools.cache
def profiles() -> Mapping[str, Profile]:
    """Return every chip that is known, by its name in magik.cfg."""
    texts = (file.read_text("utf-8") for file in sorted(files(__name__).iterdir(), key=lambda f: f.name) if file.name.endswith(".json"))
    return MappingProxyType({p.name: p for p in map(_profile, texts)})


def _profile(text: str) -> Profile:
    data = json.loads(text)
    return Profile(data["name"], _costs(data["feature_bits"]), _costs(data["weight_bits"]))


def _costs(table: Mapping[str, float]) -> Mapping[int, float]:
    return MappingProxyType({bits: float(table[str(bits)]) for bits in sorted(map(int, table))})


def illegal(soc: str, side: Side, bits: int) -> str:
    """Return why the chip `soc` cannot compute with this width, naming the legal ones; "" when it can, or when the chip is not known."""
    chip = profiles().get(soc)
    if chip is None or bits in chip.widths(side):
        return ""
    return f"{soc} has no {bits}-bit {side}s, expected {_one_of(chip.widths(side))}"


def unheard_of(soc: str, side: Side, bits: int) -> str:
    """Return a warning when the chip is not known and no known one computes with this width; "" otherwise."""
    known = sorted({width for chip in profiles().values() for width in chip.widths(side)})
    if soc in profiles() or bits in known:
        return ""
    return f"no known chip has {bits}-bit {side}s, only {_one_of(known)}; give SOC to have the widths checked"


def _one_of(widths: Mapping[int, float] | list[int]) -> str:
    *most, last = (str(width) for width in widths)
    return f"{', '.join(most)} or {last}" if most else last
