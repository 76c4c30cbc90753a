"""Findings about what the network is fed: the preprocessing, and the calibration set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...datacheck import FEWEST, MOST
from .findings import Finding, Value, gained, words_of
from .statistics import FIT, FIT_MEAN, TWICE, Judged, Preprocessing
from .trials import Trial

SWAMPED = 0.03
"""First biases with a smaller share than this are lost beside what they are added to: networks that were shown show 0.25 and more."""

LIKELY = 0.8
"""The share of draws that makes a better fit a hint."""

STATISTICS = "the statistics of the model's first batch normalization"

BOTTLENECK = "the mean of the linear bottleneck {tensor}, which a training leaves near zero"

BLIND = (
    "no cosine can show a wrong MEAN, NORMAL or COLOR, since the float network is fed with the same; "
    "compare its answer for a picture you know with that of the training framework"
)


def preprocessing(judged: Judged, configured: Preprocessing, pictures: int, centred: str = "") -> Finding:
    """Return what is said of MEAN, NORMAL and COLOR by the first batch normalization, or by the mean of the tensor `centred`."""
    numbers: dict[str, Value] = {"divergence": judged.divergence, "pictures": pictures, "swapped": judged.swapped}
    statistics, fit = (BOTTLENECK, FIT_MEAN) if centred else (STATISTICS, FIT)
    if centred:
        numbers["tensor"] = centred
    color = ""
    if judged.swapped is not None and judged.best.color == configured.color:
        near = judged.swapped <= TWICE * judged.best_divergence
        color = "; with the colours swapped {swapped:.3g}" + (", so this cannot tell RGB from BGR" if near else "")
    if judged.answer == "fits":
        words = f"MEAN, NORMAL and COLOR fit {statistics}: divergence {{divergence:.3g}} over {{pictures}} pictures" + color
        if judged.rival is None:
            return Finding("preprocessing", "fine", words, numbers)
        numbers["rival"] = keys_of(judged.rival.settings(configured))
        return Finding("preprocessing", "unknown" if centred else "fine", words + "; {rival} fits as well", numbers)
    numbers |= {"best": judged.best_divergence, "keys": keys_of(judged.best.settings(configured)), "agreed": judged.agreed}
    if judged.answer == "strange":
        words = (
            f"no usual MEAN, NORMAL and COLOR fits {statistics}: divergence {{divergence:.3g}} over {{pictures}} pictures, {{best:.3g}} at "
            f"best, {fit:g} is a fit; the pictures are unlike the training's, or its preprocessing was unusual"
        )
        return Finding("preprocessing", "unknown", words, numbers)
    words = (
        f"by {statistics}, {{keys}} fits better: divergence {{best:.3g}} in place of {{divergence:.3g}} "
        "over {pictures} pictures, in {agreed:.1%} of the draws from them"
    )
    if not suspected(judged):
        return Finding("preprocessing", "unknown", words + color, numbers)
    if judged.answer == "wrong" and not centred:
        return Finding("preprocessing", "bad", words + color, numbers)
    numbers["suspect"] = numbers["keys"]
    return Finding("preprocessing", "hint", words + color + "; that is a hint and no proof", numbers)


def suspected(judged: Judged) -> bool:
    """Tell whether another preprocessing fits so much better that it is worth a try."""
    return judged.answer == "wrong" or (judged.answer == "unsure" and judged.agreed >= LIKELY)


def keys_of(settings: Mapping[str, Any]) -> str:
    """Return keys with values as a person says them."""
    return ", ".join(f"{key} {_shown(value)}" for key, value in settings.items())


def _shown(value: object) -> str:
    if isinstance(value, list):
        return _shown(value[0]) if len(set(map(str, value))) == 1 else f"[{', '.join(map(_shown, value))}]"
    return str(value)


def without_statistics(reason: str, fed: Mapping[str, Value], bias_share: float | None) -> Finding:
    """Return what can be said of a model that has no batch normalization left: little, and that is said.

    `fed` holds low, high, mean and deviation of what the network is fed; `bias_share` is the share of its first biases.
    """
    numbers: dict[str, Value] = dict(fed)
    words = f"not known: {reason}; {BLIND}" if reason else f"not known: {BLIND}"
    if fed:
        words = "the network is fed {low:.4g} to {high:.4g} (mean {mean:.3g}, deviation {deviation:.3g}); " + words
    if bias_share is None:
        return Finding("preprocessing", "unknown", words, numbers)
    numbers["bias_share"] = bias_share
    if bias_share < SWAMPED:
        words = (
            "the biases of the first convolution are {bias_share:.2%} of what they are added to: NORMAL is likely missing or too small; "
            "that is a hint and no proof; " + words
        )
        return Finding("preprocessing", "hint", words, numbers)
    return Finding(
        "preprocessing", "unknown", words + "; first biases have {bias_share:.2f} of what they are added to, as is usual", numbers
    )


HALF = 0.5
"""Samples like those measured on have to leave less than this part of the noise, before the calibration set is blamed."""


def alike(trial: Trial, control: Trial | None) -> Finding:
    """Return whether the calibration set shows what the network is measured on: half of the debug samples calibrated, half measured.

    `control` is the same with as few samples of the calibration set. How a range is found may gain by chance, so that has to be beaten.
    """
    numbers = gained(trial)
    words = f"calibrated on every other debug sample, the others have {words_of(trial)}"
    if control is not None:
        numbers["control"] = control.after.cosine_avg
        words += "; on as many calibration samples, {control:.5f}"
    beaten = control is None or trial.after.noise <= HALF * control.after.noise
    if trial.helps and trial.noise_left <= HALF and beaten:
        return Finding("calibration_set", "bad", words, numbers)
    return Finding("calibration_set", "fine", words + ": the calibration set is not to blame", numbers)


def faulty(faults: Mapping[str, str], count: int, without: Trial | None) -> Finding:
    """Return how many calibration pictures are mostly padding, black or grey, and what leaving them out does."""
    kinds = sorted(set(faults.values()))
    numbers: dict[str, Value] = {"faulty": len(faults), "count": count}
    for place, kind in enumerate(kinds):
        numbers[f"kind{place}"] = sum(v == kind for v in faults.values())
    if not faults:
        what = "the one calibration sample is not" if count == 1 else "none of {count} calibration samples is"
        return Finding("calibration_pictures", "fine", f"{what} mostly padding, black or grey", numbers)
    listed = ", ".join(f"{{kind{place}}} {kind}" for place, kind in enumerate(kinds))
    words = "{faulty} of {count} calibration pictures teach little: " + listed
    if without is None:
        return Finding("calibration_pictures", "bad", words, numbers)
    return Finding(
        "calibration_pictures", "bad" if without.helps else "fine", f"{words}; without them {words_of(without)}", numbers | gained(without)
    )


def amount(count: int, trials: Sequence[Trial]) -> Finding:
    """Return whether fewer or more calibration samples help; `trials` in ascending order of their number."""
    numbers: dict[str, Value] = {"count": count}
    parts = []
    for place, trial in enumerate(trials):
        numbers[f"after{place}"] = trial.after.cosine_avg
        numbers[f"size{place}"] = trial.change.config["QUANT_DATASET_SIZE"] or "all"
        parts.append(f"{{size{place}}} {{after{place}:.5f}}")
    if trials:
        numbers["now"] = trials[0].before.cosine_avg
        parts.append("{count}, as now, {now:.5f}")
    few = not FEWEST <= count <= MOST
    words = "{count} calibration samples" + (f", {FEWEST} to {MOST} are advised" if few else "")
    words += ("; outputs by their number: " + ", ".join(parts)) if parts else ""
    helps = any(t.helps for t in trials)
    return Finding("calibration_amount", "help" if helps else "bad" if few else "fine", words, numbers)
