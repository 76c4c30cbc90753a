"""Correction as a change: on the calibration pictures that are not measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..analysis.diagnosis.trials import Change, Trial
from ..config_schema import BY_NAME
from .changes import PATHS
from .trying import Bench

LITTLE = 0.25
"""A side that makes less than this share of the noise has nothing to correct."""

FOLDER = "./correct_img"


def corrections(bench: Bench, noise: Mapping[str, float]) -> tuple[list[Trial], list[tuple[str, str]]]:
    """Try the correction of each side whose `noise` counts; where one is on, try without it. Return trials, and what was not tried."""
    trials: list[Trial] = []
    untried: list[tuple[str, str]] = []
    whole = sum(noise.values())
    for side, key in PATHS.items():
        if getattr(bench.lab.config, BY_NAME[key].field):
            trials += bench.settings(Change("correction", f"no {key}", {key: None}))
            continue
        share = noise[side] / whole if whole else 0.0
        if share < LITTLE:
            untried.append((key, f"{side} make {share:.1%} of the noise"))
            continue
        found, why = _corrected(bench, key)
        trials += found
        if why:
            untried.append((key, why))
    return trials, untried


def _corrected(bench: Bench, key: str) -> tuple[list[Trial], str]:
    """Try one correction on the calibration samples; those that are debug samples too are left out, and want a folder of their own."""
    lab = bench.lab
    measured = {s.key for s in lab.core.opened.debug}
    samples = tuple(s for s in lab.sources.calibration if s.key not in measured)
    if not samples:
        return [], "every calibration sample is measured on as well, and a correction on those flatters"
    whole = len(samples) == len(lab.sources.calibration) and not lab.config.quant_dataset_size
    if whole:
        return bench.settings(Change("correction", f"{key} on the calibration set", {key: lab.config.quant_dataset_path})), ""
    do = f"copy {len(samples)} calibration samples that are not in DEBUG_PATH into {FOLDER}"
    title = f"{key} on the {len(samples)} calibration samples that are not measured on"
    weights = key == PATHS["weights"]
    sources = replace(lab.sources, correction=samples) if weights else replace(lab.sources, feature_correction=samples)
    return bench.sourced(Change("correction", title, {key: FOLDER}, do=do), sources), ""
