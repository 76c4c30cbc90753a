"""Metrics by key: a layer's figures on a sample are taken once for each pair of float and quantized values."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from ..analysis.metrics import Local, Measured, cosine_only, measure, measure_both, measure_floats
from ..ir import digest, fields_key
from ..numerics import Array
from ..stages.measuring import measured_tensors
from ..store import Store
from ..version import backend
from .course import Course, Step
from .opening import Opened
from .values import Values

Cell = tuple[Measured, Local]

_NONE = Local()


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One layer to measure: its name, its tensor, the step that makes it, and the keys of both of its figures."""

    name: str
    tensor: str
    step: Step
    whole: str
    alone: str


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """Layers to measure in one network, and the key of all their figures together."""

    layers: tuple[Asked, ...]
    key: str


@dataclass(slots=True)
class Taken:
    """Values of one sample, ready to be measured: float, quantized, and of each layer alone; `ran` are the layers that were computed."""

    floats: Mapping[str, Array]
    made: Mapping[str, Array]
    alone: Mapping[str, Array]
    ran: set[str]


class Measures:
    """The figures of one opened project, for every plan that was measured."""

    def __init__(self, opened: Opened, values: Values, store: Store) -> None:
        self.opened, self.values, self.store = opened, values, store
        self._whole: dict[tuple[int, str], Measured] = {}
        self._alone: dict[tuple[int, str], Local] = {}

    def asked(self, course: Course, names: Sequence[str] | None = None, *, local: bool = True) -> Questions:
        """Return what is to be measured of a network: everything that can be, or what is named; without `local` no layer alone."""
        tensors = measured_tensors(self.opened.graph)
        if names is not None:
            tensors = {name: tensor for name, tensor in tensors.items() if name in set(names)}
        makers = {t: s for s in course.steps for t in s.makes}
        layers = tuple(self._asked(course, name, tensor, makers[tensor]) for name, tensor in tensors.items() if tensor in makers)
        layers = layers if local else tuple(replace(a, alone="") for a in layers)
        return Questions(layers, digest([(a.whole, a.alone) for a in layers]))

    def _asked(self, course: Course, name: str, tensor: str, step: Step) -> Asked:
        q = course.graph.qparams.get(tensor)
        params = "" if q is None else (q.scale.hex(), q.zero, q.bits)
        whole = digest(self.opened.float_keys[tensor], course.keys[tensor], params)
        node = step.nodes[0]
        alone = ""
        first = tensor == node.outputs[0]
        if q is not None and first and len(step.nodes) == 1 and node.op not in ("Float", "Quantize", "Dequantize"):
            alone = digest("alone", fields_key(node), params, [self.opened.float_keys[course.origins.get(t, t)] for t in node.inputs])
        return Asked(name, tensor, step, whole, alone)

    def missing(self, asked: Questions, index: int, *, alone: bool = True) -> list[Asked]:
        """Return what has not been measured on a sample yet; what an earlier process stored counts as measured."""
        found = [a for a in asked.layers if self._lacks(a, index, alone)]
        if not found or not self._recall(asked, index):
            return found
        return [a for a in asked.layers if self._lacks(a, index, alone)]

    def _lacks(self, a: Asked, index: int, alone: bool) -> bool:
        return (index, a.whole) not in self._whole or bool(alone and a.alone and (index, a.alone) not in self._alone)

    def take(self, course: Course, asked: Sequence[Asked], index: int, *, keep: Container[str] | None, alone: bool = True) -> Taken:
        """Compute the values that these figures need, on the calling thread; `keep` as in `Values.run`."""
        whole = [a.tensor for a in asked if (index, a.whole) not in self._whole]
        made, work = self.values.run(course, index, whole, keep=keep)
        apart = [a for a in asked if alone and a.alone and (index, a.alone) not in self._alone]
        return Taken(self.values.floats(index), made, {a.tensor: self.values.alone(course, index, a.step) for a in apart}, work.ran)

    def measure(self, course: Course, asked: Sequence[Asked], taken: Taken, index: int) -> None:
        """Take the figures of values that were computed."""
        for a in asked:
            x, q = taken.floats[a.tensor], course.graph.qparams.get(a.tensor)
            y, alone = taken.made.get(a.tensor), taken.alone.get(a.tensor)
            if q is None:
                if y is not None:
                    self._whole[index, a.whole] = measure_floats(x, y)
            elif y is not None and alone is not None:
                self._whole[index, a.whole], self._alone[index, a.alone] = measure_both(x, y, alone, q)
            elif y is not None:
                self._whole[index, a.whole] = measure(x, y, q)
            elif alone is not None:
                self._alone[index, a.alone] = cosine_only(x, alone, q)

    def cells(self, asked: Questions, index: int) -> dict[str, Cell]:
        """Return the figures of a sample by layer, in order; all of them must have been measured."""
        return {a.name: (self._whole[index, a.whole], self._alone.get((index, a.alone), _NONE)) for a in asked.layers}

    def keep(self, asked: Questions, index: int) -> None:
        """Store a sample's figures for later processes."""
        self.store.put(self._place(asked, index), msgspec.json.encode(list(self.cells(asked, index).values())))

    def _recall(self, asked: Questions, index: int) -> bool:
        data = self.store.get(self._place(asked, index))
        if data is None:
            return False
        for a, (whole, alone) in zip(asked.layers, msgspec.json.decode(data, type=list[Cell]), strict=True):
            self._whole[index, a.whole] = whole
            if a.alone:
                self._alone[index, a.alone] = alone
        return True

    def place_of_all(self, asked: Questions) -> str:
        """Return the key of what is made of the figures of all samples together."""
        return digest("score", [self._place(asked, index) for index in range(len(self.opened.debug))])

    def _place(self, asked: Questions, index: int) -> str:
        specs = [(s.shape, s.color) for s in self.opened.inputs.specs]
        return digest("lab", backend(), specs, self.opened.debug[index].key, asked.key)
