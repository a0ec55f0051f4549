"""How many samples of a task one shard holds: what an interrupted run loses at most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.store import StoredCell

LEAST_SPAN = 16
"""Least samples per shard. The span is part of every cell's identity."""


def span_length(n: int, batch_size: int) -> int:
    """Samples per shard: `whole_batches` if these make three shards or more, else a third of the samples.

    A batch is then as long as a span: an interrupted run would lose most of its work otherwise.
    """
    whole = whole_batches(n, batch_size)
    return whole if n > 2 * whole else min(whole, max(LEAST_SPAN, _rounded_up(-(-n // 3), 8)))


def whole_batches(n: int, batch_size: int) -> int:
    """max(`LEAST_SPAN`, ⌈n/128⌉), rounded up to whole batches: at most 128 shards per cell. Formerly every span."""
    return _rounded_up(max(LEAST_SPAN, -(-n // 128)), batch_size)


def _rounded_up(count: int, unit: int) -> int:
    return -(-count // unit) * unit


def earlier_spans(
    stored: Mapping[tuple[str, str], StoredCell], samples: Mapping[str, int], batch_size: int
) -> dict[str, int]:
    """Task -> samples per shard, of the tasks whose stored cells were cut into `whole_batches`: they are resumed so.

    Args:
        samples: task -> its number of samples.
    """
    lengths = {task: whole_batches(n, batch_size) for task, n in samples.items()}
    return {
        task: length
        for (task, _), cell in stored.items()
        if (length := lengths.get(task))
        and (of := cell.job.identity).span == length
        and (of.images, of.batch_size) == (samples[task], batch_size)
    }
