"""Datasets: whether a complete copy is on this machine; downloading what is missing, and unpacking archives.

The harness keeps its own files in ``ROOT/.harness``: archives while they are needed, the staging folder for unpacking,
and the record of unpacked archives.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from harness.errors import DatasetError, FetchError, HarnessError, RequestError
from harness.fetching.archives import DamagedArchiveError, check_archive, merge, unpack
from harness.fetching.members import Limits
from harness.fetching.records import FileRequest, Outcome, State, Watcher
from harness.fetching.space import disk_errors
from harness.local.addresses import address_key
from harness.local.notes import read_note
from harness.local.writing import write_whole

if TYPE_CHECKING:
    from harness.data.roots import DataRoots
    from harness.fetching.files import Fetcher
    from harness.interfaces import Dataset
    from harness.records import Download, Release

STATE_FOLDER: Final = ".harness"
_MAX_LISTED: Final = 64


class _IncompleteDatasetError(Exception):
    """The dataset is incomplete on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class DatasetFetch:
    """Fetches one dataset.

    Args:
        keep: whether archives are kept after unpacking.
    """

    dataset: Dataset
    roots: DataRoots
    keep: bool = False

    def survey(self) -> Outcome:
        """What is on this machine; never uses the network."""
        try:
            return self._present()
        except _IncompleteDatasetError as incomplete:
            return self._missing(str(incomplete))
        except HarnessError as error:
            return self._outcome("failed", detail=str(error))

    def root(self) -> Path:
        """Where archives are unpacked. Raises RequestError if the user gave no such folder."""
        if self.roots.default is None or self.dataset.name in self.roots.named:
            raise RequestError(
                f"dataset {self.dataset.name!r} is unpacked below a data root, and none is given for it",
                remedy=f"harness fetch --datasets {self.dataset.name} --data ROOT (or set HARNESS_DATA)",
            )
        return self.roots.default

    def fetch(self, fetcher: Fetcher) -> Outcome:
        """Download and unpack missing archives. The outcome reports any failure; nothing is raised."""
        try:
            try:
                return self._present()
            except _IncompleteDatasetError as incomplete:
                downloads = self._downloads()
                if not downloads:
                    return self._missing(str(incomplete))
            size = sum(self._fetch_and_unpack(download, fetcher) for download in downloads)
            self._present()
        except _IncompleteDatasetError as incomplete:
            if all(download.file for download in downloads):
                return self._missing(str(incomplete))  # the images, which nobody may fetch for the user
            retry = (
                f"to fetch it again, delete {self.root() / STATE_FOLDER / 'unpacked.json'} and type the same command"
            )
            return self._outcome("failed", detail=f"all archives are unpacked, and yet: {incomplete}; {retry}")
        except HarnessError as error:
            return self._outcome("failed", detail=str(error))
        return self._outcome("fetched", size)

    def _present(self) -> Outcome:
        """The outcome if a complete copy is on this machine. Raises _IncompleteDatasetError."""
        release = self.dataset.release()
        try:
            root = self.roots.find(self.dataset)
            images = sum(1 for _ in self.dataset.samples(root))
        except DatasetError as error:
            raise _IncompleteDatasetError(str(error)) from error
        if not images or (release and images < release.images):
            whole = f" of {release.images:,}" if release else ""
            raise _IncompleteDatasetError(f"{images:,}{whole} images in {root}")
        return self._outcome("present", release.bytes if release else None)

    def _downloads(self) -> tuple[Download, ...]:
        release = self.dataset.release()
        return release.downloads if release else ()

    def _missing(self, reason: str) -> Outcome:
        release: Release | None = self.dataset.release()
        if release is None or not release.downloads:
            page = f"{release.page} · " if release and release.page else ""
            return self._outcome("by hand", release.bytes if release else None, f"{page}{reason}")
        default = self.roots.default
        missing = [download for download in release.downloads if default is None or not _is_here(default, download)]
        if not missing and all(download.file for download in release.downloads):
            return self._outcome("by hand", None, f"{release.page} · {reason}")
        known_sizes = [download.bytes for download in missing if download.bytes is not None]
        size = sum(known_sizes) if len(known_sizes) == len(missing) else None
        return self._outcome("missing", size, reason if default else "to be unpacked below --data ROOT: give one")

    def _fetch_and_unpack(self, download: Download, fetcher: Fetcher) -> int:
        """Fetch and unpack one archive unless it has been unpacked already; returns the bytes fetched."""
        from harness.fetching.files import locked

        root = self.root()
        archive = root / STATE_FOLDER / "archives" / _archive_name(download)
        with disk_errors(root), locked(archive.with_name(f"{archive.name}.unpacking"), fetcher.watch):
            if _is_here(root, download):
                return 0
            fetched = fetcher.fetch(self.dataset.name, [FileRequest(download, archive)], _check_kind)
            try:
                places = self._unpack(download, archive, root, fetcher.watch)
            except DamagedArchiveError:
                archive.unlink()  # so that the same command fetches it again
                raise
            _record_unpacked(root, download, places)
            if not self.keep:
                archive.unlink()
        return fetched.bytes if fetched.is_new else 0

    def _unpack(self, download: Download, archive: Path, root: Path, watch: Watcher) -> list[str]:
        """Unpack `archive` into its folder below `root`, or copy a single file to its place.

        Returns the paths that this creates, relative to `root`.
        """
        release = self.dataset.release()
        limits = Limits(bytes=release.bytes, images=release.images) if release else Limits()
        staging = root / STATE_FOLDER / "unpacking" / archive.name
        shutil.rmtree(staging, ignore_errors=True)
        try:
            title = f"{self.dataset.name} (unpacking)"
            if download.file:
                _place(archive, _below(staging, download.file))
            else:
                unpack(archive, _below(staging, download.into), title, watch, limits)
            if download.rename:
                _rename(staging, *download.rename)
            _check_top(staging)
            places = _places(staging, download)
            merge(staging, root)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return places

    def _outcome(self, state: State, size: int | None = None, detail: str = "") -> Outcome:
        return Outcome(kind="dataset", name=self.dataset.name, state=state, bytes=size, detail=detail)


def _check_kind(path: Path, download: Download) -> None:
    """Raises FetchError unless the file is an archive, or meant to stay as it is."""
    if not download.file:
        check_archive(path)


def _place(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)


def _rename(staging: Path, before: str, after: str) -> None:
    source, target = _below(staging, before), _below(staging, after)
    if not source.is_dir():
        names = ", ".join(sorted(entry.name for entry in staging.iterdir())[:6])
        raise FetchError(f"the archive has no folder {before!r}; it has {names}")
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)


def _check_top(staging: Path) -> None:
    own = [entry.name for entry in staging.iterdir() if entry.name.casefold() == STATE_FOLDER]
    if own:
        raise FetchError(f"the archive is not safe to unpack: it has {own[0]!r}, the folder of the harness itself")


def _below(root: Path, relative: str) -> Path:
    parts = PurePosixPath(relative)
    if parts.is_absolute() or ".." in parts.parts:
        raise FetchError(f"{relative!r} leads out of the data root; the dataset's release is wrong")
    return root / parts


def _places(staging: Path, download: Download) -> list[str]:
    """The paths that mark the archive as unpacked: its top-level entries, or their folder if there are many.

    Of a single file, its own path.
    """
    if download.file:
        return [download.file]
    top = _below(staging, download.rename[1] if download.rename else download.into)
    entries = sorted(top.iterdir())
    marks = [top] if download.rename or len(entries) > _MAX_LISTED else entries
    return [path.relative_to(staging).as_posix() for path in marks]


def _archive_name(download: Download) -> str:
    """The last part of the address, after a few digits that distinguish equal names."""
    name = PurePosixPath(urlsplit(download.uri).path.replace(":", "/")).name
    plain = re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII).lstrip(".") or "archive"
    return f"{hashlib.sha256(download.uri.encode()).hexdigest()[:8]}-{plain}"


# --- the record of what has been unpacked ----------------------------------------------------


def _is_here(root: Path, download: Download) -> bool:
    """Whether nothing is left to fetch: the archive has been unpacked, or there is such a file, the user's own too."""
    return bool(download.file and os.path.lexists(root / download.file)) or _is_unpacked(root, download)


def _is_unpacked(root: Path, download: Download) -> bool:
    """Whether this archive has been unpacked below `root` and its files still exist."""
    stored = _unpacked_archives(root)
    places = stored.get(_key(download)) or stored.get(_key(download, download.uri))  # the latter: from before
    try:
        return bool(places) and all((root / place).exists() for place in places or ())
    except OSError:  # of a place that cannot be one
        return False


def _key(download: Download, uri: str | None = None) -> str:
    return json.dumps(
        [address_key(download.uri) if uri is None else uri, download.digest, download.into, download.rename]
    )


def _unpacked_archives(root: Path) -> dict[str, list[str]]:
    """Archive -> paths it created. Only a cache: if it is damaged, archives are fetched again."""
    try:
        stored = read_note(root / STATE_FOLDER / "unpacked.json")
        return {key: places for key, places in stored.items() if _are_places(places)}
    except (FileNotFoundError, ValueError, AttributeError, TypeError):
        return {}


def _are_places(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(place, str) for place in value)


def _record_unpacked(root: Path, download: Download, places: list[str]) -> None:
    from harness.local.locking import locked

    target = root / STATE_FOLDER / "unpacked.json"
    with locked(target.with_suffix(".lock")):
        write_whole(target, json.dumps({**_unpacked_archives(root), _key(download): places}, indent=1))
