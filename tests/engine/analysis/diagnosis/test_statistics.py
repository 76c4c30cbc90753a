"""Telling preprocessings by the statistics of a batch normalization, on a linear layer whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.analysis.diagnosis.statistics import Channels, Memory, Preprocessing, judge, likely, promising, usual

IMAGENET = Preprocessing((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "RGB")
PLAIN = Preprocessing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "RGB")

Floats = NDArray[np.float64]


def pictures(count: int, *, tint: tuple[float, ...] = (170, 110, 60), seed: int = 0, spread: float = 20) -> Floats:
    """Pictures as (count, pixels, channels), each with a tint of its own."""
    random = np.random.default_rng(seed)
    return np.clip(random.normal(tint, spread, (count, 1, 3)) + random.normal(0, 40, (count, 400, 3)), 0, 255)


def channels(seen: Floats, fed: Preprocessing) -> Channels:
    """What 16 random filters over the colours make of pictures."""
    weights = np.random.default_rng(5).normal(0, 1, (3, 16))
    ordered = seen if fed.color == "RGB" else seen[..., ::-1]
    value = (ordered - np.array(fed.mean)) / np.array(fed.normal) @ weights
    return Channels(value.mean(1), np.square(value).mean(1))


def trained(fed: Preprocessing) -> Memory:
    """Mean and deviation over many other pictures, as a training leaves them."""
    found = channels(pictures(400, seed=99), fed)
    mean = found.mean.mean(0)
    return Memory(mean, np.sqrt(found.square.mean(0) - mean * mean))


def test_the_right_one_fits() -> None:
    seen = pictures(12)
    judged = judge({c: channels(seen, c) for c in usual(IMAGENET)}, IMAGENET, trained(IMAGENET))
    assert (judged.answer, judged.best) == ("fits", IMAGENET)
    assert judged.divergence < 0.2
    assert judged.swapped is not None
    assert judged.swapped > 5 * judged.divergence


@pytest.mark.parametrize(
    "configured",
    [
        PLAIN,
        Preprocessing(IMAGENET.mean, IMAGENET.normal, "BGR"),
        Preprocessing(PLAIN.mean, IMAGENET.normal, "RGB"),
        Preprocessing(IMAGENET.mean, PLAIN.normal, "RGB"),
        Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "RGB"),
        Preprocessing((127.5,) * 3, (127.5,) * 3, "RGB"),
    ],
    ids=["nothing", "colours", "mean", "normal", "units of 1", "another"],
)
def test_a_wrong_one_is_told_with_the_right_one(configured: Preprocessing) -> None:
    seen = pictures(12)
    judged = judge({c: channels(seen, c) for c in usual(configured)}, configured, trained(IMAGENET))
    assert judged.answer == "wrong"
    assert judged.best == IMAGENET
    assert judged.agreed > 0.95


def test_grey_pictures_do_not_tell_colours() -> None:
    seen = pictures(12, tint=(128, 128, 128)).mean(2, keepdims=True).repeat(3, 2)
    same = Preprocessing((127.5,) * 3, (127.5,) * 3, "BGR")
    found = channels(pictures(400, tint=(128, 128, 128), seed=99).mean(2, keepdims=True).repeat(3, 2), same)
    mean = found.mean.mean(0)
    judged = judge({c: channels(seen, c) for c in usual(same)}, same, Memory(mean, np.sqrt(found.square.mean(0) - mean * mean)))
    assert (judged.answer, judged.best) == ("fits", same)
    assert judged.swapped == pytest.approx(judged.divergence)


def test_pictures_of_another_kind_fit_nothing() -> None:
    seen = pictures(12, tint=(20, 20, 200), spread=1) * 0.1
    judged = judge({c: channels(seen, c) for c in usual(IMAGENET)}, IMAGENET, trained(IMAGENET))
    assert judged.answer == "strange"


def test_draws_that_disagree_make_it_unsure() -> None:
    rare = np.concatenate([channels(pictures(11), IMAGENET).mean, channels(pictures(1, seed=3), IMAGENET).mean + 6])
    square = np.concatenate([channels(pictures(11), IMAGENET).square, channels(pictures(1, seed=3), IMAGENET).square + 36])
    swapped = Preprocessing(IMAGENET.mean, IMAGENET.normal, "BGR")
    fine = channels(pictures(12), IMAGENET)
    judged = judge({IMAGENET: Channels(rare, square), swapped: fine}, IMAGENET, trained(IMAGENET))
    assert judged.answer == "unsure"
    assert 0.5 < judged.agreed < 0.95


@pytest.mark.parametrize(
    "configured",
    [IMAGENET, PLAIN, Preprocessing(IMAGENET.mean, IMAGENET.normal, "BGR"), Preprocessing(PLAIN.mean, IMAGENET.normal, "RGB")],
    ids=["right", "nothing", "colours", "mean"],
)
def test_the_mean_alone_tells_them_too(configured: Preprocessing) -> None:
    """As it was in the training, but for a small offset that each channel keeps."""
    seen, known = pictures(12), trained(IMAGENET)
    assert known.deviation is not None
    offsets = np.random.default_rng(7).normal(0, 0.1, 16) * known.deviation
    judged = judge({c: channels(seen, c) for c in usual(configured)}, configured, Memory(known.mean + offsets))
    assert judged.best == IMAGENET
    assert judged.answer == ("fits" if configured == IMAGENET else "wrong")
    assert judged.best_divergence < 0.1


def test_numbers_that_no_network_would_tell_apart() -> None:
    half = Preprocessing((127.5,) * 3, (127.5,) * 3, "RGB")
    assert Preprocessing((127.0,) * 3, (128.0,) * 3, "BGR").numbers_like(half)
    assert not IMAGENET.numbers_like(half)
    assert not PLAIN.numbers_like(half)


def test_a_few_pictures_rule_out_what_is_far() -> None:
    few = {c: channels(pictures(4), c) for c in usual(PLAIN)}
    near = promising(few, PLAIN, trained(IMAGENET))
    assert IMAGENET in near
    assert PLAIN in near
    assert len(near) < len(few)


def test_what_is_usual() -> None:
    assert usual(IMAGENET)[0] == IMAGENET
    assert len(set(usual(IMAGENET))) == len(usual(IMAGENET))
    grey = usual(Preprocessing((0.0,), (1.0,), "GRAY"))
    assert {c.color for c in grey} == {"GRAY"}
    assert all(len(c.mean) == 1 for c in grey)


def test_what_a_missing_normal_was_likely_meant_to_be() -> None:
    assert [c.normal for c in likely(PLAIN)] == [(255.0,) * 3, (127.5,) * 3]
    unit = Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "RGB")
    assert likely(unit)[0] == IMAGENET
    assert likely(Preprocessing((127.0,) * 3, (1.0,) * 3, "RGB"))[0] == Preprocessing((127.0,) * 3, (255.0,) * 3, "RGB")


def test_settings_are_what_differs() -> None:
    assert IMAGENET.settings(IMAGENET) == {}
    assert Preprocessing((0.0,) * 3, IMAGENET.normal, "BGR").settings(IMAGENET) == {"MEAN": [0, 0, 0], "COLOR": ["BGR"]}
