"""Files that the harness keeps for itself may be damaged or planted: as if they were not there, or one line."""

import json
import os
from pathlib import Path

import pytest

from harness import CheckpointError
from harness.checkpoints import pins, tensors
from harness.data import files
from harness.fetching import datasets
from harness.fetching.part import FileVersion, Part
from harness.local import digests, locking
from harness.local.cache import cache_dir
from harness.local.notes import read_note
from harness.records import ModelSpec
from tests.helpers.bounds import bounded

DEEP = 100_000
CONTENTS = {
    "deep-lists": b"[" * DEEP + b"]" * DEEP,
    "deep-objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep-value": b'{"net": ' + b"[" * 200 + b"]" * 200 + b"}",
    "unfinished": b'{"a": [1, 2',
    "empty": b"",
    "no-text": b"\xff\xfe\x00",
    "nothing": b"null",
    "a-number": b"1",
    "a-list": b"[[1], 2]",
    "numbers-in-place-of-objects": b'{"net": 1, "uri": 2, "total": "x", "validator": []}',
    "objects-in-place-of-texts": b'{"net": {"w.pth": {"sha256": {}, "recorded": 1, "uri": 2}}, "uri": {}}',
    "other-fields": b'{"net": {"w.pth": {"nope": 1}}, "nope": 1}',
    "number-without-end": b'{"total": 1' + b"0" * 5000 + b', "uri": "u"}',
    "negative-total": b'{"uri": "u", "total": -1}',
    "total-that-is-a-flag": b'{"uri": "u", "total": true}',
    "short-digests": b'{"a": [1, 2, 3, "abc"], "b": [1, 2, 3, [4]], "c": "abc"}',
}
SPEC = ModelSpec(name="net", source="checkpoint")


def write(kind, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes(CONTENTS[kind])


def _version(kind, folder):
    write(kind, folder / "net.pth.part.json")
    return Part(folder / "net.pth").version()


def _unpacked(kind, folder):
    write(kind, folder / ".harness" / "unpacked.json")
    return datasets._unpacked_archives(folder)


def _tensors(kind, folder):
    write(kind, cache_dir() / "tensors.json")
    return tensors._remembered()


def _digests(kind, folder):
    write(kind, cache_dir() / "digests.json")
    return digests._read_digests()


def _manifest(kind, folder):
    write(kind, folder / "manifest.json")
    return files._remembered(folder / "manifest.json")


def _owner(kind, folder):
    write(kind, folder / ".lock.owner")
    return {name: value for name, value in locking._owner(folder / ".lock.owner").items() if name == "pid"}


ABSENT = {"download": _version, "archives": _unpacked, "tensors": _tensors, "digests": _digests, "data": _manifest}


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("read", [*ABSENT.values(), _owner], ids=[*ABSENT, "lock"])
def test_a_hostile_note_is_as_if_it_were_not_there(tmp_path, read, kind):
    with bounded(Path(os.environ["HARNESS_CACHE"]), but=[cache_dir()]):
        assert not read(kind, tmp_path)


@pytest.mark.parametrize("kind", [*CONTENTS, "fifo"])
def test_a_hostile_record_of_digests_is_one_line(kind):
    write(kind, cache_dir() / "pins.json")
    with pytest.raises(CheckpointError, match=r"is damaged|cannot read") as caught:
        pins.compare(SPEC, "w.pth", "0" * 64)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000


@pytest.mark.parametrize("kind", ["fifo"])
@pytest.mark.parametrize("read", [_tensors, _digests, _manifest], ids=["tensors", "digests", "data"])
def test_a_hostile_fifo_in_place_of_a_cache_is_not_opened(tmp_path, read, kind):
    assert read(kind, tmp_path) == {}


def test_notes_of_today_are_read(tmp_path):
    part = Part(tmp_path / "net.pth")
    version = FileVersion(uri="https://example.org/net.pth", validator='"a"', total=5)
    part.restart(version)
    assert part.version() == version
    assert read_note(tmp_path / "net.pth.part.json")["total"] == 5
    entries = {f"{n}.png": (n, 1, 2, f"{n:064x}") for n in range(1000)}
    (tmp_path / "m.json").write_text(json.dumps(entries))
    assert files._remembered(tmp_path / "m.json") == entries
    (tmp_path / "link.json").symlink_to("m.json")
    assert len(read_note(tmp_path / "link.json", bounded=False)) == 1000
