"""The probes of small transformations against networks whose answer is known: counts are exact.

The targets are a network's own decisions before the change, since most of these networks know nothing of any label.
"""

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from scipy.special import softmax

from harness import paired_change
from harness.plugins.probes.embedding import Embedding
from harness.plugins.probes.roll_consistency import RollConsistency, rolled
from harness.plugins.probes.shift_consistency import ShiftConsistency
from harness.plugins.probes.shift_sequences import ShiftSequences
from harness.plugins.probes.small_shifts import SmallShifts
from harness.plugins.probes.worst_of_10 import WorstOf10
from harness.testing import make_batch
from tests.helpers import known_networks as known
from tests.helpers.observed import by_name, observed

N, SIZE, STORED = 40, 64, 4e-4
"""Images; their side; error of a change of stored probabilities."""
PROBES = (SmallShifts(), Embedding(), ShiftConsistency(draws=1), RollConsistency(), WorstOf10(), ShiftSequences())
CHANGES = ("top1-change", "top1-change-correct", "flip-rate", "flip-rate-correct", "mac", "top5-distance")


def batch_for(probe, size=SIZE, n=N):
    return make_batch(n, size, side=probe.side(size))


def moved(network, offset, n=N, size=SIZE):
    """(measures of the helper, logits of both) for images and the same rolled by `offset`."""
    images = make_batch(n, size).images
    stimuli = (("a", images), ("b", rolled(images, [offset] * n)))
    trials, logits = observed(stimuli, network, base="a")
    return by_name(paired_change(trials, [("a", "b")])), *logits.values()


def mac(first, second):
    """In float64, from logits (N, K)."""
    p, q = softmax(first, axis=1), softmax(second, axis=1)
    chosen = np.arange(len(p)), p.argmax(axis=1)
    return abs(p[chosen] - q[chosen])


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_constant_logits_never_change_and_are_refused_on_labels(probe):
    batch = batch_for(probe, 32)
    trials, _ = observed(probe.stimuli(batch), known.constant(), base=probe.conditions(32)[0])
    pairs = list(pairwise(trials.layout.conditions))
    helper = by_name(paired_change(trials, pairs))
    assert helper["top1-change"].value == helper["mac"].value == 0 and helper["top1"].value == 1
    own = by_name(probe.measures(trials))
    assert {own[name].value for name in own if name.split("/")[0] in CHANGES} == {0}
    assert all(own[name].value == 1 for name in own if name.endswith("consistency"))
    labels = (np.arange(N)[:, None] % 4).astype(np.int16)
    refused = by_name(
        probe.measures(
            replace(trials, layout=replace(trials.layout, targets=labels), correct=trials.top5[:, :, 0] == labels)
        )
    )
    assert all(refused[name].value is None for name in refused if name.split("/")[0] in CHANGES)
    assert "10 of 40 decisions are correct" in next(
        m.reason for name, m in refused.items() if "top1" not in name and m.reason
    )


@pytest.mark.parametrize("largest", [False, True], ids=["mean", "largest"])
def test_a_shiftable_network_stays_under_rolls_and_on_black_and_not_under_crops(largest):
    network, few = known.Shiftable(largest=largest), batch_for(RollConsistency(), n=12)
    roll, logits = observed(RollConsistency().stimuli(few), network, base="roll-a")
    measured = by_name(RollConsistency().measures(roll))
    assert measured["roll-consistency"].value == 1 and measured["top1-change/roll"].value == 0
    assert measured["mac/roll"].value <= STORED
    assert mac(*logits.values()).max() < 1e-12
    black, logits = observed(Embedding().stimuli(few), network, base="black-a")
    measured = by_name(Embedding().measures(black))
    assert measured["top1-change/black"].value == 0 and measured["mac/black"].value <= STORED
    assert mac(logits["black-a"], logits["black-b"]).max() < 1e-12
    if largest:  # of noise, it lies within the picture, which neither crops nor inpainting change
        return
    for pair in (("black-a", "scale-b"), ("inpainted-a", "inpainted-b")):
        assert mac(*(logits[one] for one in pair)).mean() > 1e-6
    _, logits = observed(SmallShifts().stimuli(few), network, base="crop-0")
    assert mac(logits["crop-0"], logits["crop-1"]).mean() > 1e-6


@pytest.mark.parametrize(("stride", "unchanged"), [(1, 64), (2, 16), (4, 4)])
def test_subsampling_by_k_leaves_one_of_k_squared_rolls(stride, unchanged):
    network, images = known.Shiftable(stride), make_batch(2, 32).images
    before = network(images)
    differences = [
        (network(rolled(images, [offset] * 2)) - before).abs().max().item() for offset in product(range(8), repeat=2)
    ]
    assert sum(difference < 1e-12 for difference in differences) == unchanged
    assert all(difference < 1e-12 or difference > 1e-6 for difference in differences)


def bins(stimulus, row, column, classes=8):
    return np.floor(classes * stimulus[:, 0, row, column].numpy()).clip(max=classes - 1)


def test_a_pixel_reader_changes_where_neighbours_along_the_diagonal_differ():
    row, column = 40, 23
    network = known.pixel_reader(row, column)
    stimuli = {name: stimulus for name, stimulus in SmallShifts().stimuli(batch_for(SmallShifts()))}
    trials, _ = observed(stimuli.items(), network, base="crop-0")
    helper = paired_change(trials, list(pairwise(stimuli)))
    expected = [
        (bins(stimuli[name], row, column) != bins(stimuli[name], row + 1, column + 1)).mean()
        for name in list(stimuli)[:-1]
    ]
    assert by_name(helper)["top1-change"].value == pytest.approx(np.mean(expected), abs=1e-15)
    probe = Embedding(corner=20)  # the picture covers 20 to 48
    stimuli = {name: stimulus for name, stimulus in probe.stimuli(batch_for(probe))}
    trials, _ = observed(stimuli.items(), network, base="black-a")
    change = by_name(probe.measures(trials))["top1-change/black"].value
    black = stimuli["black-a"]
    assert change == (bins(black, row, column) != bins(black, row - 1, column - 1)).mean() > 0.3


@pytest.mark.parametrize(("offset", "flips"), [((1, 1), True), ((1, 0), True), ((2, 1), False), ((0, 1), False)])
def test_stripes_flip_under_an_odd_number_of_rows(offset, flips):
    measured, first, second = moved(known.stripes(0.02), offset)
    s = first[:, 0]
    assert (s != 0).all()
    assert measured["top1-change"].value == (1 if flips else 0)
    expected = np.tanh(abs(s)).mean() if flips else 0.0
    assert measured["mac"].value == pytest.approx(expected, abs=STORED)
    _, first, second = moved(lambda images: known.stripes(0.02)(images.double()), offset)
    assert mac(first, second).mean() == pytest.approx(np.tanh(abs(first[:, 0])).mean() if flips else 0, abs=1e-12)


@pytest.mark.parametrize(("pixels", "size"), [(29, 64), (100, 224)], ids=["29 pixels of 64", "100 pixels of 224"])
def test_a_counter_of_black_pixels_sees_the_scale_and_no_translation(pixels, size):
    probe = Embedding()
    bright = replace(batch_for(probe, size, 12), images=batch_for(probe, size, 12).images.clamp(min=1 / 255))
    between = size**2 - pixels**2 - pixels  # between S² - 100² and S² - 101²
    for threshold, scale in ((between, 1), (size**2 - pixels**2 + 1, 0), (size**2 - (pixels + 1) ** 2 - 1, 0)):
        stimuli = [one for one, _ in zip(probe.stimuli(bright), range(3), strict=False)]
        trials, _ = observed(stimuli, known.black_counter(threshold), base="black-a")
        black, larger = (
            by_name(paired_change(trials, [("black-a", name)]))["top1-change"].value for name in ("black-b", "scale-b")
        )
        assert (black, larger) == (0, scale), threshold


def test_halves_flip_only_where_their_difference_is_below_what_a_pixel_can_bring():
    """A window that moves by (1, 1) exchanges 3/2 S - 1 pixels of each half."""
    batch = make_batch(200, SIZE)
    tilt = torch.linspace(-0.2, 0.2, 200)[:, None, None, None] * torch.linspace(-1, 1, SIZE)
    tilted = replace(batch, images=(0.3 + 0.4 * batch.images + tilt).clamp(0, 1))
    stimuli = {name: stimulus.double() for name, stimulus in SmallShifts().stimuli(tilted)}
    trials, logits = observed(stimuli.items(), known.halves, base="crop-0")
    bound = 2 * (3 * SIZE / 2 - 1) / (SIZE**2 / 2) * float(max(stimulus.max() for stimulus in stimuli.values()))
    flipped = 0
    for first, second in pairwise(logits):
        flips = logits[first].argmax(axis=1) != logits[second].argmax(axis=1)
        assert (abs(logits[first][flips, 0]) < bound).all()
        assert (abs(logits[first][:, 0]) > bound).any()
        flipped += flips.sum()
        change = by_name(paired_change(trials, [(first, second)]))["top1-change"]
        assert change.value == flips.mean()
    assert flipped > 0
