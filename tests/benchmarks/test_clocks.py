"""A stopwatch by made clocks, and the number of threads, which is put back."""

import pytest
import torch

from benchmarks.clocks import Stopwatch, computing, this_thread, threads, whole_process


def test_a_stopwatch_adds_up_what_passes_while_it_runs():
    readings = iter([(1.0, 10.0), (4.0, 11.0), (100.0, 20.0), (101.0, 20.5)])
    watch = Stopwatch(lambda: next(readings))
    for _ in range(2):
        with watch.running():
            pass
    assert (watch.spent, watch.laps) == ((4.0, 1.5), 2)


def test_time_before_an_error_counts():
    readings = iter([(1.0, 1.0), (2.0, 2.0)])
    watch = Stopwatch(lambda: next(readings))
    with pytest.raises(ValueError, match="no"), watch.running():
        raise ValueError("no")
    assert watch.spent == (1.0, 1.0)


def test_threads_are_put_back():
    before = torch.get_num_threads()
    with threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_in_one_thread_only_its_own_time_is_read():
    with threads(1):
        own, whole = computing(), whole_process()
    assert this_thread()[1] <= whole_process()[1]
    assert own[1] <= whole[1]
