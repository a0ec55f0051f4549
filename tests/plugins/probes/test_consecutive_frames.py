"""Changes between frames, against a network whose answer is painted into the clip, and one line of numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness import DatasetError
from harness.plugins.probes.consecutive_frames import ConsecutiveFrames
from harness.testing import check_probe, make_trials
from tests.helpers.observed import by_name


def trials(clips, frames, cuts, chosen, *, targets=None, anchors=None, classes=16):
    n = len(clips)
    made = make_trials(("frame",), n=n, classes=tuple(map(str, range(classes))), seed=1)
    top5 = (np.asarray(chosen)[:, None, None] + np.arange(5)) % classes
    attributes = {"clip": tuple(clips), "frame": tuple(map(str, frames)), "cut": tuple(map(str, cuts))}
    ids = tuple(f"{clip}/{frame:>06}" for clip, frame in zip(clips, frames, strict=True))
    attributes |= {"anchor": tuple(anchors)} if anchors else {}
    targets = np.full((n, 1), -1, np.int16) if targets is None else np.asarray(targets, np.int16)[:, None]
    layout = replace(made.layout, sample_ids=ids, attributes=attributes, targets=targets)
    right = (top5[:, :, 0] == targets) & (targets >= 0)
    return replace(made, layout=layout, top5=top5.astype(np.int16), correct=right)


def measured(made, **parameters):
    return by_name(ConsecutiveFrames(**parameters).measures(made))


def test_it_keeps_the_contract():
    check_probe(ConsecutiveFrames())


@pytest.mark.parametrize(("every", "rate"), [(1, 1.0), (10, 0.1)])
def test_a_counter_read_from_the_frame_changes_as_often_as_it_is_painted(every, rate):
    """A network that reads one pixel, which holds the number of the frame divided by `every`."""
    count = 101
    painted = torch.zeros(count, 3, 8, 8)
    painted[:, 0, 2, 3] = (torch.arange(count) // every % 16) / 16
    chosen = (painted[:, 0, 2, 3] * 16).long().tolist()
    change = measured(trials(["c"] * count, range(count), [0] * count, chosen))["top1-change"]
    assert change.value == rate and change.n == 100


def test_pairs_do_not_cross_cuts_clips_or_gaps():
    clips, frames = list("aaaabbb"), [0, 1, 2, 3, 0, 1, 5]
    cuts, chosen = [0, 1, 0, 0, 0, 0, 0], [0, 1, 2, 2, 7, 8, 9]
    named = measured(trials(clips, frames, cuts, chosen))
    assert named["top1-change"].n == 3  # a0-a1, a2-a3 and b0-b1
    assert named["top1-change"].value == 2 / 3
    assert named["top1-change/a"].value == 1 / 2 and named["top1-change/b"].value == 1.0


def test_the_order_of_the_rows_does_not_matter():
    rng = np.random.default_rng(0)
    rows = [("ab"[number % 2], number // 2, number % 7 == 0, rng.integers(16)) for number in range(60)]
    sorted_ones = measured(trials(*zip(*rows, strict=True)))
    mixed = measured(trials(*zip(*[rows[place] for place in rng.permutation(60)], strict=True)))
    for name in ("top1-change", "top1-change/a", "top1-change/b"):
        assert (mixed[name].value, mixed[name].n) == (sorted_ones[name].value, sorted_ones[name].n)


def test_blocks_of_one_scene_are_resampled_together():
    """One frame in ten changes for a whole second: a bootstrap over frames would find too narrow an interval."""
    chosen = np.repeat(np.arange(20) % 2, 25) * (np.arange(500) % 2)
    made = trials(["c"] * 500, range(500), [0] * 500, chosen)
    narrow, wide = (measured(made, block=block)["top1-change"] for block in (1, 25))
    assert narrow.value == wide.value
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_anchors_alone_and_with_all_neighbours():
    clips, frames = ["a"] * 3 + ["b"] * 2 + ["c"], [1, 2, 3, 7, 8, 1]
    anchors = ["a/000002"] * 3 + ["b/000007"] * 2 + ["c/000001"]
    named = measured(trials(clips, frames, [0] * 6, [3, 3, 3, 3, 4, 5], targets=[3] * 6, anchors=anchors))
    assert (named["pm0"].value, named["pm0"].n) == (2 / 3, 3)
    assert (named["pm10"].value, named["pm10"].n) == (1 / 3, 3)
    assert "pm0" not in measured(trials(clips, frames, [0] * 6, [3] * 6, anchors=anchors))


@pytest.mark.parametrize("frame", ["airplane", "", "-1", "1.5", "²", "1" * 20])
def test_hostile_numbers_of_frames_are_one_line(frame):
    with pytest.raises(DatasetError, match="expected its number in the clip"):
        measured(trials(["a", "a"], [0, frame], [0, 0], [1, 2]))


def test_a_block_is_a_number_of_frames():
    with pytest.raises(ValueError, match="1 or more; got 0"):
        ConsecutiveFrames(block=0)
