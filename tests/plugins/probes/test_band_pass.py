"""The band-pass probe: against a float64 transcription of the definition, filter identities, and the measures."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Batch, StoreError, TaskLayout, Trials
from harness.plugins.probes.band_pass import STUDY_CUTOFFS, BandPass, half_plane, ratio_half_width

NUMPY_CUTOFFS = [0.01, *np.arange(0.1, 0.99, 0.1), 0.99]


def batch(count, size, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, size=(count, 3, size, size), dtype=np.uint8)
    images = torch.from_numpy(pixels).float() / 255
    return Batch(images=images, sample_ids=tuple(map(str, range(count))), targets=((0,),) * count, seed=0)


def part(whole, places):
    ids = tuple(whole.sample_ids[place] for place in places)
    return Batch(images=whole.images[list(places)], sample_ids=ids, targets=((0,),) * len(ids), seed=whole.seed)


def filtered(channel, cutoff, low):
    """The study's definition on one channel (S, S), in float64 with a full spectrum."""
    spectrum = np.fft.fftshift(np.fft.fft2(channel))
    centre = len(channel) // 2
    radius = int((cutoff if low else 1 - cutoff) * centre)
    box = np.zeros(channel.shape, dtype=bool)
    box[centre - radius : centre + radius, centre - radius : centre + radius] = True
    kept = np.where(box == low, spectrum, 0)
    return np.fft.ifft2(np.fft.ifftshift(kept)).real


@pytest.mark.parametrize("size", [224, 225, 160, 64, 63, 37, 20, 9])
def test_definition(size):
    images = batch(1, size)
    stimuli = dict(BandPass().stimuli(images))
    assert tuple(stimuli) == BandPass().conditions(size)
    assert len(stimuli) == 22
    channels = images.images[0].double().numpy()
    for cutoff in NUMPY_CUTOFFS:
        for low in (True, False):
            expected = np.stack([filtered(channel, cutoff, low).clip(0, 1) for channel in channels])
            given_ = stimuli[f"{'low' if low else 'high'}-pass-{round(cutoff, 2):g}"][0]
            assert np.abs(given_.numpy() - expected).max() < 1e-6, (cutoff, low)


def test_study_cutoffs():
    assert list(STUDY_CUTOFFS) == NUMPY_CUTOFFS
    # The truncation makes the stray digits matter: 1 - 0.7 and 1 - 0.7000000000000001 give other radii at 160 pixels.
    assert int((1 - 0.7) * 80) != int((1 - STUDY_CUTOFFS[7]) * 80)


def test_names_are_short_and_pairs_share_their_box_at_224():
    conditions = BandPass().conditions(224)
    assert conditions[:4] == ("low-pass-0.01", "high-pass-0.99", "low-pass-0.1", "high-pass-0.9")
    assert "low-pass-0.3" in conditions and "high-pass-0.7" in conditions
    radii = [radius for _, _, radius in BandPass()._filters(224)]
    assert radii[::2] == radii[1::2] == [1, 11, 22, 33, 44, 56, 67, 78, 89, 100, 110]


@given(size=st.integers(8, 48), cutoff=st.floats(0, 1), values=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_any_size_and_cutoff(size, cutoff, values):
    images = batch(2, size, seed=values)
    low, high = dict(BandPass(cutoffs=(cutoff,), bias_cutoffs=(cutoff,)).stimuli(images)).values()
    for index in range(2):
        for channel in range(3):
            pixels = images.images[index, channel].double().numpy()
            assert np.allclose(low[index, channel], filtered(pixels, cutoff, True).clip(0, 1), atol=1e-6)
            assert np.allclose(high[index, channel], filtered(pixels, cutoff, False).clip(0, 1), atol=1e-6)


@pytest.mark.parametrize("size", [33, 64])
def test_low_and_high_pass_split_the_image(size):
    # In the middle of the range and of low contrast nothing is clipped but the negative half of the high-pass.
    images = batch(2, size)
    gentle = Batch(
        images=0.5 + 0.1 * (images.images - 0.5), sample_ids=images.sample_ids, targets=images.targets, seed=0
    )
    low, high = dict(BandPass(cutoffs=(0.5,), bias_cutoffs=(0.5,)).stimuli(gentle)).values()
    assert torch.allclose(high, (gentle.images - low).clamp(min=0), atol=1e-6)
    assert (high > 0).float().mean() == pytest.approx(0.5, abs=0.05)


@given(level=st.integers(0, 255), size=st.integers(16, 40))
@settings(max_examples=20, deadline=None)
def test_constant_images(level, size):
    images = torch.full((1, 3, size, size), level / 255)
    constant = Batch(images=images, sample_ids=("a",), targets=((0,),), seed=0)
    for name, stimulus in BandPass(cutoffs=(0.2, 0.8), bias_cutoffs=(0.2,)).stimuli(constant):
        expected = images if name.startswith("low") else torch.zeros_like(images)
        assert torch.allclose(stimulus, expected, atol=1e-6), name


def test_a_grating_passes_or_is_stopped():
    size, period = 64, 8  # frequency 8 of 32, a quarter of the highest
    wave = 0.5 + 0.25 * torch.cos(2 * torch.pi * torch.arange(size) / period)
    images = wave.expand(1, 3, size, size).contiguous()
    grating = Batch(images=images, sample_ids=("a",), targets=((0,),), seed=0)
    stimuli = dict(BandPass(cutoffs=(0.2, 0.3), bias_cutoffs=(0.2,)).stimuli(grating))
    assert torch.allclose(stimuli["low-pass-0.3"], images, atol=1e-6)
    assert torch.allclose(stimuli["low-pass-0.2"], torch.full_like(images, 0.5), atol=1e-6)


def test_off_centre_box_keeps_half_of_its_edge():
    weights = half_plane(16, 3, torch.device("cpu"))
    assert weights[0].tolist() == [1, 1, 1, 0.5, 0, 0, 0, 0, 0]
    assert weights[[2, 3, 13, 14], 0].tolist() == [1, 0.5, 0.5, 1]
    # (-3, -3) is a corner of the box; (-3, +3) is in neither the box nor its mirror image.
    assert (weights[3, 3], weights[13, 3]) == (0.5, 0)


@given(places=st.lists(st.integers(0, 8), min_size=1, max_size=9, unique=True), size=st.sampled_from([16, 37, 64]))
@settings(max_examples=15, deadline=None)
def test_bit_identical_in_any_batch(places, size):
    whole = batch(9, size)
    together = dict(BandPass().stimuli(whole))
    for name, stimulus in BandPass().stimuli(part(whole, places)):
        assert torch.equal(stimulus, together[name][places]), name


@pytest.mark.parametrize("count", [1, 7, 64])
def test_bit_identical_for_batch_sizes(count):
    whole = batch(64, 48)
    together = dict(BandPass().stimuli(whole))
    for start in range(0, 64, count):
        places = range(start, min(start + count, 64))
        for name, stimulus in BandPass().stimuli(part(whole, places)):
            assert torch.equal(stimulus, together[name][list(places)]), name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("size", [37, 224])
def test_on_a_gpu(size):
    here = batch(40, size)
    there = Batch(images=here.images.cuda(), sample_ids=here.sample_ids, targets=here.targets, seed=here.seed)
    expected, made = dict(BandPass().stimuli(here)), dict(BandPass().stimuli(there))
    few = dict(BandPass().stimuli(part(there, range(30, 37))))
    for name, stimulus in made.items():
        assert (stimulus.cpu() - expected[name]).abs().max() < 1e-6, name
        assert torch.equal(few[name], stimulus[30:37]), name


def test_range_type_and_memory():
    images = batch(3, 40)
    before = images.images.clone()
    stimuli = dict(BandPass().stimuli(images))
    for name, stimulus in stimuli.items():
        assert stimulus.dtype == torch.float32 and stimulus.shape == before.shape and stimulus.is_contiguous()
        assert stimulus.min() >= 0 and stimulus.max() <= 1, name
        assert stimulus.untyped_storage().data_ptr() != images.images.untyped_storage().data_ptr()
    assert torch.equal(images.images, before)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (dict(cutoffs=()), "at least one"),
        (dict(cutoffs=(0.1, 1.5)), "from 0 to 1"),
        (dict(cutoffs=(0.3, 0.30000000000000004), bias_cutoffs=(0.3,)), "first six digits"),
        (dict(cutoffs=(0.1, 0.2), bias_cutoffs=(0.3,)), "0.3 must be among cutoffs: 0.1, 0.2"),
        (dict(bias_cutoffs=()), "must be among"),
    ],
)
def test_wrong_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        BandPass(**parameters)


# --- measures --------------------------------------------------------------------------------


def trials(task, correct, required=None, prefix="s"):
    """`correct`: condition -> hits of 10."""
    layout = TaskLayout(
        task=task,
        sample_ids=tuple(f"{prefix}{index}" for index in range(10)),
        targets=np.zeros((10, 1), dtype=np.int16),
        conditions=tuple(correct),
        classes=("a", "b"),
        size=224,
        span=16,
    )
    hits = np.stack([np.arange(10) < count for count in correct.values()], axis=1)
    top5 = np.zeros((*hits.shape, 5), dtype=np.int16)
    return Trials(
        model="m", layout=layout, top5=top5, logp=top5.astype(np.float16), correct=hits, required=required or {}
    )


def measured(clean, hits, **kwargs):
    required = {"accuracy": trials("accuracy@toy", {"clean": clean}, **kwargs)}
    found = BandPass().measures(trials("band-pass@toy", hits, required))
    return {measure.full_name("toy"): measure for measure in found}


def hits(low, high):
    """Hits by cutoff name, the same for every cutoff that is not named."""
    return {name: (low if name.startswith("low") else high) for name in BandPass().conditions(224)}


def test_biases_are_means_of_relative_accuracies():
    counts = hits(0, 8)
    counts |= {f"low-pass-0.{digit}": digit for digit in range(1, 6)}
    found = measured(8, counts)
    assert found["low-frequency-bias@toy"].value == pytest.approx(3 / 8)
    assert found["high-frequency-bias@toy"].value == 1
    assert found["relative-top1@toy/low-pass-0.4"].value == 0.5
    assert found["top1@toy/low-pass-0.4"].value == 0.4
    assert found["correct@toy/low-pass-0.4"].value == 4
    assert found["n@toy/low-pass-0.4"].value == 10
    assert found["low-frequency-bias@toy"].direction == "neither"
    assert len(found) == 22 * 4 + 2


def test_nothing_is_divided_by_zero():
    found = measured(0, hits(3, 3))
    for name in ("low-frequency-bias@toy", "high-frequency-bias@toy", "relative-top1@toy/low-pass-0.1"):
        assert found[name].value is None
        assert "0 of 10" in found[name].reason
    assert found["top1@toy/low-pass-0.1"].value == 0.3


def test_clean_trials_of_other_samples_are_refused():
    with pytest.raises(StoreError, match="different samples"):
        measured(5, hits(1, 1), prefix="other")


# --- intervals -------------------------------------------------------------------------------


def simulated(n, rng, clean=0.6, kept=0.5):
    """Per image: share of five filtered versions that is recognised, and whether the image itself is; paired."""
    easy = rng.random(n)
    right = easy < clean
    filtered = (rng.random((n, 5)) < kept * (1 - easy[:, None])) & (right | (rng.random(n) < 0.1))[:, None]
    return filtered.mean(axis=1), right.astype(float)


@pytest.mark.parametrize("n", [64, 320])
@pytest.mark.parametrize(("clean", "kept"), [(0.9, 0.9), (0.6, 0.5), (0.5, 0.1)])
def test_half_width_is_that_of_a_bootstrap_over_images(n, clean, kept):
    rng = np.random.default_rng(n)
    above, below = simulated(n, rng, clean, kept)
    drawn = rng.integers(0, n, size=(4000, n))
    low, high = np.percentile(above[drawn].sum(axis=1) / below[drawn].sum(axis=1), [2.5, 97.5])
    assert ratio_half_width(above, below) == pytest.approx((high - low) / 2, rel=0.1)


@pytest.mark.parametrize("n", [64, 320])
def test_the_interval_holds_the_truth_95_times_of_100(n):
    rng = np.random.default_rng(n)
    above, below = simulated(1_000_000, rng)
    truth, hold = above.sum() / below.sum(), 0
    for _ in range(1000):
        above, below = simulated(n, rng)
        hold += abs(above.sum() / below.sum() - truth) <= ratio_half_width(above, below)
    assert 0.92 < hold / 1000 < 0.975


def test_pairs_narrow_the_interval():
    rng = np.random.default_rng(0)
    above, below = simulated(320, rng)
    apart = ratio_half_width(above[rng.permutation(320)], below)
    assert ratio_half_width(above, below) < 0.8 * apart


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
@settings(max_examples=50, deadline=None)
def test_half_width_of_one_condition_in_counts(pairs):
    """With b images right only when filtered, c only unmodified, s in both: the residuals are 1, -r, 1 - r."""
    both, only, lost = (sum(pair == one for pair in pairs) for one in [(True, True), (True, False), (False, True)])
    if not both + lost:
        return
    n, hits = len(pairs), both + lost
    ratio = (both + only) / hits
    spread = only + lost * ratio**2 + both * (1 - ratio) ** 2
    half = ratio_half_width(*np.array(pairs, dtype=float).T)
    if half is None:
        assert spread == pytest.approx(0, abs=1e-9)
    else:
        assert half == pytest.approx(1.959964 * np.sqrt(spread * n / (n - 1)) / hits, rel=1e-6)


def test_measures_carry_their_intervals():
    found = measured(8, hits(4, 8))
    bias = found["low-frequency-bias@toy"]
    # 4 residuals of 1/2, 4 of -1/2: 1.96 * sqrt(2 * 10 / 9) / 8
    assert (bias.low, bias.high) == pytest.approx((0.5 - 0.365225, 0.5 + 0.365225), abs=1e-5)
    assert bias.n == 10
    relative = found["relative-top1@toy/low-pass-0.1"]
    assert (relative.low, relative.high) == pytest.approx((bias.low, bias.high))
    assert measured(8, hits(1, 8))["low-frequency-bias@toy"].low == 0  # a share of decisions is never negative


@pytest.mark.parametrize("count", [0, 8], ids=["nothing is kept", "the same images are recognised"])
def test_no_interval_where_all_images_agree(count):
    bias = measured(8, hits(count, count))["low-frequency-bias@toy"]
    assert (bias.value, bias.low, bias.high, bias.n) == (count / 8, None, None, 10)
