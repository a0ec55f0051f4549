"""Both sides in turns: who goes first, what counts to which side. By made clocks; nothing is timed."""

import pytest
import torch

from benchmarks.engine import Mark, Turns, Watcher
from benchmarks.rounds import StopRule


class Recorded(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images):
        self.seen.append(images)
        return images + 1


def turns():
    return Turns(Recorded(), torch.zeros(1))


def test_sides_take_turns_at_going_first():
    both, images = turns(), torch.ones(1)
    answers = [both(images) for _ in range(4)]
    assert all(torch.equal(answer, images + 1) for answer in answers)
    sides = ["bare" if seen is both.ready else "harness" for seen in both.network.seen]
    assert sides == ["harness", "bare", "bare", "harness"] * 2
    assert [half.laps for half in both.halves] == [2, 2]


def test_a_round_takes_the_bare_loop_out_of_the_whole():
    before = Mark(whole=(100.0, 50.0), bare=((10.0, 9.0), (12.0, 11.0)), laps=(5, 5), store=(1.0, 1.0))
    after = Mark(whole=(120.0, 62.0), bare=((14.0, 12.0), (18.0, 13.0)), laps=(7, 8), store=(1.5, 1.1))
    part = after.since(before)
    wall, processor = part.round(0), part.round(1)
    assert (wall.first, wall.second, wall.halves) == (10, 10, (2, 2))
    assert (processor.first, processor.second) == (5, 7)
    assert part.store == pytest.approx((0.5, 0.1))


def test_a_round_ends_with_images_and_the_first_is_not_counted():
    both, seen = turns(), []
    watcher = Watcher(both, StopRule(seconds=1e9, least=1, most=2), seen.append)
    watcher.begin("photos", 3, 6)
    for _ in range(3):
        for _ in range(4):
            both(torch.ones(1))
            watcher.advance(0, 1)
        assert not watcher.enough.is_set()
        watcher.advance(1, 0)
    assert watcher.enough.is_set()
    assert seen == [1, 2]
    assert [len(watcher.rounds(clock)) for clock in (0, 1)] == [2, 2]


def test_a_failure_is_not_measured():
    watcher = Watcher(turns(), StopRule(seconds=1), print)
    with pytest.raises(RuntimeError, match="failed: m on t"):
        watcher.warn("failed: m on t: no")
