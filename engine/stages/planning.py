"""What every layer is asked to be, from the configuration and the file of the nodes' bits; and telling what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..bitfile import NAME, over, text_of
from ..config import Config
from ..events import Log, Report
from ..export.files import atomic_write
from ..fake import faked
from ..ir import Graph
from ..plan import Choice, Plan, Resolved
from ..quantize import LayerInfo, Quantized, shown_type
from ..sources import Sources
from .correction import Forms

UNQUANTIZED = "QUANT_DATASET_PATH is not set: the model is converted without quantization"

COARSE = "QUANT_FEATURE_METHOD: KL has 2048 bins, too few to choose a range for more than 8 bits; leave the key out, or take MSE"


def plan_of(sources: Sources) -> Plan:
    """Return the plan that a configuration and the file of the nodes' bits ask for; without calibration nothing is quantized."""
    config = sources.config
    plan = over(Plan.of(config), sources.entries, bits=config.load_op_quant_bit, ranges=config.load_op_quant_min_max)
    if sources.calibration:
        return plan
    return replace(plan, default=replace(plan.default, skip=UNQUANTIZED.partition(":")[0]))


def resolve(graph: Graph, sources: Sources, report: Report) -> Resolved:
    """Return the decision for every layer; tell of names that match nothing, and of having nothing to calibrate on."""
    config = sources.config
    if not sources.calibration:
        report(Log(UNQUANTIZED, "warning", "plan"))
    plan = plan_of(sources)
    if config.load_op_quant_bit or config.load_op_quant_min_max:  # a name of which nothing is asked for may be wrong as well
        plan = replace(plan, nodes={**dict.fromkeys(sources.entries, Choice()), **plan.nodes})
    resolved = plan.resolve(((n.name, shown_type(n)) for n in graph), graph.parts)
    for text in resolved.unmatched:
        report(Log(text, "warning", "plan"))
    _tell_of_what_cannot_act(sources, report)
    if config.quant_feature_method == "KL" and any((c.feature_bits or 8) > 8 for c in resolved.choices.values()):
        report(Log(COARSE, "warning", "plan"))
    return resolved


def _tell_of_what_cannot_act(sources: Sources, report: Report) -> None:
    """Warn of a set with fewer samples than are asked for; say that the file of the nodes' bits holds ranges which nobody asked for."""
    config = sources.config
    if sources.calibration and (config.quant_dataset_size or 0) > len(sources.calibration):
        held = f"the set holds {len(sources.calibration)}: all of them are used"
        report(Log(f"QUANT_DATASET_SIZE: {config.quant_dataset_size} samples are asked for, {held}", "warning", "plan"))
    ends = sum(entry.low is not None or entry.high is not None for entry in sources.entries.values())
    if ends and config.load_op_quant_bit and not config.load_op_quant_min_max:
        of = "1 node" if ends == 1 else f"{ends} nodes"
        report(Log(f"{NAME} has MAX or MIN of {of}, which LOAD_OP_QUANT_MIN_MAX would take", source="plan"))


def tell_of_ranges(quantized: Quantized, resolved: Resolved, report: Report) -> None:
    """Tell, in the vendor's words, of every range that was given; warn of one that has no effect."""
    for info in quantized.layers:
        choice = resolved.choices[info.name]
        if choice.low is None and choice.high is None:
            continue
        if info.origin != "given":
            why = f"it is float: {info.reason}" if info.reason else "its levels are those of its input"
            report(Log(f"MIN and MAX of {info.name!r} have no effect: {why}", "warning", "plan"))
            continue
        low, high = (given if given is not None else seen for given, seen in ((choice.low, info.low), (choice.high, info.high)))
        report(Log(f"Updata Node: {info.name}, MIN: {_plain(low)}, MAX: {_plain(high)}"))
        if info.low == info.high:
            report(Log(f"MIN and MAX of {info.name!r} leave no range but 0: its scale is taken as 1", "warning", "plan"))


def _plain(value: float | None) -> str:
    return f"{(value or 0.0) + 0.0:g}"


def simulated(forms: Forms, quantized: Quantized, resolved: Resolved, config: Config, report: Report) -> Quantized:
    """Return the network to measure: `quantized` itself, or, for WEIGHT_FAKE_QUANT and FEATURE_FAKE_QUANT, its fake of one side.

    Weights come with the biases that were corrected for them; features alone with plain ones.
    """
    weights, features = config.weight_fake_quant, config.feature_fake_quant
    if not (weights or features):
        return quantized
    asked = " and ".join(k for k, on in (("WEIGHT_FAKE_QUANT", weights), ("FEATURE_FAKE_QUANT", features)) if on)
    sides = "weights and features are" if weights and features else "only weights are" if weights else "only features are"
    report(Log(f"{asked}: {sides} quantized, computed in float; no model and no dumps are written", "warning", "plan"))
    graph = forms.plain if not weights else forms.both if features else forms.weights
    return faked(graph, quantized, resolved, weights=weights, features=features)


def write_bits(root: Path, layers: Sequence[LayerInfo], sources: Sources, report: Report) -> Path:
    """Write the width of every integer layer below the project's folder, keeping what a person gave; OutputError when it cannot be."""
    effective = [(info.name, info.q.bits) for info in layers if info.q]
    path = atomic_write(root / NAME, [text_of(effective, sources.entries).encode()])
    report(Log(f"model quant info save in ./{NAME}"))
    return path
