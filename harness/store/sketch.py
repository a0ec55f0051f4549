"""Files that HDF5 lays out in memory, so that it never writes to the disk itself."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from harness.local.writing import Patch


class Sketch(io.RawIOBase):
    """A file in memory that keeps only written pages, so that unfilled datasets take no memory."""

    PAGE = 4096

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self._pages: dict[int, bytearray] = {}
        self._position = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def truncate(self, size: int | None = None) -> int:
        self.size = self._position if size is None else size
        return self.size

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for page, start, done, take in self._stretch(len(view)):
            self._pages.setdefault(page, bytearray(self.PAGE))[start : start + take] = view[done : done + take]
        self._position += len(view)
        self.size = max(self.size, self._position)
        return len(view)

    def readinto(self, out: Any) -> int:
        view = memoryview(out).cast("B")
        for page, start, done, take in self._stretch(len(view)):
            view[done : done + take] = self._pages.get(page, bytes(self.PAGE))[start : start + take]
        self._position += len(view)
        return len(view)

    def _stretch(self, length: int) -> Iterator[tuple[int, int, int, int]]:
        done = 0
        while done < length:
            page, start = divmod(self._position + done, self.PAGE)
            take = min(length - done, self.PAGE - start)
            yield page, start, done, take
            done += take

    def patches(self) -> Iterator[Patch]:
        """The written pages, to be copied to a real file."""
        for page, content in sorted(self._pages.items()):
            yield page * self.PAGE, memoryview(content)[: max(0, self.size - page * self.PAGE)]
