"""From decisions to the network that is simulated: quantize, correct where samples are given for it, fake one side if asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext

from ..events import Progress, Report
from ..ir import Graph
from ..plan import Choice, Resolved
from ..quantize import PIXELS, Made, Quantized, Range, quantize
from ..simulate import Inputs
from ..sources import Sources
from ..store import Store
from .correction import Forms, correct_both
from .planning import simulated, tell_of_ranges


def quantized_forms(
    graph: Graph,
    inputs: Inputs,
    ranges: Mapping[str, Callable[[Choice], Range]],
    resolved: Resolved,
    sources: Sources,
    *,
    store: Store,
    report: Report,
    stage: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext(),
    made: Made | None = None,
    executor: Executor | None = None,
) -> tuple[Quantized, Quantized]:
    """Return the integer network, corrected where samples are given for it, and the one to simulate.

    `stage` is entered around each part that takes time; `made` remembers layers from one call to the next; correction samples are run by
    the executor's threads, if there is one.
    """
    levels = dict.fromkeys(inputs.pictures, PIXELS)

    def step(done: int, total: int) -> None:
        report(Progress("ComputeScale", done, total))

    with stage("quantize"):
        quantized = quantize(graph, ranges, resolved, inputs=levels, step=step, made=made)
    tell_of_ranges(quantized, resolved, report)
    forms = Forms(graph, graph, graph)
    if sources.calibration and (sources.correction or sources.feature_correction):
        with stage("correct"):
            forms = correct_both(graph, quantized, resolved, inputs, sources, store=store, report=report, executor=executor)
            quantized = quantize(forms.both, ranges, resolved, inputs=levels, made=made)
    return quantized, simulated(forms, quantized, resolved, sources.config, report)
