"""The chips' profiles are sound, and a width a chip does not have is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config_schema import BY_NAME
from engine.errors import ConfigError
from engine.numerics import FEATURE_BITS, WEIGHT_BITS
from engine.socs import illegal, profiles, unheard_of

from . import tiny
from .running import converted, rows


def test_every_chip_of_the_configuration_has_a_profile() -> None:
    assert set(profiles()) == set(BY_NAME["SOC"].choices)


@pytest.mark.parametrize("name", sorted(profiles()))
def test_a_profile_names_widths_the_engine_has_and_never_rewards_a_wider_one(name: str) -> None:
    chip = profiles()[name]
    assert set(chip.feature_bits) == {4, 8, 10, 12}
    assert set(chip.feature_bits) <= set(FEATURE_BITS)
    assert set(chip.weight_bits) <= set(WEIGHT_BITS)
    for costs in (chip.feature_bits, chip.weight_bits):
        assert list(costs) == sorted(costs)
        assert list(costs.values()) == sorted(costs.values())
        assert costs[8] == 1.0


def test_what_is_said_of_a_width() -> None:
    assert illegal("T40", "feature", 12) == ""
    assert illegal("T40", "feature", 9) == "T40 has no 9-bit features, expected 4, 8, 10 or 12"
    assert illegal("", "feature", 9) == illegal("T99", "feature", 9) == ""
    assert unheard_of("", "feature", 10) == unheard_of("T40", "feature", 9) == ""
    assert "only 4, 8, 10 or 12" in unheard_of("T99", "feature", 9)


def test_an_illegal_width_is_an_error_that_names_the_legal_ones(project: Path) -> None:
    wrong = "QUANT_FEATURE_BIT: T40 has no 9-bit features, expected 4, 8, 10 or 12"
    with pytest.raises(ConfigError, match=f"^--set QUANT_FEATURE_BIT=9: {wrong}"):
        converted(project, "QUANT_FEATURE_BIT=9")
    tiny.configure(project, QUANT_FEATURE_BIT=9, SOC="")
    with pytest.raises(ConfigError, match=f"^--set SOC=T40: {wrong}"):
        converted(project, "SOC=T40")
    tiny.configure(project, QUANT_FEATURE_BIT=9, SOC="T40")
    with pytest.raises(ConfigError, match=f"magik.cfg: {wrong}"):
        converted(project, "QUANT_WEIGHT_BIT=4")


def test_without_a_chip_every_width_of_the_engine_is_taken(project: Path) -> None:
    document = converted(project, "SOC=", "QUANT_FEATURE_BIT=9", "QUANT_WEIGHT_BIT=5")
    assert {(row["feature_bits"], row["weight_bits"]) for row in rows(document).values() if row["weight_bits"]} == {(9, 5)}
    assert any(text.startswith("QUANT_FEATURE_BIT: no known chip has 9-bit features") for text in document["warnings"])
