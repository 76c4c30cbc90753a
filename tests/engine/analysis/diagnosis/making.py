"""Values of a diagnosis made by hand."""

from __future__ import annotations

from typing import Any

from engine.analysis.diagnosis.costs import Cost
from engine.analysis.diagnosis.figures import Figures, figures_of
from engine.analysis.diagnosis.trials import Change, Trial

SAMPLES = ("a", "b", "c", "d")


def row(name: str, *cosines: float, quantized: bool = True, **more: Any) -> dict[str, Any]:
    """A row of a document: the same cosine on every sample, or one for each."""
    values = cosines * len(SAMPLES) if len(cosines) == 1 else cosines
    return {
        "name": name,
        "quantized": quantized,
        "cosine_avg": sum(values) / len(values),
        "sqnr_db": 20.0,
        "saturation": 0.0,
        "local_cosine": 0.999,
        "samples": [{"sample": s, "cosine": v} for s, v in zip(SAMPLES, values, strict=True)],
        **more,
    }


def document(*rows: dict[str, Any]) -> dict[str, Any]:
    """A document of these rows."""
    return {"nodes": list(rows)}


def figures(output: float | tuple[float, ...], *others: float) -> Figures:
    """The figures of a network whose layers have the cosines `others`, and whose output has `output`."""
    layers = [row(f"layer{i}", value) for i, value in enumerate(others)]
    end = row("out", *(output if isinstance(output, tuple) else (output,)))
    return figures_of(document(*layers, end), ["out"])


def trial(
    change: Change, before: float, after: float | tuple[float, ...], *, layers: float = 0.985, healed: float = 0.999, **cost: float
) -> Trial:
    """A trial on a network of two layers besides the output; `layers` is what they have before, `healed` after."""
    spent = Cost(cost.get("features", 1.0), cost.get("weights", 1.0), cost.get("floats", 0.0))
    return Trial(change, figures(before, 0.999, layers), figures(after, 0.999, healed), Cost(1.0, 1.0, 0.0), spent)
