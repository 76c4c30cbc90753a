"""The facade of the live engine: an opened project that tells how plans do.

`evaluate` gives every figure of every layer, `score` those of the outputs alone. Both compute what a plan changes and nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

import msgspec

from ..analysis.reduce import reduce
from ..analysis.report import Report as Document
from ..analysis.report import to_json
from ..analysis.scoring import Score, Unit
from ..config import Config
from ..dataset import none_readable
from ..errors import DataError, UsageError, nearest
from ..events import Layers, Log, Progress, Report, SampleMeasured
from ..ir import Graph
from ..numerics import NUMERICS, Array
from ..plan import Plan, Resolved
from ..quantize import Made, Quantized, shown_type
from ..socs import Profile, profiles
from ..sources import Job, Sources, gather
from ..stages.fan import in_order
from ..stages.measuring import SampleResult, measured_tensors
from ..stages.planning import plan_of
from ..stages.quantizing import quantized_forms
from ..stages.rows import cells, finished, layer_rows, output_row
from ..store import Store
from .course import Course, course_of
from .measures import Measures, Questions
from .opening import Opened, identity_of, open_project
from .units import units_of
from .values import ROOM, Values

STAGE = "Simulate"

AHEAD = 8
"""Samples whose figures may wait for those of one before them."""


@dataclass(slots=True, eq=False)
class Core:
    """What all views of one opened project share."""

    opened: Opened
    store: Store
    executor: Executor | None
    values: Values
    measures: Measures
    made: Made = field(default_factory=Made)
    courses: dict[str, tuple[Plan, Quantized, Course]] = field(default_factory=dict)
    home: tuple[Sources | None, frozenset[str]] = (None, frozenset())


@dataclass(frozen=True, slots=True, eq=False)
class Lab:
    """One opened project under one configuration. It is an `Evaluator`; close it, or use it in a `with` statement, to end its threads.

    `report` hears what happens, and may raise `Cancelled`; nothing is lost by that. `fan` computes `scores` where there
    is one (see `fanout`).
    """

    core: Core
    job: Job
    sources: Sources
    report: Report
    fan: Callable[[Lab, Iterable[Plan], str], Iterator[Score]] | None = None

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the threads."""
        if self.core.executor is not None:
            self.core.executor.shutdown(wait=True, cancel_futures=True)

    def telling(self, report: Report) -> Lab:
        """Return the same lab with another hook."""
        return replace(self, report=report)

    @property
    def config(self) -> Config:
        """The configuration as a value."""
        return self.sources.config

    @property
    def graph(self) -> Graph:
        """The float network."""
        return self.core.opened.graph

    @property
    def profile(self) -> Profile | None:
        """The chip, None when the configuration names none that is known."""
        return profiles().get(self.config.soc)

    @property
    def base(self) -> Plan:
        """The plan that the project's configuration asks for."""
        return plan_of(self.sources)

    @property
    def samples(self) -> tuple[str, ...]:
        """The names of the debug samples."""
        return tuple(s.name for s in self.core.opened.debug)

    @property
    def units(self) -> tuple[Unit, ...]:
        """Every unit that can be integer, whatever the configuration skips; in graph order."""
        bare = replace(self.base, types={}, nodes={n: replace(c, skip=None) for n, c in self.base.nodes.items()})
        return units_of(self.graph, self._network(bare)[1])

    def resolve(self, plan: Plan) -> Resolved:
        """Return the decision for every layer."""
        return plan.resolve(((n.name, shown_type(n)) for n in self.graph.nodes), self.graph.parts)

    def quantized(self, plan: Plan) -> Quantized:
        """Return the network that a plan makes, as it is simulated."""
        return self._network(plan)[1]

    def course(self, plan: Plan) -> Course:
        """Return that network as steps."""
        return self._network(plan)[2]

    def _network(self, plan: Plan) -> tuple[Resolved, Quantized, Course]:
        resolved = self.resolve(plan)
        key = repr((sorted(resolved.choices.items()), self.config.weight_fake_quant, self.config.feature_fake_quant))
        known = self.core.courses.get(key)
        if known is not None:
            return resolved, known[1], known[2]
        opened = self.core.opened
        _, shown = quantized_forms(
            *(opened.graph, opened.inputs, opened.finders, resolved, self.sources),
            store=self.core.store,
            report=self._quietly,
            made=self.core.made,
            executor=self.core.executor,
        )
        course = course_of(shown.graph, opened.graph, opened.float_keys, opened.inputs.leaves())
        if len(self.core.courses) > 64:
            self.core.courses.pop(next(iter(self.core.courses)))
        self.core.courses[key] = plan, shown, course
        return resolved, shown, course

    def _quietly(self, event: Any) -> None:
        """Pass on what may stop the work; a plan tried among many has nothing to say."""
        if isinstance(event, Progress):
            self.report(event)

    def evaluate(self, plan: Plan, *, local: bool = True) -> dict[str, Any]:
        """Return the document of `magik-tui run --json` for a plan, without artefacts.

        Without `local` no layer is run alone, which is half of the work, and values are kept as for a score: so a plan is looked at that
        is one of many. `recomputed` names the layers whose values had to be computed, in graph order. DataError when no sample is readable.
        """
        start = time.perf_counter()
        resolved, shown, course = self._network(plan)
        rows = layer_rows(self.graph, shown, resolved)
        self.report(Layers(tuple(to_json(Document("", "", rows))["nodes"]), self.samples))
        asked = self.core.measures.asked(course, local=local)
        results: list[SampleResult] = []
        ran: set[str] = set()
        for result, computed in self._measured(course, asked, keep=True, all_values=local):
            ran |= computed
            results.append(result)
        done = tuple(finished(row, results) for row in rows)
        outputs = tuple(output_row(t, self.graph, results) for t in self.graph.outputs)
        warnings = (*self.sources.warnings, *resolved.unmatched)
        timing = {"live": time.perf_counter() - start}
        document = to_json(Document(str(self.job.model), self.config.soc, done, outputs, timing, None, (), warnings, NUMERICS))
        return {**document, "recomputed": [n.name for n in self.graph.nodes if n.name in ran]}

    def _measured(
        self, course: Course, asked: Questions, *, keep: bool, all_values: bool = True
    ) -> Iterator[tuple[SampleResult, set[str]]]:
        """Yield each readable sample's figures and the layers computed for it, in order; DataError when none is readable."""
        debug, failures = self.core.opened.debug, []
        kept = None if keep and all_values else self.shared

        def work(index: int) -> tuple[SampleResult, set[str]] | str:
            """Run and measure one sample on one thread, while its values are in that processor's cache."""
            measures, ran = self.core.measures, set[str]()
            missing = measures.missing(asked, index, alone=keep)
            if missing:
                try:
                    taken = measures.take(course, missing, index, keep=kept, alone=keep)
                except DataError as error:
                    return str(error)
                measures.measure(course, missing, taken, index)
                ran = taken.ran
                if keep:
                    measures.keep(asked, index)
            return SampleResult(debug[index], measures.cells(asked, index)), ran

        if self.core.executor and debug and self.core.measures.missing(asked, 0, alone=keep):
            self.core.values.prepare(course, [a.tensor for a in asked.layers], self.core.executor)
        for index, found in enumerate(in_order(work, range(len(debug)), self.core.executor, AHEAD)):
            self.report(Progress(STAGE, index + 1, len(debug)))
            if isinstance(found, str):
                failures.append(found)
                if keep:
                    self.report(Log(f"skipped: {found}", "warning", "dataset"))
                continue
            if keep:
                self.report(SampleMeasured(debug[index].name, index, cells(found[0])))
            yield found
        if debug and len(failures) == len(debug):
            raise DataError(none_readable(len(debug), "debug", failures[0]))

    @property
    def shared(self) -> frozenset[str]:
        """Return the keys of the base plan's values: plans that are scored lie around it, and share what comes before their change."""
        if self.core.home[0] is not self.sources:
            self.core.home = self.sources, frozenset(self._network(self.base)[2].keys.values())
        return self.core.home[1]

    def score(self, plan: Plan, at: str = "") -> Score:
        """Return the score of a plan at the network's outputs, or at the layer `at`. UsageError when there is no such layer.

        What a search found stays in the store: the same search, stopped and begun again, goes on where it was.
        """
        _, _, course = self._network(plan)
        measures, store = self.core.measures, self.core.store
        asked = measures.asked(course, self.places(at))
        place = measures.place_of_all(asked)
        known = store.get(place)
        if known is not None:
            return msgspec.json.decode(known, type=Score)
        results = [result for result, _ in self._measured(course, asked, keep=False)]
        rows = [reduce([r.layers[a.name][0] for r in results]) for a in asked.layers]
        found = [Score(row.cosine_avg, row.cosine_min, row.sqnr_db) for row in rows]
        score = Score(*(_worst(getattr(s, name) for s in found) for name in Score.__slots__))
        store.put(place, msgspec.json.encode(score))
        return score

    def places(self, at: str = "") -> list[str]:
        """Return the places at which a network is judged, by the names of `measured_tensors`: `at`, or its outputs.

        Of an output that cannot be compared, what it is made of.
        """
        measured = measured_tensors(self.graph)
        if at:
            if at not in measured:
                names = [n.name for n in self.graph.nodes]
                near = self.graph.parts.get(at) or nearest(at, names)
                text = "has no float values to compare" if at in names else "is no layer of this network"
                raise UsageError(f"{at!r} {text}", hint=f"did you mean {near!r}?" if near and near != at else "")
            return [at]
        makers = self.graph.producers()
        places: dict[str, None] = {}
        waiting, seen = list(self.graph.outputs), set()
        while waiting:
            tensor = waiting.pop(0)
            node = makers.get(tensor)
            if node is None or tensor in seen:
                continue
            seen.add(tensor)
            place = node.name if node.outputs[0] == tensor else tensor
            if place in measured:
                places[place] = None
            else:
                waiting += node.inputs
        return list(places)

    def figures(self, plan: Plan, name: str) -> list[dict[str, Any]]:
        """Return the figures of one layer on every readable sample, the worst cosine first."""
        _, _, course = self._network(plan)
        asked = self.core.measures.asked(course, [name])
        results = (result for result, _ in self._measured(course, asked, keep=False))
        found = [{"sample": r.sample.name, **msgspec.to_builtins(r.layers[name][0])} for r in results if name in r.layers]
        return sorted(found, key=lambda f: 2.0 if f["cosine"] is None else f["cosine"])

    def pairs(self, plan: Plan, tensor: str, most: int) -> Iterator[tuple[Array, Array]]:
        """Yield the float and the quantized values of a tensor (levels, or float32 where it is float) on the first readable samples."""
        _, _, course = self._network(plan)
        if tensor not in self.graph.types or self.graph.types[tensor].dtype != "float32":
            return
        values = self.core.values
        count = 0
        for index in range(len(self.core.opened.debug)):
            if count == most:
                return
            if not values.readable(index):
                count += 1
                self.report(Progress(STAGE, count, most))
                yield values.floats(index)[tensor], values.run(course, index, [tensor], keep=self.shared)[0][tensor]

    def scores(self, plans: Iterable[Plan], at: str = "") -> Iterator[Score]:
        """Yield the score of each plan, in order."""
        if self.fan is not None:
            yield from self.fan(self, plans, at)
        else:
            yield from (self.score(plan, at) for plan in plans)

    def local_errors(self) -> Mapping[str, float]:
        """Return, per layer that is integer under the base plan, its noise power over its signal power when it alone is quantized."""
        rows = self.evaluate(self.base)["nodes"]
        return {r["name"]: 10 ** (-r["local_sqnr_db"] / 10) for r in rows if r["local_sqnr_db"] is not None}

    def reopened(self, job: Job, report: Report) -> Lab:
        """Return the lab of what the files say now: this one under another plan where only that changed, else a new one."""
        return self.reading(gather(job, report), job, report)

    def reading(self, sources: Sources, job: Job, report: Report) -> Lab:
        """Return the lab of these sources, whatever the files say: this one under another plan where only that differs, else a new one.

        Both share threads and store, so close one of them, the last; and all that is known of the float network, where only what it is
        calibrated or corrected on differs.
        """
        if identity_of(job, sources) == self.core.opened.identity:
            return replace(self, job=job, sources=_as_read(sources, self.core.opened), report=report)
        fresh = _opened(job, sources, self.core.store, report, self.core.executor, self.core.values.room, self.core)
        return replace(fresh, fan=self.fan)

    def beside(self, other: Lab) -> Lab:
        """Return this lab, of whose values only those are kept that it shares with the base plan of `other`: it is one of many."""
        self.core.home = self.sources, other.shared
        return self


def open_lab(job: Job, *, report: Report, store: Store | None = None, jobs: int = 0, room: int = ROOM) -> Lab:
    """Open a project: read it, import its model, calibrate; what an earlier run found is taken from the store.

    `jobs` threads share the samples (0: one per processor), `room` are the bytes of each of the two rooms of values. Raises MagikError.
    """
    from ..project import default_store

    workers = jobs or len(os.sched_getaffinity(0))
    executor = ThreadPoolExecutor(workers, thread_name_prefix="lab") if workers > 1 else None
    try:
        return _opened(job, gather(job, report), default_store(job.root) if store is None else store, report, executor, room)
    except BaseException:
        if executor is not None:
            executor.shutdown(wait=True, cancel_futures=True)
        raise


def _opened(
    job: Job, sources: Sources, store: Store, report: Report, executor: Executor | None, room: int, like: Core | None = None
) -> Lab:
    known = like.opened if like else None
    opened, sources = open_project(job, sources, store=store, report=report, executor=executor, like=known)
    if like is not None and opened.networks is like.opened.networks:
        return Lab(Core(opened, store, executor, like.values, like.measures, like.made), job, sources, report)
    values = Values(opened.graph, opened.inputs, opened.networks, opened.debug, room)
    return Lab(Core(opened, store, executor, values, Measures(opened, values, store)), job, sources, report)


def _as_read(sources: Sources, opened: Opened) -> Sources:
    from ..sources import for_inputs

    return for_inputs(sources, [spec.name for spec in opened.inputs.specs])


def _worst(values: Iterable[float | None]) -> float | None:
    """Return the smallest value; None when one is not known, since nothing is better than its worst part."""
    known = list(values)
    return min((v for v in known if v is not None), default=None) if all(v is not None for v in known) else None
