"""What the probes of small transformations do, written again in float64 with NumPy; and batches to show them."""

from functools import cache

import numpy as np
import torch

from harness.testing import make_batch, part

KERNEL = np.array([1, 11, 55, 165, 330, 462, 462, 330, 165, 55, 11, 1]) / 2048
"""[0.5, 0.5] convolved with itself ten times."""


def weights(before, after):
    """Bilinear weights of one axis, (after, before), antialiased where it shrinks; pixels are areas."""
    scale = before / after
    support = max(scale, 1.0)
    matrix = np.zeros((after, before))
    for row in range(after):
        centre = (row + 0.5) * scale
        distances = np.abs(np.arange(before) + 0.5 - centre) / support
        if scale < 1:  # beyond the edge, the pixel at the edge
            place = min(max(centre - 0.5, 0), before - 1)
            distances = np.abs(np.arange(before) - place)
        matrix[row] = np.maximum(0, 1 - distances)
    return matrix / matrix.sum(axis=1, keepdims=True)


def resized(image, side):
    """(3, S, S) to (3, side, side), float64."""
    matrix = weights(image.shape[-1], side)
    return matrix @ np.asarray(image, dtype=np.float64) @ matrix.T


def placed(picture, row, column, size):
    canvas = np.zeros((3, size, size))
    canvas[:, row : row + picture.shape[1], column : column + picture.shape[2]] = picture
    return canvas


def blurred(field):
    """(S, S) with the kernel along rows, then columns; of scipy's ``mode="same"``, that is from tap 5 on."""
    for _ in range(2):
        field = np.stack([np.convolve(line, KERNEL)[5 : 5 + field.shape[1]] for line in field]).T
    return field


def fast_blurred(field):
    """The same for (…, S, S) by two matrices."""
    matrix = banded(field.shape[-1])
    return matrix @ field @ matrix.T


@cache
def banded(size):
    """The kernel as a matrix, (size, size)."""
    return np.stack([np.convolve(line, KERNEL)[5 : 5 + size] for line in np.eye(size)]).T


def one_round(picture, mask, blur=blurred):
    """The authors' ``inpaint``: what a blur reaches becomes blurred picture / blurred mask."""
    *fields, surroundings = (blur(field) for field in (*(picture * mask), mask))
    quotient = np.stack(fields) / (surroundings + (surroundings == 0))
    return mask * picture + (1 - mask) * quotient, ((mask > 0) | (surroundings > 0)).astype(float)


def inpainted(picture, row, column, side, blur=blurred):
    """By a mask of known pixels, until all are."""
    mask = np.zeros(picture.shape[1:])
    mask[row : row + side, column : column + side] = 1
    while not mask.all():
        picture, mask = one_round(picture, mask, blur)
    return picture


def inpainted_by_pixels(picture, row, column, side, blur=blurred):
    """The authors' rule: unknown are the pixels with R + G + B = 0, until 200 are left, in 80 rounds at most."""
    mask = np.zeros(picture.shape[1:])
    mask[row : row + side, column : column + side] = 1
    for _ in range(80):
        if (picture.sum(axis=0) == 0).sum() <= 200:
            break
        picture, _ = one_round(picture, mask, blur)
        mask = (picture.sum(axis=0) != 0).astype(float)
    return picture


def double(images):
    return images.double().numpy()


def check_any_batch(probe, size, rows, n=9):
    """The stimuli of some rows, in any order, are those among all rows, bit for bit."""
    whole = make_batch(n, size, side=probe.side(size))
    together = {condition: stimulus.clone() for condition, stimulus in probe.stimuli(whole)}
    for condition, stimulus in probe.stimuli(part(whole, rows)):
        assert torch.equal(stimulus, together[condition][rows]), condition


def check_batch_sizes(probe, size, n=64):
    """The same in batches of 1, 7 and 64."""
    whole = make_batch(n, size, side=probe.side(size))
    together = {condition: stimulus.clone() for condition, stimulus in probe.stimuli(whole)}
    for count in (1, 7):
        for start in range(0, n, count):
            rows = list(range(start, min(start + count, n)))
            for condition, stimulus in probe.stimuli(part(whole, rows)):
                assert torch.equal(stimulus, together[condition][rows]), (condition, count)
