"""Checkpoints: which files of a model are here and sound, and getting the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.checkpoints import pins
from harness.checkpoints.expected import check_digest, stated_digest
from harness.checkpoints.locations import locate
from harness.checkpoints.reading import check_whole
from harness.errors import AbsentCheckpointError, CheckpointError, FetchError, HarnessError
from harness.fetching.content import check_download
from harness.fetching.records import LOOPBACK, Outcome, State, Wanted
from harness.local.digests import sha256_of

if TYPE_CHECKING:
    from harness.fetching.files import Fetcher, Got
    from harness.interfaces import ModelSource
    from harness.records import Download, ModelSpec


class _LackingError(Exception):
    """A download is needed; the message says why."""


@dataclass(frozen=True, slots=True)
class ModelFetch:
    """One model to be had.

    Args:
        accept: whether a file that differs from what was recorded at its first use is recorded anew.
    """

    spec: ModelSpec
    source: ModelSource
    accept: bool = False
    _seen: dict[Path, str] = field(default_factory=dict, init=False, repr=False)
    """Target -> SHA-256 of the file that was vetted for it."""

    def survey(self) -> Outcome:
        """What is here; never uses the network."""
        try:
            return self._present()
        except _LackingError as lacking:
            return self._missing(str(lacking), not isinstance(lacking.__cause__, AbsentCheckpointError))
        except HarnessError as error:
            return self._outcome("failed", detail=str(error))

    def fetch(self, fetcher: Fetcher) -> Outcome:
        """Get what is missing. Whatever goes wrong with this model stands in the outcome."""
        try:
            try:
                return self._present()
            except _LackingError as lacking:
                places = self._places()
                if not places:
                    return self._missing(str(lacking))
            got = [fetcher.fetch(self.spec.name, self._sound_first(one), self._vet) for one in places]
            self._record(got)
            self.source.files(self.spec)  # raises if the source does not look where its downloads belong
        except HarnessError as error:
            return self._outcome("failed", detail=str(error))
        fresh = [one for one in got if one.fresh]
        return self._outcome("fetched" if fresh else "present", sum(one.bytes for one in fresh or got))

    def _present(self) -> Outcome:
        """The outcome if every file is here and sound.

        Raises:
            _LackingError: one is not, and a download brings it.
            CheckpointError, FetchError: one is not, and no download would take its place.
        """
        try:
            files = self.source.files(self.spec)
        except AbsentCheckpointError as absent:
            raise _LackingError(str(absent)) from absent
        targets = {wanted.target: wanted for alternatives in self._places() for wanted in alternatives}
        for position, path in enumerate(files):
            try:
                self._check(path, position, targets.get(path))
            except (CheckpointError, FetchError) as error:
                if path in targets:
                    raise _LackingError(f"{path}: {error}") from error
                raise
        # Recorded is what was fetched or has loaded, not whatever lies there.
        pins.check(self.spec, files, [sha256_of(path) for path in files], recording=False)
        return self._outcome("present", sum(path.stat().st_size for path in files))

    def _check(self, path: Path, position: int, wanted: Wanted | None) -> None:
        """Kind, wholeness, size, published digest, and what was recorded at the first use."""
        check_whole(path)
        if wanted is not None:
            check_download(path, wanted.download)
        digest = sha256_of(path)
        stated = stated_digest(self.spec, position)
        check_digest(self.spec, path, digest, stated)
        if pins.is_download(path) and not (stated and stated.whole):
            if self.accept:
                pins.record(self.spec, path.name, digest, None)
            pins.compare(self.spec, path.name, digest)

    def _missing(self, reason: str, broken: bool = False) -> Outcome:
        """`broken`: a file is there, and of no use."""
        places = self._places()
        if not places:
            return self._outcome("by hand", detail=reason)
        lacking = [alternatives for alternatives in places if not any(map(self._sound, alternatives))]
        sizes = [alternatives[0].download.bytes for alternatives in lacking]
        known = [size for size in sizes if size is not None]
        uris = ", ".join(alternatives[0].download.uri for alternatives in lacking)
        told = f"{uris} · {reason}" if uris and broken else uris or reason
        return self._outcome("missing", sum(known) if len(known) == len(sizes) else None, told)

    def _sound_first(self, alternatives: Sequence[Wanted]) -> Sequence[Wanted]:
        """Of two files of one model that are missing, the other may be here, from a place that comes later."""
        return sorted(alternatives, key=lambda wanted: not self._sound(wanted))

    def _sound(self, wanted: Wanted) -> bool:
        if not wanted.target.is_file():
            return False
        try:
            check_download(wanted.target, wanted.download)
            self._vet(wanted.target, wanted.download)
        except HarnessError:
            return False  # the reason is told where the file is used or replaced
        return True

    def _places(self) -> list[list[Wanted]]:
        """For each file that is on the net: where it is, and where it belongs, in order of preference."""
        return [
            [Wanted(one, _target(self.spec, one.uri)) for one in alternatives]
            for alternatives in self.source.downloads(self.spec)
            if alternatives
        ]

    def _vet(self, path: Path, download: Download) -> None:
        """A checkpoint, and the one that was recorded unless any is accepted. Raises CheckpointError, FetchError."""
        try:
            check_whole(path)
        except CheckpointError as error:
            raise FetchError(str(error).replace(str(path), "what came", 1)) from error
        if download.digest and len(download.digest) == len("sha256:") + 64:
            return
        target = _target(self.spec, download.uri)
        with path.open("rb") as file:
            self._seen[target] = file_digest(file, "sha256").hexdigest()
        if not self.accept:
            pins.compare(self.spec, target.name, self._seen[target])

    def _record(self, got: Sequence[Got]) -> None:
        for one in got:
            target = one.wanted.target
            if target in self._seen:
                pins.record(self.spec, target.name, self._seen[target], one.wanted.download.uri)

    def _outcome(self, state: State, size: int | None = None, detail: str = "") -> Outcome:
        return Outcome(kind="model", name=self.spec.name, state=state, bytes=size, detail=detail)


def _target(spec: ModelSpec, uri: str) -> Path:
    """Where a download belongs. A server on this machine may speak ``http:``, which no registry can name."""
    parts = urlsplit(uri)
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        uri = f"https{uri.removeprefix('http')}"
    return locate(spec, uri)
