"""One picture through our simulation, every layer's value kept, against a plain onnxruntime run of the original model.

Promises, for the median of many alternating runs: the float simulation takes at most 1.2 times as long, the quantized one at most 1.5.
Values are kept in the layout they are computed in; bringing all of them to NHWC is shown as a figure of its own.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime as ort

from engine.config import load_config
from engine.dataset import read_sample
from engine.events import silent
from engine.frontends.importer import load
from engine.ir import digest, keys
from engine.plan import Plan
from engine.quantize import PIXELS, quantize, shown_type, tensors_to_observe
from engine.samples import list_samples
from engine.simulate import PIXELS as FED
from engine.simulate import Inputs, Networks
from engine.stages.calibration import observe, range_finders
from engine.stages.measuring import measured_tensors
from engine.store import Store

from . import _cases

ROUNDS = 60


def timed(work: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the median seconds of each piece of work, run in alternation."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, call in work.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def measure(case: _cases.Case, folder: Path) -> bool:
    """Measure one model and tell whether its promises hold."""
    config, _ = load_config(_cases.project(case, folder) / "cfg/magik_t40.cfg")
    imported = load(case.model, config, silent)
    inputs = Inputs(imported.specs, frozenset(imported.pictures))
    networks = Networks(imported.graph, inputs)
    samples = list_samples(_cases.SHARED / "images/calib")[:2]
    leaves = {s.name: digest(s.shape) for s in imported.specs}
    tensors = [t for t in tensors_to_observe(imported.graph) if t not in inputs.pictures]
    store = Store(None)
    seen = observe(networks, keys(imported.graph, leaves, "float"), tensors, samples, store=store, report=silent)
    resolved = Plan.of(config).resolve((n.name, shown_type(n)) for n in imported.graph)
    quantized = quantize(imported.graph, range_finders(seen, store=store), resolved, inputs=dict.fromkeys(inputs.pictures, PIXELS))
    wanted = list(measured_tensors(imported.graph).values())
    floats, integers = networks.floats(), networks.integers(quantized.graph, wanted)

    loaded = read_sample(samples[0], imported.specs)
    feeds = inputs.feeds(loaded)
    levels = {t.removeprefix(FED): v for t, v in feeds.items()}
    plain = ort.InferenceSession(str(case.model), providers=["CPUExecutionProvider"])
    x = (loaded.feeds[case.input].astype(np.float32) - np.array(case.mean, np.float32)) / np.array(case.normal, np.float32)
    fed = {case.input: np.ascontiguousarray(x.transpose(0, 3, 1, 2), dtype=np.float32)}
    kept = floats.run(feeds)
    took = timed(
        {
            "plain": lambda: plain.run(None, fed),
            "float": lambda: floats.run(feeds),
            "quantized": lambda: integers.run(levels),
            "to NHWC": lambda: [floats.nhwc_value(t, v) for t, v in kept.items()],
        }
    )
    print(f"{case.name}: plain run {took['plain'] * 1e3:.1f} ms; all {len(kept)} float values to NHWC {took['to NHWC'] * 1e3:.1f} ms")
    held = _cases.verdict("  float simulation / plain run", took["float"] / took["plain"], 1.2)
    return _cases.verdict("  quantized simulation / plain run", took["quantized"] / took["plain"], 1.5) and held


def main() -> int:
    """Measure both models and return 1 when a promise is broken."""
    with tempfile.TemporaryDirectory() as name:
        held = [measure(case, Path(name)) for case in _cases.cases(Path(name))]
        return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
