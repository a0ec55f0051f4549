"""What a hostile or broken server may answer to a request for a file, each with words of the refusal."""

import gzip
import hashlib
import itertools

from tests.helpers.fetching import BODY, PAGE
from tests.helpers.http_server import Answer

SIZE = len(BODY)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
STATED = OK + b"Content-Length: 700000\r\n\r\n"
GZIP = {"Content-Encoding": "gzip"}
PIECE = b"%x\r\n%s\r\n" % (65536, bytes(65536))


def raw(*pieces, then=(), slow=0.0):
    """An answer of exactly these bytes, and then those of `then`, perhaps without end."""
    return Answer(raw=lambda: itertools.chain(pieces, then), slow=slow)


def moved(target, body=b""):
    return Answer(status=302, headers={"Location": target}, body=body)


def cut(**how):
    """All of the file is promised, and 100,000 bytes of it come."""
    return Answer(body=BODY, cut=100_000, **how)


def partial(span, body=BODY, **headers):
    return Answer(status=206, ranges=False, body=body, headers={"Content-Range": span, **headers})


def ranged(span, length, slow=0.0):
    etag = b'ETag: "' + hashlib.md5(BODY).hexdigest().encode() + b'"\r\n'
    head = b"HTTP/1.1 %s\r\n%sContent-Range: bytes %s\r\nContent-Length: %d\r\n\r\n"
    status = b"416 Range Not Satisfiable" if span.startswith(b"*") else b"206 Partial Content"
    return raw(head % (status, etag, span, length), bytes(length), slow=slow)


forever = itertools.repeat
ANSWERS = {
    # --- encodings: what is stored would not be what offsets, sizes and digests mean
    "body-gzip": ([Answer(body=gzip.compress(BODY), headers={"Content-Encoding": "gzip"})], "encoded (gzip)", {}),
    "body-gzip-in-capitals": ([Answer(body=BODY, headers={"Content-Encoding": "X-GZIP"})], "encoded (x-gzip)", {}),
    "body-twice-encoded": ([Answer(body=BODY, headers={"Content-Encoding": "br, gzip"})], "encoded (br, gzip)", {}),
    "transfer-gzip": ([raw(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + PIECE)], "encoded (gzip, chunked)", {}),
    # --- sizes
    "endless-beyond-the-entry": ([raw(CHUNKED, then=forever(PIECE))], "more than 700,000 bytes", {"bytes": SIZE}),
    "endless-without-chunks-beyond-the-entry": (
        [raw(OK + b"\r\n", then=forever(bytes(65536)))], "more than 700,000 bytes", {"bytes": SIZE},
    ),
    "endless-after-a-stated-size": (
        [cut(), raw(CHUNKED, then=forever(PIECE))], "more than 700,000 bytes", {},
    ),
    "one-byte-too-many": ([Answer(body=BODY + b"!", chunked=True)], "more than 700,000 bytes", {"bytes": SIZE}),
    "another-size-than-the-entry": ([Answer(body=BODY)], "has 700,000 bytes, expected 5", {"bytes": 5}),
    "another-size-later": ([cut(), Answer(body=BODY[:9], etag="new")], "states 9 bytes now, and 700,000 before", {}),
    "a-quintillion-bytes": ([raw(OK + b"Content-Length: 99999999999999999\r\n\r\n")], "more bytes are needed", {}),
    "a-number-without-end": ([raw(OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + BODY)], "", {}),
    "negative-length": ([raw(OK + b"Content-Length: -5\r\n\r\n" + BODY)], "does not state the size", {}),
    "length-that-is-no-number": ([raw(OK + b"Content-Length: \xb2\r\n\r\n" + BODY)], "", {}),
    "two-lengths": ([raw(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n")], "no answer that can be read", {}),
    "length-that-never-comes": ([raw(STATED + b"hello")], "the connection broke at", {}),
    # --- continuing
    "continued-at-another-place": ([cut(), ranged(b"5-699999/700000", 9), cut()], "broke", {}),
    "continued-at-another-place-for-ever": (
        [cut(), ranged(b"5-699999/700000", 9), cut(), ranged(b"5-699999/700000", 9)], "", {},
    ),
    "continued-with-a-smaller-total": ([cut(), ranged(b"100000-100008/100009", 9)], "", {}),
    "continued-with-a-larger-total": ([cut(), ranged(b"100000-999999/1000000", 9)], "", {}),
    "continued-without-a-range": ([cut(), Answer(status=206, ranges=False, body=BODY)], "", {}),
    "complete-at-a-smaller-total": ([cut(), ranged(b"*/100000", 0)], "", {}),
    "complete-at-a-larger-total": ([cut(), ranged(b"*/900000", 0)], "", {}),
    "complete-at-no-total": ([cut(), ranged(b"*/*", 0)], "", {}),
    "partial-without-being-asked": ([ranged(b"0-8/9", 9)], "does not continue", {}),
    "one-byte-a-connection": ([Answer(body=BODY, cut=1)], "2 times in a row", {}),
    "nothing-a-connection": ([Answer(body=BODY, cut=0)], "2 times in a row", {}),
    # --- slowness
    "one-byte-at-a-time": ([raw(STATED, then=forever(b"x"), slow=0.02)], "too slow", {}),
    "one-byte-at-a-time-in-chunks": (
        [raw(CHUNKED, then=forever(b"1\r\nx\r\n"), slow=0.02)], "too slow", {"bytes": SIZE},
    ),
    "one-byte-of-a-page-at-a-time": (
        [raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", then=forever(b"<"), slow=0.02)], "a web page", {},
    ),
    "headers-a-byte-at-a-time": ([raw(b"HTTP/1.1 200 OK\r\nX: ", then=forever(b"x"), slow=0.02)], "timed out", {}),
    "interim-answers-without-end": ([raw(then=forever(b"HTTP/1.1 100 Continue\r\n\r\n"))], "timed out", {}),
    "trailers-without-end": (
        [raw(CHUNKED + b"1\r\nx\r\n0\r\n", then=forever(b"X: y\r\n"), slow=0.001)], "too slow", {"bytes": SIZE},
    ),
    "silence": ([raw(b"", slow=1.0)], "timed out", {}),
    # --- headers and bodies that are none
    "many-headers": ([raw(b"HTTP/1.1 200 OK\r\n", then=forever(b"X: y\r\n"))], "no connection", {}),
    "a-header-without-end": ([raw(b"HTTP/1.1 200 OK\r\nX: ", then=forever(bytes(65536)))], "no connection", {}),
    "a-status-line-that-is-none": ([raw(b"\x00\xff" * 100 + b"\r\n\r\n")], "no connection", {}),
    "a-reason-without-end": ([raw(b"HTTP/1.1 599 " + b"\x1b[2J" * 9000 + b"\r\n\r\n")], "HTTP 599", {}),
    "a-status-of-its-own": ([Answer(status=299)], "HTTP 299", {}),
    "wait-for-a-number-that-is-none": ([Answer(status=503, headers={"Retry-After": "\xb2"})], "HTTP 503", {}),
    "wait-for-ever": ([Answer(status=503, headers={"Retry-After": "9" * 400})], "HTTP 503", {}),
    "wait-until-the-end-of-time": (
        [Answer(status=503, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 -2359"})], "HTTP 503", {},
    ),
    "chunks-of-a-negative-size": ([raw(CHUNKED + b"-5\r\n" + BODY)], "", {"bytes": SIZE}),
    "chunks-of-no-size": ([raw(CHUNKED + b"zz\r\n" + BODY)], "broke", {"bytes": SIZE}),
    "a-page-that-explodes": (
        [Answer(body=gzip.compress(PAGE % (b"x", bytes(10**7))), type="text/html", headers=GZIP)], "a web page", {},
    ),
    "a-page-that-is-not-what-it-says": (
        [Answer(body=b"\x1f\x8b" + bytes(99), type="text/html", headers=GZIP)], "broke", {},
    ),
    # --- redirects
    "redirect-to-a-file": ([moved("file:///etc/passwd")], "which is not https", {}),
    "redirect-to-another-scheme": ([moved("gopher://127.0.0.1/x")], "which is not https", {}),
    "redirect-to-data": ([moved("data:application/octet-stream,hello")], "which is not https", {}),
    "redirect-to-plain-http": ([moved("http://example.org/net.pth")], "which is not https", {}),
    "redirect-to-no-host": ([moved("https:///net.pth")], "", {}),
    "redirect-to-no-address": ([moved("https://[")], "cannot be read", {}),
    "redirect-to-no-port": ([moved("http://127.0.0.1:99999/")], "cannot be read", {}),
    "redirect-to-bytes": ([raw(b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\n\r\n")], "", {}),
    "redirect-in-circles": ([moved("/net.pth")], "redirects more than 10 times", {}),
    "redirect-with-a-body-without-end": (
        [raw(b"HTTP/1.1 302 Found\r\nLocation: /gone\r\n\r\n", then=forever(bytes(65536)))], "HTTP 404", {},
    ),
    "refusal-with-a-body-without-end": (
        [raw(b"HTTP/1.1 404 Not Found\r\n\r\n", then=forever(bytes(65536)))], "HTTP 404", {},
    ),
}  # fmt: skip
"""Name -> (answers to the requests, the last of them to all further ones; part of the message; facts of the entry)."""
