"""The whole diagnosis, in the order of the guide's chapter 3.3: is it ill, what is it fed, which side, what helps, which operators."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ..analysis.diagnosis.costs import cost_of
from ..analysis.diagnosis.diagnosis import Diagnosis, operators
from ..analysis.diagnosis.figures import HEALTHY, Figures, figures_of, verdict
from ..analysis.diagnosis.findings import Finding, Value, debug_samples, first_layer, health, poor_samples, sides, tried
from ..analysis.diagnosis.inputs import SWAMPED, keys_of, preprocessing, suspected, without_statistics
from ..analysis.diagnosis.statistics import likely
from ..analysis.diagnosis.trials import Change, Trial, together
from ..errors import DataError
from ..events import Log, Progress
from ..lab import Lab
from ..plan import Choice
from ..stages.planning import UNQUANTIZED
from .calibrating import calibrating, faults
from .changes import legal, methods, widths
from .correcting import corrections
from .culprits import culprits, mixed, remedies
from .preprocessing import Evidence, evidence
from .trying import STAGE, Bench, under

FAKES = {"WEIGHT_FAKE_QUANT": False, "FEATURE_FAKE_QUANT": False}

EXPECTED = 16
"""Networks that are measured, about, besides those of the bisection."""

HINT = "a hint and no proof: check the float network with a picture whose answer you know"


def diagnose(lab: Lab) -> Diagnosis:
    """Return the diagnosis of an opened project, telling its hook of every step.

    DataError where there are no debug samples, no calibration samples, no layer that is integer, or nothing to compare at the outputs.
    What the hook raises passes through; nothing is written but what the store keeps.
    """
    start = time.perf_counter()
    lab = _real(lab)
    document = lab.evaluate(lab.base)
    figures = figures_of(document, lab.places())
    _check(lab, document, figures)
    bench = Bench(lab, document, figures, cost_of(document, lab.units, lab.profile), total=EXPECTED)
    bench.seconds["as it is"] = time.perf_counter() - start
    with bench.timed("preprocessing"):
        wrong, odd = faults(lab, lab.sources.calibration), faults(lab, lab.core.opened.debug)
        fed = evidence(lab, {*wrong, *odd})
    trials = _preprocessings(bench, fed)
    one, other = (bench.seen({**FAKES, key: True}) for key in FAKES)
    blamed, side = sides(figures, one, other)
    trials += bench.settings(*widths(lab), *methods(lab))
    corrected, untried = corrections(bench, {"weights": one.noise, "features": other.noise})
    trials += corrected
    sets = calibrating(bench, wrong)
    trials += sets.trials
    with bench.timed("operators"):
        found = culprits(lab, figures)
    for each in found:
        trials += remedies(bench, each, max(legal(lab, "feature")))
    trials += _more(bench, trials, max(legal(lab, "feature")))
    poor = poor_samples(figures)
    candidates = (
        health(figures),
        _fed(fed),
        _first(bench, sets.alike),
        blamed,
        tried("widths", ("width",), trials, ("more bits help", "more bits do not help")),
        tried("methods", ("method",), trials, ("another method helps", "another method does not help")),
        tried("corrections", ("correction",), trials, ("correcting helps", "correcting does not help")),
        *sets.findings,
        operators(found[0]),
        debug_samples(figures, poor, odd),
    )
    lab.report(Progress(STAGE, 1, 1))
    findings = tuple(f for f in candidates if f is not None)
    bits = (lab.config.quant_feature_bit, lab.config.quant_weight_bit)
    left = (*untried, *sets.untried, *bench.failures)
    return Diagnosis(
        *(str(lab.job.model), lab.config.soc, figures, bench.cost, findings, tuple(trials), side, bits, found[0], left),
        *(wrong, odd, tuple(poor), tuple(document["warnings"]), {**bench.seconds, "all": time.perf_counter() - start}),
    )


def _more(bench: Bench, trials: list[Trial], widest: int) -> list[Trial]:
    """Try what follows from the trials: where width heals, as few operators as heal with it; where nothing does, all that helps at once.

    Where width does no more than take half of the noise, as few operators as do that with it.
    """
    if any(t.heals and t.change.kind == "width" for t in trials):
        return [] if any(t.heals and t.change.bits for t in trials) else mixed(bench, widest, _heals)
    few: list[Trial] = []
    if any(t.halves and t.change.kind == "width" for t in trials) and not any(t.halves and t.change.bits for t in trials):
        few = mixed(bench, widest, _halves)
    both = None if verdict(bench.figures) == "healthy" or any(t.heals for t in trials) else together(trials)
    return few + (bench.settings(both) if both is not None else [])


def _heals(trial: Trial) -> bool:
    return trial.heals


def _halves(trial: Trial) -> bool:
    return trial.halves


def _real(lab: Lab) -> Lab:
    """Return the lab of the network that runs on the board, both sides quantized."""
    if not (lab.config.weight_fake_quant or lab.config.feature_fake_quant):
        return lab
    lab.report(Log("WEIGHT_FAKE_QUANT and FEATURE_FAKE_QUANT are switched off: the whole network is diagnosed", "warning", STAGE))
    return under(lab, FAKES)


def _check(lab: Lab, document: Mapping[str, Any], figures: Figures) -> None:
    if not lab.samples:
        raise DataError("there is nothing to measure on", where="DEBUG_PATH", hint="name a folder of pictures or samples")
    if not lab.sources.calibration:
        raise DataError("nothing is quantized", where="QUANT_DATASET_PATH", hint=UNQUANTIZED)
    if not figures.layers:
        reason = next((row["reason"] for row in document["nodes"] if row["reason"]), "")
        raise DataError("no layer is quantized: there is nothing to diagnose", hint=reason)
    if figures.cosine_avg is None:
        raise DataError("the outputs have no cosine: they are all zero, or no numbers", where="OUTPUT")


def _preprocessings(bench: Bench, fed: Evidence) -> list[Trial]:
    """Try the preprocessing that the evidence speaks for; where it is a hint only, those usual ones that would do."""
    configured = fed.configured
    if configured is None:
        return []
    if fed.judged is not None and suspected(fed.judged):
        settings = fed.judged.best.settings(configured)
        keys = " and ".join(settings)
        if fed.judged.answer == "wrong" and not fed.centred:
            do = "diagnose again: everything else was measured on a network that is fed wrongly"
            return bench.settings(Change("preprocessing", f"{keys} as in the training", settings, do=do))
        do = "where that is right, diagnose again: everything else was measured on a network that is fed wrongly"
        return bench.settings(Change("preprocessing", f"another {keys}", settings, do=do, caution=HINT))
    if fed.bias_share is None or fed.bias_share >= SWAMPED:
        return []
    all_settings = [other.settings(configured) for other in likely(configured)]
    return bench.settings(*(Change("preprocessing", keys_of(s), s, caution=HINT) for s in all_settings))


def _fed(fed: Evidence) -> Finding:
    if fed.configured is None:
        reason = f"{fed.reason}: MEAN, NORMAL and COLOR are not judged"
        return Finding("preprocessing", "unknown", reason)
    if fed.judged is not None:
        return preprocessing(fed.judged, fed.configured, fed.pictures, fed.centred)
    numbers: dict[str, Value] = {} if fed.input is None else asdict(fed.input)
    return without_statistics(fed.reason, numbers, fed.bias_share)


def _first(bench: Bench, like: Trial | None) -> Finding:
    """Look closer at the first layer where the guide's threshold is missed."""
    lab, figures = bench.lab, bench.figures
    if (figures.first_cosine or 0.0) >= HEALTHY:
        return first_layer(figures, None, 0, None, None)
    name, widest = figures.first, max(legal(lab, "feature"))
    bits = lab.resolve(lab.base).choices[name].feature_bits or 8
    plan = lab.base.with_node(name, replace(lab.base.nodes.get(name, Choice()), feature_bits=widest))
    at_widest = lab.score(plan, name).cosine_avg if bits < widest else None
    return first_layer(figures, bits, widest, at_widest, like.after.first_cosine if like else None)
