"""Sequences of frames against transcriptions in float64, and the two rates against that of the published code."""

import colorsys
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from harness.plugins.probes.shift_sequences import (
    PERTURBATIONS,
    ShiftSequences,
    brighter,
    moved,
    top5_distances,
)
from harness.testing import check_measures, check_probe, make_batch, make_trials
from tests.helpers import shifts
from tests.helpers.observed import by_name, observed
from tests.plugins.probes.test_sampling import transcribed


def frames(perturbation, n=1, size=32, **parameters):
    probe = ShiftSequences(perturbation=perturbation, **parameters)
    batch = make_batch(n, size, side=probe.side(size))
    return {condition: stimulus.clone() for condition, stimulus in probe.stimuli(batch)}, batch


def test_conditions():
    assert ShiftSequences().conditions(224) == tuple(f"translate-{frame:02d}" for frame in range(41))
    assert len(ShiftSequences().conditions(64)) == 13
    for perturbation in PERTURBATIONS[1:]:
        assert ShiftSequences(perturbation=perturbation).conditions(64)[::30] == (
            f"{perturbation}-00",
            f"{perturbation}-30",
        )
    sides = {name: ShiftSequences(perturbation=name).side(224) for name in PERTURBATIONS}
    assert sides == {"translate": 256, "rotate": 256, "scale": 256, "brightness": 224, "noise": 224}


@pytest.mark.parametrize("perturbation", PERTURBATIONS)
def test_the_contract(perturbation):
    check_probe(ShiftSequences(perturbation=perturbation), 24)


@pytest.mark.parametrize(
    ("perturbation", "frame"), [("translate", 3), ("rotate", 15), ("scale", 24), ("brightness", 15), ("noise", 0)]
)
def test_one_frame_is_the_middle_of_the_image_bit_for_bit(perturbation, frame):
    made, batch = frames(perturbation, 2)
    margin = (batch.images.shape[-1] - 32) // 2
    middle = batch.images[:, :, margin : margin + 32, margin : margin + 32]
    assert torch.equal(made[f"{perturbation}-{frame:02d}"], middle)
    assert sum(torch.equal(stimulus, middle) for stimulus in made.values()) == 1


def test_rotations_and_scales():
    for perturbation in ("rotate", "scale"):
        made, batch = frames(perturbation)
        image = batch.images[0].double().numpy()
        for frame in (0, 7, 22, 30):
            view = {"angle": -(frame - 15)} if perturbation == "rotate" else {"scale": (frame * 2.5 + 40) / 100}
            expected = transcribed(image, 32, **view)
            assert np.abs(made[f"{perturbation}-{frame:02d}"][0].numpy() - expected).max() < 1e-6


def test_translations_show_black_beyond_the_margin():
    images = make_batch(1, 64).images
    for step in range(-20, 21):
        made = moved(images, step, 20, 32)
        expected = np.roll(np.pad(images[0].numpy(), ((0, 0), (0, 0), (40, 40))), step, axis=2)[:, 16:48, 56:88]
        assert np.array_equal(made[0].numpy(), expected)


@given(change=st.floats(-0.3, 0.3), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_brightness_is_the_value_of_hsv(change, seed):
    images = make_batch(1, 4, seed).images
    images[0, :, 0, 0] = 0
    images[0, :, 1, 1] = 1
    for pixel, made in zip(images[0].flatten(1).T.double(), brighter(images, change)[0].flatten(1).T, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel.tolist())
        expected = colorsys.hsv_to_rgb(hue, saturation, min(1, max(0, value + change)))
        assert np.abs(made.numpy() - expected).max() < 1e-6


@pytest.mark.parametrize(("difficulty", "sd"), [(1, 0.03), (2, 0.05), (3, 0.08)])
def test_noise_is_normal_and_new_in_every_frame_and_channel(difficulty, sd):
    probe = ShiftSequences(perturbation="noise", difficulty=difficulty)
    grey = replace(make_batch(1, 48), images=torch.full((1, 3, 48, 48), 0.5))
    noise = np.stack([stimulus[0].numpy() - 0.5 for _, stimulus in probe.stimuli(grey)][1:4]).reshape(9, -1)
    assert noise.std(axis=1) == pytest.approx(sd, rel=0.06)
    assert abs(np.corrcoef(noise) - np.eye(9)).max() < 0.12


@pytest.mark.parametrize("perturbation", ["translate", "brightness"])
def test_bit_identical_for_batch_sizes(perturbation):
    shifts.check_batch_sizes(ShiftSequences(perturbation=perturbation), 16)


# --- the two rates ---------------------------------------------------------------------------


def published_distance(first, second):
    """``dist`` of ImageNet-P/test.py for the scores of all classes under two frames."""
    cumulated = np.cumsum([0] + [1] * 5 + [0] * (len(first) - 6))
    ranks, others = (rankdata(-scores, method="ordinal").astype(int) for scores in (first, second))
    sigma = others[np.argsort(ranks)]
    return np.sum(np.abs(cumulated[:5] - cumulated[sigma - 1][:5]))


def test_top5_distance_is_that_of_the_published_code_on_2000_rankings():
    rng = np.random.default_rng(0)
    for near in (0.01, 0.3, 3):
        scores = rng.normal(size=(667, 1000 if near < 1 else 12))
        others = scores + near * rng.normal(size=scores.shape)
        lists = [np.argsort(-values, axis=1)[:, :5] for values in (scores, others)]
        expected = [published_distance(*pair) for pair in zip(scores, others, strict=True)]
        assert top5_distances(*lists).tolist() == expected
        assert len(set(expected)) > 4


def test_top5_distance_has_its_range():
    """Every list of five of ten classes against 0 … 4: 15 without a common class, 18 where two change their ends."""
    lists = np.array(list(permutations(range(10), 5)))
    distances = top5_distances(np.arange(5), lists)
    assert distances.min() == 0 and (distances == 0).sum() == 1
    assert set(distances[(lists > 4).all(axis=1)]) == {15}
    assert distances.max() == 18 == top5_distances(np.arange(5), np.array([4, 3, 7, 8, 9]))


def published_flips(predictions, step, noise):
    """``flip_prob`` of ImageNet-P/test.py."""
    result = []
    for video in predictions:
        flips = []
        for start in range(1 if noise else step):
            before = video[start]
            for prediction in video[start :: 1 if noise else step][1:]:
                flips.append(before != prediction)
                before = before if noise else prediction
        result.append(np.mean(flips))
    return np.mean(result)


@pytest.mark.parametrize("difficulty", [1, 2, 3])
@pytest.mark.parametrize("perturbation", ["translate", "noise"])
def test_flip_rate_is_that_of_the_published_code(perturbation, difficulty):
    probe = ShiftSequences(perturbation=perturbation, difficulty=difficulty)
    batch = make_batch(50, 32, side=probe.side(32))

    def network(images):
        return torch.stack([300 * images[:, 0, low : low + 12, 4:16].mean(dim=(1, 2)) for low in (0, 9, 18)], 1)

    base = probe.conditions(32)[probe._unchanged(probe.conditions(32))]
    trials, logits = observed(probe.stimuli(batch), network, base=base)
    named = by_name(probe.measures(trials))
    decided = np.stack([values.argmax(axis=1) for values in logits.values()], axis=1)
    expected = published_flips(decided, difficulty, perturbation == "noise")
    assert named[f"flip-rate/{perturbation}"].value == pytest.approx(expected) and expected > 0.01
    assert named[f"top1/{base}"].value == 1 and named[f"flip-rate-correct/{perturbation}"].value is not None
    check_measures(probe, trials)


def test_every_frame_has_its_accuracy():
    probe = ShiftSequences()
    trials = make_trials(probe.conditions(64), n=60)
    named = by_name(probe.measures(trials))
    for frame, right in zip(trials.layout.conditions, trials.correct.T, strict=True):
        assert named[f"top1/{frame}"].value == right.mean() and named[f"n/{frame}"].value == 60
    assert len(trials.layout.conditions) == 13


def test_a_network_at_chance_has_no_rates():
    named = by_name(ShiftSequences().measures(make_trials(ShiftSequences().conditions(64), n=60)))
    for name in ("flip-rate/translate", "top5-distance/translate", "mac/translate"):
        assert named[name].value is None and "correct before the change" in named[name].reason


def test_first_choices_alone_have_no_distance():
    trials = make_trials(ShiftSequences().conditions(64), n=60)
    top5 = np.where(np.arange(5) > 0, -1, trials.layout.targets[:, :, None]).repeat(13, axis=1).astype(np.int16)
    trials = replace(trials, top5=top5, correct=np.ones_like(trials.correct), logp=np.full(top5.shape, np.nan, "f2"))
    named = by_name(ShiftSequences().measures(trials))
    assert named["flip-rate/translate"].value == 0
    assert named["top5-distance/translate"].reason == "only first choices are known"


@pytest.mark.parametrize(
    ("parameters", "size", "message"),
    [
        (dict(perturbation="tilt"), 64, "translate, rotate, scale, brightness, noise; got 'tilt'"),
        (dict(difficulty=4), 64, "1, 2 or 3"),
        (dict(difficulty=3), 11, "3 frames of 11 pixels have no pairs of difficulty 3"),
    ],
)
def test_wrong_parameters(parameters, size, message):
    with pytest.raises(ValueError, match=message):
        ShiftSequences(**parameters).conditions(size)
