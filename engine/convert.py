"""The work of one conversion: import, calibrate, quantize, write, measure.

Every stage is a function of immutable values; what an earlier run already knows comes from the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import datacheck
from .analysis.reduce import reduce
from .analysis.report import LayerRow, OutputRow, SampleCosine, measured, to_json
from .analysis.report import Report as Document
from .dataset import check_specs
from .errors import DataError
from .events import Layers, Log, Progress, Report, SampleMeasured
from .frontends.importer import Imported, load
from .ir import Graph, keys
from .numerics import NUMERICS
from .ops.base import REGISTRY
from .plan import Choice, Resolved
from .quantize import PIXELS, LayerInfo, Quantized, Range, quantize, shown_type, tensors_to_observe
from .samples import fed_with_pictures
from .simulate import Inputs, Networks
from .sources import Job, Sources, Warnings, for_inputs
from .stages.artefacts import check_output, dumping, model_files, write_sample
from .stages.calibration import method_of, observe, range_finders
from .stages.correction import Forms, correct_both
from .stages.measuring import Measurer, SampleResult, Values
from .stages.planning import resolve, simulated, tell_of_ranges, write_bits
from .store import Store


class Clock:
    """Seconds per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def convert(job: Job, sources: Sources, *, report: Report, store: Store, executor: Executor | None) -> dict[str, Any]:
    """Do the whole conversion and return its document. Raises MagikError; what `report` raises passes through."""
    clock, told = Clock(), Warnings(report, sources.warnings)
    if job.output is not None:
        check_output(job.output)
    with clock.stage("import"):
        told(Progress("ImportModel", 0, 1))
        imported = load(job.model, sources.config, told)
        told(Progress("ImportModel", 1, 1))
    sources = for_inputs(sources, [spec.name for spec in imported.specs])
    for samples in filter(None, sources.sets().values()):
        check_specs(samples[0], imported.specs)  # before each of them is refused for the same reason
    graph = imported.graph
    inputs = inputs_of(imported, sources)
    networks = Networks(graph, inputs, threads=1 if executor else 0)
    resolved = resolve(graph, sources, told)
    leaves = inputs.leaves()
    float_keys = keys(graph, leaves, "float")
    if sources.calibration:
        with clock.stage("look"):
            datacheck.check(sources.calibration, sources.debug, store=store, report=told, executor=executor)
    with clock.stage("calibrate"):
        tensors = [t for t in tensors_to_observe(graph) if t not in inputs.pictures] if sources.calibration else []
        samples = sources.calibration
        seen = observe(networks, float_keys, tensors, samples, store=store, report=told, executor=executor) if tensors else {}
    finders = range_finders(seen, store=store)
    quantized, shown = _quantized(graph, inputs, finders, resolved, sources, clock=clock, store=store, report=told)
    rows = layer_rows(graph, shown, resolved)
    names = tuple(s.name for s in sources.debug)
    told(Layers(tuple(to_json(Document("", "", rows))["nodes"]), names))
    measurer = Measurer(networks, shown, float_keys, keys(shown.graph, leaves, "int"), store)
    real = shown is quantized  # a network quantized on one side only leaves nothing but its table
    output = job.output if real else None
    extra: list[Path] = []
    # files take their names last: a run that fails leaves those of the one before
    with (
        dumping(job.root, measurer, sources.debug if real else (), shown_type) as dumped,
        model_files(output, quantized.graph, save=job.save_quantize_model, soc=sources.config.soc, executor=executor) as files,
    ):
        with clock.stage("measure"):
            results = list(_measure(measurer, sources, executor, told, dumped.take))
        told(Progress("WriteModel", 1, 1))
        if output is not None:
            extra += write_sample(output, sources.calibration, inputs.specs)
        if sources.config.save_op_quant_bit:
            extra.append(write_bits(job.root, quantized.layers, sources, told))
    artefacts = [*files, *extra, *dumped.paths]
    rows = tuple(_finished(row, results) for row in rows)
    outputs = tuple(_output(t, graph, rows) for t in graph.outputs)
    store.trim()
    made = Document(
        str(job.model), sources.config.soc, rows, outputs, clock.seconds, None, tuple(map(str, artefacts)), tuple(told.texts), NUMERICS
    )
    return to_json(made)


def _quantized(
    graph: Graph,
    inputs: Inputs,
    ranges: Mapping[str, Callable[[Choice], Range]],
    resolved: Resolved,
    sources: Sources,
    *,
    clock: Clock,
    store: Store,
    report: Report,
) -> tuple[Quantized, Quantized]:
    """Return the integer network, its biases corrected where samples are given for it, and the one to simulate."""
    levels = dict.fromkeys(inputs.pictures, PIXELS)
    with clock.stage("quantize"):
        quantized = quantize(graph, ranges, resolved, inputs=levels, step=lambda done, total: report(Progress("ComputeScale", done, total)))
    tell_of_ranges(quantized, resolved, report)
    forms = Forms(graph, graph, graph)
    if sources.calibration and (sources.correction or sources.feature_correction):
        with clock.stage("correct"):
            forms = correct_both(graph, quantized, resolved, inputs, sources, store=store, report=report)
            quantized = quantize(forms.both, ranges, resolved, inputs=levels)
    return quantized, simulated(forms, quantized, resolved, sources.config, report)


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
    operator = REGISTRY.get(node.op)
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
        macs=operator.macs(node, graph.types) if operator else 0,
    )


def _measure(
    measurer: Measurer, sources: Sources, executor: Executor | None, report: Report, first: Callable[[Values], None]
) -> Iterator[SampleResult]:
    """Measure every debug sample; unreadable ones are reported and left out, DataError when none is left."""
    samples, failures = sources.debug, []
    for done, result in enumerate(measurer.results(samples, executor, first)):
        report(Progress("Compute distance", done + 1, len(samples)))
        if result.failure:
            failures.append(result.failure)
            report(Log(f"skipped: {result.failure}", "warning", "dataset"))
            continue
        report(SampleMeasured(result.sample.name, done, _cells(result)))
        yield result
    if samples and len(failures) == len(samples):
        raise DataError(f"none of the {len(samples)} debug samples is readable; the first one: {failures[0]}")


def _cells(result: SampleResult) -> Mapping[str, Mapping[str, float | None]]:
    return {
        name: {"cosine": whole.cosine, "sqnr_db": whole.sqnr_db, "local_cosine": local.cosine}
        for name, (whole, local) in result.layers.items()
    }


def _finished(row: LayerRow, results: list[SampleResult]) -> LayerRow:
    """Return a row with its metrics over all samples."""
    pairs = [(r.sample.name, *r.layers[row.name]) for r in results if row.name in r.layers]
    if not pairs:
        return row
    cells = [SampleCosine(name, whole.cosine) for name, whole, _ in pairs]
    return measured(row, reduce([whole for _, whole, _ in pairs], [local for *_, local in pairs]), cells)


def _output(tensor: str, graph: Graph, rows: tuple[LayerRow, ...]) -> OutputRow:
    maker = graph.producers().get(tensor)
    row = next((r for r in rows if maker and r.name == maker.name and maker.outputs[0] == tensor), None)
    return OutputRow(tensor, row.cosine_avg, row.cosine_min, row.sqnr_db) if row else OutputRow(tensor)
