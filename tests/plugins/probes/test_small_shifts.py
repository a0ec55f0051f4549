"""The crop protocol: windows against a transcription in float64, and its measures."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from harness.plugins.probes.small_shifts import SmallShifts
from harness.testing import make_batch
from tests.helpers import shifts
from tests.helpers.observed import by_name, observed


def test_conditions_grow_with_the_side():
    probe = SmallShifts()
    assert probe.conditions(224) == tuple(f"crop-{shift}" for shift in range(9))
    assert probe.conditions(64) == ("crop-0", "crop-1", "crop-2", "crop-3")
    assert probe.conditions(32) == ("crop-0", "crop-1", "crop-2")
    assert len(probe.conditions(512)) == 9


@pytest.mark.parametrize(("size", "enlarged"), [(224, 234), (64, 67), (56, 59), (32, 34)])
def test_definition(size, enlarged):
    batch = make_batch(2, size)
    stimuli = dict(SmallShifts().stimuli(batch))
    assert tuple(stimuli) == SmallShifts().conditions(size)
    for number, image in enumerate(shifts.double(batch.images)):
        whole = shifts.resized(image, enlarged)
        for condition, stimulus in stimuli.items():
            shift = int(condition.removeprefix("crop-"))
            window = whole[:, shift : shift + size, shift : shift + size]
            assert np.abs(stimulus[number].numpy() - window).max() < 1e-6, condition


@pytest.mark.parametrize(("area", "shown"), [(0.1, 71), (0.4, 142), (0.7, 187), (1, 224)])
def test_a_part_of_the_image_is_a_centred_square(area, shown):
    batch = make_batch(1, 224)
    low = (224 - shown) // 2
    whole = shifts.resized(shifts.double(batch.images)[0][:, low : low + shown, low : low + shown], 234)
    stimulus = dict(SmallShifts(area=area).stimuli(batch))["crop-4"]
    assert np.abs(stimulus[0].numpy() - whole[:, 4:228, 4:228]).max() < 1e-6


def test_neighbours_overlap():
    for size in (64, 224):
        windows = list(dict(SmallShifts().stimuli(make_batch(1, size))).values())
        for first, second in pairwise(windows):
            assert torch.equal(first[..., 1:, 1:], second[..., :-1, :-1])


@given(rows=st.lists(st.integers(0, 8), min_size=1, max_size=9, unique=True), size=st.sampled_from([16, 37, 64]))
@settings(max_examples=15, deadline=None)
def test_bit_identical_in_any_batch(rows, size):
    shifts.check_any_batch(SmallShifts(area=0.5), size, rows)


def test_bit_identical_for_batch_sizes():
    shifts.check_batch_sizes(SmallShifts(), 48)


@pytest.mark.parametrize("area", [0, -1, 1.5, float("nan")])
def test_areas_that_are_no_share(area):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        SmallShifts(area=area)


def test_an_area_without_pixels():
    with pytest.raises(ValueError, match="less than two pixels wide"):
        SmallShifts(area=1e-5).conditions(224)


# --- measures --------------------------------------------------------------------------------


def test_measures_are_those_of_the_decisions():
    """Against plain loops over the decisions of a network that answers by the brightest of three squares."""
    batch = make_batch(60, 64)

    def network(images):
        return torch.stack([300 * images[:, 0, low : low + 12, 4:16].mean(dim=(1, 2)) for low in (0, 20, 40)], 1)

    trials, logits = observed(SmallShifts().stimuli(batch), network, base="crop-0")
    named = by_name(SmallShifts().measures(trials))
    decided = {condition: values.argmax(axis=1) for condition, values in logits.items()}
    p = {condition: softmax(values, axis=1) for condition, values in logits.items()}
    changed, moved = [], []
    for first, second in pairwise(SmallShifts().conditions(64)):
        changed.append(np.mean(decided[first] != decided[second]))
        chosen = np.arange(60), decided[first]
        moved.append(np.mean(abs(p[first][chosen] - p[second][chosen])))
        assert named[f"top1-change/{first}"].value == pytest.approx(changed[-1])
        assert named[f"top1/{first}"].value == np.mean(decided[first] == decided["crop-0"])
    assert named["top1-change/crop"].value == pytest.approx(np.mean(changed)) and 0.05 < np.mean(changed) < 0.5
    assert named["mac/crop"].value == pytest.approx(np.mean(moved), abs=4e-4)
    assert named["top1-change-correct/crop"].value is not None
    assert named["top1-change/crop"].n == 180 and named["top1-change/crop"].by_image
    pairs = [f"top1-change/crop-{shift}" for shift in range(3)]
    assert [name for name in named if name.startswith("top1-change/crop-")] == pairs


def test_a_network_at_chance_has_no_change():
    batch = make_batch(60, 64)
    labels = np.arange(60)[:, None].astype(np.int16) % 3
    constant = observed(SmallShifts().stimuli(batch), lambda x: x.new_zeros(len(x), 3), targets=labels)[0]
    named = by_name(SmallShifts().measures(constant))
    for name in ("top1-change/crop", "mac/crop", "top1-change/crop-1"):
        assert named[name].value is None and "20 of 60 decisions are correct" in named[name].reason
    assert named["top1/crop"].value == pytest.approx(1 / 3)
