"""Spans that this process has just committed, kept in memory until their cell is consolidated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from harness.store.cells import Committed
from harness.store.headers import Span

RECENT_BYTES: Final = 32 << 20
"""Limit on the committed trials kept in memory until their cell is consolidated; it holds many small cells. Spans
beyond it are read back from their shards."""


class RecentSpans:
    """Committed spans by key of their job, at most `RECENT_BYTES` in all."""

    def __init__(self) -> None:
        self._spans: dict[str, dict[Span, Committed]] = {}
        self._bytes = 0

    def keep(self, key: str, span: Span, committed: Committed) -> None:
        """Keep a span in memory, as long as there is room."""
        if span in self._spans.get(key, {}):
            self.forget(key)  # committed a second time
        if self._bytes + _size(committed) <= RECENT_BYTES:
            self._spans.setdefault(key, {})[span] = committed
            self._bytes += _size(committed)

    def forget(self, key: str) -> None:
        """Drop the spans of one job."""
        self._bytes -= sum(map(_size, self._spans.pop(key, {}).values()))

    def of(self, key: str) -> Mapping[Span, Committed]:
        """The spans of one job that are in memory."""
        return self._spans.get(key, {})


def _size(committed: Committed) -> int:
    return sum(array.nbytes for array in committed.stored.fields.values())
