"""A cold `magik-tui run` against onnxruntime's quantize_static (QDQ, per channel, MinMax) followed by qdq_loss_debug.

Same model, same 40 calibration and 12 debug pictures. Promises: at least 4 times faster by the wall clock, at most a third of the peak
memory, a mean output cosine no worse; a second identical run takes at most a tenth of the first.

What bounds the first figure is shown with it: the float network alone on the same pictures, run by onnxruntime on all cores with every
picture in memory beforehand. Calibration and comparison cannot do without these passes, so no tool can be faster than that.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import version_converter
from onnxruntime.quantization.shape_inference import quant_pre_process

from . import _cases

ROUNDS = 3


def prepared(case: _cases.Case, work: Path) -> Path:
    """Return the model as the peer wants it: opset 13 or newer, through its own pre-processing."""
    model, target = case.model, work / f"{case.name}_ready.onnx"
    if onnx.load(model, load_external_data=False).opset_import[0].version < 13:
        model = work / f"{case.name}_13.onnx"
        onnx.save(version_converter.convert_version(onnx.load(case.model), 13), model)
    quant_pre_process(str(model), str(target), skip_symbolic_shape=True)
    return target


def peer_command(case: _cases.Case, model: Path, work: Path) -> list[str]:
    """Return the peer's command line."""
    values = (case.input, json.dumps(case.mean), json.dumps(case.normal), str(case.size))
    folders = (str(_cases.SHARED / "images/calib"), str(_cases.SHARED / "images/debug"), str(work))
    return _cases.weighed([sys.executable, "-W", "ignore", "-m", "bench._peer", str(model), *values, *folders])


def float_passes(case: _cases.Case, model: Path) -> float:
    """Return the seconds that as many pictures as both tools are given take through the float network, on all cores, at best."""
    count = sum(len(list((_cases.SHARED / "images" / folder).iterdir())) for folder in ("calib", "debug"))
    feed = {case.input: np.full((1, 3, case.size, case.size), 0.5, np.float32)}
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    alone = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    wide = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    best = float("inf")
    with ThreadPoolExecutor(_cases.cores()) as side_by_side:
        for _ in range(ROUNDS):
            for session, run in ((alone, side_by_side.map), (wide, map)):
                start = time.perf_counter()
                for _done in run(lambda _, s=session: s.run(None, feed), range(count)):  # type: ignore[misc]
                    pass
                best = min(best, time.perf_counter() - start)
    return best


def main() -> int:
    """Measure both models and return 1 when a promise is broken."""
    held = True
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for case in _cases.cases(work):
            root = _cases.project(case, work)
            model = prepared(case, work)
            theirs, cold, warm = [], [], []
            for _ in range(ROUNDS):
                theirs.append(_cases.weigh(peer_command(case, model, work)))
                _cases.fresh(root)
                cold.append(_cases.weigh(_cases.run_command(root)))
                warm.append(_cases.weigh(_cases.run_command(root)))
            peer, ours, again = (min(runs, key=lambda r: r.seconds) for runs in (theirs, cold, warm))
            report = json.loads(ours.output)
            cosine, their_cosine = report["outputs"][0]["cosine_avg"], json.loads(peer.output)["output_cosine"]
            print(f"{case.name}: {ours.seconds:.2f} s {ours.peak_mb:.0f} MB, peer {peer.seconds:.2f} s {peer.peak_mb:.0f} MB")
            passes = float_passes(case, model)
            print(f"  the float passes alone: {passes:.2f} s, {peer.seconds / passes:.2f} times faster than the peer")
            print("  stages", {k: round(v, 3) for k, v in report["timing"].items()})
            held &= _cases.verdict("  times faster", peer.seconds / ours.seconds, 4.0, at_least=True)
            held &= _cases.verdict("  share of its memory", ours.peak_mb / peer.peak_mb, 1 / 3)
            held &= _cases.verdict("  output cosine", cosine, their_cosine, at_least=True)
            held &= _cases.verdict("  second run / first run", again.seconds / ours.seconds, 0.1)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
