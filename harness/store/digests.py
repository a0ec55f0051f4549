"""The digest of stored trials, from what their shards state of themselves: no trial is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING

from harness.store.shards import read_header

if TYPE_CHECKING:
    from harness.store.cells import CellRecord, ShardFile
    from harness.store.headers import Header
    from harness.store.layout import LayoutHeader
    from harness.store.reader import RunReader


def trials_digest(run: RunReader, task: str, model: str) -> str:
    """SHA-256 of everything that `RunReader.read` of a cell rests on: its layout, and the SHA-256 of each field.

    Equal digests mean equal trials, whether their spans lie in one file or in several. Whether a shard still holds what
    it states is seen when it is read, or by `verify`.

    Raises StoreError: there is no such cell, or the header of a shard is damaged.
    """

    def read(record: CellRecord, files: Sequence[ShardFile]) -> str:
        return _digest(run.layout_header(task), record, [read_header(file.path) for file in files])

    return run.of_cell(task, model, read)


def _digest(layout: LayoutHeader, record: CellRecord, headers: Sequence[Header]) -> str:
    fields = {
        name: [
            sorted({header.dtypes.get(name, "") for header in headers}),
            sha256("".join(_of_field(header, name) for header in headers).encode()).hexdigest(),
        ]
        for name in {name for header in headers for name in header.tails}
    }
    origins, spans = dict.fromkeys(header.origin for header in headers), [header.spans for header in headers]
    facts = [
        record.origin,
        list(origins),
        record.job.layers,
        layout.digest,
        layout.content,
        list(chain(*spans)),
        fields,
    ]
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _of_field(header: Header, name: str) -> str:
    return "".join(header.digests.get(name, "-" * len(header.spans)))
