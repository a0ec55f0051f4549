"""One HTTP session: which addresses are allowed, which redirects are followed, and what a status means."""

from __future__ import annotations

import time
from collections import Counter
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests

from harness.fetching.records import LOOPBACK, MirrorError, RetryPolicy, TransferError

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
        self.failed_connections: Counter[str] = Counter()
        # Some hosts refuse the library's own name.
        self.headers["User-Agent"] = "Mozilla/5.0 (compatible; bias-harness)"
        # The bytes on disk must be the ones that offsets, sizes and digests refer to.
        self.headers["Accept-Encoding"] = "identity"

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Target of a redirect. Raises MirrorError if the address is not safe."""
        target = super().get_redirect_target(resp)
        if target is not None:
            check_address(urljoin(resp.url, target))
        return target

    def open(
        self, method: str, url: str, headers: dict[str, str] | None = None, redirects: bool = True
    ) -> requests.Response:
        """The server's answer, its body not yet read.

        Raises:
            TransferError: no answer now.
            MirrorError: no answer, and a retry would not help.
        """
        check_address(url)
        host = urlsplit(url).netloc
        timeout = self.retries.connect_timeout, self.retries.read_timeout
        try:
            answer = self.request(method, url, headers=headers, stream=True, timeout=timeout, allow_redirects=redirects)
        except requests.exceptions.SSLError as error:
            raise MirrorError(f"no trusted connection to {host} ({one_line(error)})") from error
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            self.failed_connections[host] += 1
            given_up = self.failed_connections[host] > self.retries.attempts
            failure = MirrorError if given_up else TransferError
            raise failure(f"no connection to {host} ({_kind(error)})") from error
        except requests.exceptions.RequestException as error:
            raise MirrorError(one_line(error)) from error
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
            phrase = answer.reason or "unknown status"
        message = f"HTTP {code} {phrase}"
        if code not in _TRANSIENT:
            raise MirrorError(message)
        wait = _retry_after(answer.headers.get("Retry-After"))
        if wait is not None and wait > self.retries.longest_pause:
            raise MirrorError(f"{message}; the server asks to wait {wait:,.0f} s, try again after that")
        raise TransferError(message, wait)


def check_address(url: str) -> None:
    """Raises MirrorError unless `url` is ``https:``, or ``http:`` on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return
    raise MirrorError(f"leads to {parts.scheme}://{parts.netloc}, which is not https: not followed")


def _retry_after(value: str | None) -> float | None:
    """Seconds that ``Retry-After`` (a number or a date) asks for; None if it is absent or unreadable."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def one_line(error: BaseException) -> str:
    """The beginning of an error's text, on one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


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
