"""Inpainting against a transcription of the authors' code in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.plugins.probes._inpainting import blur, inpainted
from harness.testing import make_batch
from tests.helpers import shifts


def embedded(size, side, corners, seed=0):
    """Random pictures of `side` on black, (n, 3, size, size)."""
    pictures = make_batch(len(corners), side, seed).images
    canvas = torch.zeros(len(corners), 3, size, size)
    for number, (row, column) in enumerate(corners):
        canvas[number, :, row : row + side, column : column + side] = pictures[number]
    return canvas


def test_the_blur_is_the_kernel_of_the_authors():
    kernel = np.array([0.5, 0.5])
    for _ in range(10):
        kernel = np.convolve(kernel, [0.5, 0.5])
    assert np.array_equal(kernel, shifts.KERNEL)
    field = np.random.default_rng(0).random((30, 30))
    matrix = blur(30, torch.device("cpu")).double().numpy()
    assert np.allclose(matrix @ field @ matrix.T, shifts.blurred(field), atol=1e-14, rtol=0)
    assert np.allclose(shifts.fast_blurred(field), shifts.blurred(field), atol=1e-14, rtol=0)


@pytest.mark.parametrize("size", [3, 7, 11, 12, 13])
def test_the_blur_of_a_canvas_smaller_than_the_kernel(size):
    matrix = blur(size, torch.device("cpu")).double().numpy()
    assert np.array_equal(matrix, np.stack([np.convolve(line, shifts.KERNEL)[5 : 5 + size] for line in np.eye(size)]).T)


@pytest.mark.parametrize(
    ("size", "side", "corner"), [(64, 29, (0, 0)), (64, 29, (34, 3)), (65, 20, (45, 45)), (224, 100, (62, 62))]
)
def test_definition(size, side, corner):
    canvas = embedded(size, side, [corner])
    made = inpainted(canvas, [corner], side)[0].numpy()
    assert np.abs(made - shifts.inpainted(shifts.double(canvas)[0], *corner, side, shifts.fast_blurred)).max() < 1e-6
    rows, columns = (slice(at, at + side) for at in corner)
    assert np.array_equal(made[:, rows, columns], canvas[0, :, rows, columns].numpy())


@given(data=st.data(), size=st.integers(4, 40))
@settings(max_examples=30, deadline=None)
def test_any_place(data, size):
    side = data.draw(st.integers(1, size))
    corners = [tuple(data.draw(st.integers(0, size - side)) for _ in "yx") for _ in range(3)]
    canvas = embedded(size, side, corners)
    made = inpainted(canvas, corners, side)
    for number, corner in enumerate(corners):
        expected = shifts.inpainted(shifts.double(canvas)[number], *corner, side)
        assert np.abs(made[number].numpy() - expected).max() < 1e-6
    assert made.min() >= 0 and made.max() <= 1


def test_black_pixels_of_the_picture_stay_and_the_original_paints_over_them():
    canvas = embedded(48, 20, [(10, 12)])
    canvas[:, :, 14:20, 16:22] = 0
    made = inpainted(canvas, [(10, 12)], 20)[0].numpy()
    assert (made[:, 14:20, 16:22] == 0).all()
    black = shifts.inpainted_by_pixels(shifts.double(canvas)[0], 10, 12, 20)
    assert (black[:, 14:20, 16:22] > 0).all()


def test_without_black_pixels_both_rules_give_the_same_but_for_the_last_200():
    canvas = embedded(48, 20, [(10, 12)])
    canvas[:, :, 10:30, 12:32].clamp_(min=1 / 255)
    ours, theirs = (
        rule(shifts.double(canvas)[0], 10, 12, 20) for rule in (shifts.inpainted, shifts.inpainted_by_pixels)
    )
    known = theirs.sum(axis=0) > 0
    assert (~known).sum() <= 200
    assert np.abs(ours - theirs)[:, known].max() < 1e-12


def test_a_constant_picture_fills_the_canvas():
    canvas = torch.zeros(1, 3, 40, 40)
    canvas[:, :, 5:15, 20:30] = 0.7
    assert torch.allclose(inpainted(canvas, [(5, 20)], 10), torch.full_like(canvas, 0.7), atol=1e-6, rtol=0)


def test_pictures_blurred_together_are_those_blurred_alone(monkeypatch):
    """As on an accelerator, where a chunk holds many: the same up to rounding, and bit for bit among any others."""
    corners = [(0, 0), (19, 40), (44, 44), (7, 3), (30, 12)]
    canvas = embedded(64, 20, corners)
    alone = inpainted(canvas, corners, 20)

    def in_chunks_of_four(samples):
        for start in range(0, len(samples), 4):
            chunk = samples[start : start + 4].clone()
            place = slice(start, start + len(chunk))
            yield place, torch.cat((chunk, chunk.new_zeros(4 - len(chunk), *chunk.shape[1:])))

    monkeypatch.setattr("harness.plugins.probes._inpainting.chunks", in_chunks_of_four)
    together = inpainted(canvas, corners, 20)
    assert torch.allclose(together, alone, atol=1e-6, rtol=0)
    for rows in ([4], [3, 1], [4, 3, 2, 1, 0]):
        assert torch.equal(inpainted(canvas[rows], [corners[row] for row in rows], 20), together[rows])
