"""What kind of file a checkpoint is, from its first bytes, and whether it is complete. Never executes its content."""

from __future__ import annotations

import codecs
import zipfile
from pathlib import Path
from typing import Final, Literal

from harness.checkpoints.foreign import error_by_name, foreign_error, not_a_checkpoint
from harness.checkpoints.shards import is_index
from harness.errors import CheckpointError
from harness.local.regular import regular

Format = Literal["safetensors", "zip", "legacy", "index"]
_SPACE: Final = b"\xef\xbb\xbf \t\r\n"
"""What may stand before a text: a byte order mark and white space."""


def sniff(path: Path, called: str = "") -> Format:
    """What kind of checkpoint `path` is, from its first bytes alone.

    Args:
        called: what the message calls the file; default: its path.

    Raises:
        CheckpointError: it is an HTML page, a Git LFS pointer, empty, an archive, text, or of an unknown kind.
    """
    try:
        with regular(path).open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    if is_index(path) and head.lstrip(_SPACE).startswith(b"{"):
        return "index"
    if head[257:262] == b"ustar":
        raise not_a_checkpoint(called or path, "a tar archive; unpack it, or save its state dict with torch.save")
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if foreign := foreign_error(head, path, called):
        raise foreign
    if head.startswith(b"\x80"):
        return "legacy"
    # A safetensors header: its length as 8 bytes, little-endian, then JSON; 100 MB is the format's own limit.
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= 100_000_000:
        return "safetensors"
    raise error_by_name(path, called) or not_a_checkpoint(called or path, *_describe(head))


def check_whole(path: Path, called: str = "") -> None:
    """Raises CheckpointError if a file is truncated: a zip file without its end, a safetensors file with too few bytes.

    For torch's older format (a bare pickle) this cannot be detected without loading it.

    Args:
        called: what the message calls the file; default: its path.
    """
    from safetensors import SafetensorError, safe_open

    kind, whole = sniff(path, called), True
    if kind == "zip":
        whole = zipfile.is_zipfile(path)
    elif kind == "safetensors":
        try:
            with safe_open(path, framework="np"):
                pass
        except Exception as error:  # a made header
            if not isinstance(error, SafetensorError):
                raise CheckpointError(f"{called or path} is damaged ({error}); fetch it again") from error
            whole = False
    if not whole:
        size = path.stat().st_size
        raise CheckpointError(
            f"{called or path} is truncated after {size:,} bytes: an unfinished download or copy; copy or fetch it "
            "again"
        )


def _describe(head: bytes) -> tuple[str, str]:
    """What a file is that begins so, with what to do, and the command that does it if there is one."""
    if head.lstrip(_SPACE).lower().startswith((b"version https://git-lfs", b"version http://git-media")):
        return "a Git LFS pointer", "git lfs pull (in the repository it comes from)"
    return _kind_of(head), ""


def _kind_of(head: bytes) -> str:
    start = head.lstrip(_SPACE).lower()
    if not head:
        return "an empty file; delete it and fetch it again"
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")):
        return "an HTML page (a download that needed a login or a confirmation); delete it and fetch it again"
    if start.startswith((b"\x1f\x8b", b"bzh", b"\xfd7zxz", b"7z\xbc\xaf", b"(\xb5/\xfd")):
        return "a compressed archive; unpack it first"
    if (text := _as_text(head)) is not None:
        return f"a text file that begins {text[:60]!r}"
    return (
        f"an unknown kind of file that begins {head[:8]!r}; expected a torch.save or safetensors file. "
        "If it was downloaded, it may be truncated: delete it and fetch it again"
    )


def _as_text(head: bytes) -> str | None:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # incremental: the last character may be cut
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character.isspace() for character in text) else None
