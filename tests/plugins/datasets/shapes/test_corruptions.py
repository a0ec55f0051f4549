"""The corruptions of shapes-c and shapes-c-bar: severities, and what each does, against analytic answers."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from harness.plugins.datasets.shapes.corruptions import CORRUPTIONS
from harness.plugins.datasets.shapes.filters import LEVELS, box_blurred, disc_blurred, displaced, mean_of_moved
from harness.plugins.datasets.shapes.scene import Look, picture
from harness.plugins.datasets.shapes.stream import Stream
from harness.plugins.datasets.shapes.unlike_corruptions import UNLIKE_CORRUPTIONS

ALL = {**CORRUPTIONS, **UNLIKE_CORRUPTIONS}
IMAGES = [picture((number,), (number,), Stream("test", number), Look()) for number in range(16)]
for image in IMAGES:
    image.flags.writeable = False


def corrupted(name, level, number=0, image=None):
    return ALL[name](IMAGES[number] if image is None else image, level, Stream("corruption", number))


def flat(grey):
    return np.full((64, 64, 3), grey, dtype=np.uint8)


def impulse():
    image = flat(0)
    image[32, 32] = 255
    return image


def test_there_are_16_and_8():
    assert (len(CORRUPTIONS), len(UNLIKE_CORRUPTIONS), len(ALL)) == (16, 8, 24)


@pytest.mark.parametrize("name", ALL)
def test_severity_rises(name):
    change = np.zeros((len(LEVELS), len(IMAGES)))
    for number, image in enumerate(IMAGES):
        for level in LEVELS:
            made = corrupted(name, level, number)
            assert made.shape == (64, 64, 3) and made.dtype == np.uint8
            change[level - 1, number] = np.abs(made.astype(int) - image).mean()
    assert (np.diff(change.mean(axis=1)) > 0).all(), change.mean(axis=1)
    assert (change[4] > change[0]).mean() > 0.9, "of nearly every image: blur along stripes hardly shows"
    assert change[0].mean() > 0.05


@pytest.mark.parametrize("name", ALL)
def test_random_numbers_alone_decide(name):
    assert (corrupted(name, 3) == corrupted(name, 3)).all()
    drawn = {ALL[name](IMAGES[0], 3, Stream("other", number)).tobytes() for number in range(3)}
    none = {"defocus_blur", "gaussian_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"}
    assert len(drawn) == (1 if name in none else 3)


def test_noise_has_its_standard_deviation():
    for level, deviation in zip(LEVELS, (6, 10, 15, 23, 35), strict=True):
        made = corrupted("gaussian_noise", level, image=flat(128)).astype(float)
        assert made.std() == pytest.approx(deviation, rel=0.03) and made.mean() == pytest.approx(128, abs=1)


def test_shot_noise_grows_with_the_root_of_the_light_and_speckle_with_the_light():
    for name, factor in (("shot_noise", 2.0), ("speckle_noise", 4.0)):
        dark, bright = (corrupted(name, 2, image=flat(grey)).astype(float).std() for grey in (40, 160))
        assert bright / dark == pytest.approx(factor, rel=0.05)


def test_impulses_hit_their_share():
    for level, share in zip(LEVELS, (0.008, 0.018, 0.035, 0.07, 0.14), strict=True):
        made = corrupted("impulse_noise", level, image=flat(100))
        black, white = (made == 0).mean(), (made == 255).mean()
        assert black == pytest.approx(share / 2, rel=0.25) and white == pytest.approx(share / 2, rel=0.25)
        assert ((made == 100) | (made == 0) | (made == 255)).all()


@pytest.mark.parametrize("radius", [1.0, 1.5, 2.3, 3.2, 4.5])
def test_disc(radius):
    line = np.arange(-5, 6)
    disc = (line[:, None] ** 2 + line**2 <= radius**2).astype(float)
    expected = ndimage.correlate(IMAGES[3].astype(float), (disc / disc.sum())[..., None], mode="nearest")
    assert np.abs(disc_blurred(IMAGES[3], radius) - expected).max() <= 0.5 + 1e-9


def test_gaussian_blur_has_its_standard_deviations():
    line = np.arange(64) - 32
    for (reach, times), deviation in zip(
        ((1, 1), (1, 2), (1, 3), (2, 2), (3, 2)), (0.8, 1.2, 1.4, 2.0, 2.8), strict=True
    ):
        spread = box_blurred(impulse()[..., 0].astype(np.int64) << 12, reach, times).astype(float)
        shares = spread.sum(axis=0) / spread.sum()
        assert np.sqrt((shares * line**2).sum()) == pytest.approx(deviation, abs=0.05)
        expected = ndimage.uniform_filter(IMAGES[2].astype(float), (2 * reach + 1,) * 2 + (0,), mode="nearest")
        if times == 1:
            assert np.abs(box_blurred(IMAGES[2], reach, 1) - expected).max() <= 0.51


def test_moves_and_displacements_are_exact_for_whole_pixels():
    image, none = IMAGES[1], np.zeros((64, 64), dtype=np.int64)
    assert (mean_of_moved(image, [(0, 0)]) == image).all()
    assert (mean_of_moved(image, [(3, -2)])[3:, :-2] == image[:-3, 2:]).all()
    assert (displaced(image, none, none) == image).all()
    assert (displaced(image, none + 3 * 256, none - 2 * 256)[:-3, 2:] == image[3:, :-2]).all()
    half = displaced(image, none, none + 128)[:, :-1].astype(int)
    assert np.abs(2 * half - (image[:, :-1].astype(int) + image[:, 1:])).max() <= 1


@pytest.mark.parametrize("name", ["motion_blur", "defocus_blur", "gaussian_blur"])
def test_blurs_keep_the_light_of_a_point_and_spread_it(name):
    made = [corrupted(name, level, image=impulse()) for level in LEVELS]
    lit = [(one > 0).sum() for one in made]
    assert lit == sorted(lit)
    assert all(abs(int(one[..., 0].sum()) - 255) <= (one[..., 0] > 0).sum() for one in made)


def test_zoom_keeps_the_middle():
    """Half way from the centre a step from dark to bright spreads outwards by the magnification."""
    rings = flat(0)
    rings[16:48, 16:48] = 200
    made = corrupted("zoom_blur", 5, image=rings)
    assert (made[18:46, 18:46] == 200).all() and 0 < made[8, 32, 0] < 200


def test_brightness_and_contrast():
    assert (corrupted("brightness", 2) == np.minimum(IMAGES[0].astype(int) + 60, 255)).all()
    for level, factor in zip(LEVELS, (150, 105, 72, 48, 30), strict=True):
        mean = IMAGES[5].mean()
        expected = (IMAGES[5] - mean) * (factor / 256) + mean
        assert np.abs(corrupted("contrast", level, 5) - expected).max() <= 0.6


def test_larger_pixels():
    made = corrupted("pixelate", 5)
    bounds = [number * 64 // 14 for number in range(15)]
    for top, low in pairwise(bounds):
        for left, right in pairwise(bounds):
            block, mean = made[top:low, left:right], IMAGES[0][top:low, left:right].mean(axis=(0, 1))
            assert (block == block[0, 0]).all() and np.abs(block[0, 0] - mean).max() < 1


def test_veils_and_stars_have_the_right_sign():
    for name in ("fog", "snow", "frost"):
        assert (corrupted(name, 5, image=flat(40)) >= 40).all()
    for name in ("sparkles", "caustic_refraction"):
        assert (corrupted(name, 5, image=flat(90)) >= 90).all()
    assert (corrupted("inverse_sparkles", 5, image=flat(90)) <= 90).all()


@pytest.mark.parametrize("name", ["single_frequency_greyscale", "concentric_sine_waves", "plasma_noise"])
def test_light_that_is_added_has_no_colour(name):
    made = corrupted(name, 3, image=flat(128))
    assert (made == made[..., :1]).all() and made.std() > 3


def test_a_single_frequency():
    power = np.abs(np.fft.fft2(corrupted("single_frequency_greyscale", 4, image=flat(128))[..., 0] - 128.0)) ** 2
    peak = np.unravel_index(power.argmax(), power.shape)
    near = np.roll(power, (2 - peak[0], 2 - peak[1]), axis=(0, 1))[:5, :5].sum()
    assert near > 0.4 * power.sum()


def test_cut_outs_are_grey_and_the_rest_is_as_it_was():
    for name in ("checkerboard_cutout", "blue_noise_sample"):
        hit = [(corrupted(name, level, image=flat(10)) == 128).all(axis=2) for level in LEVELS]
        for level, where in zip(LEVELS, hit, strict=True):
            assert (corrupted(name, level, image=flat(10))[~where] == 10).all()
        assert all((milder <= harder).all() for milder, harder in pairwise(hit))
    assert (corrupted("checkerboard_cutout", 5, image=flat(10))[..., 0] == 128).mean() == 0.5


def test_blue_noise_has_few_low_frequencies():
    lost = (corrupted("blue_noise_sample", 5, image=flat(10))[..., 0] == 128).astype(float)
    power = np.abs(np.fft.fft2(lost - lost.mean())) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(64, 1 / 64), np.fft.fftfreq(64, 1 / 64)))
    assert power[radius < 10].mean() < 0.5 * power[radius > 24].mean()
