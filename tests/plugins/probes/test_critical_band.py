"""The critical-band probe: against pyrtools and the original's steps, and its channels against the published ones."""

import json
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pyrtools.pyramids import LaplacianPyramid

from harness import Batch, TaskLayout, Trials
from harness.plugins.probes._channels import TABLE, place_of, tabulated
from harness.plugins.probes._pyramid import band_count
from harness.plugins.probes.critical_band import (
    NOISE_SDS,
    Channel,
    ChannelError,
    CriticalBand,
    _low_contrast,
    _masked,
    fit,
    search,
    thresholds,
)
from tests.helpers.places import REAL as SHARED_REAL

FITS = SHARED_REAL / "critical_band" / "published_fits.json"


def batch(count, size, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, size=(count, 3, size, size), dtype=np.uint8)
    images = torch.from_numpy(pixels).float() / 255
    return Batch(images=images, sample_ids=tuple(map(str, range(count))), targets=((0,),) * count, seed=3)


def part(whole, places):
    ids = tuple(whole.sample_ids[place] for place in places)
    return Batch(images=whole.images[list(places)], sample_ids=ids, targets=((0,),) * len(ids), seed=whole.seed)


def rms(field):
    return np.sqrt(np.mean(np.square(field)))


def as_pil(image):
    """(3, S, S) float in [0, 1] -> PIL image."""
    return Image.fromarray(np.rint(image.numpy() * 255).astype(np.uint8).transpose(1, 2, 0))


def original(image, field, sd, band):
    """The study's transform of one (3, S, S) image in float64, with `field` for its random draw."""
    grey = np.asarray(as_pil(image).convert("L"), dtype=np.uint8) / 255.0
    base = (grey - grey.mean()) * 0.2 + 0.449
    if sd == 0:
        return base
    pyramid = LaplacianPyramid(field * sd)
    noise = pyramid.recon_pyr(levels=pyramid.num_scales - 1 - band)
    noise = noise * rms(pyramid.recon_pyr(levels=0)) / rms(noise)
    noisy = base + noise
    shifted = np.where(noisy < 0, 0.1 - noise, np.where(noisy > 1, 0.9 - noise, base))
    return np.where((noisy < 0) | (noisy > 1), shifted + noise, noisy)


# --- stimuli ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64, 37, 40])
def test_stimuli_are_those_of_the_original(size):
    images = batch(2, size)
    fields = images.noise("critical-band").double().numpy()
    stimuli = dict(CriticalBand().stimuli(images))
    assert tuple(stimuli) == CriticalBand().conditions(size)
    assert len(stimuli) == 1 + 4 * band_count(size)
    for index in range(2):
        assert np.abs(stimuli["noise-0"][index].numpy() - original(images.images[index], None, 0, 0)).max() < 1e-6
        for sd in NOISE_SDS:
            for band in range(band_count(size)):
                expected = original(images.images[index], fields[index], sd, band)
                difference = np.abs(stimuli[f"noise-{sd}-f{band}"][index].numpy() - expected)
                assert difference.max() < 1e-6, (sd, band)


def test_stimuli_at_224():
    images = batch(1, 224)
    field = images.noise("critical-band")[0].double().numpy()
    stimuli = dict(CriticalBand().stimuli(images))
    assert len(stimuli) == 29
    for name in ("noise-0.16-f0", "noise-0.16-f3", "noise-0.16-f6", "noise-0.02-f1"):
        _, sd, band = name.split("-")
        expected = original(images.images[0], field, float(sd), int(band[1:]))
        assert np.abs(stimuli[name][0].numpy() - expected).max() < 1e-6, name


def test_grey_is_that_of_pil():
    # All values of each channel against each other, 65,536 colours an image.
    first, second = (axis.astype(np.uint8) for axis in np.meshgrid(np.arange(256), np.arange(256)))
    colours = [(first, second, 255 - first), (second, first, first ^ second), (first, first, second)]
    pixels = np.stack([np.stack(colour) for colour in colours])
    images = torch.from_numpy(pixels).float() / 255
    for image, low_contrast in zip(images, _low_contrast(images), strict=True):
        grey = np.asarray(as_pil(image).convert("L")) / 255
        recovered = (low_contrast.double().numpy() - 0.449) / 0.2 + grey.mean()
        assert np.array_equal(np.rint(recovered * 255), np.rint(grey * 255))


def test_mean_and_contrast():
    images = batch(4, 48)
    base = dict(CriticalBand().stimuli(images))["noise-0"]
    grey = np.stack([np.asarray(as_pil(image).convert("L")) / 255 for image in images.images])
    assert base.mean(dim=(1, 2, 3)) == pytest.approx(0.449, abs=1e-6)
    assert base[:, 0].numpy().std(axis=(1, 2)) == pytest.approx(0.2 * grey.std(axis=(1, 2)), rel=1e-5)


def test_out_of_range_pixels():
    zero, one = np.float32(0), np.float32(1)
    sums = [-0.5, np.nextafter(zero, -one), 0.0, 1e-6, 0.5, 1.0, np.nextafter(one, np.float32(2)), 3.0]
    expected = [0.1, 0.1, 0.0, 1e-6, 0.5, 1.0, 0.9, 0.9]
    noise = torch.tensor(sums, dtype=torch.float32).reshape(1, 2, 4)
    made = _masked(torch.zeros(1, 2, 4), noise, 1.0, torch.empty(1, 3, 2, 4))
    assert torch.equal(made, torch.tensor(expected).reshape(1, 1, 2, 4).expand(1, 3, 2, 4))


def test_noise_of_the_strongest_condition_leaves_the_range():
    # Otherwise the comparison with the original would not have seen the out-of-range rule at work.
    stimuli = dict(CriticalBand().stimuli(batch(8, 64)))
    rare = stimuli["noise-0.16-f2"]
    assert (rare == 0.1).sum() + (rare == 0.9).sum() > 0


@given(places=st.lists(st.integers(0, 8), min_size=1, max_size=9, unique=True), size=st.sampled_from([20, 37, 64]))
@settings(max_examples=15, deadline=None)
def test_bit_identical_in_any_batch(places, size):
    whole = batch(9, size)
    together = dict(CriticalBand().stimuli(whole))
    for name, stimulus in CriticalBand().stimuli(part(whole, places)):
        assert torch.equal(stimulus, together[name][places]), name


@pytest.mark.parametrize("count", [1, 7, 64])
def test_bit_identical_for_batch_sizes(count):
    whole = batch(64, 48)
    together = dict(CriticalBand().stimuli(whole))
    for start in range(0, 64, count):
        places = range(start, min(start + count, 64))
        for name, stimulus in CriticalBand().stimuli(part(whole, places)):
            assert torch.equal(stimulus, together[name][list(places)]), name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("size", [37, 224])
def test_on_a_gpu(size):
    here = batch(40, size)
    there = Batch(images=here.images.cuda(), sample_ids=here.sample_ids, targets=here.targets, seed=here.seed)
    expected, made = dict(CriticalBand().stimuli(here)), dict(CriticalBand().stimuli(there))
    few = dict(CriticalBand().stimuli(part(there, range(30, 37))))
    for name, stimulus in made.items():
        # Rounding may put a pixel on the other side of 0 or 1, where the rule moves it by 0.1.
        far = (stimulus.cpu() - expected[name]).abs() > 1e-6
        assert far.sum() <= 3, name
        assert torch.equal(few[name], stimulus[30:37]), name


def test_range_type_and_memory():
    images = batch(3, 40)
    before = images.images.clone()
    stimuli = dict(CriticalBand().stimuli(images))
    for name, stimulus in stimuli.items():
        assert stimulus.dtype == torch.float32 and stimulus.shape == before.shape and stimulus.is_contiguous()
        assert stimulus.min() >= 0 and stimulus.max() <= 1, name
        assert torch.equal(stimulus[:, 0], stimulus[:, 1]) and torch.equal(stimulus[:, 0], stimulus[:, 2])
    assert len({stimulus.data_ptr() for stimulus in stimuli.values()}) == len(stimuli)
    assert torch.equal(images.images, before)


def test_seed_changes_the_noise_alone():
    images = batch(1, 32)
    other = Batch(images=images.images, sample_ids=images.sample_ids, targets=images.targets, seed=4)
    one, two = dict(CriticalBand().stimuli(images)), dict(CriticalBand().stimuli(other))
    assert torch.equal(one["noise-0"], two["noise-0"])
    assert not torch.equal(one["noise-0.02-f3"], two["noise-0.02-f3"])


def test_too_small_images_are_refused():
    assert len(CriticalBand().conditions(20)) == 17
    with pytest.raises(ValueError, match="at least 20x20"):
        CriticalBand().conditions(19)


# --- channel ---------------------------------------------------------------------------------


def test_thresholds():
    accuracy = np.array([[1, 1, 1, 0.4], [1, 1, 0.6, 0.4], [1, 0.6, 0.5, 0.4], [1, 0.5, 0.9, 0.4], [0.51, 0.5, 0.5, 0]])
    assert thresholds(accuracy).tolist() == [0, 2, 1, 4]
    assert thresholds(np.ones((5, 7))).tolist() == [0] * 7
    assert thresholds(np.zeros((5, 7))).tolist() == [4] * 7


@pytest.mark.parametrize("accuracy", [np.zeros((4, 7)), np.zeros(5), np.full((5, 7), np.nan)])
def test_thresholds_refuses_what_is_no_accuracy(accuracy):
    with pytest.raises(ValueError, match=r"shape \(5, bands\)"):
        thresholds(accuracy)


@given(amplitude=st.floats(1, 3.5), center=st.floats(1.5, 4.5), width=st.floats(0.8, 2), bands=st.integers(6, 8))
@settings(max_examples=40, deadline=None)
def test_fit_recovers_a_channel(amplitude, center, width, bands):
    found = fit(amplitude * np.exp(-((np.arange(bands) - center) ** 2) / (2 * width**2)))
    assert found.amplitude == pytest.approx(amplitude, rel=1e-4)
    assert found.center == pytest.approx(center, rel=1e-3)
    assert abs(found.width) == pytest.approx(width, rel=1e-3)


@given(st.lists(st.integers(0, 4), min_size=4, max_size=8))
@settings(max_examples=100, deadline=None)
def test_fit_is_finite_or_says_why_not(indices):
    try:
        channel = fit(np.array(indices))
    except ChannelError as error:
        assert "thresholds" in str(error)
    else:
        assert len(set(indices)) > 1
        assert np.isfinite([channel.amplitude, channel.center, channel.width]).all()
        assert 0 <= channel.amplitude <= 4
        assert 1 / 16 <= channel.peak_noise_sensitivity <= 1


@given(st.integers(4, 5).flatmap(lambda bands: st.tuples(*[st.integers(0, 4)] * bands)))
@settings(max_examples=25, deadline=None)
def test_a_tabulated_channel_fits_as_well_as_the_search(pattern):
    """Not digit for digit, since those of the search depend on SciPy and on the processor."""

    def squares(channel):
        curve = channel.amplitude * np.exp(-((np.arange(len(pattern)) - channel.center) ** 2) / (2 * channel.width**2))
        return np.square(curve - pattern).sum()

    known = tabulated(pattern)
    if len(set(pattern)) > 1 and known is not None:
        assert squares(Channel(*known)) == pytest.approx(squares(search(np.array(pattern, float))), rel=1e-4, abs=1e-6)
        assert fit(np.array(pattern)) == Channel(*known)
    elif len(set(pattern)) > 1:
        with pytest.raises(ChannelError):
            search(np.array(pattern, float))
    else:
        assert known is None


def test_the_table_has_one_row_for_each_pattern_in_order():
    patterns = [pattern for bands in (4, 5) for pattern in product(range(5), repeat=bands)]
    assert [place_of(pattern) for pattern in patterns] == list(range(5**4 + 5**5)) == list(range(len(np.load(TABLE))))
    assert [place_of(other) for other in ((0, 1, 2), (0,) * 6, (0, 0, 0, 5), (0.5, 1, 2, 3))] == [None] * 4
    assert {band_count(size) for size in range(20, 80)} == {4, 5} and band_count(80) == 6


def test_properties_of_a_channel():
    channel = Channel(amplitude=3.0, center=4.0, width=-1.5)
    half = channel.bandwidth / 2
    assert np.exp(-(half**2) / (2 * 1.5**2)) == pytest.approx(0.5)
    assert channel.bandwidth < 0
    assert channel.center_frequency(224) == pytest.approx(1.75 * 16)
    assert channel.center_frequency(64) == pytest.approx(2 * 16)
    assert channel.peak_noise_sensitivity == 0.5
    assert channel.flags(7) == ()
    assert Channel(4.0, 3.0, 1.0).flags(7) == ("censored",)
    assert Channel(2.0, 30.0, 1.0).flags(7) == ("extrapolated",)
    assert Channel(2.0, 3.0, 99.0).flags(7) == ("extrapolated",)
    assert Channel(2.0, 5000.0, 1.0).center_frequency(224) == np.inf


@pytest.mark.skipif(not FITS.is_file(), reason=f"no published fits in {FITS}")
def test_published_channels():
    networks = json.loads(FITS.read_text())["networks"]
    assert len(networks) == 22
    for name, published in networks.items():
        indices = thresholds(np.array(published["accuracy_percent"]) / 100)
        assert indices.tolist() == published["threshold_index"], name
        channel = fit(indices)
        assert channel.bandwidth == pytest.approx(published["bandwidth_octaves"], rel=1e-3), name
        frequency = channel.center_frequency(224)
        assert frequency == pytest.approx(published["center_frequency_cycles_per_image"], rel=1e-3), name
        assert channel.peak_noise_sensitivity == pytest.approx(published["peak_noise_sensitivity"], rel=1e-3), name


# --- measures --------------------------------------------------------------------------------

NAMES = ("bandwidth", "center-frequency", "peak-noise-sensitivity")


def measured(clean, hits, n=100):
    """Measures at 224 pixels of `clean` hits without noise and (4, 7) `hits` by rising noise SD, of n."""
    counts = {name: 0 for name in CriticalBand().conditions(224)}
    counts["noise-0"] = clean
    for sd, row in zip(NOISE_SDS, hits, strict=True):
        counts |= {f"noise-{sd}-f{band}": count for band, count in enumerate(row)}
    correct = np.stack([np.arange(n) < count for count in counts.values()], axis=1)
    top5 = np.zeros((*correct.shape, 5), dtype=np.int16)
    layout = TaskLayout(
        task="critical-band@toy",
        sample_ids=tuple(map(str, range(n))),
        targets=np.zeros((n, 1), dtype=np.int16),
        conditions=tuple(counts),
        classes=("a", "b"),
        size=224,
        span=16,
    )
    trials = Trials(model="m", layout=layout, top5=top5, logp=top5.astype(np.float16), correct=correct)
    return {measure.full_name("toy"): measure for measure in CriticalBand().measures(trials)}


def staircase(indices, clean):
    """Hits (4, 7) that give `indices` when divided by `clean`: all that are recognised, or none."""
    return [[clean if index <= 4 - row else 0 for index in indices] for row in range(1, 5)]


def test_measures_of_a_known_channel():
    indices = [0, 0, 1, 2, 3, 3, 2]
    found = measured(80, staircase(indices, 80))
    assert [found[f"critical-band-threshold@toy/f{band}"].value for band in range(7)] == indices
    # cspresnext50 in the published fits has these thresholds.
    assert found["critical-band-bandwidth@toy"].value == pytest.approx(3.6448999, rel=1e-3)
    assert found["critical-band-center-frequency@toy"].value == pytest.approx(39.4227437, rel=1e-3)
    assert found["critical-band-peak-noise-sensitivity@toy"].value == pytest.approx(0.5657657, rel=1e-3)
    for name in NAMES:
        assert found[f"critical-band-{name}@toy"].value == found[f"critical-band-{name}-raw@toy"].value
        assert found[f"critical-band-{name}@toy"].flags == ()
    assert found["top1@toy/noise-0.02-f0"].value == 0.8
    assert found["correct@toy/noise-0"].value == 80
    assert len(found) == 29 * 3 + 7 + 6


def test_weak_networks_are_judged_by_what_they_recognise_without_noise():
    # 40 of 100 never exceeds one half raw, but all of it survives every noise in the first bands.
    found = measured(40, staircase([0, 0, 1, 2, 3, 3, 2], 40))
    assert found["critical-band-bandwidth@toy"].value == pytest.approx(3.6448999, rel=1e-3)
    raw = found["critical-band-bandwidth-raw@toy"]
    assert raw.value is None
    assert "all 7 thresholds are 4" in raw.reason


def test_exactly_half_of_the_clean_accuracy_is_not_enough():
    found = measured(30, [[15] * 7] * 4)
    assert {found[f"critical-band-threshold@toy/f{band}"].value for band in range(7)} == {4}
    found = measured(30, [[16] * 7] * 4)
    assert {found[f"critical-band-threshold@toy/f{band}"].value for band in range(7)} == {0}


def test_equal_thresholds_have_no_channel():
    found = measured(90, staircase([0] * 7, 90))
    for name in NAMES:
        assert found[f"critical-band-{name}@toy"].value is None
        assert "all 7 thresholds are 0" in found[f"critical-band-{name}@toy"].reason


def test_censored_and_signed():
    # dpn68b in the published fits: amplitude at its bound, negative width.
    found = measured(90, staircase([0, 0, 2, 3, 4, 4, 2], 90))
    assert found["critical-band-bandwidth-raw@toy"].value == pytest.approx(-3.7861856, rel=1e-3)
    assert found["critical-band-bandwidth@toy"].value == pytest.approx(3.7861856, rel=1e-3)
    for name in NAMES:
        assert found[f"critical-band-{name}@toy"].flags == ("censored",)


def test_a_network_that_recognises_nothing():
    found = measured(0, staircase([4] * 7, 0))
    for name in (*NAMES, "threshold"):
        place = "/f0" if name == "threshold" else ""
        assert found[f"critical-band-{name}@toy{place}"].value is None
        assert "0 of 100" in found[f"critical-band-{name}@toy{place}"].reason


def test_a_centre_that_overflows_is_undefined(monkeypatch):
    monkeypatch.setattr("harness.plugins.probes.critical_band.fit", lambda _: Channel(2.0, 5000.0, 1.0))
    found = measured(90, staircase([0, 0, 2, 3, 4, 4, 2], 90))
    assert found["critical-band-center-frequency@toy"].value is None
    assert "ran away" in found["critical-band-center-frequency@toy"].reason
    assert found["critical-band-bandwidth@toy"].flags == ("extrapolated",)


def test_units():
    found = measured(80, staircase([0, 0, 1, 2, 3, 3, 2], 80))
    units = [found[f"critical-band-{name}@toy"].unit for name in NAMES]
    assert units == ["octaves", "cycles/image", "1"]
    assert found["critical-band-threshold@toy/f3"].unit == "count"
