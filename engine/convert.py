"""The work of one conversion: import, calibrate, quantize, write, measure.

Every stage is a function of immutable values; what an earlier run already knows comes from the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import datacheck
from .analysis.report import Report as Document
from .analysis.report import to_json
from .dataset import check_specs, none_readable
from .errors import DataError
from .events import Layers, Log, Progress, Report, SampleMeasured
from .frontends.importer import load
from .ir import keys
from .numerics import NUMERICS
from .quantize import shown_type, tensors_to_observe
from .simulate import Networks, side_by_side
from .sources import Job, Sources, Warnings, for_inputs
from .stages.ahead import FloatPasses
from .stages.artefacts import check_output, dumping, model_files, write_sample
from .stages.calibration import observe, range_finders
from .stages.measuring import Measurer, SampleResult, Values
from .stages.planning import resolve, write_bits
from .stages.quantizing import quantized_forms
from .stages.rows import cells, finished, inputs_of, layer_rows, output_row
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
    looked = datacheck.look(sources.calibration, store=store, executor=executor)
    with clock.stage("import"):
        told(Progress("ImportModel", 0, 1))
        imported = load(job.model, sources.config, told)
        told(Progress("ImportModel", 1, 1))
    sources = for_inputs(sources, [spec.name for spec in imported.specs])
    for samples in filter(None, sources.sets().values()):
        check_specs(samples[0], imported.specs)  # before each of them is refused for the same reason
    graph = imported.graph
    inputs = inputs_of(imported, sources)
    networks = Networks(graph, inputs, threads=1 if executor and side_by_side(graph, 2) > 1 else 0)
    if executor is not None and (sources.calibration or sources.debug):
        networks.prepare(executor)
    resolved = resolve(graph, sources, told)
    leaves = inputs.leaves()
    float_keys = keys(graph, leaves, "float")
    if sources.calibration:
        with clock.stage("look"):
            datacheck.check(sources.calibration, sources.debug, looked, report=told)
    with clock.stage("calibrate"):
        tensors = [t for t in tensors_to_observe(graph) if t not in inputs.pictures] if sources.calibration else []
        samples = sources.calibration
        seen = observe(networks, float_keys, tensors, samples, store=store, report=told, executor=executor) if tensors else {}
    finders = range_finders(seen, store=store, executor=executor)
    passes = FloatPasses(networks, sources.debug, executor)
    _make_room(networks, sources)
    quantized, shown = quantized_forms(
        *(graph, inputs, finders, resolved, sources), store=store, report=told, stage=clock.stage, executor=executor
    )
    rows = layer_rows(graph, shown, resolved)
    names = tuple(s.name for s in sources.debug)
    told(Layers(tuple(to_json(Document("", "", rows))["nodes"]), names))
    measurer = Measurer(networks, shown, float_keys, keys(shown.graph, leaves, "int"), store, passes)
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
    rows = tuple(finished(row, results) for row in rows)
    outputs = tuple(output_row(t, graph, results) for t in graph.outputs)
    store.trim()
    made = Document(
        str(job.model), sources.config.soc, rows, outputs, clock.seconds, None, tuple(map(str, artefacts)), tuple(told.texts), NUMERICS
    )
    return to_json(made)


def _make_room(networks: Networks, sources: Sources) -> None:
    """Let go of the values of the last calibration sample where a correction needs the room for values of its own."""
    if sources.calibration and (sources.correction or sources.feature_correction):
        networks.shed()


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
        report(SampleMeasured(result.sample.name, done, cells(result)))
        yield result
    if samples and len(failures) == len(samples):
        raise DataError(none_readable(len(samples), "debug", failures[0]))
