"""One HTTP session: which addresses may be asked, which redirects followed, and what an answer's status means."""

from __future__ import annotations

import time
from collections import Counter
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests

from harness.fetching.records import LOOPBACK, Dropped, Patience, Refused

_AGAIN: Final = (408, 425, 429, 500, 502, 503, 504)


class Session(requests.Session):
    """Follows redirects to ``https:`` only, or within this machine.

    Attributes:
        patience: how long to wait.
        unreached: host -> how often in a row it could not be reached; in the end it is not waited for again.
    """

    def __init__(self, patience: Patience) -> None:
        super().__init__()
        self.patience = patience
        self.unreached: Counter[str] = Counter()
        # Some hosts refuse the library's own name.
        self.headers["User-Agent"] = "Mozilla/5.0 (compatible; bias-harness)"
        # What is on the disk must be the bytes that offsets, sizes and digests speak of.
        self.headers["Accept-Encoding"] = "identity"

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where an answer leads on to. Raises Refused if that is no safe address."""
        target = super().get_redirect_target(resp)
        if target is not None:
            check_address(urljoin(resp.url, target))
        return target

    def ask(
        self, method: str, url: str, headers: dict[str, str] | None = None, redirects: bool = True
    ) -> requests.Response:
        """The opened answer; its body is not read. Raises Dropped if there is none, Refused if there will be none."""
        check_address(url)
        host = urlsplit(url).netloc
        timeout = self.patience.connect, self.patience.read
        try:
            answer = self.request(method, url, headers=headers, stream=True, timeout=timeout, allow_redirects=redirects)
        except requests.exceptions.SSLError as error:
            raise Refused(f"no trusted connection to {host} ({one_line(error)})") from error
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            self.unreached[host] += 1
            said = f"no connection to {host} ({_kind(error)})"
            raise (Refused if self.unreached[host] > self.patience.tries else Dropped)(said) from error
        except requests.exceptions.RequestException as error:
            raise Refused(one_line(error)) from error
        self.unreached.pop(host, None)
        return answer

    def check_status(self, answer: requests.Response) -> None:
        """Raises Dropped for a status that may pass, Refused for any other that brings no file."""
        code = answer.status_code
        if code in (200, 206):
            return
        try:
            phrase = HTTPStatus(code).phrase
        except ValueError:
            phrase = answer.reason or "unknown status"
        said = f"HTTP {code} {phrase}"
        if code not in _AGAIN:
            raise Refused(said)
        wait = _retry_after(answer.headers.get("Retry-After"))
        if wait is not None and wait > self.patience.longest:
            raise Refused(f"{said}; the server asks to wait {wait:,.0f} s, try again after that")
        raise Dropped(said, wait)


def check_address(url: str) -> None:
    """Raises Refused unless `url` is ``https:``, or ``http:`` on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return
    raise Refused(f"leads to {parts.scheme}://{parts.netloc}, which is not https: not followed")


def _retry_after(value: str | None) -> float | None:
    """Seconds that ``Retry-After`` (a number or a date) asks for; None: nothing that can be read."""
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
    known = {
        "NameResolution": "its name is unknown here",
        "Failed to resolve": "its name is unknown here",
        "refused": "refused",
        "unreachable": "unreachable",
        "timed out": "timed out",
    }
    return next((words for sign, words in known.items() if sign in text), type(error).__name__)
