"""What a shard states of the trials in it: whose they are, which samples, and where their bytes lie."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import StoreError

Span = tuple[int, int]


class Origin(NamedTuple):
    """Whose trials a shard holds: the cell, its key, and the digest of its layout (`layout_digest`)."""

    task: str
    model: str
    key: str
    layout: str


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a shard.

    Attributes:
        spans: the committed ranges in the shard, in order and without gaps.
        provenance: JSON texts, one for each distinct provenance of the spans, newest last.
        tails: field -> shape of one sample's trials, ``{"top5": (C, 5), …}``.
        dtypes: field -> its type, ``<i2``.
        offsets: field -> where its bytes begin in the file; only of a header that was read.
        digests: field -> SHA-256 of each span's bytes; likewise.
    """

    origin: Origin
    spans: tuple[Span, ...]
    provenance: tuple[str, ...]
    tails: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    offsets: Mapping[str, int] = field(default_factory=dict)
    digests: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def facts(self) -> list[Any]:
        """What the header states of the trials, JSON-ready; their own digests cover the rest."""
        return [self.origin, self.spans, [json.loads(text) for text in self.provenance]]

    @property
    def range(self) -> Span:
        """(low, high) of all samples in the file."""
        return self.spans[0][0], self.spans[-1][1]


def are_gapless(spans: Sequence[Span]) -> bool:
    """Whether there are spans, each beginning where the one before ends."""
    return bool(spans) and all(before[1] == after[0] for before, after in pairwise(spans))


def damaged(path: Path, problem: str) -> StoreError:
    """The error for a file whose content is wrong."""
    return StoreError(
        f"{path} {problem}; delete it and type the `harness run` command again, which computes what is missing"
    )


def refuse_other(path: Path, origin: Origin, header: Header) -> None:
    """Raises StoreError if the shard `path` holds the trials of another cell, key or layout than `origin`."""
    for part, expected, actual in zip(Origin._fields, origin, header.origin, strict=True):
        if expected != actual:
            raise damaged(path, f"holds trials of another {part}: expected {expected}, found {actual}")
