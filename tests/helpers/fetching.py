"""Downloads from a server on loopback."""

import hashlib

import numpy as np
import pytest

from harness import Download, FetchError
from harness.fetching.files import Fetcher
from harness.fetching.records import Patience, Silence, Wanted

BODY = np.random.default_rng(0).bytes(700_000)


SHA = hashlib.sha256(BODY).hexdigest()


QUICK = Patience(tries=3, pause=0.0, longest=2.0, connect=5.0, read=5.0)


PAGE = b"<!DOCTYPE html><html><head><title>%s</title></head><body>%s</body></html>"


class Notes(Silence):
    def __init__(self):
        self.lines, self.begun, self.bytes = [], [], 0

    def begin(self, title, done, total):
        self.begun.append((done, total))

    def advance(self, size):
        self.bytes += size

    def note(self, line):
        self.lines.append(line)


def fetch(target, *uris, vet=lambda path, download: None, watch=None, patience=QUICK, drive="", **facts):
    with_close = Fetcher(watch or Silence(), patience, drive)
    try:
        return with_close.fetch("net", [Wanted(Download(uri=uri, **facts), target) for uri in uris], vet)
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
