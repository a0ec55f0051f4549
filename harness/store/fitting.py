"""Whether shards fit the axes of their task, by their headers: before anything is allocated for their trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.errors import StoreError
from harness.records import TOP
from harness.store.shards import read_header

if TYPE_CHECKING:
    from harness.store.cells import ShardFile


def refuse_other_shapes(files: Sequence[ShardFile], conditions: int) -> None:
    """Raises StoreError unless each file holds the samples of its name, under `conditions` conditions."""
    expected = {"top5": (conditions, TOP), "logp": (conditions, TOP), "correct": (conditions,), "rank": (conditions,)}
    for file in files:
        header = read_header(file.path)
        problems = [
            f"{name} of one sample is {header.tails[name]}, expected {tail}"
            for name, tail in expected.items()
            if name in header.tails and header.tails[name] != tail
        ]
        if problems or header.range != (file.low, file.high):
            low, high = header.range
            raise StoreError(f"{file.path} does not fit: {'; '.join(problems) or f'samples {low}-{high}'}")
