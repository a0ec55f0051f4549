"""One attempt to download the rest of a file from an HTTP server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import requests
import urllib3

from harness.fetching.content import HEAD, describe_page
from harness.fetching.pace import Pace, cut
from harness.fetching.part import FileVersion, Part
from harness.fetching.records import MirrorError, RestartError, RetryPolicy, TransferError, Watcher
from harness.fetching.session import one_line, whole_number
from harness.fetching.space import check_space
from harness.local.addresses import address_key

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


@dataclass(slots=True)
class Progress:
    """What is known about one file from the answers so far, over all attempts of one command.

    Attributes:
        total: size of the file in bytes as the first answer states it; None if none has. Later ones must agree.
        best: the most bytes that were there at once.
    """

    total: int | None = None
    best: int = 0


def receive(
    address: Address, part: Part, session: Session, title: str, watch: Watcher, progress: Progress | None = None
) -> None:
    """Download the missing bytes; afterwards the partial file is complete as far as the server states.

    Resumes at the end of the partial file if it certainly belongs to the same version of the file, else starts over.

    Raises:
        TransferError: the connection broke, or is too slow; the received bytes are kept.
        RestartError: the bytes so far are of no use and are gone.
        MirrorError: this mirror cannot deliver the file.
        FetchError: the disk has too little space.
        OSError: the disk is full, or cannot be written.
    """
    progress = progress or Progress()
    offset, headers = _continuation(address, part)
    with session.open("GET", address.url, {**address.headers, **headers}) as answer:
        if answer.status_code == 416 and offset:
            _check_complete(answer, address, part, offset)
            return
        session.check_status(answer)
        if answer.status_code == 206:
            _check_continuation(answer, part, offset)
        else:
            offset = 0
        version = FileVersion(uri=address_key(address.uri), validator=_validator(answer), total=_size(answer, offset))
        retries = session.retries
        with Pace(partial(cut, answer), retries.least_progress, retries.window) as pace, _broken(part, pace):
            _check_answer(answer, address, version)
            _check_total(version, progress, part)
            most = _first(progress.total, address.bytes)
            check_space(part.path.parent, (most or 0) - offset)
            if not offset:
                part.restart(version)
            watch.begin(title, offset, most)
            _write(answer, part, most, pace, watch)
    if most is not None and part.size() != most:
        raise TransferError(f"the connection broke at {part.size():,} of {most:,} bytes")


def _first(*sizes: int | None) -> int | None:
    return next((size for size in sizes if size is not None), None)


def _check_complete(answer: requests.Response, address: Address, part: Part, offset: int) -> None:
    """Raises RestartError unless an answer without bytes means that all of them are there."""
    before = part.version()
    expected = {offset, _total(answer), before.total if before else None, address.bytes} - {None}
    if _total(answer) is None or expected != {offset}:
        part.discard()
        raise RestartError("the file on the server has another size than before; starting over")


def _check_total(version: FileVersion, progress: Progress, part: Part) -> None:
    """The first size that was stated holds. Raises MirrorError for another one."""
    if None not in (progress.total, version.total) and progress.total != version.total:
        part.discard()
        raise MirrorError(f"the server states {version.total:,} bytes now, and {progress.total:,} before")
    progress.total = _first(progress.total, version.total)


def _continuation(address: Address, part: Part) -> tuple[int, dict[str, str]]:
    """The offset to resume at and the headers that request it; 0 and no headers if only a restart is safe."""
    version, size = part.version(), part.size()
    if not size or version is None or version.uri not in (address_key(address.uri), address.uri):
        return 0, {}
    if version.validator is None:
        # The server may have another version by now: only a digest can tell.
        return (size, {"Range": f"bytes={size}-"}) if address.digests else (0, {})
    return size, {"Range": f"bytes={size}-", "If-Range": version.validator}


def _check_continuation(answer: requests.Response, part: Part, offset: int) -> None:
    """Raises RestartError, with the part discarded, unless the answer resumes exactly where the part ends."""
    before, now = part.version(), _validator(answer)
    start = re.match(r"bytes ([0-9]{1,18})-", answer.headers.get("Content-Range", ""))
    total = _size(answer, offset)
    changed = before is not None and None not in (before.validator, now) and before.validator != now
    grown = before is not None and None not in (before.total, total) and before.total != total
    if not offset or start is None or int(start[1]) != offset or changed or grown:
        part.discard()
        raise RestartError("the server's answer does not continue the bytes that are here; starting over")


def _validator(answer: requests.Response) -> str | None:
    etag = answer.headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    return answer.headers.get("Last-Modified")


def _total(answer: requests.Response) -> int | None:
    """Size of the whole file according to ``Content-Range``."""
    return whole_number(answer.headers.get("Content-Range", "").rpartition("/")[2])


def _size(answer: requests.Response, offset: int) -> int | None:
    """Size of the whole file according to all headers; `offset` is where the body begins."""
    if answer.status_code == 206 and (total := _total(answer)) is not None:
        return total
    length = whole_number(answer.headers.get("Content-Length"))
    return None if length is None or answer.raw.chunked else offset + length


def _check_answer(answer: requests.Response, address: Address, version: FileVersion) -> None:
    """Refuse an answer that cannot be the file, before anything is written."""
    if answer.headers.get("Content-Type", "").lower().startswith("text/html"):
        head = answer.raw.read(HEAD, decode_content=True)
        raise MirrorError(f"the download is {describe_page(head) or 'a web page'}")
    for name, plain in (("Content-Encoding", ("", "identity")), ("Transfer-Encoding", ("", "identity", "chunked"))):
        coding = answer.headers.get(name, "").strip().lower()
        if coding not in plain:
            raise MirrorError(f"the server sends the file encoded ({coding[:40]}), and was asked for it as it is")
    if version.total is None and not answer.raw.chunked and address.bytes is None and not address.digests:
        raise MirrorError("the server does not state the size of the file, so a truncated file could not be detected")
    if version.total is not None and address.bytes is not None and version.total != address.bytes:
        raise MirrorError(f"the server has {version.total:,} bytes, expected {address.bytes:,}")


def _write(answer: requests.Response, part: Part, most: int | None, pace: Pace, watch: Watcher) -> None:
    """Append the body to `part`. Raises MirrorError at the first byte beyond `most`, before it is written."""
    size = part.size()
    with part.append() as file:
        while chunk := answer.raw.read1(CHUNK, decode_content=False):
            size += len(chunk)
            if most is not None and size > most:
                break
            file.write(chunk)
            pace.advance(len(chunk))
            watch.advance(len(chunk))
    if chunk:
        part.discard()
        raise MirrorError(f"the server sends more than {most:,} bytes, the size that is stated")


def page_head(answer: requests.Response, retries: RetryPolicy) -> bytes:
    """The first bytes of a web page. Raises TransferError if they do not come, or not in time."""
    try:
        with Pace(partial(cut, answer), retries.least_progress, retries.window):
            return bytes(answer.raw.read(HEAD, decode_content=True))
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise TransferError(f"the connection broke in a web page ({one_line(error)})") from error


@contextmanager
def _broken(part: Part, pace: Pace) -> Iterator[None]:
    try:
        yield
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        if pace.slow:
            raise _too_slow(pace, part) from error
        raise TransferError(f"the connection broke at {part.size():,} bytes ({one_line(error)})") from error
    if pace.slow:
        raise _too_slow(pace, part)


def _too_slow(pace: Pace, part: Part) -> TransferError:
    return TransferError(
        f"the connection is too slow at {part.size():,} bytes: less than {pace.least:,.0f} in {pace.window:.0f} s"
    )
