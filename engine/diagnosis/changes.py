"""The settings of magik.cfg that a diagnosis tries: widths, methods, corrections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..analysis.diagnosis.trials import Change
from ..config_schema import BY_NAME
from ..lab import Lab
from ..plan import Choice
from ..socs import Side, profiles
from ..stages.calibration import method_of


def legal(lab: Lab, side: Side) -> tuple[int, ...]:
    """Return the widths of the chip; of one that is not known, those that any chip has."""
    chips = [lab.profile] if lab.profile else list(profiles().values())
    return tuple(sorted({bits for chip in chips for bits in chip.widths(side)}))


def widths(lab: Lab) -> Iterator[Change]:
    """Yield wider features (a method that is too coarse for them gives way, the bit file does not hold them back) and wider weights."""
    config = lab.config
    for bits in legal(lab, "feature"):
        if bits <= config.quant_feature_bit or bits < 8:
            continue
        settings: dict[str, Any] = {"QUANT_FEATURE_BIT": bits}
        if config.load_op_quant_bit:
            settings["LOAD_OP_QUANT_BIT"] = False
        title = f"features of {bits} bits"
        if bits > 8 and config.quant_feature_method == "KL":
            settings["QUANT_FEATURE_METHOD"] = "MSE"
            title += " with MSE"
        yield Change("width", title, settings)
    most = max(legal(lab, "weight"))
    if config.quant_weight_bit < most:
        yield Change("width", f"weights of {most} bits", {"QUANT_WEIGHT_BIT": most})


def methods(lab: Lab) -> Iterator[Change]:
    """Yield the other methods for features and weights; KL where it has bins enough."""
    config = lab.config
    now = method_of(Choice(config.quant_feature_bit, feature_method=config.quant_feature_method))
    for method in BY_NAME["QUANT_FEATURE_METHOD"].choices:
        if method != now and not (method == "KL" and config.quant_feature_bit > 8):
            yield Change("method", f"features by {method}", {"QUANT_FEATURE_METHOD": method})
    for method in BY_NAME["QUANT_WEIGHT_METHOD"].choices:
        if method != (config.quant_weight_method or "MAX_ABS"):
            yield Change("method", f"weights by {method}", {"QUANT_WEIGHT_METHOD": method})


PATHS: Mapping[str, str] = {"weights": "WEIGHT_CORRECT_PATH", "features": "FEATURE_CORRECT_PATH"}
