"""Embedding: canvases against a transcription in float64, and its measures."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from harness.plugins.probes.embedding import CONDITIONS, PAIRS, Embedding
from harness.testing import make_batch
from tests.helpers import shifts
from tests.helpers.observed import by_name, observed


def check_definition(stimuli, number, image, side, row, column):
    size = image.shape[-1]
    small, larger = shifts.resized(image, side), shifts.resized(image, side + 1)
    first, second = (shifts.placed(small, row + step, column + step, size) for step in (0, 1))
    expected = {
        "black-a": first,
        "black-b": second,
        "scale-b": shifts.placed(larger, row, column, size),
        "inpainted-a": shifts.inpainted(first, row, column, side, shifts.fast_blurred),
        "inpainted-b": shifts.inpainted(second, row + 1, column + 1, side, shifts.fast_blurred),
    }
    for condition in CONDITIONS:
        assert np.abs(stimuli[condition][number].numpy() - expected[condition]).max() < 1e-6, condition


@pytest.mark.parametrize(("size", "side", "corner"), [(224, 100, 62), (64, 29, 0), (65, 29, 35)])
def test_definition(size, side, corner):
    batch = make_batch(1, size)
    stimuli = dict(Embedding(corner=corner).stimuli(batch))
    assert tuple(stimuli) == CONDITIONS == Embedding().conditions(size)
    for number, image in enumerate(shifts.double(batch.images)):
        check_definition(stimuli, number, image, side, corner, corner)


def test_a_corner_of_its_own_for_each_image():
    batch = make_batch(40, 64)
    drawn = batch.uniform("embed")[:, 0, 0, :2].numpy()
    corners = np.floor(drawn * 35).astype(int)
    stimuli = dict(Embedding().stimuli(batch))
    for number in (0, 17, 39):
        check_definition(stimuli, number, shifts.double(batch.images)[number], 29, *corners[number])
    assert len(set(map(tuple, corners.tolist()))) > 30


@given(number=st.integers(0, 10**6), scale=st.sampled_from([0.45, 0.6, 0.8, 0.98]))
@settings(max_examples=40, deadline=None)
def test_a_picture_never_leaves_its_canvas(number, scale):
    """Nor does the one that is moved by a pixel, or larger by one: all of it is seen on the canvas."""
    batch = make_batch(1, 64)
    white = batch.__class__(torch.ones_like(batch.images), (str(number),), batch.targets, 0)
    sums = {name: float(stimulus[0, 0].sum()) for name, stimulus in Embedding(scale=scale).stimuli(white)}
    side = int(scale * 64 + 0.5)
    assert sums["black-a"] == sums["black-b"] == pytest.approx(side**2)
    assert sums["scale-b"] == pytest.approx((side + 1) ** 2)
    assert sums["inpainted-a"] == pytest.approx(64**2)


def test_every_corner_is_drawn():
    """Uniform over the places where picture and shift fit: the first and the last among them."""
    batch = make_batch(1, 16)
    many = batch.__class__(batch.images.expand(2000, -1, -1, -1), tuple(map(str, range(2000))), batch.targets * 2000, 0)
    corners = np.array(Embedding(scale=0.5)._corners(many, 8))
    counts = [np.bincount(axis, minlength=8) for axis in corners.T]
    assert corners.min() == 0 and corners.max() == 7
    assert all(abs(count - 250) < 5 * np.sqrt(250) for count in np.concatenate(counts))


@given(rows=st.lists(st.integers(0, 8), min_size=1, max_size=9, unique=True), size=st.sampled_from([16, 37, 64]))
@settings(max_examples=10, deadline=None)
def test_bit_identical_in_any_batch(rows, size):
    shifts.check_any_batch(Embedding(), size, rows)


def test_bit_identical_for_batch_sizes():
    shifts.check_batch_sizes(Embedding(), 32)


@pytest.mark.parametrize(
    ("parameters", "size", "message"),
    [
        (dict(scale=0), 64, r"in \(0, 1\)"),
        (dict(scale=1), 64, r"in \(0, 1\)"),
        (dict(scale=float("nan")), 64, r"in \(0, 1\)"),
        (dict(corner=-1), 64, "0 or more"),
        (dict(scale=0.01), 64, "gives a picture of 1; it must have 2 to 63"),
        (dict(scale=0.999), 64, "gives a picture of 64"),
        (dict(corner=35), 64, "the largest corner is 34"),
        (dict(corner=124), 224, "the largest corner is 123"),
    ],
)
def test_wrong_parameters(parameters, size, message):
    with pytest.raises(ValueError, match=message):
        Embedding(**parameters).conditions(size)


def test_measures_are_those_of_the_decisions():
    batch = make_batch(60, 32)
    probe = Embedding(scale=0.8)
    trials, logits = observed(probe.stimuli(batch), lambda x: 60 * (x[:, 0, 12:15, 9] - 0.5), base="black-a")
    named = by_name(probe.measures(trials))
    decided = {condition: values.argmax(axis=1) for condition, values in logits.items()}
    for label, (first, second) in PAIRS.items():
        assert named[f"top1-change/{label}"].value == pytest.approx(np.mean(decided[first] != decided[second])), label
        p, q = (softmax(logits[condition], axis=1)[np.arange(60), decided[first]] for condition in (first, second))
        assert named[f"mac/{label}"].value == pytest.approx(np.mean(abs(p - q)), abs=4e-4)
        assert named[f"top1/{label}"].value == named[f"top1/{first}"].value
    assert named["top1/black"].value == 1 and named["top1-change/scale"].value > 0
