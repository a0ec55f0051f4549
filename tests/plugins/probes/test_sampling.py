"""Affine views against SciPy's interpolation in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import map_coordinates

from harness.plugins.probes._sampling import View, seen
from harness.testing import make_batch


def transcribed(image, size, angle=0.0, rows=0.0, columns=0.0, scale=1.0):
    """Places as complex numbers, x - iy: a turn is a product. (3, S, S) to (3, size, size), float64."""
    side = image.shape[-1]
    axis = np.arange(size) - (size - 1) / 2
    places = (axis[None, :] - columns) - 1j * (axis[:, None] - rows)
    places = places * np.exp(-1j * np.deg2rad(angle)) / scale
    places = np.stack((-places.imag, places.real)) + (side - 1) / 2
    return np.stack([map_coordinates(channel, places, order=1, mode="grid-constant") for channel in image])


@given(
    angle=st.floats(-180, 180),
    rows=st.floats(-9, 9),
    columns=st.floats(-9, 9),
    scale=st.floats(0.3, 3),
    sides=st.sampled_from([(24, 24), (25, 24), (24, 19), (40, 35)]),
)
@settings(max_examples=60, deadline=None)
def test_definition(angle, rows, columns, scale, sides):
    side, size = sides
    images = make_batch(1, side).images
    made = seen(images, [View(angle=angle, rows=rows, columns=columns, scale=scale)], size)[0].numpy()
    expected = transcribed(images[0].double().numpy(), size, angle, rows, columns, scale)
    assert np.abs(made - expected).max() < 1e-6


def test_definition_at_224():
    images = make_batch(2, 224).images
    made = seen(images, [View(angle=17, rows=3.5), View(scale=0.4)], 224).numpy()
    assert np.abs(made[0] - transcribed(images[0].double().numpy(), 224, 17, 3.5)).max() < 1e-6
    assert np.abs(made[1] - transcribed(images[1].double().numpy(), 224, scale=0.4)).max() < 1e-6


@pytest.mark.parametrize("size", [9, 64, 224])
def test_the_identity_changes_no_bit(size):
    images = make_batch(2, size).images
    assert torch.equal(seen(images, [View()] * 2, size), images)


@given(rows=st.integers(-30, 30), columns=st.integers(-30, 30))
@settings(max_examples=30, deadline=None)
def test_whole_pixels_change_no_bit(rows, columns):
    images = make_batch(1, 24).images
    made = seen(images, [View(rows=rows, columns=columns)], 24)
    padded = torch.nn.functional.pad(images, (30, 30, 30, 30))
    assert torch.equal(made, padded[:, :, 30 - rows : 54 - rows, 30 - columns : 54 - columns])


def test_the_centre_of_a_larger_image():
    images = make_batch(1, 256).images
    assert torch.equal(seen(images, [View()], 224), images[:, :, 16:240, 16:240])


def test_a_positive_angle_turns_anticlockwise_as_in_pillow():
    image = Image.fromarray((make_batch(1, 65).images[0, 0].numpy() * 255).astype(np.uint8))
    turned = np.asarray(image.rotate(90)) / 255
    made = seen(torch.from_numpy(np.asarray(image) / 255).float().expand(1, 3, 65, 65), [View(angle=90)], 65)
    assert np.abs(made[0, 0].numpy() - turned).max() < 1e-6


def test_each_image_has_its_own_view():
    images = make_batch(3, 24).images
    views = [View(angle=5), View(rows=2.5), View(scale=1.5)]
    for number in range(3):
        alone = seen(images[number : number + 1], views[number : number + 1], 24)
        assert torch.equal(alone[0], seen(images, views, 24)[number])
