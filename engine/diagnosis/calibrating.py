"""The calibration set: which pictures teach little, and what other sets of samples would do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..analysis.diagnosis.findings import Finding
from ..analysis.diagnosis.inputs import alike, amount, faulty
from ..analysis.diagnosis.trials import Change, Trial
from ..datacheck import FEWEST, look
from ..dataset import Sample
from ..lab import Lab
from .trying import Bench

ALIKE = "put samples like those of DEBUG_PATH, but others, into QUANT_DATASET_PATH"

TAKE_OUT = "take these files out of QUANT_DATASET_PATH"
CHANCE = "fewer samples gain by chance: other pictures may do worse with them"


@dataclass(frozen=True, slots=True)
class Calibrating:
    """What was found: trials, findings, what was not tried and why, and the trial on half of the debug samples."""

    trials: tuple[Trial, ...]
    findings: tuple[Finding, ...]
    untried: tuple[tuple[str, str], ...]
    alike: Trial | None = None


def faults(lab: Lab, samples: Sequence[Sample]) -> dict[str, str]:
    """Return what is wrong with each picture that is mostly padding, black or grey, by its name."""
    found = look(samples, store=lab.core.store, executor=lab.core.executor)()
    return {sample.name: fault for sample, fault in found if fault}


def calibrating(bench: Bench, wrong: Mapping[str, str]) -> Calibrating:
    """Try fewer and more samples, the set without the pictures in `wrong`, and a set like the debug samples."""
    lab = bench.lab
    samples = lab.sources.calibration
    trials = bench.settings(*_sizes(lab))
    told = amount(len(samples), sorted(trials, key=lambda t: t.change.config["QUANT_DATASET_SIZE"] or len(samples) + 1))
    untried = []
    if not lab.config.quant_dataset_size:
        untried.append(("more calibration samples", f"QUANT_DATASET_PATH holds the {len(samples)} that are used"))
    good = [s for s in samples if s.name not in wrong]
    without: list[Trial] = []
    if wrong and good:
        title = f"calibrate without {len(wrong)} pictures that teach little"
        without = bench.calibrated(Change("samples", title, without=tuple(wrong), do=TAKE_OUT), good)
        trials += without
    findings = [faulty(wrong, len(samples), without[0] if without else None), told]
    why = _unlike(lab)
    like = [] if why else _alike(bench)
    if why:
        untried.append(("calibrating on samples like the debug samples", why))
    for trial in like:
        control = _control(bench) if trial.helps else []
        said = alike(trial, control[0] if control else None)
        findings.append(said)
        trials += [trial] if said.level == "bad" else []
    return Calibrating(tuple(trials), tuple(findings), tuple(untried), like[0] if like else None)


def _sizes(lab: Lab) -> Iterator[Change]:
    """Yield fewer samples (half of them, and FEWEST where that is less than half), and all there are where not all are used."""
    count = len(lab.sources.calibration)
    for size in sorted({count // 2, FEWEST if count // 2 > FEWEST else 0} - {0}):
        yield Change("samples", f"calibrate on {size} samples", {"QUANT_DATASET_SIZE": size}, caution=CHANCE)
    if lab.config.quant_dataset_size == count:  # the folder may hold more
        yield Change("samples", "calibrate on all samples of the folder", {"QUANT_DATASET_SIZE": None})


def _unlike(lab: Lab) -> str:
    """Return why there are no debug samples to calibrate on that others can be measured on."""
    debug, used = lab.core.opened.debug, {s.key for s in lab.sources.calibration}
    if any(s.key in used for s in debug):
        return "samples of DEBUG_PATH are calibrated on already, which flatters their cosines"
    return "" if len(debug) > 1 else "there is one debug sample only"


def _alike(bench: Bench) -> list[Trial]:
    """Calibrate on every other debug sample and measure on the others: a set that is like what is measured, without flattering it."""
    change = Change("samples", "calibrate on samples like those measured on", do=ALIKE)
    return bench.calibrated(change, bench.lab.core.opened.debug[::2], _odd(bench.lab))


def _control(bench: Bench) -> list[Trial]:
    """Do the same with as many samples of the calibration set: what that gains as well does not come from other samples."""
    samples, count = bench.lab.sources.calibration, len(bench.lab.core.opened.debug[::2])
    chosen = [samples[i * len(samples) // count] for i in range(min(count, len(samples)))]
    return bench.calibrated(Change("samples", f"calibrate on {len(chosen)} samples, to compare"), chosen, _odd(bench.lab))


def _odd(lab: Lab) -> set[str]:
    return {s.name for s in lab.core.opened.debug[1::2]}
