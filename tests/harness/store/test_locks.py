"""A run on a file system without locks: written, resumed, and refused to a second writer with the way on."""

import errno
import fcntl
import json
from pathlib import Path

import pytest

from harness.local import locking
from tests.helpers.command import run


@pytest.fixture
def no_locks(monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_a_file_system_without_locks_is_written_to(no_locks, harness, data):
    code, _, err = run(harness)
    assert code == 0, err
    assert not Path("run/.lock.held").exists()
    code, out, err = run(harness, "--dry-run")
    assert code == 0 and "stored" in out + err
    assert run(harness, models=("plain", "other"))[0] == 0


def test_a_second_writer_is_refused_and_following_the_advice_works(no_locks, harness, data):
    assert run(harness)[0] == 0
    marker = Path("run/.lock.held")
    marker.write_text(json.dumps({**locking._self(), "host": "another-node"}))
    for more in ((), ("--dry-run",)):
        code, out, err = run(harness, *more, models=("other",))
        assert (code, out) == (2, "")
        assert "run is locked: process" in err and "on another-node since" in err
        assert err.strip().endswith("Type: rm run/.lock.held (only if that process has ended)")
    marker.unlink()
    assert run(harness, models=("other",))[0] == 0


def test_a_new_folder_with_a_forgotten_marker_alone_is_free(no_locks, harness, data):
    Path("run").mkdir()
    Path("run/.lock.held").write_text(json.dumps({**locking._self(), "pid": 2**22 + 5}))
    assert run(harness)[0] == 0
