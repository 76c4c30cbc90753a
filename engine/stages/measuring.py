"""Measurement: the quantized network against the float one, on every debug sample and every layer.

For each sample the float network, the integer network and every integer layer alone (on quantized float inputs) run once; values are
paired by layer and sample and reduced to metrics on the spot, so memory does not grow with the number of samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import msgspec

from ..analysis.metrics import Local, Measured, measure, measure_both, measure_floats
from ..dataset import Sample
from ..errors import DataError
from ..ir import Graph, QGraph, digest
from ..numerics import Array
from ..ort.session import Program, Runner
from ..quantize import Quantized
from ..simulate import LOCAL, PIXELS, Networks, side_by_side
from ..store import Store
from ..version import backend
from .ahead import FloatPasses
from .fan import in_order

RESULTS_AHEAD = 8
"""Samples whose metrics may wait for those of one before them; values do not wait, each thread holds those of one sample."""


@dataclass(frozen=True, slots=True)
class SampleResult:
    """One sample's metrics under the names of `measured_tensors`; `failure` says why there are none."""

    sample: Sample
    layers: Mapping[str, tuple[Measured, Local]]
    failure: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Everything one sample made: what was fed, float values, integer levels, levels of each layer alone under LOCAL + tensor."""

    feeds: Mapping[str, Array]
    floats: Mapping[str, Array]
    levels: Mapping[str, Array]
    alone: Mapping[str, Array]
    runners: tuple[Runner, ...]

    def release(self) -> None:
        """Give the buffers back: the arrays are no longer valid."""
        for runner in self.runners:
            runner.program.give_back(runner)


def measured_tensors(graph: Graph) -> dict[str, str]:
    """Return what can be compared, as name -> float32 tensor: the first output of each layer, in graph order, under the layer's name.

    Behind them come outputs of the network that are not the first of their layer (the state a recurrent cell ends with, a part of a
    split), under their own.
    """

    def comparable(tensor: str) -> bool:
        return tensor in graph.types and graph.types[tensor].dtype == "float32"

    later = {t for n in graph for t in n.outputs[1:]}
    found = {n.name: n.outputs[0] for n in graph if comparable(n.outputs[0])}
    return found | {t: t for t in graph.outputs if t in later and comparable(t)}


class Measurer:
    """Compiled programs and keys for measuring one conversion; programs are built when the first sample needs them."""

    def __init__(
        self,
        networks: Networks,
        quantized: Quantized,
        float_keys: Mapping[str, str],
        int_keys: Mapping[str, str],
        store: Store,
        passes: FloatPasses | None = None,
    ) -> None:
        self.networks, self.quantized, self.store = networks, quantized, store
        self.passes = FloatPasses(networks, (), None) if passes is None else passes
        self.graph: Graph = networks.graph
        self.integers: QGraph = quantized.graph
        self.tensors = measured_tensors(self.graph)
        params = [quantized.graph.qparams.get(t) for t in self.tensors.values()]
        tensors = list(self.tensors.values())
        self.identity = digest([float_keys[t] for t in tensors], [int_keys[t] for t in tensors], params)
        self._programs: tuple[Program, Program, tuple[Program, tuple[str, ...]] | None] | None = None

    def compile(self, executor: Executor | None = None) -> tuple[Program, Program, tuple[Program, tuple[str, ...]] | None]:
        """Return the three programs, built the first time; call it before threads share the measurer."""
        if self._programs is None:
            wanted = list(self.tensors.values())
            later = executor.submit(self.networks.locals, self.integers) if executor else None
            integers = self.networks.integers(self.integers, wanted)
            alone = later.result() if later else self.networks.locals(self.integers)
            self._programs = self.networks.floats(), integers, alone
        return self._programs

    def results(
        self, samples: Sequence[Sample], executor: Executor | None = None, first: Callable[[Values], None] = lambda values: None
    ) -> Iterator[SampleResult]:
        """Yield each sample's metrics in order, from the store where they are known.

        A sample is run and measured by one thread of the executor, while its values are in that processor's cache. `first` is shown the
        values of the first sample, unless it cannot be read, or its metrics are known and it is not run.
        """
        if any(self._known(s) is None for s in samples):
            self.compile(executor)
        shown = samples[:1]
        ahead = side_by_side(self.graph, RESULTS_AHEAD)
        yield from in_order(lambda s: self._result(s, first if s in shown else None), samples, executor, ahead)

    def _result(self, sample: Sample, show: Callable[[Values], None] | None) -> SampleResult:
        """Run and measure one sample, unless it is known or cannot be read."""
        known = self._known(sample)
        if known is not None:
            return known
        try:
            values = self.values(sample)
        except DataError as error:
            return SampleResult(sample, {}, str(error))
        if show:
            show(values)
        result = self._measured(sample, values)
        values.release()
        return result

    def _measured(self, sample: Sample, values: Values) -> SampleResult:
        found = {name: self._layer(tensor, values) for name, tensor in self.tensors.items()}
        self.store.put(self._place(sample), msgspec.json.encode(list(found.values())))
        return SampleResult(sample, found)

    def values(self, sample: Sample, *, local: bool = True) -> Values:
        """Run one sample; the arrays are valid until `Values.release`. Raises DataError when it cannot be read."""
        _, integers, alone = self.compile()
        done = self.passes.take(sample)
        given, runner, made = done.feeds, done.runner, done.made
        quantized = integers.borrow()
        needed = {*self.tensors.values(), *(alone[1] if alone else ())}
        real = {t: runner.nhwc(t, v) for t, v in made.items() if t in needed}
        real |= {t: v for t, v in given.items() if not t.startswith(PIXELS)}
        levels = quantized.run({t.removeprefix(PIXELS): v for t, v in given.items()})
        if not (alone and local):
            return Values(given, real, levels, {}, (runner, quantized))
        program, fed = alone
        apart = program.borrow()
        pixels = {t: given[PIXELS + t] for t in self.networks.inputs.pictures}
        return Values(given, real, levels, apart.run({**pixels, **{t: real[t] for t in fed}}), (runner, quantized, apart))

    def _layer(self, tensor: str, values: Values) -> tuple[Measured, Local]:
        x, y, q = values.floats[tensor], values.levels[tensor], self.integers.qparams.get(tensor)
        if q is None:
            return measure_floats(x, y), Local()
        one = values.alone.get(LOCAL + tensor)
        return (measure(x, y, q), Local()) if one is None else measure_both(x, y, one, q)

    def _place(self, sample: Sample) -> str:
        specs = [(s.shape, s.color) for s in self.networks.inputs.specs]
        return digest("measure", backend(), specs, sample.key, self.identity)

    def _known(self, sample: Sample) -> SampleResult | None:
        data = self.store.get(self._place(sample))
        if data is None:
            return None
        rows = msgspec.json.decode(data, type=list[tuple[Measured, Local]])
        return SampleResult(sample, dict(zip(self.tensors, rows, strict=True)))  # in order: the key knows no names
