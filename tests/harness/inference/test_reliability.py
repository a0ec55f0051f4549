"""Reliability, against the error that was put in, Cronbach's alpha and the published table; and its ceiling."""

import math

import numpy as np
import pytest

from harness.inference import (
    ceiling,
    half_values,
    reliability_from_errors,
    reliability_from_halves,
    spearman_brown,
    split_half,
    split_half_of_ratio,
)
from tests.helpers.published import read_published

SEED = 5


@pytest.mark.parametrize(
    ("measure", "images", "group", "expected"),
    [
        ("top1@imagenet-real", 326, None, 0.79),
        ("top1@imagenet-real", 326, "training_recipes", -0.46),
        ("top1@imagenet-real", 326, "augmentation", -0.07),
        ("top1@imagenet-real", 326, "contrastive", -0.06),
        ("top1@stylized", 800, "training_recipes", 0.47),
        ("top1@imagenet-a", 7500, "adversarial_training", 0.42),
        ("shape-bias@cue-conflict", 700, "training_recipes", 0.52),
        ("shape-bias@cue-conflict", 240, "training_recipes", -0.40),
        ("top1@imagenet", 1000, "training_recipes", -1.51),
    ],
)
def test_published_measures_with_binomial_errors(real, measure, images, group, expected):
    table = read_published(real)
    values = table.measures[measure][[group in (None, own) for own in table.groups]]
    result = reliability_from_errors(values, np.sqrt(values * (1 - values) / images))
    assert (round(result.value, 2), result.method, result.n) == (expected, "errors", len(values))


def test_spearman_brown_and_the_ceiling():
    assert spearman_brown(0.5) == pytest.approx(2 / 3)
    assert (spearman_brown(1.0), spearman_brown(0.0), spearman_brown(-1.0)) == (1.0, 0.0, -math.inf)
    result = ceiling(0.6, 0.7, 0.8)
    assert (result.value, result.disattenuated) == pytest.approx((math.sqrt(0.56), 0.8018), abs=5e-5)
    assert ceiling(0.9, 0.7, 0.8).disattenuated > 1  # shown, not clipped
    without = ceiling(None, 0.7, 0.8)
    assert (without.disattenuated, without.reason) == (None, "not disattenuated (no coefficient)")


@pytest.mark.parametrize(
    ("first", "second", "value", "reason"),
    [
        (0.9, 0.36, math.sqrt(0.324), "not disattenuated (reliability of axis 0.36 < 0.5)"),
        (-0.4, 0.9, None, "undefined (bias is no more than error of measurement)"),
        (0.9, None, None, "undefined (reliability of axis unknown)"),
    ],
)
def test_an_unreliable_measure_is_not_disattenuated(first, second, value, reason):
    result = ceiling(0.5, first, second, ("bias", "axis"))
    assert (result.value, result.disattenuated, result.reason) == (value and pytest.approx(value), None, reason)


def decisions(models=40, images=400, low=0.55, high=0.7):
    """Whether each model is right on each image, (models, images), and the reliability that its accuracies have."""
    rng = np.random.default_rng(SEED)
    accuracies = rng.uniform(low, high, models)
    expected = np.var(accuracies, ddof=1) / (
        np.var(accuracies, ddof=1) + np.mean(accuracies * (1 - accuracies)) / images
    )
    return (rng.random((models, images)) < accuracies[:, None]).astype(float), expected


def test_halves_find_the_error_that_was_put_in():
    correct, expected = decisions()
    by_values = split_half_of_ratio(correct, ranks=False)
    by_ranks = split_half_of_ratio(correct)
    assert by_values.value == pytest.approx(expected, abs=0.1)
    assert by_ranks.value == pytest.approx(by_values.value, abs=0.06)
    accuracies = correct.mean(axis=1)
    from_errors = reliability_from_errors(accuracies, np.sqrt(accuracies * (1 - accuracies) / 400))
    assert by_values.value == pytest.approx(from_errors.value, abs=0.02)
    assert (by_values.draws, by_values.seed, by_values.method) == (200, 0, "halves")
    assert by_values.value == spearman_brown(by_values.half)


def test_the_mean_over_all_halves_is_cronbachs_alpha():
    pandas, pingouin = pytest.importorskip("pandas"), pytest.importorskip("pingouin")
    correct, _ = decisions(images=60, low=0.2, high=0.8)
    alpha, _ = pingouin.cronbach_alpha(pandas.DataFrame(correct))
    assert split_half_of_ratio(correct, draws=400, ranks=False).value == pytest.approx(alpha, abs=0.005)


def test_models_that_do_not_differ_have_none():
    correct, _ = decisions(low=0.6, high=0.6)
    assert abs(split_half_of_ratio(correct).value) < 0.5
    accuracies = correct.mean(axis=1)
    assert abs(reliability_from_errors(accuracies, np.sqrt(accuracies * (1 - accuracies) / 400)).value) < 0.5


def test_one_ratio_at_a_time_is_all_at_once():
    """Shape decisions among those that name either cue: the images that count differ from model to model."""
    correct, _ = decisions(models=8, images=301)
    counted = np.random.default_rng(1).random(correct.shape) < 0.7
    shape = correct * counted

    def bias(mask):
        return shape[:, mask].sum(axis=1) / counted[:, mask].sum(axis=1)

    for ranks in (True, False):
        once = split_half_of_ratio(shape, counted, draws=50, seed=SEED, ranks=ranks)
        singly = split_half(bias, 301, draws=50, seed=SEED, ranks=ranks)
        assert (once.value, once.half) == pytest.approx((singly.value, singly.half))


def test_blocks_of_models_and_means_of_measures():
    """Models in blocks have the halves of all at once; the mean of two measures is that of their halves."""
    correct, _ = decisions(models=9, images=101)
    whole = half_values(correct, draws=20)
    blocks = [half_values(correct[at : at + 4], draws=20) for at in (0, 4, 8)]
    assert np.array_equal(np.concatenate(blocks, axis=2), whole)
    assert whole.shape == (2, 20, 9)
    assert (50 * whole[0] + 51 * whole[1]) / 101 == pytest.approx(np.broadcast_to(correct.mean(axis=1), (20, 9)))
    both = half_values(correct + np.flip(correct, axis=0), np.full(correct.shape, 2), draws=20)
    assert both == pytest.approx((whole + half_values(np.flip(correct, axis=0), draws=20)) / 2)
    assert reliability_from_halves(whole).value == split_half_of_ratio(correct, draws=20).value


def test_images_of_one_key_are_in_the_same_half():
    """One image is 1, the others 0: its half has the sum, whatever other images there are, and in whatever order."""
    keys = np.random.default_rng(3).integers(0, 2**32, 50)
    weights = np.zeros((1, 50))
    weights[0, 7] = 1
    alone = half_values(weights, np.ones((1, 50)), keys=keys) > 0
    assert alone.sum(axis=0).tolist() == [[1]] * 200
    assert 70 < alone[0].sum() < 130
    order = np.roll(np.arange(50), 11)[:30]
    assert np.array_equal(half_values(weights[:, order], np.ones((1, 30)), keys=keys[order]) > 0, alone)
    assert not np.array_equal(half_values(weights, np.ones((1, 50)), keys=keys, seed=1) > 0, alone)


def test_halves_by_key_find_the_same_reliability():
    correct, expected = decisions()
    result = reliability_from_halves(half_values(correct, keys=range(400)))
    assert result.value == pytest.approx(split_half_of_ratio(correct).value, abs=0.02)
    assert result.value == pytest.approx(expected, abs=0.1)


def test_halves_on_which_a_model_has_no_value():
    correct, _ = decisions(models=6, images=20)
    rare = np.zeros_like(correct)
    rare[:, :4] = 1
    result = split_half_of_ratio(correct * rare, rare, draws=100)
    assert 50 <= result.draws < 100
    rare[0, 1:] = 0
    result = split_half_of_ratio(correct * rare, rare, draws=100)
    assert (result.value, result.reason) == (
        None,
        "undefined (on most halves a model has no value, or all have the same)",
    )


def test_undefined_has_its_reason():
    assert reliability_from_errors([1, 2, 3, 4], [0] * 4).reason == "undefined (n = 4)"
    assert reliability_from_errors([1] * 6, [0.1] * 6).reason == "undefined (constant)"
    assert reliability_from_errors(range(6), [0] * 6).value == 1.0
    assert split_half_of_ratio(np.ones((4, 10))).reason == "undefined (n = 4)"
    assert split_half_of_ratio(np.ones((6, 10))).value is None
    rising = np.arange(6.0)
    opposite = reliability_from_halves(np.array([[rising], [-rising]]))
    assert (opposite.value, opposite.half) == (None, -1.0)
    assert opposite.reason == "undefined (the halves order the models the opposite way)"


@pytest.mark.parametrize(
    "call",
    [
        lambda: reliability_from_errors([1, 2], [1]),
        lambda: reliability_from_errors([1, 2], [1, -1]),
        lambda: reliability_from_errors([1, math.nan], [1, 1]),
        lambda: split_half_of_ratio(np.ones(5)),
        lambda: split_half_of_ratio(np.ones((5, 3)), np.ones((5, 2))),
        lambda: split_half_of_ratio(np.ones((5, 3)), draws=0),
        lambda: half_values(np.ones((5, 3)), keys=[1, 2]),
    ],
)
def test_refuses(call):
    with pytest.raises(ValueError, match="expected"):
        call()
