"""Downloads from a server on loopback."""

import hashlib

import numpy as np
import pytest

from harness import Download, FetchError
from harness.fetching.files import Fetcher
from harness.fetching.records import FileRequest, RetryPolicy

BODY = np.random.default_rng(0).bytes(700_000)
SHA = hashlib.sha256(BODY).hexdigest()
QUICK = RetryPolicy(attempts=3, pause=0.0, longest_pause=2.0, connect_timeout=5.0, read_timeout=5.0)
PAGE = b"<!DOCTYPE html><html><head><title>%s</title></head><body>%s</body></html>"


class NoProgress:
    """A watcher that ignores everything."""

    def begin(self, title, done, total):
        pass

    def advance(self, size):
        pass

    def end(self):
        pass

    def note(self, line):
        pass


class Notes(NoProgress):
    def __init__(self):
        self.lines, self.begun, self.bytes = [], [], 0

    def begin(self, title, done, total):
        self.begun.append((done, total))

    def advance(self, size):
        self.bytes += size

    def note(self, line):
        self.lines.append(line)


def fetch(target, *uris, check=lambda path, download: None, watch=None, retries=QUICK, drive="", **facts):
    with_close = Fetcher(watch or NoProgress(), retries, drive)
    try:
        return with_close.fetch("net", [FileRequest(Download(uri=uri, **facts), target) for uri in uris], check)
    finally:
        with_close.close()


def refused(target, *uris, **how):
    with pytest.raises(FetchError) as caught:
        fetch(target, *uris, **how)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    return str(caught.value)


def left(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))
