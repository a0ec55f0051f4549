"""The Laplacian pyramid as linear operators: against pyrtools, and what its bands must be."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrtools.pyramids import LaplacianPyramid
from pyrtools.pyramids.c.wrapper import corrDn, upConv

from harness.plugins.probes._pyramid import TAPS, band_count, equal_power_bands, expansion, operators, reduction


def rms(field):
    return np.sqrt(np.mean(np.square(field)))


@pytest.mark.parametrize("length", [*range(5, 20), 28, 37, 56, 112, 224, 225])
def test_operators_of_one_axis_are_those_of_pyrtools(length):
    column = TAPS.reshape(-1, 1)
    half = (length + 1) // 2
    # Six equal columns: pyrtools wants images at least as large as the filter.
    down = np.stack([corrDn(np.outer(row, np.ones(6)), column, step=(2, 1))[:, 0] for row in np.eye(length)], axis=1)
    assert np.allclose(reduction(length), down, atol=1e-12)
    up = [upConv(np.outer(row, np.ones(6)), column, step=(2, 1), stop=(length, 6))[:, 0] for row in np.eye(half)]
    assert np.allclose(expansion(length), np.stack(up, axis=1), atol=1e-12)


def test_taps():
    assert TAPS.sum() == pytest.approx(np.sqrt(2))
    assert np.array_equal(TAPS, TAPS[::-1])


@pytest.mark.parametrize(("size", "bands"), [(224, 7), (64, 5), (32, 4), (20, 4), (19, 3), (256, 7), (320, 8)])
def test_band_count(size, bands):
    assert band_count(size) == bands


@pytest.mark.parametrize("sizes", [range(32, 513, 13), (32, 39, 40, 64, 79, 80, 160, 224, 320, 512)])
def test_band_count_is_that_of_pyrtools(sizes):
    assert [band_count(size) for size in sizes] == [
        LaplacianPyramid(np.zeros((size, size))).num_scales for size in sizes
    ]


@pytest.mark.parametrize("size", [20, 33, 37, 64, 80, 160, 224, 225])
def test_bands_are_those_of_pyrtools(size):
    field = np.random.default_rng(size).standard_normal((size, size)).astype(np.float32)
    pyramid = LaplacianPyramid(field.astype(np.float64))
    power = rms(pyramid.recon_pyr(levels=0))
    bands = list(equal_power_bands(torch.from_numpy(field)[None]))
    assert len(bands) == pyramid.num_scales
    for level, band in enumerate(reversed(bands)):
        expected = pyramid.recon_pyr(levels=level)
        assert np.abs(band[0].numpy() - expected * power / rms(expected)).max() < 4e-6  # values up to 5


@given(size=st.integers(20, 70), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_equal_power_and_one_sum(size, seed):
    field = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, size, size)).astype(np.float32))
    bands = list(equal_power_bands(field))
    assert len(bands) == band_count(size)
    powers = torch.stack([band.square().mean(dim=(1, 2)).sqrt() for band in bands])
    assert torch.allclose(powers, powers[-1].expand_as(powers), rtol=1e-5)
    # Undo the scaling with pyrtools' powers: the bands sum to the noise.
    for index in range(2):
        pyramid = LaplacianPyramid(field[index].double().numpy())
        levels = [rms(pyramid.recon_pyr(levels=level)) for level in range(pyramid.num_scales)]
        total = sum(
            band[index].double() * level / levels[0] for band, level in zip(reversed(bands), levels, strict=True)
        )
        assert np.abs(total.numpy() - field[index].numpy()).max() < 5e-6


def test_power_of_unit_noise_in_the_finest_band():
    # Measured with pyrtools on 20 fields of 224 x 224: 0.943.
    field = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 224, 224)).astype(np.float32))
    for band in equal_power_bands(field):
        assert band.square().mean(dim=(1, 2)).sqrt() == pytest.approx(0.943, abs=0.01)


def test_each_band_lies_an_octave_above_the_one_below():
    size = 128
    field = torch.from_numpy(np.random.default_rng(1).standard_normal((8, size, size)).astype(np.float32))
    across, down = np.meshgrid(np.fft.fftfreq(size) * size, np.fft.fftfreq(size) * size)
    radius = np.hypot(across, down)
    means = []
    for band in equal_power_bands(field):
        power = (np.abs(np.fft.fft2(band.numpy())) ** 2).sum(axis=0)
        means.append((power * radius).sum() / power.sum())
    ratios = np.divide(means[1:], means[:-1])
    assert (ratios > 1.5).all() and (ratios < 3.3).all(), ratios


def test_operators_are_cached_and_bounded():
    device = torch.device("cpu")
    assert operators(64, 2, device) is operators(64, 2, device)
    assert operators.cache_info().maxsize is not None
