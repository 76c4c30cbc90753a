"""A conversion without a model, to test who drives one: it reports, waits, fails or prints as the settings ask."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from engine.errors import DataError
from engine.events import Layers, Log, Progress, Report, SampleMeasured
from engine.project import Job
from engine.store import Store

ROW = {"name": "conv", "op": "Conv2D", "quantized": True}
DOCUMENT: dict[str, Any] = {
    "schema": 1,
    "model": "net.onnx",
    "soc": "T40",
    "nodes": [{**ROW, "cosine_avg": 0.99813, "cosine_min": float("nan"), "samples": [{"sample": "cat.jpg", "cosine": 0.99813}]}],
    "outputs": [],
    "timing": {},
    "artefacts": [],
    "warnings": [],
}
started = threading.Event()
stores: list[Store | None] = []


def run(job: Job, *, report: Report, store: Store | None = None, jobs: int = 0) -> dict[str, Any]:
    """Do what the settings say: STEPS=n, WAIT=seconds, FAIL=data or bug, NOISE=1."""
    asked = dict(item.split("=", 1) for item in job.overrides)
    stores.append(store)
    started.set()
    report(Log("picture [b]3[/b] is \x1b[31mcorrupt", "warning", "dataset"))
    report(Layers((ROW,), ("cat.jpg",)))
    if "NOISE" in asked:
        os.write(1, b"libgomp: a native library speaks\n")
    steps = int(asked.get("STEPS", "3"))
    for step in range(steps):
        report(Progress("CollectFeatureDistribution", step + 1, steps))
        time.sleep(float(asked.get("WAIT", "0")))
    if asked.get("FAIL") == "data":
        raise DataError("none is readable", where="pictures")
    if asked.get("FAIL") == "bug":
        secret = "a value of the user's"
        raise KeyError(len(secret))
    report(SampleMeasured("cat.jpg", 0, {"conv": {"cosine": float("nan"), "sqnr_db": 20.5}}))
    return {**DOCUMENT, "settings": asked}
