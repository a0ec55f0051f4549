"""Is this the right file? Which digest a checkpoint file must have, why, and whether it has it.

For each position of `ModelSource.files` (the checkpoint, then its head): the digest that the entry states, else the one
that is published with the download or in the file's name, else (`pins`) what was recorded when it was first used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.checkpoints.locations import locate
from harness.errors import CheckpointError
from harness.records import Download, ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedDigest:
    """What one file must be.

    Attributes:
        sha256: 64 hex digits in lower case, or the first of them.
        basis: ``stated``: in the registry; ``published``: with the download, or in its file name.
    """

    sha256: str
    basis: Literal["stated", "published"]

    @property
    def whole(self) -> bool:
        """Whether all 64 digits are known: then the file need not be recorded on first use."""
        return len(self.sha256) == 64


def stated_digest(spec: ModelSpec, position: int) -> ExpectedDigest | None:
    """The digest that the entry states for the file at `position`; None: it states none."""
    pinned = (spec.sha256, spec.recipe.head_sha256)
    digest = pinned[position] if position < len(pinned) else None
    return None if digest is None else ExpectedDigest(sha256=digest.lower(), basis="stated")


def expected_digest(
    spec: ModelSpec, position: int, path: Path, downloads: Sequence[Sequence[Download]] = ()
) -> ExpectedDigest | None:
    """The digest that the file at `path` must have; None: nobody has published one (see `pins`).

    Args:
        position: of the file in `ModelSource.files`.
        downloads: what the files are on the net (`ModelSource.downloads`). A published digest counts for the file of
            that name alone: the same weights from elsewhere (timm's ``model.safetensors``) have other bytes.

    Raises:
        CheckpointError: the URI of a download has an unknown scheme.
    """
    if stated := stated_digest(spec, position):
        return stated
    for download in downloads[position] if position < len(downloads) else ():
        if download.sha256 and locate(spec, download.uri).name == path.name:
            return ExpectedDigest(sha256=download.sha256.lower(), basis="published")
    return None


def check_digest(spec: ModelSpec, path: Path, digest: str, expected: ExpectedDigest | None) -> None:
    """Raises CheckpointError unless `digest`, the SHA-256 of `path`, is as `expected` (None: any is)."""
    if expected is None or (expected.sha256 and digest.startswith(expected.sha256)):
        return
    raise CheckpointError(
        f"model {spec.name!r}: {path} has SHA-256 {digest}, expected {expected.sha256}. It is another file or a "
        "damaged one: delete it and fetch it again, or register it under a name of its own"
    )
