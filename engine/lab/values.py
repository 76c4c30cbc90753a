"""Values by key: what a step makes on a sample is computed once, and kept while there is room.

Two rooms of bounded size: the float network's values, one entry per sample, and the values of quantized networks, one entry per tensor.
What does not fit is computed again when it is needed, so the size of a network costs time, never memory.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from ..dataset import Sample
from ..errors import DataError
from ..ir import Graph
from ..numerics import Array
from ..simulate import PIXELS, Inputs, Networks
from ..stages.calibration import read
from ..store import Store
from .course import Course, Step
from .kernels import Kernels

ROOM = 768 << 20
"""Bytes of each of the two rooms."""


@dataclass(slots=True)
class Work:
    """What one pass over one sample computed: the names of the layers that ran."""

    ran: set[str] = field(default_factory=set)


class Values:
    """The values of one project's debug samples; safe to use from several threads, each on a sample of its own."""

    def __init__(self, graph: Graph, inputs: Inputs, networks: Networks, samples: Sequence[Sample], room: int = ROOM) -> None:
        self.graph, self.inputs, self.networks, self.samples = graph, inputs, networks, samples
        self.kernels, self.room = Kernels(), room
        self._floats, self._made = Store(None, memory_bytes=room), Store(None, memory_bytes=room)

    def feeds(self, index: int) -> dict[str, Array]:
        """Return what a sample feeds: pixels under PIXELS + name, other inputs under their name. Raises DataError."""
        known: dict[str, Array] | None = self._made.recall(f"feeds:{index}")
        if known is None:
            known = self.inputs.feeds(read(self.samples[index], self.inputs.specs))
            self._made.remember(f"feeds:{index}", known, sum(v.nbytes for v in known.values()))
        return known

    def floats(self, index: int) -> Mapping[str, Array]:
        """Return every float32 value of the float network on a sample, rank 4 as NHWC."""
        known: dict[str, Array] | None = self._floats.recall(str(index))
        if known is not None:
            return known
        program = self.networks.floats()
        feeds = self.feeds(index)
        runner = program.borrow()
        found = {t: runner.nhwc(t, v).copy() for t, v in runner.run(feeds).items()}
        program.give_back(runner)
        found |= {t: v for t, v in feeds.items() if not t.startswith(PIXELS)}
        self._floats.remember(str(index), found, sum(v.nbytes for v in found.values()))
        return found

    def run(self, course: Course, index: int, wanted: Iterable[str], *, keep: Container[str] | None) -> tuple[dict[str, Array], Work]:
        """Return the wanted tensors of a quantized network on a sample, and what had to be computed for them.

        `keep` names by key what stays in the room, None everything: a search comes back to what its plans share, not to the plans.
        """
        given = {t.removeprefix(PIXELS): v for t, v in self.feeds(index).items()}
        wanted = tuple(wanted)
        have, todo = self._plan(course, index, wanted, given)
        if any(t in course.reference for t in (*wanted, *(t for s in todo for t in s.reads))):
            floats = self.floats(index)
            have |= {t: floats[real] for t, real in course.reference.items() if real in floats}
        last = _last_uses(todo, set(wanted))
        work = Work()
        for place, step in enumerate(todo):
            values = self.kernels.run(step, course.graph, {t: have[t] for t in step.reads})
            work.ran.update(n.name for n in step.nodes)
            have |= values
            for tensor, value in values.items():
                if keep is None or course.keys[tensor] in keep:
                    self._made.remember(f"{index}:{course.keys[tensor]}", value, value.nbytes)
            for tensor in last.get(place, ()):
                have.pop(tensor, None)
        return {t: have[t] for t in wanted}, work

    def prepare(self, course: Course, wanted: Iterable[str], executor: Executor) -> None:
        """Have compiled what the wanted tensors need and no network before had: side by side, where samples would wait for one another."""
        need, new = set(wanted), []
        for step in reversed(course.steps):
            if any(t in need and t not in course.reference for t in step.makes):
                need.update(step.reads)
                new += [] if self.kernels.knows(step) else [step]
        for step in reversed(new):
            executor.submit(self.kernels.program, step, course.graph)

    def _plan(self, course: Course, index: int, wanted: Collection[str], given: Mapping[str, Array]) -> tuple[dict[str, Array], list[Step]]:
        """Return what is known of what is needed, and the steps that make the rest, in order."""
        have, need, todo = dict(given), set(wanted), []
        for step in reversed(course.steps):
            asked = [t for t in step.makes if t in need and t not in course.reference]
            found = {t: self._made.recall(f"{index}:{course.keys[t]}") for t in asked}
            if any(v is None for v in found.values()):
                todo.append(step)
                need.update(step.reads)
            else:
                have |= found
        todo.reverse()
        return have, todo

    def alone(self, course: Course, index: int, step: Step) -> Array:
        """Return the first output's levels of one integer layer fed with float values that were just quantized."""
        node = step.nodes[0]
        floats = self.floats(index)
        ins: dict[str, Array] = {}
        for tensor, q in zip(node.inputs, node.ins, strict=True):
            source = course.origins.get(tensor, tensor)
            if source in self.inputs.pictures:
                ins[tensor] = self.feeds(index)[PIXELS + source]
            elif q is not None and tensor not in ins:
                ins[tensor] = self.kernels.quantize(source, self.graph.types[source], q, floats[source])
        return self.kernels.run(step, course.graph, ins)[node.outputs[0]]

    def readable(self, index: int) -> str:
        """Return "" when a sample can be read, else the reason."""
        try:
            self.feeds(index)
        except DataError as error:
            return str(error)
        return ""


def _last_uses(todo: Sequence[Step], wanted: set[str]) -> dict[int, list[str]]:
    """Return, per step, the tensors nobody needs after it."""
    last: dict[str, int] = {}
    for place, step in enumerate(todo):
        last |= dict.fromkeys((*step.reads, *step.makes), place)
    table: dict[int, list[str]] = {}
    for tensor, place in last.items():
        if tensor not in wanted:
            table.setdefault(place, []).append(tensor)
    return table
