"""The decisions of a whole cell, field by field, from its shards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.records import TOP
from harness.store.direct import read_field
from harness.store.fitting import refuse_other_shapes
from harness.store.headers import Origin
from harness.store.shards import FILLS, read_header

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


def read_decision(files: Sequence[ShardFile], origin: Origin, name: str, shape: tuple[int, int]) -> np.ndarray:
    """One field of a complete cell of N samples under C conditions, one file open at a time; read-only.

    Args:
        shape: (N, C).

    Raises:
        FileNotFoundError: a file has vanished. StoreError: it is damaged, or belongs to another cell.
    """
    refuse_other_shapes(files, shape[1])
    tail = (TOP,) if name in ("top5", "logp") else ()
    whole: np.ndarray = np.full((*shape, *tail), FILLS[name][1], FILLS[name][0])
    for file in files:
        read_field(file.path, origin, name, whole[file.low : file.high])
    whole.flags.writeable = False  # several probes reduce the same trials
    return whole
