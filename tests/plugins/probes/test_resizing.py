"""Bilinear resizing against a transcription in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.plugins.probes._resizing import pixels, resized
from harness.testing import make_batch
from tests.helpers import shifts


@pytest.mark.parametrize(("before", "after"), [(224, 234), (224, 100), (224, 101), (64, 67), (64, 29), (65, 30)])
def test_definition(before, after):
    images = make_batch(2, before).images
    for image, made in zip(shifts.double(images), resized(images, after), strict=True):
        assert np.abs(made.numpy() - shifts.resized(image, after)).max() < 1e-6


@given(before=st.integers(2, 40), after=st.integers(1, 40), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_any_sides(before, after, seed):
    images = make_batch(1, before, seed).images
    made = resized(images, after)
    assert np.abs(made[0].numpy() - shifts.resized(shifts.double(images)[0], after)).max() < 1e-6
    assert made.min() >= 0 and made.max() <= 1


def test_antialiased_as_pillow_does():
    image = make_batch(1, 96).images[0]
    for row, made in zip(image, resized(image[None], 41)[0], strict=True):
        reference = Image.fromarray(row.numpy(), mode=None).resize((41, 41), Image.Resampling.BILINEAR)
        assert np.abs(made.numpy() - np.asarray(reference)).max() < 1e-5


@given(level=st.integers(0, 255), side=st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_a_constant_stays(level, side):
    made = resized(torch.full((1, 3, 16, 16), level / 255), side)
    assert torch.allclose(made, torch.full_like(made, level / 255), atol=1e-7, rtol=0)


@pytest.mark.parametrize("size", [9, 64, 224])
def test_the_same_side_changes_no_bit(size):
    images = make_batch(2, size).images
    assert torch.equal(resized(images, size), images)


@pytest.mark.parametrize("after", [100, 224, 234])
def test_as_many_threads_as_you_like(after):
    images, threads = make_batch(1, 224).images, torch.get_num_threads()
    try:
        made = [(torch.set_num_threads(count), resized(images, after))[1] for count in (1, 2, 3)]
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(made[0], made[1]) and torch.equal(made[0], made[2])


def test_halves_of_pixels_are_rounded_up():
    assert [pixels(0.5, size) for size in (3, 4, 5)] == [2, 2, 3]
    assert pixels(100 / 224, 224) == 100 and pixels(100 / 224, 64) == 29
