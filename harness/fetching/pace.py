"""A least speed: a connection that brings too little is cut, wherever the libraries wait for it."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Self

import requests.adapters
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from types import TracebackType

    from urllib3 import BaseHTTPResponse


class Pace:
    """Calls `cut` from another thread if fewer than `least` bytes came during any `window` seconds.

    Attributes:
        slow: whether it was cut.
        least, window: as given.
    """

    def __init__(self, cut: Callable[[], None], least: float, window: float) -> None:
        self._cut, self.least, self.window = cut, least, window
        self._bytes, self.slow = 0, False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        try:
            self._thread.start()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, "no thread to watch the connection") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def advance(self, size: int) -> None:
        """`size` more bytes have come."""
        self._bytes += size

    def _watch(self) -> None:
        before = 0
        while not self._over.wait(self.window):
            now = self._bytes
            if now - before < self.least:
                self.slow = True
                self._cut()
                return
            before = now


class _Watched:
    """A connection whose answer must begin in time, and whose body can be cut."""

    sock: Any
    header_time = 60.0

    def getresponse(self) -> BaseHTTPResponse:
        """The answer, with a method `cut` that ends its connection. Raises OSError if its headers take too long."""
        sock = self.sock

        def cut() -> None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # that of TLS would pull the rug from under the reader

        with Pace(cut, 1, self.header_time) as pace:
            try:
                answer: BaseHTTPResponse = super().getresponse()  # type: ignore[misc]
            except (OSError, HTTPException) as error:
                if not pace.slow:
                    raise
                with suppress(OSError):
                    socket.close(sock.detach())  # even if the reader still holds it
                raise TimeoutError("the answer timed out") from error
        if pace.slow:  # the end of the connection was taken for that of the headers
            answer.close()
            raise TimeoutError("the answer timed out")
        answer.cut = cut  # type: ignore[attr-defined]
        return answer


def cut(answer: requests.Response) -> None:
    """End the connection that `answer` comes over."""
    end: Callable[[], None] | None = getattr(answer.raw, "cut", None)
    if end is not None:
        end()


class WatchedAdapter(requests.adapters.HTTPAdapter):
    """Connects so that an answer's headers take at most `header_time` seconds."""

    def __init__(self, header_time: float) -> None:
        plain = type("_Plain", (_Watched, HTTPConnection), {"header_time": header_time})
        secure = type("_Secure", (_Watched, HTTPSConnection), {"header_time": header_time})
        self._pools = {
            "http": type("_PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("_SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """As the library, with connections that are watched."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """As the library, with connections that are watched."""
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager
