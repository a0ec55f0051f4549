"""The Fourier map: the basis against an inverse transform, and networks whose map is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness import StoreError
from harness.plugins.probes.fourier_map import ANGLES, FourierMap, basis
from harness.testing import make_batch
from tests.helpers.observed import by_name, observed

N, SIZE = 60, 64


def by_transform(size, frequency, norm):
    """The basis as the published code makes it: the inverse real transform of a one-hot spectrum, scaled."""
    down, right = frequency if frequency[1] >= 0 else (-frequency[0], -frequency[1])
    spectrum = torch.zeros(size, size // 2 + 1, dtype=torch.complex128)
    spectrum[down % size, right] = 1
    wave = torch.fft.irfft2(spectrum, s=(size, size))
    return (norm * wave / wave.norm()).numpy()


@given(st.sampled_from([8, 32, 64, 224]), st.data())
def test_the_basis_is_the_inverse_transform_of_one_frequency(size, data):
    frequency = data.draw(st.tuples(st.integers(-size // 2 + 1, size // 2), st.integers(0, size // 2)))
    wave = basis(size, frequency, 15.7)
    assert np.abs(wave - by_transform(size, frequency, 15.7)).max() < 1e-6
    assert np.linalg.norm(wave.astype(np.float64)) == pytest.approx(15.7, rel=1e-6)


@pytest.mark.parametrize(("size", "norm", "amplitude", "own"), [(224, 15.7, 0.09912, 0.07009), (32, 4, 0.17678, 0.125)])
def test_published_amplitudes(size, norm, amplitude, own):
    half = size // 2
    for frequency in ((1, 0), (3, -5), (half, 1), (1, half)):
        assert np.abs(basis(size, frequency, norm)).max() == pytest.approx(math.sqrt(2) * norm / size, abs=1e-6)
    for frequency in ((0, 0), (half, 0), (0, half), (half, half)):
        assert np.abs(basis(size, frequency, norm)) == pytest.approx(norm / size, abs=1e-6)
    assert (round(math.sqrt(2) * norm / size, 5), round(norm / size, 5)) == (amplitude, own)


def grey(n=N, size=SIZE, seed=0):
    """A batch without black and white: nothing is clipped."""
    batch = make_batch(n, size)
    return replace(batch, images=0.35 + 0.3 * batch.images)


def test_contrast_is_that_of_224_pixels_and_signs_are_those_of_channels():
    batch = grey(8)
    probe = FourierMap()
    signs = []
    for name, stimulus in probe.stimuli(batch):
        wave = basis(SIZE, probe.frequencies(SIZE)[name], 15.7 * SIZE / 224)
        change = (stimulus - batch.images).numpy()
        sign = np.sign((change * wave).sum(axis=(2, 3)))
        assert np.abs(change - sign[:, :, None, None] * wave).max() < 1e-6
        signs.append(sign)
    assert all(np.array_equal(sign, signs[0]) for sign in signs)
    assert 0 < (signs[0] > 0).mean() < 1 and len({tuple(row) for row in signs[0]}) > 2
    assert np.abs(wave).max() == pytest.approx(0.09912, abs=1e-5)


@pytest.mark.parametrize("size", [36, 64, 224])
def test_conditions_are_48_frequencies_in_four_directions(size):
    frequencies = FourierMap().frequencies(size)
    assert len(frequencies) == len({*frequencies.values()}) == 48
    for name, (down, right) in frequencies.items():
        _, radius, angle = name.split("-")
        assert float(radius) == pytest.approx(math.hypot(down, right), abs=0.051)
        assert (down, right) == tuple(step * max(abs(down), abs(right)) for step in ANGLES[int(angle)])
        assert max(abs(down), abs(right)) < size / 2
    along = [right for down, right in frequencies.values() if down == 0]
    assert along[0] == 1 and along[-1] == (size - 1) // 2 and along == sorted(along)


@pytest.mark.parametrize(("size", "radii"), [(4, 0), (5, 1), (8, 2), (32, 10), (35, 12)])
def test_small_images_have_fewer_radii(size, radii):
    if not radii:
        with pytest.raises(ValueError, match="no frequencies in four directions"):
            FourierMap().conditions(size)
        return
    frequencies = FourierMap().frequencies(size)
    assert len({*frequencies.values()}) == len(frequencies) == 4 * radii
    assert all(max(abs(down), abs(right)) < size / 2 for down, right in frequencies.values())


def test_a_full_map_has_each_frequency_once():
    frequencies = FourierMap(full=31).frequencies(32)
    assert len(frequencies) == (31 * 31 + 1) // 2
    mirrored = {(-down, -right) for down, right in frequencies.values()}
    assert mirrored & {*frequencies.values()} == {(0, 0)}
    assert len(mirrored | {*frequencies.values()}) == 31 * 31


@pytest.mark.parametrize(
    ("params", "size", "reason"),
    [
        ({"norm": 0.0}, 64, "norm is 0.0; expected a number above 0"),
        ({"norm": math.inf}, 64, "norm is inf"),
        ({"radii": 0}, 64, "radii is 0"),
        ({"full": 30}, 64, "full is 30; expected an odd side"),
        ({"full": -1}, 64, "full is -1"),
        ({"full": 65}, 64, "a map of 65 x 65 frequencies needs images of 65 pixels"),
        ({}, 2, "images of 2 x 2 pixels have no frequencies in four directions"),
    ],
)
def test_what_cannot_be_is_refused(params, size, reason):
    with pytest.raises(ValueError, match=reason):
        FourierMap(**params).conditions(size)


def wave_reader(frequency, gain=50.0):
    """Two classes: the sign of the part of the red channel that is this cosine."""

    def read(images):
        wave = torch.tensor(basis(images.shape[-1], frequency, 1.0)).double()
        s = gain * (images[:, 0].double() * wave).sum(dim=(1, 2))
        return torch.stack((s, -s), dim=1)

    return read


def measured(network, batch, probe):
    """Measures by name; the targets are the decisions on unmodified images."""
    clean, _ = observed([("clean", batch.images)], network, base="clean")
    targets = clean.layout.targets
    trials, _ = observed(probe.stimuli(batch), network, targets=targets)
    trials = replace(trials, layout=replace(trials.layout, size=batch.size), required={"accuracy": clean})
    return by_name(probe.measures(trials)), trials


def test_a_network_that_reads_one_frequency_errs_at_this_one_alone():
    """Orthogonal frequencies change nothing; its own turns the decision of the half with the other sign."""
    batch, probe = grey(), FourierMap(norm=40.0)
    measures, trials = measured(wave_reader((0, 5)), batch, probe)
    errors = {name: m.value for name, m in measures.items() if name.startswith("error-increase")}
    own = errors.pop("error-increase/fourier-5-0")
    assert own > 0.2
    assert set(errors.values()) == {0.0}
    number = sum(4 < math.hypot(*f) <= SIZE / 6 for f in probe.frequencies(SIZE).values())
    assert measures["fourier-sensitivity/mid"].value == pytest.approx(own / number)
    assert measures["fourier-sensitivity/low"].value == measures["fourier-sensitivity/high"].value == 0
    assert trials.correct.mean(axis=0).min() == pytest.approx(1 - own)


def test_a_network_that_guesses_has_no_sensitivity():
    """It has nothing to lose: its numbers would be those of a robust network."""
    batch, probe = grey(), FourierMap(full=3)
    _, trials = measured(wave_reader((1, 0)), batch, probe)
    clean = trials.required["accuracy"]
    wrong = replace(clean, correct=np.arange(N)[:, None] % 2 == 0)
    found = by_name(probe.measures(replace(trials, required={"accuracy": wrong})))
    refused = [found[name] for name in ("fourier-slope", "fourier-sensitivity/low")]
    assert {one.value for one in refused} == {one.low for one in refused} == {None}
    assert all(one.reason.startswith("30 of 60 decisions are correct before the change") for one in refused)
    assert found["fourier-sensitivity/mid"].reason == "no frequency in this ring"
    assert found["error-increase/fourier-1_0"].value is not None


def test_the_full_map_of_images_with_an_odd_side_has_every_frequency():
    assert len(FourierMap(full=5).conditions(5)) == 13 == (5 * 5 + 1) / 2


def test_a_network_of_low_frequencies_has_a_flat_map_above_its_band():
    """It sees means over blocks of 16 pixels less their own mean: frequencies of whole blocks vanish in them."""

    def blocks(images):
        means = torch.nn.functional.avg_pool2d(images.double().mean(dim=1, keepdim=True), 16).flatten(1)
        return 400 * (means - means.mean(dim=1, keepdim=True))[:, :10]

    probe = FourierMap(full=17)
    measures, _ = measured(blocks, grey(), probe)
    blind = [
        name
        for name, (down, right) in probe.frequencies(SIZE).items()
        if (down, right) != (0, 0) and ((down % 4 == 0 and down) or (right % 4 == 0 and right))
    ]
    assert len(blind) > 20
    assert {measures[f"error-increase/{name}"].value for name in blind} == {0.0}
    assert measures["error-increase/fourier-1_0"].value > 0.05


def test_measures_are_means_of_stored_decisions_with_intervals_over_images():
    batch, probe = grey(), FourierMap()
    measures, trials = measured(wave_reader((1, 0), gain=0.2), batch, probe)
    clean = trials.required["accuracy"].correct[:, 0].astype(float)
    increases = clean[:, None] - trials.correct
    radii = np.array([math.hypot(*f) for f in probe.frequencies(SIZE).values()])
    for ring, chosen in (
        ("low", radii <= 4), ("mid", (radii > 4) & (radii <= SIZE / 6)), ("high", radii > SIZE / 6)
    ):  # fmt: skip
        measure = measures[f"fourier-sensitivity/{ring}"]
        assert measure.value == pytest.approx(increases[:, chosen].mean())
        spread = increases[:, chosen].mean(axis=1).std(ddof=1)
        if spread:
            assert measure.high - measure.value == pytest.approx(1.959964 * spread / math.sqrt(N), rel=1e-5)
        else:
            assert (measure.low, measure.high) == (None, None)
    assert measures["fourier-slope"].value < 0  # its one frequency is the lowest
    # each image twice, as two views of it: the same numbers, and intervals as wide
    doubled, single = (
        replace(
            t,
            top5=t.top5.repeat(2, 0),
            logp=t.logp.repeat(2, 0),
            correct=t.correct.repeat(2, 0),
            repeats=2,
            layout=replace(
                t.layout,
                targets=t.layout.targets.repeat(2, 0),
                sample_ids=tuple(np.repeat(t.layout.sample_ids, 2)),
            ),
        )
        for t in (trials, trials.required["accuracy"])
    )
    pooled = by_name(probe.measures(replace(doubled, required={"accuracy": single})))
    low = pooled["fourier-sensitivity/low"]
    assert low.value == measures["fourier-sensitivity/low"].value
    assert low.high == pytest.approx(measures["fourier-sensitivity/low"].high)


def test_without_labels_trials_or_the_same_samples():
    batch, probe = grey(12), FourierMap(full=3)
    _, trials = measured(wave_reader((1, 0)), batch, probe)
    clean = trials.required["accuracy"]
    bare = replace(trials.layout, targets=np.full((12, 1), -1, np.int16))
    unlabelled = by_name(
        probe.measures(
            replace(
                trials,
                layout=bare,
                required={"accuracy": replace(clean, layout=replace(clean.layout, targets=bare.targets))},
            )
        )
    )
    own = [m for name, m in unlabelled.items() if name.startswith(("fourier", "error-increase"))]
    assert len(own) == 5 + 4 and {m.reason for m in own} == {"no labels"}
    others = replace(clean, layout=replace(clean.layout, sample_ids=tuple("abcdefghijkl")))
    with pytest.raises(StoreError, match="have different samples"):
        list(probe.measures(replace(trials, required={"accuracy": others})))
    empty = by_name(probe.measures(trials))
    assert empty["fourier-sensitivity/high"].reason == "no frequency in this ring"


@pytest.mark.parametrize("split", [1, 5, 12])
def test_any_batch_size_gives_the_same_bits(split):
    batch, probe = make_batch(12, SIZE), FourierMap(radii=3)
    whole = dict(probe.stimuli(batch))
    for start in range(0, 12, split):
        part = replace(
            batch, images=batch.images[start : start + split], sample_ids=batch.sample_ids[start : start + split],
            targets=batch.targets[start : start + split],
        )  # fmt: skip
        for name, stimulus in probe.stimuli(part):
            assert torch.equal(stimulus, whole[name][start : start + split])
            assert 0 <= stimulus.min() and stimulus.max() <= 1
