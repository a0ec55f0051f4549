"""Checkpoints: which files of a model are on this machine and valid; downloading the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.checkpoints import pins
from harness.checkpoints.expected import check_digest, stated_digest
from harness.checkpoints.kinds import check_whole
from harness.checkpoints.locations import locate
from harness.errors import AbsentCheckpointError, CheckpointError, FetchError, HarnessError
from harness.fetching.content import check_download
from harness.fetching.records import LOOPBACK, FileRequest, Outcome, State
from harness.local.addresses import without_secrets
from harness.local.digests import sha256_of

if TYPE_CHECKING:
    from harness.fetching.files import FetchedFile, Fetcher
    from harness.interfaces import ModelSource
    from harness.records import Download, ModelSpec


class _DownloadNeededError(Exception):
    """A download is needed; the message says why."""


@dataclass(frozen=True, slots=True)
class ModelFetch:
    """Fetches one model.

    Args:
        accept: whether to record the file that is there now, if it differs from the one recorded on first use.
    """

    spec: ModelSpec
    source: ModelSource
    accept: bool = False
    _checked: dict[Path, str] = field(default_factory=dict, init=False, repr=False)
    """Target -> SHA-256 of the file checked for it."""

    def survey(self) -> Outcome:
        """What is on this machine; never uses the network."""
        try:
            return self._present()
        except _DownloadNeededError as needed:
            return self._missing(str(needed), not isinstance(needed.__cause__, AbsentCheckpointError))
        except HarnessError as error:
            return self._outcome("failed", detail=str(error))

    def fetch(self, fetcher: Fetcher) -> Outcome:
        """Download missing files. The outcome reports any failure; nothing is raised."""
        try:
            try:
                return self._present()
            except _DownloadNeededError as needed:
                files = self._requests()
                if not files:
                    return self._missing(str(needed))
            fetched: list[FetchedFile] = []
            while rest := self._requests()[len(fetched) :]:  # an index, once it is here, names further files
                fetched += [
                    fetcher.fetch(self.spec.name, self._valid_first(mirrors), self._check_fetched) for mirrors in rest
                ]
            self._record(fetched)
            self.source.files(self.spec)  # raises if the source does not look where its downloads go
        except HarnessError as error:
            return self._outcome("failed", detail=str(error))
        new = [file for file in fetched if file.is_new]
        return self._outcome("fetched" if new else "present", sum(file.bytes for file in new or fetched))

    def _present(self) -> Outcome:
        """The outcome if every file is on this machine and valid.

        Raises:
            _DownloadNeededError: a file is missing or invalid, and a download replaces it.
            CheckpointError, FetchError: a file is invalid, and no download would replace it.
        """
        try:
            files = self.source.files(self.spec)
        except AbsentCheckpointError as absent:
            raise _DownloadNeededError(str(absent)) from absent
        targets = {request.target: request for mirrors in self._requests() for request in mirrors}
        for position, path in enumerate(files):
            try:
                self._check_present(path, position, targets.get(path))
            except (CheckpointError, FetchError) as error:
                if path in targets:
                    raise _DownloadNeededError(f"{path}: {error}") from error
                raise
        # Only a file that was fetched or has loaded is recorded, not any file that happens to be there.
        pins.check(self.spec, files, [sha256_of(path) for path in files], recording=False)
        return self._outcome("present", sum(path.stat().st_size for path in files))

    def _check_present(self, path: Path, position: int, request: FileRequest | None) -> None:
        """Checks kind, completeness, size, published digest, and the digest recorded on first use."""
        check_whole(path)
        if request is not None:
            check_download(path, request.download)
        digest = sha256_of(path)
        stated = stated_digest(self.spec, position)
        check_digest(self.spec, path, digest, stated)
        if pins.is_download(path) and not (stated and stated.whole):
            if self.accept:
                pins.record(self.spec, path.name, digest, None)
            pins.compare(self.spec, path.name, digest)

    def _missing(self, reason: str, unusable: bool = False) -> Outcome:
        """`unusable`: a file exists but cannot be used."""
        files = self._requests()
        if not files:
            return self._outcome("by hand", detail=reason)
        missing = [mirrors for mirrors in files if not any(map(self._is_valid, mirrors))]
        sizes = [mirrors[0].download.bytes for mirrors in missing]
        known_sizes = [size for size in sizes if size is not None]
        uris = ", ".join(without_secrets(mirrors[0].download.uri) for mirrors in missing)
        detail = f"{uris} · {reason}" if uris and unusable else uris or reason
        return self._outcome("missing", sum(known_sizes) if len(known_sizes) == len(sizes) else None, detail)

    def _valid_first(self, mirrors: Sequence[FileRequest]) -> Sequence[FileRequest]:
        """One of a model's files may already be here from a mirror that comes later in the list."""
        return sorted(mirrors, key=lambda request: not self._is_valid(request))

    def _is_valid(self, request: FileRequest) -> bool:
        if not request.target.is_file():
            return False
        try:
            check_download(request.target, request.download)
            self._check_fetched(request.target, request.download)
        except HarnessError:
            return False  # the reason is reported where the file is used or replaced
        return True

    def _requests(self) -> list[list[FileRequest]]:
        """For each downloadable file: its mirrors in order of preference, and the target path of each."""
        return [
            [FileRequest(download, _target(self.spec, download.uri)) for download in mirrors]
            for mirrors in self.source.downloads(self.spec)
            if mirrors
        ]

    def _check_fetched(self, path: Path, download: Download) -> None:
        """Checks that it is a checkpoint, and the recorded one unless `accept`. Raises CheckpointError, FetchError."""
        try:
            check_whole(path, called="the download")
        except CheckpointError as error:
            raise FetchError(error.reason, remedy=error.remedy) from error
        if download.sha256 and download.has_whole_digest:
            return
        target = _target(self.spec, download.uri)
        with path.open("rb") as file:
            self._checked[target] = file_digest(file, "sha256").hexdigest()
        if not self.accept:
            pins.compare(self.spec, target.name, self._checked[target])

    def _record(self, fetched: Sequence[FetchedFile]) -> None:
        for file in fetched:
            target = file.request.target
            if target in self._checked:
                pins.record(self.spec, target.name, self._checked[target], file.request.download.uri)

    def _outcome(self, state: State, size: int | None = None, detail: str = "") -> Outcome:
        return Outcome(kind="model", name=self.spec.name, state=state, bytes=size, detail=detail)


def _target(spec: ModelSpec, uri: str) -> Path:
    """Target path of a download. A server on this machine may use ``http:``, which no registry can name."""
    parts = urlsplit(uri)
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        uri = f"https{uri.removeprefix('http')}"
    return locate(spec, uri)
