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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .config import Config, load_config, not_yet, override
from .errors import ConfigError, DataError, ModelError
from .events import Layers, Log, Progress, Report, SampleMeasured
from .samples import Sample, list_samples, sample_key
from .socs import Side, illegal, unheard_of
from .store import Store
from .version import backend

FOLDER = ".magik"
"""What we write into a project besides the artefacts the guide names."""


@dataclass(frozen=True, slots=True)
class Job:
    """One conversion: the model, its configuration, where relative paths of the configuration start, where artefacts go.

    `output` is the -o of the vendor's command line (OUT/NAME.mk.h) as a path from here; None writes no artefacts.
    `overrides` are KEY=VALUE settings.
    """

    model: Path
    config_path: Path
    root: Path
    output: Path | None = None
    save_quantize_model: bool = False
    overrides: tuple[str, ...] = ()
    name: str = ""
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything a conversion reads, with content keys: the configuration as a value, the model's hash, both sets of samples."""

    config: Config
    model_key: str
    calibration: tuple[Sample, ...]
    debug: tuple[Sample, ...]
    warnings: tuple[str, ...]


def default_store(root: Path) -> Store:
    """Return the store of a project: a small memory, since one run needs little twice, and the disk under `.magik/store`."""
    return Store(root / FOLDER / "store", memory_bytes=64 << 20)


def run(job: Job, *, report: Report, store: Store | None = None, jobs: int = 0) -> dict[str, Any]:
    """Convert, simulate and measure, and return the document of `magik-tui run --json`.

    `report` is told what happens and may raise `Cancelled`; `jobs` threads share the samples (0: one per processor). Raises MagikError.
    """
    start = time.perf_counter()
    store = default_store(job.root) if store is None else store
    sources = gather(job, report)
    place = record_key(job, sources)
    known = _recorded(store, place)
    if known is not None:
        known["timing"] = {"cached": time.perf_counter() - start}
        known["peak_rss_mb"] = _peak_mb()
        _replay(known, sources.warnings, report)
        return known
    from .convert import convert

    workers = jobs or len(os.sched_getaffinity(0))
    executor = ThreadPoolExecutor(workers, thread_name_prefix="magik") if workers > 1 else None
    try:
        document = convert(job, sources, report=report, store=store, executor=executor)
    finally:
        if executor is not None:
            executor.shutdown(wait=True, cancel_futures=True)
    document["peak_rss_mb"] = _peak_mb()
    _record(store, place, document)
    if store.trouble:
        report(Log(f"the store is off: {store.trouble}", "warning", "store"))
    return document


def gather(job: Job, report: Report) -> Sources:
    """Read the configuration and find the samples. Raises ConfigError, ModelError or DataError with what was expected."""
    config, warnings = load_config(job.config_path)
    texts = [str(w) for w in warnings]
    if job.overrides:
        config, more = override(config, job.overrides)
        texts += [str(w) for w in more]
    for text in texts:
        report(Log(text, "warning", "config"))
    told = Warnings(report)
    for key, message in not_yet(config):
        raise ConfigError(message, where=f"{job.config_path}: {key}")
    _check_widths(job, config, told)
    report(Progress("ReadSources", 0, 1))
    calibration = _samples(job, config.quant_dataset_path, "QUANT_DATASET_PATH", told)
    if config.quant_dataset_size:
        calibration = calibration[: config.quant_dataset_size]
    debug = _samples(job, config.debug_path, "DEBUG_PATH", told)
    sources = Sources(config, _file_key(job.model), calibration, debug, (*texts, *told.texts))
    report(Progress("ReadSources", 1, 1))
    return sources


def _check_widths(job: Job, config: Config, report: Report) -> None:
    """Raise ConfigError for a width that the chip does not have; warn of one that no chip has when SOC names none."""
    asked: tuple[tuple[Side, str, int], ...] = (
        ("feature", "QUANT_FEATURE_BIT", config.quant_feature_bit),
        ("weight", "QUANT_WEIGHT_BIT", config.quant_weight_bit),
    )
    for side, key, bits in asked:
        wrong = illegal(config.soc, side, bits)
        if wrong:
            raise ConfigError(wrong, where=f"{job.config_path}: {key}")
        odd = unheard_of(config.soc, side, bits)
        if odd:
            report(Log(f"{key}: {odd}", "warning", "config"))


class Warnings:
    """A hook that passes events on and remembers the warnings."""

    def __init__(self, report: Report) -> None:
        self.report, self.texts = report, []

    texts: list[str]

    def __call__(self, event: Any) -> None:
        if isinstance(event, Log) and event.level == "warning":
            self.texts.append(event.text)
        self.report(event)


def _samples(job: Job, path: str, key: str, report: Warnings) -> tuple[Sample, ...]:
    """List a folder's samples with their content keys; a file that cannot be opened is reported and left out."""
    if not path:
        return ()
    try:
        found = list_samples(job.root / path, report)
    except DataError as error:
        raise DataError(error.message, where=f"{key} {error.where}", hint=error.hint) from error
    readable, failures = [], []
    for sample in found:
        try:
            readable.append(replace(sample, key=sample_key(sample)))
        except DataError as error:
            failures.append(str(error))
            report(Log(f"skipped: {error}", "warning", "dataset"))
    if not readable:
        raise DataError(f"none of the {len(found)} samples can be opened; the first one: {failures[0]}", where=key)
    return tuple(readable)


def _file_key(path: Path) -> str:
    h = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                h.update(block)
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}", where=str(path), hint="give the path of an ONNX file") from error
    return h.hexdigest()


def record_key(job: Job, sources: Sources) -> str:
    """Return the key of a whole run: everything that can change its document or its artefacts.

    Both hold paths: a project that was copied, store and all, writes artefacts of its own.
    """
    settings = {k: repr(v) for k, v in asdict(sources.config).items()}
    parts = [
        *("run", backend(), sources.model_key, settings, job.save_quantize_model, sources.warnings, job.name, job.variant),
        *([str(p), str(p.absolute())] for p in (job.model, job.root, job.output or Path())),
        job.output is None,
        *([(s.name, s.key) for s in sources.calibration], [(s.name, s.key) for s in sources.debug]),
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
