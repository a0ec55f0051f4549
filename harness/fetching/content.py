"""Checks of a downloaded file: not a web page or a pointer, and of the expected size and digest."""

from __future__ import annotations

import re
from hashlib import file_digest
from html import unescape
from pathlib import Path
from typing import Final

from harness.errors import FetchError
from harness.records import Download

HEAD: Final = 65_536
"""Bytes of a file that are inspected; the title of a page comes well before."""
_PAGE: Final = (b"<!doctype html", b"<html", b"<head", b"<body")
_LFS: Final = (b"version https://git-lfs", b"version http://git-media")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{8,64}|md5:[0-9a-f]{32}")
_TEXT_SIGNS: Final = (
    (
        r"quota exceeded|too many users have viewed or downloaded",
        "Google Drive's download quota for this file is exhausted: try again tomorrow, or download it in a browser "
        "where you are signed in",
    ),
    (r"virus scan warning|can.t scan this file", "Google Drive asks for a confirmation that could not be given"),
)
_TITLE_SIGNS: Final = (
    (r"sign[ -]?in|log[ -]?in\b", "it asks for a login"),
    (r"not found|\b404\b", "the file no longer exists"),
)
"""Other pages offer a login too, so only the title counts."""


def describe_page(head: bytes) -> str | None:
    """What a file that begins with `head` is, if it is a web page or a Git LFS pointer; else None."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    while start.startswith((b"<?xml", b"<!--")):
        start = start.partition(b">")[2].lstrip()
    if start.startswith(_PAGE):
        return _page(head.decode("utf-8", "replace"))
    if start.startswith(_LFS):
        return "a Git LFS pointer, not the file it points to"
    return None


def _page(text: str) -> str:
    title = re.search(r"<title[^>]*>(.*?)</title", text, re.DOTALL | re.IGNORECASE)
    words = " ".join(unescape(title[1]).split())[:80] if title else ""
    named = f"a web page titled {words!r}" if words else "a web page without a title"
    plain = unescape(re.sub(r"<[^>]*>", " ", text))
    reasons = [reason for sign, reason in _TEXT_SIGNS if re.search(sign, plain, re.IGNORECASE)]
    reasons += [reason for sign, reason in _TITLE_SIGNS if re.search(sign, words, re.IGNORECASE)]
    return f"{named}: {reasons[0]}" if reasons else named


def check_download(path: Path, download: Download) -> None:
    """Raises FetchError unless `path` has the expected size and digest and is not a web page."""
    with path.open("rb") as file:
        page = describe_page(file.read(HEAD))
    size = path.stat().st_size
    if page or not size:
        raise FetchError(f"the download is {page or 'an empty file'}")
    if download.bytes is not None and size != download.bytes:
        raise FetchError(f"got {size:,} bytes, expected {download.bytes:,}")
    check_digest(path, download.digest)


def check_digest(path: Path, digest: str | None) -> None:
    """Raises FetchError unless the file has `digest`, ``sha256:HEX`` (or its beginning) or ``md5:HEX``; None: any."""
    if digest is None:
        return
    lowered = digest.lower()
    if not _DIGEST.fullmatch(lowered):
        raise FetchError(
            f"cannot check the digest {digest!r}; expected sha256: with 8 to 64 hex digits, or md5: with 32"
        )
    algorithm, _, expected = lowered.partition(":")
    with path.open("rb") as file:
        actual = file_digest(file, algorithm).hexdigest()
    if not actual.startswith(expected):
        raise FetchError(f"{algorithm} is {actual}, expected {expected}{'…' if len(expected) < len(actual) else ''}")
