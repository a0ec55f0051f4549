"""Ten rotations and translations: their distribution, and the worst case against plain loops."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import NO_LABELS
from harness.plugins.probes import worst_of_10
from harness.plugins.probes.worst_of_10 import WorstOf10
from harness.testing import check_measures, make_batch, make_trials
from tests.helpers import shifts
from tests.helpers.observed import by_name, observed


def test_conditions():
    assert WorstOf10().conditions(224) == ("none", *(f"t{number}" for number in range(10)))
    grid = WorstOf10(grid=True).conditions(64)
    assert len(grid) == 776 and grid[0] == "none" and grid[1] == "g000" and grid[-1] == "g774"


def test_the_first_stimulus_is_the_image():
    batch = make_batch(2, 32)
    condition, stimulus = next(WorstOf10().stimuli(batch))
    assert condition == "none" and stimulus is batch.images


def test_views_are_uniform_and_independent():
    n, size = 200, 56
    many = make_batch(1, 8).__class__(torch.zeros(n, 3, size, size), tuple(map(str, range(n))), ((0,),) * n, 0)
    views = np.array([[(v.angle, v.rows, v.columns) for v in of_samples] for of_samples in worst_of_10._drawn(many)])
    assert views.shape == (10, n, 3)
    largest = np.array([30, 6, 6])
    assert (abs(views) <= largest).all() and (abs(views).max(axis=(0, 1)) > 0.98 * largest).all()
    assert (abs(views.mean(axis=(0, 1))) < 5 * largest / np.sqrt(3 * 10 * n)).all()
    assert views.std(axis=(0, 1)) == pytest.approx(largest / np.sqrt(3), rel=0.05)
    assert abs(np.corrcoef(views.transpose(0, 2, 1).reshape(30, n)) - np.eye(30)).max() < 0.35


def test_the_grid_has_every_combination_once_and_the_identity_in_the_middle():
    batch = make_batch(1, 28)
    views = [of_samples[0] for of_samples in worst_of_10._grid(batch)]
    assert len({(view.angle, view.rows, view.columns) for view in views}) == 775
    assert (views[387].angle, views[387].rows, views[387].columns) == (0, 0, 0)
    assert {view.rows for view in views} == {-3, -1.5, 0, 1.5, 3}
    assert sorted({view.angle for view in views})[:2] == [-30, -28]


def test_the_middle_of_the_grid_is_the_image():
    batch = make_batch(1, 16)
    stimuli = dict(WorstOf10(grid=True).stimuli(batch))
    assert torch.equal(stimuli["g387"], batch.images)
    assert not any(torch.equal(stimuli[name], batch.images) for name in ("g000", "g386", "g388", "g774"))


@given(rows=st.lists(st.integers(0, 8), min_size=1, max_size=9, unique=True))
@settings(max_examples=8, deadline=None)
def test_bit_identical_in_any_batch(rows):
    shifts.check_any_batch(WorstOf10(), 24, rows)


def test_bit_identical_for_batch_sizes():
    shifts.check_batch_sizes(WorstOf10(), 16)


@pytest.mark.parametrize("grid", [False, True], ids=["ten", "grid"])
def test_measures_against_plain_loops(grid):
    probe = WorstOf10(grid=grid)
    batch = make_batch(20 if grid else 60, 16)

    def network(images):
        return torch.stack([200 * images[:, 0, low : low + 6, 5:11].mean(dim=(1, 2)) for low in (0, 5, 10)], 1)

    trials, logits = observed(probe.stimuli(batch), network, base="none")
    targets = trials.layout.targets.copy()
    targets[::5] = (targets[::5] + 1) % 3  # a fifth is wrong without a change
    trials = replace(
        trials, layout=replace(trials.layout, targets=targets), correct=trials.top5[:, :, 0] == targets[:, :1]
    )
    named = by_name(probe.measures(trials))
    right = np.array([values.argmax(axis=1) == targets[:, 0] for values in logits.values()]).T
    clean, moved = right[:, 0], right[:, 1:]
    count, label = (775, "grid") if grid else (10, "random")
    stands = [all(row) for row in moved]
    assert named["top1/none"].value == clean.mean() == 0.8
    assert named[f"top1/{label}"].value == pytest.approx(moved.mean())
    assert named[f"worst-of-{count}"].value == pytest.approx(np.mean(stands))
    assert named[f"worst-of-{count}-gap"].value == pytest.approx(clean.mean() - np.mean(stands))
    both = sum(one and other for one, other in zip(clean, stands, strict=True))
    assert named[f"worst-of-{count}-correct"].value == pytest.approx(both / clean.sum())
    assert named["top1/none"].value >= named[f"top1/{label}"].value >= named[f"worst-of-{count}"].value
    if not grid:
        decided = np.array([values.argmax(axis=1) for values in logits.values()]).T
        assert named["top1-change/random"].value == pytest.approx((decided[:, 1:] != decided[:, :1]).mean())
        check_measures(probe, trials)


def test_a_network_at_chance_has_neither_gap_nor_change():
    named = by_name(WorstOf10().measures(make_trials(WorstOf10().conditions(64), n=60)))
    for name in ("worst-of-10", "worst-of-10-gap", "worst-of-10-correct", "top1-change/random", "mac/random"):
        assert named[name].value is None and "are correct before the change" in named[name].reason, name
    assert named["top1/none"].value is not None and named["top1/random"].value is not None


def test_without_labels_only_the_changes_are_left():
    trials = make_trials(WorstOf10().conditions(64), n=60)
    unlabelled = replace(
        trials,
        layout=replace(trials.layout, targets=np.full_like(trials.layout.targets, -1)),
        correct=np.zeros_like(trials.correct),
    )
    named = by_name(WorstOf10().measures(unlabelled))
    for name in ("worst-of-10", "worst-of-10-gap", "worst-of-10-correct", "top1/random", "top1/none"):
        assert named[name].value is None and named[name].reason == NO_LABELS, name
    assert named["top1-change/random"].value is not None
