"""Rolled images: against NumPy, and the consistency of networks of which it is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.plugins.probes.roll_consistency import RollConsistency, rolled
from harness.testing import make_batch
from tests.helpers import shifts
from tests.helpers.observed import by_name, observed


@given(rows=st.integers(-40, 40), columns=st.integers(-40, 40))
@settings(max_examples=30, deadline=None)
def test_definition(rows, columns):
    images = make_batch(2, 24).images
    made = rolled(images, [(rows, columns), (0, 0)])
    assert np.array_equal(made[0].numpy(), np.roll(images[0].numpy(), (rows, columns), (1, 2)))
    assert torch.equal(made[1], images[1])


@pytest.mark.parametrize(("size", "reach"), [(64, 9), (32, 5), (3, 1)])
def test_every_offset_is_drawn(size, reach):
    """Found again from one bright pixel; uniform from -reach to reach - 1, and independent of each other."""
    n = 400
    images = torch.zeros(n, 3, size, size)
    images[:, :, size // 2, size // 2] = 1
    assert RollConsistency()._reach(224) == 32
    batch = make_batch(1, 8).__class__(images, tuple(map(str, range(n))), ((0,),) * n, 0)
    offsets = []
    for _, stimulus in RollConsistency().stimuli(batch):
        places = stimulus[:, 0].reshape(n, -1).argmax(dim=1).numpy()
        offsets += [places // size - size // 2, places % size - size // 2]
    drawn = np.stack(offsets)
    assert drawn.min() == -reach and drawn.max() == reach - 1
    assert abs(drawn.mean() + 0.5) < 5 * reach / np.sqrt(3 * drawn.size)
    assert abs(np.corrcoef(drawn) - np.eye(4)).max() < 0.25


@given(rows=st.lists(st.integers(0, 8), min_size=1, max_size=9, unique=True))
@settings(max_examples=10, deadline=None)
def test_bit_identical_in_any_batch(rows):
    shifts.check_any_batch(RollConsistency(), 37, rows)


def test_bit_identical_for_batch_sizes():
    shifts.check_batch_sizes(RollConsistency(), 32)


def test_a_network_that_does_not_see_the_place_is_consistent_and_one_that_does_is_not():
    batch = make_batch(80, 32)

    def average(images):
        """The brightest of three channels, on the whole."""
        return 1000 * images.mean(dim=(2, 3))

    trials, _ = observed(RollConsistency().stimuli(batch), lambda x: average(x.double()), base="roll-a")
    named = by_name(RollConsistency().measures(trials))
    assert named["roll-consistency"].value == named["top1/roll"].value == 1
    assert named["top1-change/roll"].value == 0 and named["mac/roll"].value == 0

    def corner(images):
        return 100 * images[:, :, 0, 0]

    trials, logits = observed(RollConsistency().stimuli(batch), corner, base="roll-a")
    named = by_name(RollConsistency().measures(trials))
    first, second = (values.argmax(axis=1) for values in logits.values())
    assert named["roll-consistency"].value == np.mean(first == second) < 0.6
    assert named["top1/roll-b"].value == named["roll-consistency"].value


@pytest.mark.parametrize(
    ("reach", "size", "message"), [(0, 64, "1 or more"), (33, 64, "at least 66"), (None, 1, "at least 2, got 1")]
)
def test_wrong_parameters(reach, size, message):
    with pytest.raises(ValueError, match=message):
        RollConsistency(reach=reach).conditions(size)
