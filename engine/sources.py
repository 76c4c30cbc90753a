"""What a conversion reads: the job, the configuration as a value, the samples with their content keys, the file of the nodes' bits.

Light to import: no picture is decoded and no model opened here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .bitfile import NAME, Entry, read_entries
from .config import Config, load_config, override
from .config_schema import BY_NAME, find_key
from .errors import ConfigError, DataError, ModelError
from .events import Log, Progress, Report
from .jsontext import printable
from .samples import Sample, apart, list_samples, sample_key
from .socs import Side, illegal, unheard_of


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
    """Everything a conversion reads, with content keys: the configuration as a value, the model's hash, the sets of samples.

    `correction` and `feature_correction` are the samples of the two corrections, `entries` what magik_node_quant_bit_info.json says as far
    as the configuration asks for it.
    """

    config: Config
    model_key: str
    calibration: tuple[Sample, ...]
    debug: tuple[Sample, ...]
    warnings: tuple[str, ...]
    correction: tuple[Sample, ...] = ()
    feature_correction: tuple[Sample, ...] = ()
    entries: Mapping[str, Entry] = field(default_factory=dict)

    def sets(self) -> dict[str, tuple[Sample, ...]]:
        """Return the sets of samples by the key of magik.cfg that names them."""
        return {
            "QUANT_DATASET_PATH": self.calibration,
            "DEBUG_PATH": self.debug,
            "WEIGHT_CORRECT_PATH": self.correction,
            "FEATURE_CORRECT_PATH": self.feature_correction,
        }


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
    _check_widths(job, config, told)
    report(Progress("ReadSources", 0, 1))
    calibration = _samples(job, config.quant_dataset_path, "QUANT_DATASET_PATH", told, config.quant_dataset_size)
    debug = _samples(job, config.debug_path, "DEBUG_PATH", told)
    correction = _samples(job, config.weight_correct_path, "WEIGHT_CORRECT_PATH", told)
    features = _samples(job, config.feature_correct_path, "FEATURE_CORRECT_PATH", told)
    entries = _entries(job, config, told)
    warnings_told = (*texts, *told.texts)
    sources = Sources(config, _file_key(job.model), calibration, debug, warnings_told, correction, features, entries)
    report(Progress("ReadSources", 1, 1))
    return sources


def for_inputs(sources: Sources, names: Sequence[str]) -> Sources:
    """Return the sources as a network of these inputs reads them: for one input, a folder of .bin files is as many samples."""
    if len(names) != 1:
        return sources
    calibration, debug, correction, features = (apart(samples, names[0]) for samples in sources.sets().values())
    calibration = calibration[: sources.config.quant_dataset_size]
    return replace(sources, calibration=calibration, debug=debug, correction=correction, feature_correction=features)


def _entries(job: Job, config: Config, report: Report) -> dict[str, Entry]:
    """Read the file of the nodes' bits where a key asks for it; to save it anew, only what a person added to it matters."""
    load = config.load_op_quant_bit or config.load_op_quant_min_max
    path = job.root / NAME
    if not load and not (config.save_op_quant_bit and path.exists()):
        return {}
    entries, warnings = read_entries(path, config.soc)
    for warning in warnings:
        report(Log(str(warning), "warning", "config"))
    if load:
        return entries
    return {n: Entry(None, e.low, e.high) for n, e in entries.items() if e.low is not None or e.high is not None}


def _check_widths(job: Job, config: Config, report: Report) -> None:
    """Raise ConfigError for a width that the chip does not have; warn of one that no chip has when SOC names none."""
    asked: tuple[tuple[Side, str, int], ...] = (
        ("feature", "QUANT_FEATURE_BIT", config.quant_feature_bit),
        ("weight", "QUANT_WEIGHT_BIT", config.quant_weight_bit),
    )
    for side, key, bits in asked:
        wrong = illegal(config.soc, side, bits)
        if wrong:
            raise ConfigError(wrong, where=f"{_said_by(job, key)}: {key}")
        odd = unheard_of(config.soc, side, bits)
        if odd:
            report(Log(f"{key}: {odd}", "warning", "config"))


def _said_by(job: Job, key: str) -> str:
    """Return where a width that the chip does not have comes from: the last flag that set it, or the chip, or else the configuration."""
    for item in reversed(job.overrides):
        found = find_key(item.partition("=")[0])
        if found is not None and found.name in (key, "SOC"):
            return f"--set {printable(item)}"
    return str(job.config_path)


class Warnings:
    """A hook that passes events on and remembers the warnings, behind those that were told before."""

    def __init__(self, report: Report, texts: Iterable[str] = ()) -> None:
        self.report, self.texts = report, list(texts)

    def __call__(self, event: Any) -> None:
        if isinstance(event, Log) and event.level == "warning":
            self.texts.append(event.text)
        self.report(event)


def _samples(job: Job, path: str, key: str, report: Warnings, most: int | None = None) -> tuple[Sample, ...]:
    """List a folder's samples with their content keys, the first `most` of them (all: None or 0); later ones are not opened.

    A file that cannot be opened is reported and left out.
    """
    if not path or (path == BY_NAME[key].template_value and not (job.root / path).exists()):
        return ()
    try:
        found = list_samples(job.root / path, report)
    except DataError as error:
        raise DataError(error.message, where=f"{key} {error.where}", hint=error.hint) from error
    readable: list[Sample] = []
    failures: list[str] = []
    for sample in found:
        if most and len(readable) == most:
            break
        try:
            readable.append(replace(sample, key=sample_key(sample)))
        except DataError as error:
            failures.append(str(error))
            report(Log(f"skipped: {error}", "warning", "dataset"))
    if not readable:
        raise DataError(f"none of the {len(found)} samples can be opened; the first one: {failures[0]}", where=key)
    return tuple(readable)


def _file_key(path: Path) -> str:
    h = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                h.update(block)
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}", where=str(path), hint="give the path of an ONNX file") from error
    return h.hexdigest()
