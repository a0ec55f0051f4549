"""All spans of a finished cell in one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import StoreError
from harness.store.headers import Header, Origin
from harness.store.shards import StoredSpan, read_header, read_shard, write_shard

if TYPE_CHECKING:
    from harness.store.cells import Committed, ShardFile


def write_consolidated(path: Path, origin: Origin, files: Sequence[ShardFile], kept: Mapping[Path, Committed]) -> None:
    """Copy the spans of `files` into the shard `path`, one at a time.

    Args:
        kept: file -> its only span, where this process still has it in memory.

    Raises:
        StoreError: a span is damaged, or they hold different fields. CellError: the disk is full.
    """
    headers = [kept[file.path].header if file.path in kept else read_header(file.path) for file in files]
    header = Header(
        origin=origin,
        spans=tuple(span for each in headers for span in each.spans),
        provenance=tuple(dict.fromkeys(text for each in headers for text in each.provenance)),
        tails=headers[0].tails,
        dtypes=headers[0].dtypes,
    )
    if any((each.tails, each.dtypes) != (header.tails, header.dtypes) for each in headers):
        raise StoreError(f"shards in {path.parent} hold different fields; delete it to start again")

    def spans() -> Iterator[StoredSpan]:
        for file in files:
            yield from [kept[file.path].stored] if file.path in kept else read_shard(file.path, origin)

    digests: dict[str, list[str]] = {name: [] for name in header.tails}
    for stored in spans():
        for name, digest in stored.digests.items():
            digests[name].append(digest)
    write_shard(path, header, digests, spans())
