"""Downloads on a file system without locks: one process at a time, and whoever waits is told for whom."""

import errno
import fcntl
import json

import pytest

from harness.fetching.files import locked
from harness.local import locking
from harness.local.locking import marker_of


class Notes:
    """Deletes the marker, as its owner would, when it is told that somebody waits."""

    def __init__(self, marker):
        self.marker, self.lines = marker, []

    def note(self, line):
        self.lines.append(line)
        self.marker.unlink()


@pytest.fixture
def no_locks(monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_a_download_waits_for_the_owner_of_the_marker_and_names_the_file(no_locks, tmp_path):
    marker = marker_of(tmp_path / "weights" / ".x.pth.lock")
    watch = Notes(marker)
    with locked(tmp_path / "weights" / "x.pth", watch):
        assert marker.exists() and watch.lines == []
    assert not marker.exists()
    marker.write_text(json.dumps({**locking._self(), "host": "another-node"}))
    with locked(tmp_path / "weights" / "x.pth", watch):
        assert json.loads(marker.read_text())["host"] != "another-node"
    assert watch.lines == [f"another process is fetching x.pth; waiting for it (only if it has ended: rm {marker})"]
