"""Whether MEAN, NORMAL and COLOR are those of the training: what can be measured of it.

The network is run up to the tensor whose statistics it remembers, once for each usual preprocessing, on the debug pictures and, where
these are few, on calibration pictures.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from ..analysis.diagnosis.statistics import Channels, Judged, Memory, Preprocessing, judge, promising, usual
from ..config import Config
from ..dataset import InputSpec, Sample
from ..errors import DataError, MagikError
from ..events import Progress, silent
from ..frontends.importer import load
from ..frontends.statistics import Remembered, remembered
from ..ir import Graph, digest, keys
from ..lab import Lab
from ..numerics import Array
from ..ort.session import Program
from ..simulate import Inputs, lower_floats
from ..stages.calibration import read
from ..store import Store
from ..version import backend

PICTURES = 16
"""Pictures that are looked at, at most: half of them from the calibration set where the debug set has fewer."""

STAGE = "Preprocessing"


@dataclass(frozen=True, slots=True)
class Input:
    """What the network is fed after MEAN and NORMAL, over all channels of the pictures, and the share of pictures that have colour."""

    low: float
    high: float
    mean: float
    deviation: float
    colored: float


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What was measured of the preprocessing: `judged` by a tensor's statistics, else the share of the first convolution's biases.

    `centred` names the tensor where only its mean was known, which is a hint and no proof. `bias_share` is the median over its channels of
    |bias| / deviation of what it adds to. `reason` says why there is neither.
    """

    configured: Preprocessing | None = None
    input: Input | None = None
    pictures: int = 0
    judged: Judged | None = None
    centred: str = ""
    bias_share: float | None = None
    reason: str = ""


def evidence(lab: Lab, faulty: Collection[str] = ()) -> Evidence:
    """Return what can be measured of the preprocessing of the network's one picture input; `faulty` samples show nothing of it."""
    specs, pictures = lab.core.opened.inputs.specs, lab.core.opened.inputs.pictures
    if not pictures:
        return Evidence(reason="the samples are no pictures")
    if len(specs) > 1:
        return Evidence(reason="the network has several inputs")
    spec = specs[0]
    configured = Preprocessing(tuple(map(float, spec.mean)), tuple(map(float, spec.normal)), spec.color)
    pixels = list(_pixels(lab, spec, faulty))
    seen = _input(pixels, configured)
    known = remembered(lab.job.model, lab.config, spec.name)
    graph = _up_to(lab, known) if known else None
    if known is None or graph is None:
        reason = "the model has no batch normalization of its own, and no biases in its first convolution"
        return Evidence(configured, seen, len(pixels), reason=reason)
    probe = _Probe(graph, spec, known.tensor, lab.core.store)
    if known.mean is None:
        return Evidence(configured, seen, len(pixels), bias_share=_bias_share(known, probe.channels(configured, pixels)))
    candidates, memory = usual(configured), Memory(known.mean, known.deviation)
    few = _seen(lab, probe, candidates, pixels[:: max(1, len(pixels) // 4)])
    table = _seen(lab, probe, promising(few, configured, memory), pixels)
    centred = known.tensor if known.deviation is None else ""
    return Evidence(configured, seen, len(pixels), judge(table, configured, memory), centred)


def _seen(lab: Lab, probe: _Probe, candidates: Sequence[Preprocessing], pixels: Sequence[Array]) -> dict[Preprocessing, Channels]:
    table = {}
    for done, candidate in enumerate(candidates):
        lab.report(Progress(STAGE, done, len(candidates)))
        table[candidate] = probe.channels(candidate, pixels)
    lab.report(Progress(STAGE, len(candidates), len(candidates)))
    return table


def _bias_share(known: Remembered, channels: Channels) -> float:
    bias = known.bias if known.bias is not None else np.zeros(1)
    center = channels.mean.mean(0)
    deviation = np.sqrt(np.maximum(channels.square.mean(0) - center * center, 1e-12))
    return float(np.median(np.abs(bias) / deviation))


def _pixels(lab: Lab, spec: InputSpec, faulty: Collection[str]) -> Iterator[Array]:
    """Yield the pixels of some debug pictures, then of calibration pictures where those are few; unreadable ones are left out."""
    debug = [s for s in lab.core.opened.debug if s.name not in faulty] or lab.core.opened.debug
    calibration = [s for s in lab.sources.calibration if s.name not in faulty]
    known = {s.key for s in debug}
    others = [s for s in calibration if s.key not in known]
    chosen = _spread(debug, PICTURES)
    chosen += _spread(others, min(PICTURES // 2, PICTURES - len(chosen)))
    for done, sample in enumerate(chosen):
        lab.report(Progress("ReadPictures", done, len(chosen)))
        try:
            loaded = read(sample, (spec,))
        except DataError:
            continue
        if spec.name in loaded.pixels:
            yield loaded.feeds[spec.name]


def _spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    count = min(len(samples), max(most, 0))
    return [samples[i * len(samples) // count] for i in range(count)]


def _input(pixels: Sequence[Array], configured: Preprocessing) -> Input | None:
    if not pixels:
        return None
    fed = [(p - np.asarray(configured.mean, np.float64)) / np.asarray(configured.normal, np.float64) for p in pixels]
    colored = [p.shape[-1] == 3 and bool((p.max(-1).astype(int) - p.min(-1)).max() > 8) for p in pixels]
    means, squares = [float(f.mean()) for f in fed], [float(np.square(f).mean()) for f in fed]
    mean = float(np.mean(means))
    deviation = float(np.sqrt(max(float(np.mean(squares)) - mean * mean, 0.0)))
    return Input(min(float(f.min()) for f in fed), max(float(f.max()) for f in fed), mean, deviation, sum(colored) / len(colored))


def _up_to(lab: Lab, known: Remembered) -> Graph | None:
    """Return the float graph up to the tensor, with a layer for MEAN and NORMAL in front; None where it cannot be cut there."""
    config: Config = replace(lab.config, output=(known.tensor,), mean=((1.0,),), normal=((2.0,),))
    try:
        graph = load(lab.job.model, config, silent).graph
    except MagikError:
        return None
    makers = graph.producers()
    return graph if known.tensor in makers and makers[graph.nodes[0].outputs[0]].op == "BatchNormScale" else None


class _Probe:
    """Runs the beginning of the network on what one preprocessing after another makes of pictures; what it saw stays in the store."""

    def __init__(self, graph: Graph, spec: InputSpec, tensor: str, store: Store) -> None:
        self.spec, self.tensor, self.store = spec, tensor, store
        front = graph.nodes[0]
        self.fed, self.graph = front.outputs[0], replace(graph, nodes=graph.nodes[1:])
        self.key = keys(self.graph, {self.fed: "fed"}, "float")[tensor]

    @functools.cached_property
    def program(self) -> Program:
        """The network behind MEAN and NORMAL, compiled when it is first run."""
        graph = self.graph
        feeds = {self.fed: graph.types[self.fed]}
        lowered = lower_floats(graph, Inputs((), frozenset(), {}))
        return Program(lowered, feeds, [self.tensor], types=graph.types, opsets=graph.opsets, nhwc=True)

    def channels(self, candidate: Preprocessing, pictures: Sequence[Array]) -> Channels:
        """Return the statistics of the tensor on every picture."""
        place = digest("probe", backend(), self.key, asdict(candidate), self.spec.color, list(pictures))
        known = self.store.get(place)
        if known is not None:
            return Channels(*np.asarray(json.loads(known)))
        mean, normal = np.asarray(candidate.mean), np.asarray(candidate.normal)
        means, squares = [], []
        for pixels in pictures:
            seen = pixels if candidate.color == self.spec.color else pixels[..., ::-1]
            fed = np.ascontiguousarray((seen - mean) / normal, np.float32)
            value = self.program.run({self.fed: fed})[self.tensor]
            value = value.reshape(-1, value.shape[-1])
            means.append(value.mean(0, dtype=np.float64))
            squares.append(np.einsum("ij,ij->j", value, value).astype(np.float64) / len(value))
        made = Channels(np.stack(means), np.stack(squares))
        if np.isfinite(made.square).all():
            self.store.put(place, json.dumps([made.mean.tolist(), made.square.tolist()]).encode())
        return made
