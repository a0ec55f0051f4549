"""One file: its mirrors are tried in order of preference, with retries, and the target appears whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import FetchError, HarnessError
from harness.fetching import drive
from harness.fetching.content import check_digest, check_download
from harness.fetching.part import Part
from harness.fetching.records import (
    FileCheck,
    FileRequest,
    MirrorError,
    RestartError,
    RetryPolicy,
    TransferError,
    Watcher,
)
from harness.fetching.space import disk_errors
from harness.local.addresses import without_secrets
from harness.records import Download

if TYPE_CHECKING:
    from harness.fetching.session import Session
    from harness.fetching.transfer import Address, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """A file that is now in place.

    Attributes:
        is_new: whether this call downloaded it; False: it was there already.
    """

    request: FileRequest
    bytes: int
    is_new: bool


class Fetcher:
    """Fetches files one after another, over one HTTP session.

    Args:
        retries: how often and how long to retry.
        drive_at: base address of Google Drive.
    """

    def __init__(self, watch: Watcher, retries: RetryPolicy | None = None, drive_at: str = drive.DRIVE) -> None:
        self.watch, self._retries, self._drive = watch, retries or RetryPolicy(), drive_at
        self._opened: Session | None = None

    @property
    def _session(self) -> Session:
        if self._opened is None:
            from harness.fetching.session import Session

            self._opened = Session(self._retries)
        return self._opened

    def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def fetch(self, name: str, mirrors: Sequence[FileRequest], check: FileCheck) -> FetchedFile:
        """The file from the first of `mirrors` that delivers it; an existing file that passes `check` is kept.

        Two processes may request the same file: the second waits for the first and then finds it.

        Args:
            name: name of the file in messages.
            check: further check of each file before it is moved into place, after size, digest and kind.

        Raises:
            FetchError: no mirror delivered the file; the message has the reason of each.
        """
        reasons = []
        for request in mirrors:
            try:
                with locked(request.target, self.watch):
                    return self._existing(request, check) or self._downloaded(name, request, check)
            except MirrorError as error:
                reasons.append(f"{without_secrets(request.download.uri)}: {error}")
        raise FetchError(
            f"{name} could not be fetched. {'. '.join(reasons)}. Type the same command to try again: it resumes "
            "partial downloads"
        )

    def _existing(self, request: FileRequest, check: FileCheck) -> FetchedFile | None:
        if not request.target.is_file():
            return None
        try:
            check_download(request.target, request.download)
            check(request.target, request.download)
        except HarnessError as reason:
            self.watch.note(f"{request.target}: {reason}; it is fetched again and replaced if that succeeds")
            return None
        return FetchedFile(request=request, bytes=request.target.stat().st_size, is_new=False)

    def _downloaded(self, name: str, request: FileRequest, check: FileCheck) -> FetchedFile:
        part = Part(request.target)
        continued = part.size() > 0
        with disk_errors(request.target.parent):
            address = self._transfer_with_retries(name, request.download, part)
            try:
                check_download(part.path, replace(request.download, bytes=address.bytes, digest=None))
                for digest in address.digests:
                    check_digest(part.path, digest)
                check(part.path, request.download)
            except HarnessError as error:
                part.discard()
                if continued:
                    self.watch.note(f"{name}: {error}; it came from two transfers, so it is fetched again")
                    return self._downloaded(name, request, check)
                raise MirrorError(str(error)) from error
            size = part.size()
            part.publish(request.target)
        return FetchedFile(request=request, bytes=size, is_new=True)

    def _transfer_with_retries(self, name: str, download: Download, part: Part) -> Address:
        """Download all bytes into `part`, retrying as long as attempts make progress. Raises MirrorError."""
        from harness.fetching.transfer import Progress, receive

        progress, patience = Progress(best=part.size()), _Patience(self._retries)
        while True:
            try:
                address = self._address(download)
                receive(address, part, self._session, name, self.watch, progress)
                return address
            except (TransferError, RestartError) as interrupted:
                wait = patience.after(interrupted, part, progress)
                self.watch.note(f"{name}: {interrupted}; retrying in {wait:.0f} s")
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
            digests=tuple(digest for digest in dict.fromkeys(digests) if not _is_prefix(digest, digests)),
        )


class _Patience:
    """How many attempts have failed, in a row and by giving up bytes."""

    def __init__(self, retries: RetryPolicy) -> None:
        self._retries = retries
        self._failures, self._restarts = 0, 0

    def after(self, interrupted: TransferError | RestartError, part: Part, progress: Progress) -> float:
        """Seconds to wait after one more attempt. Raises MirrorError if there were too many in vain.

        An attempt is in vain unless there are more bytes than ever before, by so many that it is worth the while.
        """
        size = part.size()
        self._failures = 0 if size >= progress.best + self._retries.least_progress else self._failures + 1
        self._restarts += size < progress.best
        progress.best = max(progress.best, size)
        if self._failures >= self._retries.attempts:
            raise MirrorError(f"{interrupted}, {self._failures} times in a row") from interrupted
        if self._restarts >= self._retries.attempts:
            raise MirrorError(f"{interrupted}, and that {self._restarts} times") from interrupted
        asked = interrupted.wait if isinstance(interrupted, TransferError) else None
        return self._retries.pause_after(self._failures + self._restarts) if asked is None else asked


def _is_prefix(digest: str, digests: Sequence[str]) -> bool:
    return any(longer != digest and longer.startswith(digest) for longer in digests)


@contextmanager
def locked(target: Path, watch: Watcher) -> Iterator[None]:
    """Only one process at a time works on `target`."""
    from harness.local import locking

    def waiting(held: locking.HeldError) -> None:
        advice = f" (only if it has ended: rm {held.marker})" if held.marker else ""
        watch.note(f"another process is fetching {target.name}; waiting for it{advice}")

    with ExitStack() as stack:
        with disk_errors(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locking.locked(target.with_name(f".{target.name}.lock"), waiting))
        yield
