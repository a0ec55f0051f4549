"""The digest of stored trials, from what their shards state of themselves: no trial is read."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from harness.errors import StoreError
from harness.store.shards import read_header

if TYPE_CHECKING:
    from harness.store.reader import RunReader


def trials_digest(run: RunReader, task: str, model: str) -> str:
    """SHA-256 of everything that `RunReader.read` of a cell rests on: its layout, and the SHA-256 of each field.

    Equal digests mean equal trials, whether their spans lie in one file or in several. Whether a shard still holds what
    it states is seen when it is read, or by `verify`.

    Raises StoreError: there is no such cell, or the header of a shard is damaged.
    """
    record, files = run.place(task, model)
    try:
        headers = [read_header(file.path) for file in files]
    except FileNotFoundError as error:
        raise StoreError(f"{error.filename} vanished while it was read") from error
    layout = run.layout_header(task)
    spans = [
        [header.origin, span, {name: [header.dtypes[name], of[at]] for name, of in header.digests.items()}]
        for header in headers
        for at, span in enumerate(header.spans)
    ]
    facts = [record.origin, record.job.layers, layout.digest, layout.content, spans]
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
