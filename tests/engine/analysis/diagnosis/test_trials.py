"""What helps, what heals, and what is advised first."""

from __future__ import annotations

import math

import pytest

from engine.analysis.diagnosis.trials import Change, ranked, together

from .making import trial

WIDE = Change("width", "12 bits", {"QUANT_FEATURE_BIT": 12})
MSE = Change("method", "MSE", {"QUANT_FEATURE_METHOD": "MSE"})
FEW = Change("operators", "few", {"LOAD_OP_QUANT_BIT": True}, {"x": 12})
FLOAT = Change("operators", "float", {"QUANT_NODE_SKIP": ["x"]})
FED = Change("preprocessing", "MEAN", {"MEAN": [1]})
HINT = Change("preprocessing", "NORMAL", {"NORMAL": [255]}, caution="a hint")


def test_gain_noise_and_samples() -> None:
    found = trial(WIDE, 0.98, (0.99, 0.99, 0.97, 0.99))
    assert found.gain == pytest.approx(0.005)
    assert found.noise_left == pytest.approx((1 / 0.985**2 - 1) / (1 / 0.98**2 - 1))
    assert found.better == 3


def test_a_gain_on_half_of_the_samples_is_chance() -> None:
    assert not trial(WIDE, 0.9, (1.0, 1.0, 0.89, 0.89)).helps
    assert trial(WIDE, 0.9, (1.0, 1.0, 0.91, 0.89)).helps


def test_a_small_gain_is_chance() -> None:
    assert not trial(WIDE, 0.98, 0.9805).helps
    assert trial(WIDE, 0.98, 0.983).helps


def test_nothing_can_be_gained_where_nothing_is_lost() -> None:
    assert trial(WIDE, 1.0, 1.0).noise_left == 1.0
    assert trial(WIDE, 1.0, 0.99).noise_left == math.inf
    assert trial(WIDE, 0.0, 0.99).noise_left == 0.0


def test_what_heals_comes_first_and_the_cheapest_of_that() -> None:
    wide = trial(WIDE, 0.98, 0.9999, features=2.0)
    few = trial(FEW, 0.98, 0.995, features=1.2)
    floats = trial(FLOAT, 0.98, 0.9999, floats=0.1)
    mse = trial(MSE, 0.98, 0.985, healed=0.985)
    assert [t.heals for t in (wide, few, floats, mse)] == [True, True, True, False]
    assert ranked([mse, floats, wide, few]) == [few, wide, floats, mse]


def test_good_outputs_for_less_come_before_what_heals() -> None:
    six, five = trial(FEW, 0.98, 0.997, features=1.23), trial(FEW, 0.98, 0.998, features=1.16, healed=0.97)
    assert (six.heals, five.heals, five.restores) == (True, False, True)
    assert ranked([six, five]) == [five, six]
    whole = trial(WIDE, 0.98, 0.9999, features=2.0)
    assert ranked([whole, five]) == [whole, five] == ranked([five, whole])  # it heals, and the outputs are better


def test_much_in_float_comes_after_cheaper_ones_that_nearly_heal() -> None:
    crowd = trial(FLOAT, 0.99, 0.9985, healed=0.97, features=1.74, floats=0.74)
    two = trial(Change("operators", "two", {"QUANT_NODE_SKIP": ["x", "y"]}), 0.99, 0.997, healed=0.97, features=1.01, floats=0.01)
    wide, mse = trial(WIDE, 0.99, 0.9965, healed=0.97, features=2.0), trial(MSE, 0.99, 0.994, healed=0.97)
    assert (crowd.restores, two.restores, two.halves, mse.halves) == (True, False, True, False)
    assert ranked([crowd, mse, wide, two]) == [two, wide, crowd, mse]


def test_a_fix_that_leaves_most_of_the_noise_heals_nothing() -> None:
    over = trial(MSE, 0.9882, 0.9902)
    assert over.helps
    assert not over.heals


def test_what_the_network_is_fed_comes_before_all() -> None:
    wide = trial(WIDE, 0.98, 0.9999, features=2.0)
    fed, hint = trial(FED, 0.98, 0.97), trial(HINT, 0.98, 0.97)
    assert ranked([wide, hint, fed]) == [fed, hint, wide]


def test_caution_comes_last() -> None:
    fewer = Change("samples", "10 samples", {"QUANT_DATASET_SIZE": 10}, caution="chance")
    cautious, mse = trial(fewer, 0.98, 0.9999), trial(MSE, 0.98, 0.985, healed=0.985)
    assert ranked([cautious, mse]) == [mse, cautious]


def test_what_another_of_the_kind_does_better_is_left_out() -> None:
    ten = Change("width", "10 bits", {"QUANT_FEATURE_BIT": 10})
    better, worse = trial(WIDE, 0.98, 0.9999, features=2.0), trial(ten, 0.98, 0.999, features=2.0)
    assert ranked([worse, better]) == [better]
    cheaper = trial(ten, 0.98, 0.999, features=1.5)
    assert ranked([better, cheaper]) == [cheaper, better]


def test_what_helps_is_put_together_once_a_key() -> None:
    ten = Change("width", "10 bits", {"QUANT_FEATURE_BIT": 10})
    trials = [trial(ten, 0.9, 0.97), trial(WIDE, 0.9, 0.98), trial(MSE, 0.9, 0.95), trial(FEW, 0.9, 0.99)]
    both = together(trials)
    assert both is not None
    assert both.config == {"QUANT_FEATURE_BIT": 12, "QUANT_FEATURE_METHOD": "MSE"}
    assert together(trials[:2]) is None


def test_several_changes_have_to_beat_one() -> None:
    wide, mse = trial(WIDE, 0.9, 0.97, features=2.0), trial(MSE, 0.9, 0.95)
    change = together([wide, mse])
    assert change is not None
    same, better = trial(change, 0.9, 0.9701, features=2.0), trial(change, 0.9, 0.985, features=2.0)
    assert same not in ranked([wide, mse, same])
    assert ranked([wide, mse, better])[0] is better
