"""The sweep "only this layer quantized" over a ResNet-18 with 8 pictures, against the same loop with onnxruntime's quantize_static.

Ours opens the project with an empty store (import, calibration) and scores every unit alone at 8 bits. The peer's loop is, for one node:
quantize_static with nodes_to_quantize (QDQ, per channel, MinMax) on the same 8 calibration pictures, a session, 8 runs, 8 cosines; its
pictures are in memory, and its float outputs and its pre-processing are not counted. It is run on every 4th node, and its mean time
scaled by the number of units. Promise: ours is at least 5 times faster.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, quantize_static

from engine.analysis.sensitivity import alone_scores
from engine.discover import find_project, job_for
from engine.events import silent
from engine.lab import open_lab

from . import _cases
from ._peer import Pictures, cosine
from .cold_run import prepared

PICTURES, EVERY, ROUNDS = 8, 4, 2
COUNTED = ("Conv", "Add", "MaxPool", "GlobalAveragePool", "Gemm")
"""Operators of the source model that are layers here; the others are fused into them."""


class Held(CalibrationDataReader):  # type: ignore[misc]
    """Feeds pictures that are in memory already."""

    def __init__(self, feeds: list[dict[str, Any]]) -> None:
        self.feed: Iterator[dict[str, Any]] = iter(feeds)

    def get_next(self) -> dict[str, Any] | None:
        return next(self.feed, None)


def some(folder: Path, target: Path) -> Path:
    """Copy the first pictures of a folder."""
    target.mkdir()
    for file in sorted(folder.iterdir())[:PICTURES]:
        shutil.copy(file, target)
    return target


def ours(root: Path) -> tuple[float, float, list[float]]:
    """Return the seconds until the project is open, those of the sweep, and the cosines."""
    shutil.rmtree(root / ".magik", ignore_errors=True)
    start = time.perf_counter()
    with open_lab(job_for(find_project(root)), report=silent) as lab:
        opened = time.perf_counter()
        found = [score.cosine_avg or 0.0 for _, _, score in alone_scores(lab, lab.units, (8,), 12, report=silent)]
        return opened - start, time.perf_counter() - opened, found


def theirs(model: Path, node: str, calib: list[dict[str, Any]], debug: list[dict[str, Any]], floats: list[Any]) -> float:
    """Return the mean cosine of the output with one node quantized."""
    target = model.with_name("alone.onnx")
    quantize_static(
        str(model),
        str(target),
        Held(calib),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        calibrate_method=CalibrationMethod.MinMax,
        nodes_to_quantize=[node],
    )
    session = ort.InferenceSession(str(target))
    return mean(cosine(session.run(None, feed)[0], value) for feed, value in zip(debug, floats, strict=True))


def main() -> int:
    """Measure in alternation and return 1 when the promise is broken."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (case,) = _cases.cases(work, ("resnet18",))
        calib, debug = (some(_cases.SHARED / "images" / part, work / part) for part in ("calib", "debug"))
        root = _cases.project(case, work, calib=calib, debug=debug)
        model = prepared(case, work)
        reader = (case.input, list(case.mean), list(case.normal), case.size)
        fed, compared = (list(iter(Pictures(str(p), *reader).get_next, None)) for p in (calib, debug))
        floats = [ort.InferenceSession(str(model)).run(None, feed)[0] for feed in compared]
        nodes = [n.name for n in onnx.load(model, load_external_data=False).graph.node if n.op_type in COUNTED]
        opening, sweep, peer = [], [], []
        for _ in range(ROUNDS):
            open_seconds, sweep_seconds, cosines = ours(root)
            opening.append(open_seconds)
            sweep.append(sweep_seconds)
            seconds = []
            for node in itertools.islice(nodes, 0, None, EVERY):
                start = time.perf_counter()
                theirs(model, node, fed, compared, floats)
                seconds.append(time.perf_counter() - start)
            peer.append(mean(seconds))
        units = len(cosines)
        whole = min(a + b for a, b in zip(opening, sweep, strict=True))
        print(f"ours: opened in {min(opening):.2f} s, {units} units in {min(sweep):.2f} s, {min(sweep) / units * 1e3:.0f} ms each")
        print(f"peer: {min(peer):.3f} s a node, mean of {len(seconds)} of its {len(nodes)} nodes; scaled to {units} units")
        return 0 if _cases.verdict("times faster", min(peer) * units / whole, 5.0, at_least=True) else 1


if __name__ == "__main__":
    sys.exit(main())
