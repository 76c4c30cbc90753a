"""A diagnosis as the JSON document that programs read: schema 1, described in docs/diagnose.md."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ...messages import plain
from .costs import Cost
from .diagnosis import Diagnosis
from .figures import Figures, verdict
from .findings import Finding
from .trials import Change, Trial

SCHEMA = 1

BIT_FILE = "magik_node_quant_bit_info.json"


def document_of(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the document: plain dicts, lists, strings and finite numbers."""
    faults = diagnosis.debug_faults
    cosines = dict(diagnosis.figures.samples)
    document = {
        "schema": SCHEMA,
        "model": diagnosis.model,
        "soc": diagnosis.soc,
        "verdict": diagnosis.verdict,
        "cause": diagnosis.cause,
        "hint": diagnosis.hinted,
        "headline": _finding(diagnosis.headline()),
        "baseline": {**_figures(diagnosis.figures), "cost": asdict(diagnosis.cost)},
        "findings": [_finding(f) for f in diagnosis.findings],
        "fixes": [{"rank": rank, **_trial(trial)} for rank, trial in enumerate(diagnosis.fixes, 1)],
        "trials": [_trial(trial) for trial in diagnosis.trials],
        "operators": {
            "target": diagnosis.culprits.target,
            "healed": diagnosis.culprits.healed,
            "minimal": diagnosis.culprits.minimal,
            "evaluations": diagnosis.culprits.evaluations,
            "more": diagnosis.culprits.more,
            "crowd": diagnosis.culprits.crowd,
            "culprits": [asdict(member) for member in diagnosis.culprits.members],
        },
        "calibration_pictures": [{"sample": name, "fault": fault} for name, fault in diagnosis.calibration_faults.items()],
        "debug_samples": [
            {"sample": name, "cosine": value, "poor": name in diagnosis.poor, "fault": faults.get(name, "")}
            for name, value in cosines.items()
        ],
        "untried": [{"what": what, "why": why} for what, why in diagnosis.untried],
        "warnings": list(diagnosis.warnings),
        "timing": dict(diagnosis.timing),
    }
    made: dict[str, Any] = plain(document)
    return made


def lines_of(change: Change) -> list[str]:
    """Return the lines to write into magik.cfg, as JSON members; of a key that has to go, its name behind a minus."""
    return [f"-{key}" if value is None else f'"{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in change.config.items()]


def bit_file_of(change: Change) -> dict[str, dict[str, int]]:
    """Return what the file of the nodes' bits has to say for a change."""
    return {node: {"QUANT_FEATURE_BIT": bits} for node, bits in change.bits.items()}


def _finding(finding: Finding) -> dict[str, Any]:
    return {"topic": finding.topic, "level": finding.level, "claim": finding.claim, "numbers": dict(finding.numbers)}


def _figures(figures: Figures) -> dict[str, Any]:
    names = (
        "cosine_avg",
        "cosine_min",
        "sqnr_db",
        "mean",
        "layers",
        "below_99",
        "below_98",
        "worst",
        "worst_cosine",
        "first",
        "first_cosine",
    )
    return {"verdict": verdict(figures), **{name: getattr(figures, name) for name in names}}


def _trial(trial: Trial) -> dict[str, Any]:
    change = trial.change
    return {
        "kind": change.kind,
        "title": change.title,
        "config": dict(change.config),
        "lines": lines_of(change),
        "bit_file": bit_file_of(change),
        "without": list(change.without),
        "do": change.do,
        "caution": change.caution,
        "gain": trial.gain,
        "noise_left": trial.noise_left,
        "better": trial.better,
        "samples": len(trial.after.samples),
        "helps": trial.helps,
        "heals": trial.heals,
        "restores": trial.restores,
        "before": _figures(trial.before),
        "after": _figures(trial.after),
        "cost": _cost(trial.cost),
    }


def _cost(cost: Cost) -> dict[str, float | None]:
    return asdict(cost)
