"""The synthetic world: random numbers, sines, silhouettes and textures, against independent computations."""

import hashlib
import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plugins.datasets.shapes import silhouettes, textures
from harness.plugins.datasets.shapes.stream import Stream, cosine, sine, sines

WORD = (1 << 64) - 1
MULTIPLIERS, STEPS = (0xD2E7470EE14C6C93, 0xCA5A826395121157), (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)


def philox(key, counter):
    """Philox4x64-10 (Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011)."""
    words, keys = [counter, 0, 0, 0], [key & WORD, key >> 64]
    for _ in range(10):
        first, second = MULTIPLIERS[0] * words[0], MULTIPLIERS[1] * words[2]
        words = [second >> 64 ^ words[1] ^ keys[0], second & WORD, first >> 64 ^ words[3] ^ keys[1], first & WORD]
        keys = [(one + step) & WORD for one, step in zip(keys, STEPS, strict=True)]
    return words


def words_of(count, *name):
    key = int.from_bytes(hashlib.sha256("\x1f".join(map(str, name)).encode()).digest()[:16], "little")
    return [word for counter in range(1, count // 4 + 2) for word in philox(key, counter)][:count]


def test_words_are_those_of_philox():
    assert Stream("shapes", "shapes", 0, "star-003").raw(11).tolist() == words_of(11, "shapes", "shapes", 0, "star-003")


def test_numbers_are_made_of_the_words_in_order():
    stream, words = Stream("a", 1), words_of(8, "a", 1)
    units = [(word >> 11) / 2**53 for word in words]
    assert stream.units(2, 2).ravel().tolist() == units[:4]
    assert stream.unit() == units[4]
    assert stream.pick(10) == int(units[5] * 10)
    assert stream.between(-3, 5) == -3 + 8 * units[6]
    parts = [words[7] >> shift & 0xFFFF for shift in (0, 16, 32, 48)]
    variance = 4 * (65536**2 - 1) / 12
    assert stream.normals(1)[0] == pytest.approx((sum(parts) - 131070) / math.sqrt(variance), rel=1e-6)


def test_normals_have_mean_0_and_variance_1():
    drawn = Stream("normals").normals(200, 500)
    assert abs(drawn.mean()) < 4 / math.sqrt(drawn.size) and abs(drawn.var() - 1) < 0.02
    assert np.abs(drawn).max() <= math.sqrt(12)


@given(st.floats(-100, 100))
def test_sines(turns):
    assert sine(turns) == pytest.approx(math.sin(2 * math.pi * turns), abs=1e-9)
    assert cosine(turns) == pytest.approx(math.cos(2 * math.pi * turns), abs=1e-9)
    assert sines(np.array([turns]))[0] == sine(turns)


def test_silhouettes_are_16_and_no_two_alike():
    atlas = silhouettes.atlas().astype(bool)
    assert atlas.shape == (16, silhouettes.SIDE, silhouettes.SIDE) and len(silhouettes.SILHOUETTES) == 16
    for one, other in combinations(atlas, 2):
        assert (one & other).sum() / (one | other).sum() < 0.8
    areas = atlas.sum(axis=(1, 2))
    assert areas.max() < 2 * areas.min(), "the area must not tell the class"
    assert not atlas[:, 0].any() and not atlas[:, -1].any() and not atlas[:, :, 0].any() and not atlas[:, :, -1].any()


def spectrum(texture):
    """Share of the power at each frequency, without the mean."""
    power = np.abs(np.fft.fft2(texture - texture.mean())) ** 2
    return power / power.sum()


def test_textures_differ_in_their_spectra():
    spectra = {name: spectrum(one) for name, one in zip(textures.TEXTURES, textures.atlas(), strict=True)}
    assert len(spectra) == 16
    for (one, first), (other, second) in combinations(spectra.items(), 2):
        shared = np.minimum(first, second).sum()
        assert shared < 0.75, (one, other, shared)  # dots and scales lie on one lattice


@pytest.mark.parametrize(
    ("name", "peak"),  # cycles an atlas of 256 points: (down, right), from the periods in the table
    [
        ("bars", (256 // 32, 0)),
        ("columns", (0, 256 // 16)),
        ("checks", (256 // 16, 256 // 16)),
        ("plates", (256 // 64, 256 // 64)),
        ("slashes", (256 // 32, 256 // 32)),
        ("backslashes", (256 // 16, -256 // 16)),
    ],
)
def test_periods(name, peak):
    found = spectrum(textures.atlas()[list(textures.TEXTURES).index(name)])
    down, right = np.unravel_index(found.argmax(), found.shape)
    cycles = {(int(down + 128) % 256 - 128, int(right + 128) % 256 - 128)}
    mirrored = {peak, (-peak[0], -peak[1])}
    if name in ("checks", "plates"):
        mirrored |= {(-peak[0], peak[1]), (peak[0], -peak[1])}
    assert cycles <= mirrored


def test_textures_repeat_without_a_seam():
    """The step over the edge is no larger than the largest within."""
    for name, texture in zip(textures.TEXTURES, textures.atlas().astype(int), strict=True):
        for one in (texture, texture.T):
            within = max(np.abs(a - b).mean() for a, b in pairwise(one))
            assert np.abs(one[0] - one[-1]).mean() <= within + 1e-9, name
