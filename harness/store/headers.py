"""What a shard states of the trials in it: whose they are, which samples, and where their bytes lie."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from harness.errors import StoreError, listed

Span = tuple[int, int]
_DIGITS: Final = 64
_DTYPE: Final = re.compile(r"[<|](f[248]|[iu][1248])|u1")


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

    def as_json(self) -> list[Any]:
        """Everything as lists; the digests of a field are one text, which is quicker to read."""
        fields = [
            [name, self.tails[name], self.dtypes[name], self.offsets.get(name), _joined(self.digests[name])]
            for name in self.tails
        ]
        return [self.origin, self.spans, self.provenance, fields]

    @classmethod
    def of_json(cls, content: Any) -> Header:
        """The inverse of `as_json`. Raises TypeError or ValueError for anything else."""
        origin, spans, provenance, fields = content
        tails: dict[str, tuple[int, ...]] = {}
        dtypes: dict[str, str] = {}
        offsets: dict[str, int] = {}
        digests: dict[str, list[str]] = {}
        for name, tail, dtype, offset, of_spans in fields:
            tails[name], dtypes[name], digests[name] = tuple(tail), dtype, _split(of_spans)
            offsets |= {} if offset is None else {name: offset}
        return cls(
            origin=Origin(*origin),
            spans=tuple((low, high) for low, high in spans),
            provenance=tuple(provenance),
            tails=tails,
            dtypes=dtypes,
            offsets=offsets,
            digests=digests,
        )

    @property
    def places(self) -> list[Span]:
        """First byte of each field in the file, and the one behind it, in order."""
        low, high = self.range
        rows = {name: np.dtype(kind).itemsize * math.prod(self.tails[name]) for name, kind in self.dtypes.items()}
        return sorted((self.offsets[name], self.offsets[name] + (high - low) * row) for name, row in rows.items())


def _joined(digests: Sequence[str]) -> str | list[str]:
    return "".join(digests) if all(len(digest) == _DIGITS for digest in digests) else [*digests]


def _split(digests: str | list[str]) -> list[str]:
    if isinstance(digests, list):
        return digests
    return [digests[at : at + _DIGITS] for at in range(0, len(digests), _DIGITS)]


def refuse_senseless(header: Header, size: int) -> None:
    """Raises ValueError if the fields of `header` cannot lie in a file of `size` bytes, or its parts are of odd types.

    Everything that is allocated for trials is checked here, before it is.
    """
    if not all(isinstance(part, str) for part in header.origin):
        raise ValueError("its origin is not text")
    if not all(is_count(end) for span in header.spans for end in span) or not are_gapless(header.spans):
        raise ValueError(f"its spans {listed(map(str, header.spans))} are not ranges of samples that follow each other")
    names = header.tails.keys()
    if not names or any(part.keys() != names for part in (header.dtypes, header.offsets, header.digests)):
        raise ValueError("its fields have no type, place or digest")
    for name in names:
        digests = header.digests[name]
        if not isinstance(header.dtypes[name], str) or not _DTYPE.fullmatch(header.dtypes[name]):
            raise ValueError(f"{name} is of the type {header.dtypes[name]!r:.40}")
        if not all(is_count(side) and side for side in header.tails[name]) or not is_count(header.offsets[name]):
            raise ValueError(f"{name} has the shape {header.tails[name]!r:.80} at {header.offsets[name]!r:.40}")
        if len(digests) != len(header.spans) or not all(isinstance(digest, str) for digest in digests):
            raise ValueError(f"{name} does not have one digest for each span")
    places = header.places
    if places[-1][1] > size or any(before[1] > after[0] for before, after in pairwise(places)):
        raise ValueError(f"its fields do not fit into {size:,} bytes")


def is_count(value: object) -> bool:
    """Whether `value` is a whole number from 0 on, which 63 bits hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def are_gapless(spans: Sequence[Span]) -> bool:
    """Whether there are spans, none empty, each beginning where the one before ends."""
    return bool(spans) and all(low < high for low, high in spans) and all(a[1] == b[0] for a, b in pairwise(spans))


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
