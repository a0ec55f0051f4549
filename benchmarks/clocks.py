"""Two clocks, a stopwatch that reads both, and the number of torch's threads.

The wall clock is what a user waits for, other work on the machine included. Processor time is what the work costs: a
process that waits for its turn spends none, so that other work disturbs it far less, through caches and shared memory
only; but neither does one that waits for a disk or for its own threads. So every figure is given by both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

WALL, PROCESSOR = "wall clock", "processor time"
CLOCKS = (WALL, PROCESSOR)
LEADING = 1
"""Index of the clock that decides when there are rounds enough: the one that can, on a busy machine."""

Reading = tuple[float, float]
"""Seconds by each of `CLOCKS`."""


def whole_process() -> Reading:
    """Now, with the processor time of all threads."""
    return time.perf_counter(), time.process_time()


def this_thread() -> Reading:
    """Now, with the processor time of this thread alone: for work beside which other threads go on."""
    return time.perf_counter(), time.thread_time()


@dataclass(slots=True)
class Stopwatch:
    """Adds up what passes while it runs.

    Attributes:
        read: the clocks. spent: seconds by each of `CLOCKS`. laps: how often it ran.
    """

    read: Callable[[], Reading] = whole_process
    spent: Reading = (0.0, 0.0)
    laps: int = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """While the block runs."""
        before = self.read()
        try:
            yield
        finally:
            self.spent = plus(self.spent, minus(self.read(), before))
            self.laps += 1


def plus(left: Reading, right: Reading) -> Reading:
    """Clock by clock."""
    return left[0] + right[0], left[1] + right[1]


def minus(left: Reading, right: Reading) -> Reading:
    """Clock by clock."""
    return left[0] - right[0], left[1] - right[1]


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Have torch compute in so many threads; in one, that is in the calling thread alone.

    One is the default of all measurements. With as many threads as cores, each operation waits for the slowest of them,
    which on a busy machine is the one that has to wait for its core: an operation then takes several times longer, and
    waits by spinning, which spends processor time too. And what the calling thread computes by itself can be told from
    what runs in the background.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def computing() -> Reading:
    """Now, with the processor time of the threads that torch computes in, and no more than needs be."""
    return this_thread() if torch.get_num_threads() == 1 else whole_process()
