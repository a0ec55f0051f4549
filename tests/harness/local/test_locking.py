"""One process at a time, with the kernel's locks and without them; `flock` fails only in the tests that say so."""

import errno
import fcntl
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time

import pytest

from harness.local import locking
from harness.local.locking import HeldError, ProcessLock, locked, marker_of

HOLDER = """
import fcntl, pathlib, sys, time
if sys.argv[2] != "kernel":
    def refuse(*arguments):
        raise OSError(int(sys.argv[2]), "No locks available")
    fcntl.flock = refuse
from harness.local.locking import ProcessLock
lock = ProcessLock(pathlib.Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(params=[errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS], ids=errno.errorcode.get)
def no_locks(request, monkeypatch):
    def refuse(*arguments):
        raise OSError(request.param, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    return request.param


@pytest.fixture
def holder(tmp_path):
    """Starts a process that holds ``tmp_path / ".lock"``."""
    started = []

    def start(kind):
        words = [sys.executable, "-c", HOLDER, str(tmp_path / ".lock"), str(kind)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def names(folder):
    """What is there beside the file of the kernel's lock, which stays."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_without_locks_a_file_holds_the_place_and_goes_with_it(no_locks, tmp_path):
    lock = ProcessLock(tmp_path / ".lock")
    lock.acquire()
    assert lock.is_locked and names(tmp_path) == [".lock.held"]
    owner = json.loads((tmp_path / ".lock.held").read_text())
    assert (owner["host"], owner["pid"]) == (platform.node(), os.getpid())
    for refused in (ProcessLock(tmp_path / ".lock").acquire, ProcessLock(tmp_path / ".lock").refuse_held):
        with pytest.raises(HeldError, match=f"process {os.getpid()} on .* since 20") as caught:
            refused()
        assert caught.value.marker == tmp_path / ".lock.held"
    lock.release()
    assert not lock.is_locked and names(tmp_path) == []
    ProcessLock(tmp_path / ".lock").refuse_held()


@pytest.mark.parametrize("kind", ["kernel", errno.ENOLCK])
def test_another_process_is_named_and_its_end_frees_the_lock(kind, holder, tmp_path):
    """With the kernel's lock here: a marker counts for it too."""
    process = holder(kind)
    with pytest.raises(HeldError, match=f"process {process.pid}"):
        ProcessLock(tmp_path / ".lock").acquire()
    process.send_signal(signal.SIGKILL)
    process.wait()
    lock = ProcessLock(tmp_path / ".lock")
    lock.acquire()
    assert names(tmp_path) == []
    lock.release()


def test_without_locks_a_killed_owner_is_forgotten(no_locks, holder, tmp_path):
    process = holder(no_locks)
    process.send_signal(signal.SIGKILL)
    process.wait()
    ProcessLock(tmp_path / ".lock").acquire()
    assert json.loads((tmp_path / ".lock.held").read_text())["pid"] == os.getpid()
    assert names(tmp_path) == [".lock.held"]


@pytest.mark.parametrize(
    ("changes", "ended"),
    [
        ({}, False),
        ({"host": "another"}, False),
        ({"pid": 2**22 + 5}, True),
        ({"pid": 2**22 + 5, "host": "another"}, False),
        ({"born": 1}, True),
        ({"born": None}, False),
        ({"pid": "x"}, False),
    ],
)
def test_only_an_owner_that_has_certainly_ended_is_forgotten(changes, ended, no_locks, tmp_path):
    marker_of(tmp_path / ".lock").write_text(json.dumps({**locking._self(), **changes}))
    lock = ProcessLock(tmp_path / ".lock")
    if ended:
        lock.acquire()
        lock.release()
    else:
        with pytest.raises(HeldError):
            lock.acquire()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_marker_of_nobody_is_respected(content, no_locks, tmp_path):
    marker_of(tmp_path / ".lock").write_text(content)
    with pytest.raises(HeldError, match="a process"):
        ProcessLock(tmp_path / ".lock").acquire()


def test_other_errors_of_the_kernel_are_not_hidden(monkeypatch, tmp_path):
    def refuse(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="Input/output"):
        ProcessLock(tmp_path / ".lock").acquire()
    assert not marker_of(tmp_path / ".lock").exists()


@pytest.mark.parametrize("kind", ["kernel", "marker"])
def test_threads_wait_for_each_other(kind, tmp_path, monkeypatch):
    if kind == "marker":
        monkeypatch.setattr(fcntl, "flock", lambda *arguments: (_ for _ in ()).throw(OSError(errno.ENOLCK, "none")))
    inside, most = [], []

    def work():
        with locked(tmp_path / "x.lock"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6


def test_a_forgotten_marker_of_a_short_lock_is_named_and_waiting_ends(no_locks, tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "_FORGOTTEN", 0.1)
    marker = marker_of(tmp_path / "x.lock")
    marker.write_text(json.dumps({**locking._self(), "host": "another"}))
    with (
        pytest.raises(OSError, match=f"on another since .*; only if it has ended: rm {marker}"),
        locked(tmp_path / "x.lock"),
    ):
        pass
    told = []

    def waiting(held):
        told.append(held.marker)
        held.marker.unlink()

    with locked(tmp_path / "x.lock", waiting):
        assert told == [marker]
