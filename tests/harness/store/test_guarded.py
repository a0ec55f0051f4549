"""Files that may come from a stranger are looked through once, and again whenever they change."""

import os
import time

import h5py
import numpy as np
import pytest

from harness.errors import StoreError
from harness.store import guarded
from harness.store.shards import opened


@pytest.fixture
def looks(monkeypatch):
    """Paths that are looked through, in order."""
    paths = []

    class Counted(guarded._Guard):
        def __init__(self, path, size):
            paths.append(path)
            super().__init__(path, size)

    monkeypatch.setattr(guarded, "_Guard", Counted)
    return paths


def open_once(path):
    with opened(path) as file:
        return file["numbers"][:]


def layout(path, other=None):
    with h5py.File(path, "w") as file:
        file["numbers"] = np.arange(4)
        if other:
            file["other"] = h5py.ExternalLink(other, "/")


def test_a_file_of_the_last_seconds_is_looked_through_each_time(tmp_path, looks):
    layout(tmp_path / "new.h5")
    for _ in range(3):
        open_once(tmp_path / "new.h5")
    assert len(looks) == 3


def test_an_older_file_is_looked_through_once_and_again_when_it_changes(tmp_path, looks, monkeypatch):
    path = tmp_path / "old.h5"
    layout(path)
    now = time.time_ns()
    monkeypatch.setattr(guarded.time, "time_ns", lambda: now + 3_000_000_000)
    for _ in range(3):
        open_once(path)
    assert looks == [path]
    layout(path, other="/etc/hostname")
    os.utime(path, ns=(0, 0))
    with pytest.raises(StoreError, match="other is a link"):
        open_once(path)
    path.replace(tmp_path / "elsewhere.h5")
    layout(path)
    assert len(open_once(path)) == 4 and len(looks) == 3
