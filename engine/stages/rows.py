"""The rows of the table: what each layer is before anything is measured, and with its metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..analysis.reduce import reduce
from ..analysis.report import BySample, LayerRow, OutputRow, SampleCosine, measured
from ..frontends.importer import Imported
from ..ir import Graph
from ..ops.work import macs
from ..plan import Resolved
from ..quantize import LayerInfo, Quantized
from ..samples import fed_with_pictures
from ..simulate import Inputs
from ..sources import Sources
from .calibration import method_of
from .measuring import SampleResult


def inputs_of(imported: Imported, sources: Sources) -> Inputs:
    """Return how the samples reach the network: as pixels where an input takes pictures and every sample has one for it."""
    samples = [s for some in sources.sets().values() for s in some]
    pictures = fed_with_pictures(samples, [spec.name for spec in imported.specs])
    dtypes = {t: imported.graph.types[t].dtype for t in imported.graph.inputs}
    return Inputs(imported.specs, pictures & frozenset(imported.pictures), dtypes)


def layer_rows(graph: Graph, quantized: Quantized, resolved: Resolved) -> tuple[LayerRow, ...]:
    """Return the rows of the table before anything is measured."""
    return tuple(_row(node, info, graph, resolved) for node, info in zip(graph.nodes, quantized.layers, strict=True))


def _row(node: Any, info: LayerInfo, graph: Graph, resolved: Resolved) -> LayerRow:
    choice, q = resolved.choices[info.name], info.q
    return LayerRow(
        info.name,
        info.op,
        info.quantized,
        info.reason,
        feature_bits=q.bits if q else None,
        weight_bits=info.weight_bits,
        requested_feature_bits=choice.feature_bits,
        requested_weight_bits=choice.weight_bits if "weight" in node.params else None,
        method="" if not q else method_of(choice) if info.origin == "own" else info.origin.upper(),
        min=info.low,
        max=info.high,
        scale=q.scale if q else None,
        zero_point=q.zero if q else None,
        macs=macs(node, graph.types),
    )


def cells(result: SampleResult) -> Mapping[str, Mapping[str, float | None]]:
    """Return what the table shows of a sample, by layer."""
    return {
        name: {
            "cosine": whole.cosine,
            "sqnr_db": whole.sqnr_db,
            "saturation": whole.saturation,
            "local_cosine": local.cosine,
            "local_sqnr_db": local.sqnr_db,
        }
        for name, (whole, local) in result.layers.items()
    }


def finished(row: LayerRow, results: Sequence[SampleResult]) -> LayerRow:
    """Return a row with its metrics over all samples."""
    pairs = [(r.sample.name, *r.layers[row.name]) for r in results if row.name in r.layers]
    if not pairs:
        return row
    whole, local = [w for _, w, _ in pairs], [alone for *_, alone in pairs]
    more = BySample(
        tuple(w.sqnr_db for w in whole),
        tuple(w.saturation for w in whole),
        tuple(alone.cosine for alone in local),
        tuple(alone.sqnr_db for alone in local),
    )
    return measured(row, reduce(whole, local), [SampleCosine(name, w.cosine) for name, w, _ in pairs], more)


def output_row(tensor: str, graph: Graph, results: Sequence[SampleResult]) -> OutputRow:
    """Return the metrics of an output over all samples; none where it cannot be compared."""
    maker = graph.producers().get(tensor)
    name = maker.name if maker and maker.outputs[0] == tensor else tensor
    found = [r.layers[name][0] for r in results if name in r.layers]
    if not found:
        return OutputRow(tensor)
    row = reduce(found)
    return OutputRow(tensor, row.cosine_avg, row.cosine_min, row.sqnr_db)
