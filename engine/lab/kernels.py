"""Steps compiled one by one, kept by what they compute: a plan that changes one layer compiles one layer."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future

from ..ir import QGraph, QNode, TensorType, fields_key
from ..numerics import Array, QParams
from ..ops.lowering import Builder
from ..ort.session import Program
from ..simulate import fast, lower_int_node
from .course import Step

MOST = 4096
"""Programs kept at most; the least recently used one goes."""

ROOM = 1 << 30
"""Bytes of the constants of the programs that are kept, at most: a session holds its weights once more."""


class Kernels:
    """Compiled steps, safe to use from several threads; values of rank 4 cross as NHWC."""

    def __init__(self) -> None:
        self._programs: OrderedDict[Hashable, tuple[Future[Program], int]] = OrderedDict()
        self._used = 0
        self._known: weakref.WeakKeyDictionary[Step, Program] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def run(self, step: Step, graph: QGraph, values: Mapping[str, Array]) -> dict[str, Array]:
        """Run one step on its inputs and return what it makes, in arrays of their own."""
        return _run(self.program(step, graph), {t: values[t] for t in step.reads})

    def knows(self, step: Step) -> bool:
        """Tell whether a step of this very course was compiled, or found compiled, before."""
        return step in self._known

    def program(self, step: Step, graph: QGraph) -> Program:
        """Return a step compiled."""
        program = self._known.get(step)
        if program is None:
            shapes = tuple((t, graph.types[t]) for t in step.reads)
            key = ("step", tuple(map(fields_key, step.nodes)), shapes, step.makes)
            program = self._known[step] = self._program(key, lambda: _compile(step, graph), sum(map(_size, step.nodes)))
        return program

    def quantize(self, tensor: str, kind: TensorType, q: QParams, value: Array) -> Array:
        """Return the levels of a float value, as the layer alone is fed with them."""

        def compiled() -> Program:
            b = Builder()
            b.begin(tensor)
            b.finish(b.quantize(tensor, q), "levels")
            types = {tensor: kind, "levels": TensorType(kind.shape, q.dtype.name)}
            return Program(b, {tensor: kind}, ["levels"], types=types, nhwc=True, threads=1)

        return _run(self._program(("quantize", tensor, kind, q), compiled), {tensor: value})["levels"]

    def _program(self, key: Hashable, compiled: Callable[[], Program], size: int = 0) -> Program:
        """Return a program, compiled by the first thread that asks for it; the others wait for that one."""
        with self._lock:
            found = self._programs.get(key)
            if found is None:
                mine: Future[Program] = Future()
                self._programs[key] = mine, size
                self._used += size
                while len(self._programs) > 1 and (len(self._programs) > MOST or self._used > ROOM):
                    self._used -= self._programs.popitem(last=False)[1][1]
            else:
                self._programs.move_to_end(key)
        if found is not None:
            return found[0].result()
        try:
            mine.set_result(compiled())
        except BaseException as error:
            with self._lock:
                self._used -= self._programs.pop(key, (mine, 0))[1]
            mine.set_exception(error)
            raise
        return mine.result()


def _size(node: QNode) -> int:
    """Return the bytes of the constants of a layer; of a float one, of what it is made from."""
    own = node.source.params if node.op == "Float" and node.source is not None else node.arrays
    return sum(array.nbytes for array in own.values())


def _run(program: Program, feeds: Mapping[str, Array]) -> dict[str, Array]:
    runner = program.borrow()
    made = {t: v.copy() for t, v in runner.run(feeds).items()}
    program.give_back(runner)
    return made


def _compile(step: Step, graph: QGraph) -> Program:
    b = Builder(fast())
    for node in step.nodes:
        lower_int_node(node, b, graph.types)
    used = {t for s in b.steps for t in s.inputs}
    b.constants |= {t: v for t, v in graph.constants.items() if t in used}
    feeds = {t: graph.types[t] for t in step.reads}
    return Program(b, feeds, step.makes, types=graph.types, opsets=graph.opsets, nhwc=True, threads=1)
