"""A real HTTP server on this machine that misbehaves on purpose, and counts what it is asked for and what it sends."""

import hashlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(kw_only=True)
class Answer:
    """How one request is answered.

    Attributes:
        body, status, type, headers: as one expects. etag: None: no validator at all.
        cut: bytes of the body after which the connection is closed.
        ranges: whether `Range` is respected. if_range: whether `If-Range` is.
        length: `Content-Length` that is stated; None: the right one; -1: none at all.
        chunked: transfer encoding; slow: seconds between pieces of 64 KiB.
        raw: a function without arguments that gives all that is sent, status line and headers too, in pieces, `slow`
            seconds after each; nothing else is looked at, and the connection is closed after it.
    """

    body: bytes = b""
    status: int = 200
    type: str = "application/octet-stream"
    headers: dict = field(default_factory=dict)
    etag: str | None = ""
    cut: int | None = None
    ranges: bool = True
    if_range: bool = True
    length: int | None = None
    chunked: bool = False
    slow: float = 0.0
    raw: Callable | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, and how many bytes of a body were sent for it."""

    method: str
    path: str
    headers: dict
    status: int
    sent: int


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that hangs up


class Server:
    """`answers[path]` is a list: the first is used up by the first request, and so on; the last stays."""

    def __init__(self):
        self.answers, self._asked = {}, []
        self._busy, self._idle = 0, threading.Condition()
        self._http = _Quiet(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def put(self, path, *answers, **one):
        """Answer requests for `path` by `answers`, or always by `Answer(**one)`; returns the address."""
        self.answers[path] = [*answers] or [Answer(**one)]
        return self.url + path

    @property
    def asked(self):
        """All requests so far, once those that are being answered are over."""
        with self._idle:
            assert self._idle.wait_for(lambda: not self._busy, timeout=10)
        return self._asked

    def sent(self, path=None):
        """Bytes of all bodies."""
        return sum(asked.sent for asked in self.asked if path in (None, asked.path) and asked.method == "GET")

    def stop(self):
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _next(self, path):
        waiting = self.answers.get(path.partition("?")[0]) or self.answers.get(path)
        if not waiting:
            return Answer(status=404, body=b"no such file", type="text/plain")
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def _handler(server):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.answer(head=True)

            def do_GET(self):
                self.answer(head=False)

            def answer(self, head):
                how, sent, status = server._next(self.path), 0, 0
                with server._idle:
                    server._busy += 1
                try:
                    status, body = self.start(how) if how.raw is None else (0, b"")
                    for piece in how.raw() if how.raw else ():
                        self.wfile.write(piece)
                        sent += len(piece)
                        time.sleep(how.slow)
                        self.close_connection = True
                    if how.raw is None and not head and status not in (304, 416):
                        for piece in self.pieces(how, body):
                            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if how.chunked else piece)
                            sent += len(piece)
                            time.sleep(how.slow)
                        if how.chunked and how.cut is None:
                            self.wfile.write(b"0\r\n\r\n")
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                finally:
                    facts = {"method": self.command, "path": self.path, "headers": dict(self.headers)}
                    with server._idle:
                        server._asked.append(Asked(**facts, status=status, sent=sent))
                        server._busy -= 1
                        server._idle.notify_all()

            def start(self, how):
                etag = how.etag if how.etag is None else how.etag or hashlib.md5(how.body).hexdigest()
                offset = self.offset(how, etag)
                status, body = how.status, how.body
                if offset is not None and how.status == 200:
                    status, body = (206, body[offset:]) if offset < len(body) else (416, b"")
                self.send_response(status)
                self.send_header("Content-Type", how.type)
                if status in (206, 416):
                    span = f"{offset}-{len(how.body) - 1}" if status == 206 else "*"
                    self.send_header("Content-Range", f"bytes {span}/{len(how.body)}")
                if etag is not None:
                    self.send_header("ETag", f'"{etag}"')
                for name, value in how.headers.items():
                    self.send_header(name, value)
                if how.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                elif how.length != -1:
                    self.send_header("Content-Length", str(len(body) if how.length is None else how.length))
                else:
                    self.close_connection = True
                self.end_headers()
                return status, body

            def offset(self, how, etag):
                asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
                wanted = self.headers.get("If-Range")
                if asked is None or not how.ranges:
                    return None
                if how.if_range and wanted is not None and wanted != f'"{etag}"':
                    return None
                return int(asked[1])

            def pieces(self, how, body):
                self.close_connection |= how.cut is not None
                whole = body if how.cut is None else body[: how.cut]
                return [whole[at : at + 65536] for at in range(0, len(whole), 65536)]

        return Handler


def serving(monkeypatch):
    """For fixtures: a running server, reached without any proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    running = Server()
    yield running
    running.stop()
