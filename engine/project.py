"""The facade: one conversion of one project, from files to the document that programs read.

This room is light to import. What it finds unchanged since an earlier run it takes from the store without opening the model; the work
itself is in `convert`.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from .events import Layers, Log, Report, SampleMeasured
from .sources import Job, Sources, gather
from .store import Store
from .version import backend

__all__ = ["FOLDER", "Job", "default_store", "record_key", "run"]

FOLDER = ".magik"
"""What we write into a project besides the artefacts the guide names."""


def default_store(root: Path) -> Store:
    """Return the store of a project: a small memory, since one run needs little twice, and the disk under `.magik/store`."""
    return Store(root / FOLDER / "store", memory_bytes=64 << 20)


def run(job: Job, *, report: Report, store: Store | None = None, jobs: int = 0) -> dict[str, Any]:
    """Convert, simulate and measure, and return the document of `magik-tui run --json`.

    `report` is told what happens and may raise `Cancelled`; `jobs` threads share the samples (0: one per processor). Raises MagikError.
    """
    start = time.perf_counter()
    store = default_store(job.root) if store is None else store
    workers = jobs or len(os.sched_getaffinity(0))
    executor = ThreadPoolExecutor(workers, thread_name_prefix="magik") if workers > 1 else None
    try:
        if executor is not None and store.blank():
            executor.submit(import_module, f"{__package__}.convert")  # there will be work: load what does it while files are read
        sources = gather(job, report)
        place = record_key(job, sources)
        known = _recorded(store, place)
        if known is not None:
            known["timing"] = {"cached": time.perf_counter() - start}
            known["peak_rss_mb"] = _peak_mb()
            _replay(known, sources.warnings, report)
            return known
        from .convert import convert

        document = convert(job, sources, report=report, store=store, executor=executor)
    finally:
        if executor is not None:
            executor.shutdown(wait=True, cancel_futures=True)
    document["peak_rss_mb"] = _peak_mb()
    _record(store, place, document)
    if store.trouble:
        report(Log(f"the store is off: {store.trouble}", "warning", "store"))
    return document


def record_key(job: Job, sources: Sources) -> str:
    """Return the key of a whole run: everything that can change its document or its artefacts.

    Both hold paths: a project that was copied, store and all, writes artefacts of its own.
    """
    settings = {k: repr(v) for k, v in asdict(sources.config).items()}
    parts = [
        *("run", backend(), sources.model_key, settings, job.save_quantize_model, sources.warnings, job.name, job.variant),
        *([str(p), str(p.absolute())] for p in (job.model, job.root, job.output or Path())),
        job.output is None,
        *([(s.name, s.key) for s in samples] for samples in sources.sets().values()),
        [(name, entry.bits, entry.low, entry.high) for name, entry in sources.entries.items()],
    ]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


def _recorded(store: Store, place: str) -> dict[str, Any] | None:
    """Return the document of an identical run, if every artefact it wrote still stands as it was written."""
    data = store.get(place)
    if data is None:
        return None
    record: dict[str, Any] = json.loads(data)
    if _stamps(record["document"]["artefacts"]) != record["stamps"]:
        return None
    document: dict[str, Any] = record["document"]
    return document


def _record(store: Store, place: str, document: Mapping[str, Any]) -> None:
    record = {"document": document, "stamps": _stamps(document["artefacts"])}
    store.put(place, json.dumps(record).encode())


def _stamps(paths: Sequence[str]) -> list[list[str | int]]:
    """Return name, size and modification time of files, those inside folders included."""
    found: list[list[str | int]] = []
    for name in paths:
        path = Path(name)
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            try:
                status = file.stat()
                found.append([str(file), status.st_size, status.st_mtime_ns])
            except OSError:
                found.append([str(file), -1, -1])
    return found


def _replay(document: Mapping[str, Any], told: Sequence[str], report: Report) -> None:
    """Tell what an earlier run found, as it would have been told while it worked; `told` are warnings that were repeated already."""
    samples = next((tuple(s["sample"] for s in n["samples"]) for n in document["nodes"] if n["samples"]), ())
    report(Layers(tuple(document["nodes"]), samples))
    for index, sample in enumerate(samples):
        cells = {n["name"]: {"cosine": n["samples"][index]["cosine"]} for n in document["nodes"] if n["samples"]}
        report(SampleMeasured(sample, index, cells))
    for text in document["warnings"]:
        if text not in told:
            report(Log(text, "warning"))


def _peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
