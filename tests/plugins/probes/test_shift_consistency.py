"""Random crops: against NumPy, and the consistency of networks of which it is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.plugins.probes.shift_consistency import ShiftConsistency, cropped
from harness.testing import make_batch
from tests.helpers import shifts
from tests.helpers.observed import by_name, observed


@pytest.mark.parametrize(("size", "side"), [(224, 256), (64, 73), (32, 37), (299, 342)])
def test_sides_keep_the_ratio_of_256_to_224(size, side):
    assert ShiftConsistency().side(size) == side


@given(rows=st.integers(0, 9), columns=st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_definition(rows, columns):
    images = make_batch(2, 24).images
    made = cropped(images, [(rows, columns), (0, 0)], 15)
    assert np.array_equal(made[0].numpy(), images[0].numpy()[:, rows : rows + 15, columns : columns + 15])
    assert torch.equal(cropped(images, [(0, 0)] * 2, 24), images)


def test_every_corner_is_drawn():
    """Found again from pixels that show their place; uniform over 0 … 8 of 73 - 64, and independent of each other."""
    n, probe = 300, ShiftConsistency(draws=2)
    places = torch.arange(73).float() / 256
    images = torch.stack((places[:, None].expand(73, 73), places.expand(73, 73), torch.zeros(73, 73)))
    batch = make_batch(1).__class__(images.expand(n, 3, 73, 73), tuple(map(str, range(n))), ((0,),) * n, 0, 64)
    found = [256 * stimulus[:, :2, 0, 0].T.numpy() for _, stimulus in probe.stimuli(batch)]
    corners = np.concatenate(found).round().astype(int)
    assert corners.min() == 0 and corners.max() == 8
    counts = np.bincount(corners.ravel(), minlength=9)
    assert (abs(counts - corners.size / 9) < 5 * np.sqrt(corners.size / 9)).all()
    assert abs(np.corrcoef(corners) - np.eye(8)).max() < 0.3


def test_more_draws_leave_the_first_as_they_are():
    batch = make_batch(3, 32, side=37)
    few, many = (dict(ShiftConsistency(draws=draws).stimuli(batch)) for draws in (2, 4))
    assert len(few) == 4 and all(torch.equal(stimulus, many[condition]) for condition, stimulus in few.items())


@given(rows=st.lists(st.integers(0, 8), min_size=1, max_size=9, unique=True))
@settings(max_examples=10, deadline=None)
def test_bit_identical_in_any_batch(rows):
    shifts.check_any_batch(ShiftConsistency(), 32, rows)


def test_bit_identical_for_batch_sizes():
    shifts.check_batch_sizes(ShiftConsistency(draws=2), 32)


def test_measures_are_those_of_the_decisions():
    batch = make_batch(80, 32, side=37)

    def network(images):
        return torch.stack([400 * images[:, 0, low : low + 8, 4:16].mean(dim=(1, 2)) for low in (0, 10, 20)], 1)

    trials, logits = observed(ShiftConsistency().stimuli(batch), network, base="shift-0a")
    named = by_name(ShiftConsistency().measures(trials))
    decided = [values.argmax(axis=1) for values in logits.values()]
    alike = np.mean([first == second for first, second in zip(decided[::2], decided[1::2], strict=True)])
    assert named["shift-consistency"].value == pytest.approx(alike) and 0.3 < alike < 0.95
    assert named["shift-consistency"].n == 400 and named["shift-consistency"].by_image
    assert named["top1-change/shift"].value == pytest.approx(1 - alike)


@pytest.mark.parametrize("draws", [0, -1, 17])
def test_wrong_draws(draws):
    with pytest.raises(ValueError, match="1 to 16"):
        ShiftConsistency(draws=draws)


def test_images_without_a_margin():
    with pytest.raises(ValueError, match="as large as their images"):
        ShiftConsistency().conditions(3)
