"""One HTTP session: which addresses are allowed, which redirects are followed, and what a status means."""

from __future__ import annotations

import re
import time
from collections import Counter
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from harness.fetching.pace import WatchedAdapter
from harness.fetching.records import LOOPBACK, MirrorError, RetryPolicy, TransferError
from harness.local.addresses import without_secrets

_MOST_REDIRECTS: Final = 10
_TRANSIENT: Final = (408, 425, 429, 500, 502, 503, 504)


class Session(requests.Session):
    """An HTTP session that follows redirects only to ``https:`` or within this machine.

    Attributes:
        retries: how often and how long to retry.
        failed_connections: host -> failed connections in a row; after too many, the host is given up.
    """

    def __init__(self, retries: RetryPolicy) -> None:
        super().__init__()
        self.retries = retries
        for scheme in ("http://", "https://"):
            self.mount(scheme, WatchedAdapter(retries.read_timeout))
        self.failed_connections: Counter[str] = Counter()
        # Some hosts refuse the library's own name.
        self.headers["User-Agent"] = "Mozilla/5.0 (compatible; bias-harness)"
        # The bytes on disk must be the ones that offsets, sizes and digests refer to.
        self.headers["Accept-Encoding"] = "identity"

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: the library would read the whole body of a redirect into memory; `open` follows them."""
        return None

    def open(
        self, method: str, url: str, headers: dict[str, str] | None = None, redirects: bool = True
    ) -> requests.Response:
        """The server's answer, its body not yet read.

        Raises:
            TransferError: no answer now.
            MirrorError: no answer, and a retry would not help; or a redirect to an address that is not safe.
        """
        headers = headers or {}
        for _ in range(_MOST_REDIRECTS + 1):
            check_address(url)
            answer = self._answer(method, url, headers)
            if not redirects or not answer.is_redirect:
                return answer
            answer.close()
            target = self._target(answer, url)
            if self.should_strip_auth(url, target):
                headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            url = target
        raise MirrorError(f"it redirects more than {_MOST_REDIRECTS} times")

    def _target(self, answer: requests.Response, url: str) -> str:
        """The address that a redirect names. Raises MirrorError if it is none or not safe."""
        try:
            target = urljoin(url, super().get_redirect_target(answer) or "")
        except ValueError as error:
            raise MirrorError("redirects to an address that cannot be read") from error
        check_address(target)
        return target

    def _answer(self, method: str, url: str, headers: dict[str, str]) -> requests.Response:
        host = urlsplit(url).netloc.rpartition("@")[2]
        timeout = self.retries.connect_timeout, self.retries.read_timeout
        try:
            answer = self.request(method, url, headers=headers, stream=True, timeout=timeout, allow_redirects=False)
        except requests.exceptions.SSLError as error:
            raise MirrorError(f"no trusted connection to {host} ({one_line(error)})") from error
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            self.failed_connections[host] += 1
            given_up = self.failed_connections[host] > self.retries.attempts
            failure = MirrorError if given_up else TransferError
            raise failure(f"no connection to {host} ({_kind(error)})") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise MirrorError(f"no answer that can be read from {host} ({one_line(error)})") from error
        self.failed_connections.pop(host, None)
        return answer

    def check_status(self, answer: requests.Response) -> None:
        """Raises TransferError for a transient status, MirrorError for any other status without a file."""
        code = answer.status_code
        if code in (200, 206):
            return
        try:
            phrase = HTTPStatus(code).phrase
        except ValueError:
            phrase = " ".join((answer.reason or "unknown status").split())[:80]
        message = f"HTTP {code} {phrase}"
        if code not in _TRANSIENT:
            raise MirrorError(message)
        wait = _retry_after(answer.headers.get("Retry-After"))
        if wait is not None and wait > self.retries.longest_pause:
            raise MirrorError(f"{message}; the server asks to wait {wait:,.0f} s, try again after that")
        raise TransferError(message, wait)


def check_address(url: str) -> None:
    """Raises MirrorError unless `url` is ``https:``, or ``http:`` on this machine."""
    try:
        parts = urlsplit(url)
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        readable = bool(parts.hostname) and (parts.port or 0) >= 0
    except ValueError as error:
        raise MirrorError("its address cannot be read") from error
    if not safe:
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"[:200]
        raise MirrorError(f"leads to {place}, which is not https: not followed")
    if not readable:
        raise MirrorError("its address has no host")


def whole_number(text: str | None) -> int | None:
    """A number of bytes or seconds from a header; None if it is none, or has more than 18 digits."""
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text.strip()) else None


def _retry_after(value: str | None) -> float | None:
    """Seconds that ``Retry-After`` (a number or a date) asks for; None if it is absent or unreadable."""
    if (seconds := whole_number(value)) is not None or value is None:
        return seconds
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def one_line(error: BaseException) -> str:
    """The beginning of an error's text, on one line, without passwords and signatures of addresses."""
    return without_secrets(" ".join(str(error).split()))[:200] or type(error).__name__


def _kind(error: requests.exceptions.RequestException) -> str:
    text = str(error)
    causes = {
        "NameResolution": "its name cannot be resolved",
        "Failed to resolve": "its name cannot be resolved",
        "refused": "refused",
        "unreachable": "unreachable",
        "timed out": "timed out",
    }
    return next((words for sign, words in causes.items() if sign in text), type(error).__name__)
