"""Digests are remembered between runs and processes, and never stale."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from harness import CheckpointError
from harness.local import digests as digests_module
from harness.local.digests import sha256_of


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def aged(path: Path, content: bytes, seconds: float = 60) -> Path:
    path.write_bytes(content)
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


@pytest.fixture
def settled(monkeypatch):
    """Files count as settled at once, so that a test need not wait for its own files to grow old."""
    monkeypatch.setattr(digests_module, "SETTLED_NS", -1)


@pytest.fixture
def hashed(monkeypatch):
    """The number of times a file was really read."""
    calls = []

    def counting(file, name):
        calls.append(name)
        return hashlib.file_digest(file, name)

    monkeypatch.setattr(digests_module, "file_digest", counting)
    return calls


def test_digest_is_that_of_hashlib_and_is_remembered(tmp_path, settled, hashed, cache):
    path = aged(tmp_path / "w", b"content")
    expected = hashlib.sha256(b"content").hexdigest()
    assert [sha256_of(path) for _ in range(3)] == [expected] * 3
    assert len(hashed) == 1
    link = tmp_path / "link"
    link.symlink_to(path)
    assert sha256_of(link) == expected
    assert len(hashed) == 1
    assert list(json.loads((cache / "digests.json").read_text())) == [str(path.resolve())]


def test_a_fresh_file_is_not_remembered(tmp_path, hashed):
    path = tmp_path / "w"
    path.write_bytes(b"one")
    first = sha256_of(path)
    stat = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert sha256_of(path) == hashlib.sha256(b"two").hexdigest() != first


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path, settled):
    path = aged(tmp_path / "w", b"one")
    stat = path.stat()
    assert sha256_of(path) == hashlib.sha256(b"one").hexdigest()
    time.sleep(0.02)
    path.write_bytes(b"two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_mtime_ns == stat.st_mtime_ns
    assert sha256_of(path) == hashlib.sha256(b"two").hexdigest()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe", b'{"x": 1}', b'{"%s": [1, 2, 3, "short"]}'])
def test_a_damaged_cache_is_replaced(damage, tmp_path, cache, settled):
    path = aged(tmp_path / "w", b"content")
    cache.mkdir()
    (cache / "digests.json").write_bytes(damage.replace(b"%s", str(path).encode()))
    assert sha256_of(path) == hashlib.sha256(b"content").hexdigest()
    assert str(path) in json.loads((cache / "digests.json").read_text())


def test_an_unwritable_cache_costs_only_time(tmp_path, monkeypatch, settled, caplog):
    blocker = tmp_path / "file"
    blocker.write_bytes(b"")
    monkeypatch.setenv("HARNESS_CACHE", str(blocker / "below"))
    path = aged(tmp_path / "w", b"content")
    assert sha256_of(path) == hashlib.sha256(b"content").hexdigest()
    assert "cannot remember digests" in caplog.text


def test_unreadable_files(tmp_path):
    with pytest.raises(CheckpointError, match="cannot read"):
        sha256_of(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="cannot read"):
        sha256_of(tmp_path)


def _digest_all(paths: list[Path]) -> None:
    digests_module.SETTLED_NS = -1
    for path in paths:
        sha256_of(path)


def test_two_processes_lose_nothing(tmp_path, cache):
    paths = [aged(tmp_path / f"w{i}", str(i).encode()) for i in range(40)]
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_digest_all, args=(part,)) for part in (paths[::2], paths[1::2])]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert len(json.loads((cache / "digests.json").read_text())) == 40
    assert not list(cache.glob("*.tmp"))
