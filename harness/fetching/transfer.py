"""One attempt to download the rest of a file from an HTTP server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import requests
import urllib3

from harness.fetching.content import HEAD, describe_page
from harness.fetching.part import FileVersion, Part
from harness.fetching.records import MirrorError, TransferError, Watcher
from harness.fetching.session import one_line
from harness.fetching.space import check_space

if TYPE_CHECKING:
    from harness.fetching.session import Session

CHUNK: Final = 1 << 16
"""Bytes per write: at most this many are lost when a connection breaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The address of one file.

    Attributes:
        uri: as in the entry.
        url: the address to request.
        headers: further headers; they are not sent to another host.
        bytes: size of the file; None if unknown.
        digests: all digests that the file must have.
    """

    uri: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    bytes: int | None = None
    digests: tuple[str, ...] = ()


def receive(address: Address, part: Part, session: Session, title: str, watch: Watcher) -> None:
    """Download the missing bytes; afterwards the partial file is complete as far as the server states.

    Resumes at the end of the partial file if it certainly belongs to the same version of the file, else starts over.

    Raises:
        TransferError: the connection broke; the received bytes are kept.
        MirrorError: this mirror cannot deliver the file.
        FetchError: the disk has too little space.
        OSError: the disk is full, or cannot be written.
    """
    offset, headers = _continuation(address, part)
    with session.open("GET", address.url, {**address.headers, **headers}) as answer, _broken_connections(part):
        if answer.status_code == 416 and offset:
            if _total(answer) != offset:
                part.discard()
                raise TransferError("the file on the server has changed; starting over", 0.0)
            return
        session.check_status(answer)
        if answer.status_code == 206:
            _check_continuation(answer, part, offset)
        else:
            offset = 0
        version = FileVersion(uri=address.uri, validator=_validator(answer), total=_whole_size(answer, offset))
        _check_answer(answer, address, version)
        check_space(part.path.parent, (version.total or address.bytes or 0) - offset)
        if not offset:
            part.restart(version)
        watch.begin(title, offset, version.total or address.bytes)
        _write(answer, part, watch)
    if version.total is not None and part.size() != version.total:
        raise TransferError(f"the connection broke at {part.size():,} of {version.total:,} bytes")


def _continuation(address: Address, part: Part) -> tuple[int, dict[str, str]]:
    """The offset to resume at and the headers that request it; 0 and no headers if only a restart is safe."""
    version, size = part.version(), part.size()
    if not size or version is None or version.uri != address.uri:
        return 0, {}
    if version.validator is None:
        # The server may have another version by now: only a digest can tell.
        return (size, {"Range": f"bytes={size}-"}) if address.digests else (0, {})
    return size, {"Range": f"bytes={size}-", "If-Range": version.validator}


def _check_continuation(answer: requests.Response, part: Part, offset: int) -> None:
    """Raises TransferError, with the part discarded, unless the answer resumes exactly where the part ends."""
    before, now = part.version(), _validator(answer)
    start = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    changed = before is not None and None not in (before.validator, now) and before.validator != now
    grown = before is not None and None not in (before.total, _total(answer)) and before.total != _total(answer)
    if not offset or start is None or int(start[1]) != offset or changed or grown:
        part.discard()
        raise TransferError("the file on the server has changed; starting over", 0.0)


def _validator(answer: requests.Response) -> str | None:
    etag = answer.headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    return answer.headers.get("Last-Modified")


def _total(answer: requests.Response) -> int | None:
    """Size of the whole file according to ``Content-Range``."""
    match = re.search(r"/(\d+)$", answer.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _whole_size(answer: requests.Response, offset: int) -> int | None:
    if (total := _total(answer)) is not None:
        return total
    length = answer.headers.get("Content-Length", "")
    return offset + int(length) if length.isdigit() else None


def _check_answer(answer: requests.Response, address: Address, version: FileVersion) -> None:
    """Refuse an answer that cannot be the file, before anything is written."""
    if answer.headers.get("Content-Type", "").lower().startswith("text/html"):
        head = answer.raw.read(HEAD, decode_content=True)
        raise MirrorError(f"the download is {describe_page(head) or 'a web page'}")
    if version.total is None and not answer.raw.chunked and address.bytes is None and not address.digests:
        raise MirrorError("the server does not state the size of the file, so a truncated file could not be detected")
    if version.total is not None and address.bytes is not None and version.total != address.bytes:
        raise MirrorError(f"the server has {version.total:,} bytes, expected {address.bytes:,}")


def _write(answer: requests.Response, part: Part, watch: Watcher) -> None:
    with part.append() as file:
        for chunk in answer.raw.stream(CHUNK, decode_content=False):
            file.write(chunk)
            watch.advance(len(chunk))


@contextmanager
def _broken_connections(part: Part) -> Iterator[None]:
    try:
        yield
    except urllib3.exceptions.HTTPError as error:
        raise TransferError(f"the connection broke at {part.size():,} bytes ({one_line(error)})") from error
