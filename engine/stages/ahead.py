"""Float passes over debug samples while the integer network is still being made: they do not need it, and the processors are free."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from ..dataset import Sample
from ..numerics import Array
from ..ort.session import Runner
from ..simulate import Networks, float_bytes
from .calibration import read

MOST, ROOM = min(4, len(os.sched_getaffinity(0))), 128 << 20
"""Samples that may wait for the integer network, and the bytes of their float values: one for each processor has the buffers of a
calibration sample that is done, a further one would need new ones, which cost as much as its run."""


@dataclass(frozen=True, slots=True, eq=False)
class FloatPass:
    """What was fed of one sample, and the runner that holds its float values, as the program makes them, until it is given back."""

    feeds: Mapping[str, Array]
    runner: Runner
    made: Mapping[str, Array]


def float_pass(networks: Networks, sample: Sample) -> FloatPass:
    """Run one sample through the float network. Raises DataError when it cannot be read."""
    feeds = networks.inputs.feeds(read(sample, networks.inputs.specs))
    runner = networks.floats().borrow()
    return FloatPass(feeds, runner, runner.run(feeds))


class FloatPasses:
    """Float passes over samples: those there is room for begin at once on the executor, the others when they are asked for."""

    def __init__(self, networks: Networks, samples: Sequence[Sample], executor: Executor | None) -> None:
        self.networks = networks
        early = samples[: min(MOST, ROOM // max(float_bytes(networks.graph), 1))] if executor else ()
        self._begun = {s: executor.submit(float_pass, networks, s) for s in early} if executor else {}

    @property
    def waiting(self) -> int:
        """Return how many have begun and were not taken yet."""
        return len(self._begun)

    def take(self, sample: Sample) -> FloatPass:
        """Return a sample's pass. Raises DataError when it cannot be read.

        On a thread of the executor it waits for work that was submitted before, never for work behind it.
        """
        begun = self._begun.pop(sample, None)
        return begun.result() if begun else float_pass(self.networks, sample)
