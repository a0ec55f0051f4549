"""The decisions of a whole cell, from its shards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import StoreError
from harness.records import TOP
from harness.store import checks
from harness.store.direct import read_bytes
from harness.store.fitting import refuse_other_shapes
from harness.store.headers import Origin
from harness.store.shards import FILLS, Fields, read_header

if TYPE_CHECKING:
    from harness.records import Job
    from harness.store.cells import ShardFile

DECISIONS: Final = ("top5", "logp", "correct")
"""Fields that every cell has."""


def has_ranks(job: Job, files: Sequence[ShardFile]) -> bool:
    """Whether the shards of a cell hold ranks of the target, those to come too: as the first one does.

    A cell that was begun before ranks were stored is finished without them, and imported decisions have none.
    """
    return "rank" in read_header(files[0].path).tails if files else not job.identity.first_choices_only


def stored_decisions(files: Sequence[ShardFile]) -> tuple[str, ...]:
    """The names of the decisions' fields that all of these files hold."""
    ranked = bool(files) and all("rank" in read_header(file.path).tails for file in files)
    return (*DECISIONS, "rank") if ranked else DECISIONS


def read_decisions(files: Sequence[ShardFile], origin: Origin, shape: tuple[int, int]) -> Fields:
    """The fields of a complete cell of N samples under C conditions, one file open at a time.

    Args:
        shape: (N, C).

    Raises:
        FileNotFoundError: a file has vanished. StoreError: it is damaged, or belongs to another cell.
    """
    refuse_other_shapes(files, shape[1])
    names = stored_decisions(files)
    whole = {name: np.full((*shape, *_tail(name)), FILLS[name][1], FILLS[name][0]) for name in names}
    for file in files:
        for (low, high), fields in read_bytes(file.path, origin, names):
            problems = checks.field_problems(fields, high - low, shape[1])
            if problems or not file.low <= low < high <= file.high:
                raise StoreError(f"{file.path} does not fit: {'; '.join(problems) or f'samples {low}-{high}'}")
            for name in names:
                whole[name][low:high] = fields[name]
    return whole


def _tail(name: str) -> tuple[int, ...]:
    return () if name in ("correct", "rank") else (TOP,)
