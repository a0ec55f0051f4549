"""One file: its places in order of preference, each tried with patience, and the target put in place whole or not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import FetchError, HarnessError
from harness.fetching import drive
from harness.fetching.content import check_digest, check_download
from harness.fetching.part import Part
from harness.fetching.records import Dropped, Patience, Refused, Vet, Wanted, Watcher
from harness.fetching.space import disk_errors
from harness.records import Download

if TYPE_CHECKING:
    from harness.fetching.session import Session
    from harness.fetching.transfer import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """A file that is in place now.

    Attributes:
        fresh: whether it was fetched now; else it was there already.
    """

    wanted: Wanted
    bytes: int
    fresh: bool


class Fetcher:
    """Fetches files one after another, over one HTTP session.

    Args:
        patience: how long to wait.
        drive_at: where Google Drive is.
    """

    def __init__(self, watch: Watcher, patience: Patience | None = None, drive_at: str = drive.DRIVE) -> None:
        self.watch, self._patience, self._drive = watch, patience or Patience(), drive_at
        self._opened: Session | None = None

    @property
    def _session(self) -> Session:
        if self._opened is None:
            from harness.fetching.session import Session

            self._opened = Session(self._patience)
        return self._opened

    def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def fetch(self, what: str, places: Sequence[Wanted], vet: Vet) -> Got:
        """The first of `places` that gives the file; one that is there already and passes `vet` is left as it is.

        Two processes may ask for the same file: the second waits, and finds it.

        Args:
            what: name for messages.
            vet: looks at each file before it is put in place, after size, digest and kind have been checked.

        Raises:
            FetchError: none gave it; with the reason of each.
        """
        reasons = []
        for wanted in places:
            try:
                with locked(wanted.target, self.watch):
                    return self._found(wanted, vet) or self._brought(what, wanted, vet)
            except Refused as refusal:
                reasons.append(f"{wanted.download.uri}: {refusal}")
        raise FetchError(
            f"{what} could not be fetched. {'. '.join(reasons)}. Type the same command to try again: it continues what "
            "was broken off"
        )

    def _found(self, wanted: Wanted, vet: Vet) -> Got | None:
        if not wanted.target.is_file():
            return None
        try:
            check_download(wanted.target, wanted.download)
            vet(wanted.target, wanted.download)
        except HarnessError as reason:
            self.watch.note(f"{wanted.target}: {reason}; it is fetched again, and replaced if that succeeds")
            return None
        return Got(wanted=wanted, bytes=wanted.target.stat().st_size, fresh=False)

    def _brought(self, what: str, wanted: Wanted, vet: Vet) -> Got:
        part = Part(wanted.target)
        continued = part.size() > 0
        with disk_errors(wanted.target.parent):
            address = self._with_patience(what, wanted.download, part)
            try:
                check_download(part.path, replace(wanted.download, bytes=address.bytes, digest=None))
                for digest in address.digests:
                    check_digest(part.path, digest)
                vet(part.path, wanted.download)
            except HarnessError as error:
                part.discard()
                if continued:
                    self.watch.note(f"{what}: {error}; it was put together from two transfers, so it is fetched anew")
                    return self._brought(what, wanted, vet)
                raise Refused(str(error)) from error
            size = part.size()
            part.publish(wanted.target)
        return Got(wanted=wanted, bytes=size, fresh=True)

    def _with_patience(self, what: str, download: Download, part: Part) -> Address:
        """Bring all bytes into `part`, over as many attempts as bring any. Raises Refused."""
        from harness.fetching.transfer import receive

        idle, before, patience = 0, part.size(), self._patience
        while True:
            try:
                address = self._address(download)
                receive(address, part, self._session, what, self.watch)
                return address
            except Dropped as dropped:
                idle = 0 if part.size() > before else idle + 1
                before = part.size()
                if idle >= patience.tries:
                    raise Refused(f"{dropped}, {idle} times in a row") from dropped
                wait = dropped.wait
                wait = min(patience.pause * 2 ** max(idle - 1, 0), patience.longest) if wait is None else wait
                self.watch.note(f"{what}: {dropped}; again in {wait:.0f} s")
                time.sleep(wait)
            finally:
                self.watch.end()

    def _address(self, download: Download) -> Address:
        from harness.fetching.transfer import Address

        scheme = download.uri.partition(":")[0]
        if scheme == "hf":
            from harness.fetching.hub import hub_address

            address = hub_address(download, self._session)
        elif scheme == "gdrive":
            address = drive.drive_address(download, self._session, self._drive)
        else:
            address = Address(uri=download.uri, url=download.uri)
        digests = [digest.lower() for digest in (download.digest, *address.digests) if digest]
        return replace(
            address,
            bytes=address.bytes if download.bytes is None else download.bytes,
            digests=tuple(one for one in dict.fromkeys(digests) if not _is_beginning(one, digests)),
        )


def _is_beginning(digest: str, digests: Sequence[str]) -> bool:
    return any(other != digest and other.startswith(digest) for other in digests)


@contextmanager
def locked(target: Path, watch: Watcher) -> Iterator[None]:
    """Only one process at a time works on `target`."""
    from filelock import FileLock, Timeout

    with disk_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.with_name(f".{target.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            watch.note(f"another process is fetching {target.name}; waiting for it")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
