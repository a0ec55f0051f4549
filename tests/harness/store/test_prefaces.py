"""A shard's preface states what HDF5 states of it, and notices damage to what HDF5 would read."""

import json
import struct

import h5py
import numpy as np
import pytest

from harness import StoreError
from harness.store import RunReader, verify_run
from harness.store.direct import read_bytes
from harness.store.prefaces import MARK, read_preface
from harness.store.seal import DIGEST, stated_digest
from harness.store.shards import read_hdf5_header, read_header
from tests.helpers.store_writer import ARRAYS, TASK, create, fill, make_job, make_layout

DONE, OPEN, WIDE = make_job("done"), make_job("open", arrays=ARRAYS), make_job("wide")


@pytest.fixture
def path(tmp_path):
    """A run with a finished cell of three spans, an unfinished one with arrays, and one with logits."""
    layout = make_layout()
    with create(tmp_path / "run") as run:
        fill(run, layout, DONE)
        run.finish([DONE])
        fill(run, layout, OPEN, spans=layout.spans()[:2])
        fill(run, layout, WIDE, outputs=12)
        run.finish([WIDE])
    return tmp_path / "run"


def shards(path, job):
    return sorted((path / "shards" / TASK / job.model).rglob("*.h5"))


def test_the_preface_states_what_hdf5_states(path):
    files = [file for job in (DONE, OPEN, WIDE) for file in shards(path, job)]
    assert len(files) == 4
    for file in files:
        assert read_preface(file) == read_hdf5_header(file) == read_header(file)
    assert verify_run(RunReader.open(path)) == []


def test_no_byte_is_without_a_digest(path):
    file = shards(path, DONE)[0]
    header, content = read_preface(file), bytearray(file.read_bytes())
    width = {"top5": 5 * 2, "logp": 5 * 2, "correct": 1, "rank": 2}
    trials = {at for name, low in header.offsets.items() for at in range(low, low + 40 * 2 * width[name])}
    for at in range(0, len(content), 29):
        content[at] ^= 1 << at % 8
        file.write_bytes(content)
        content[at] ^= 1 << at % 8
        assert read_preface(file) == (header if at in trials else None), at
    assert len(trials) == 40 * 2 * 23  # their own digests are tested in test_direct.py


@pytest.mark.parametrize("at", [3, 20, -1], ids=["mark", "JSON", "zeros"])
def test_damage_to_the_preface_alone_costs_nothing_and_verify_says_it(path, at):
    file = shards(path, DONE)[0]
    before, content = read_header(file), bytearray(file.read_bytes())
    room = content.index(b"\x89HDF")
    content[at % room] ^= 1
    file.write_bytes(content)
    assert read_preface(file) is None and read_header(file) == before
    assert RunReader.open(path).read(TASK, DONE.model).correct.shape == (40, 2)
    assert [line for line in verify_run(RunReader.open(path)) if "its preface is damaged" in line]


def test_damage_to_the_frame_is_told_by_hdf5_as_ever(path):
    file = shards(path, DONE)[0]
    content = file.read_bytes()
    file.write_bytes(content[:1000] + content[1000:].replace(b'"seed": 0', b'"seed": 1'))
    with pytest.raises(StoreError, match="its header does not match its digest"):
        RunReader.open(path).cells()


def test_a_shard_of_an_earlier_version_has_no_preface_and_is_read_as_before(path):
    files = shards(path, DONE) + shards(path, OPEN)
    before = [read_header(file).facts for file in files]
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content[content.index(b"\x89HDF") :])  # addresses in HDF5 count from its signature
        assert MARK not in file.read_bytes() and read_preface(file) is None
    assert [read_header(file).facts for file in files] == before
    run = RunReader.open(path)
    assert run.read(TASK, DONE.model).correct.shape == (40, 2)
    assert verify_run(run) == []


def test_a_reader_who_opens_the_index_for_writing_changes_no_shard(path):
    contents = [file.read_bytes() for file in shards(path, DONE)]
    with h5py.File(path / "index.h5", "r+") as index:
        assert index[TASK][DONE.model]["correct"][:].max() == 1
    assert [file.read_bytes() for file in shards(path, DONE)] == contents


def forged(path, **changes):
    """Give the shard another preface, whose own digest is right."""
    content = path.read_bytes()
    room, length = content.index(b"\x89HDF"), struct.unpack("<Q", content[8:16])[0]
    stated = {**json.loads(content[16 : 16 + length]), **changes}
    del stated[DIGEST]
    text = json.dumps({**stated, DIGEST: stated_digest(stated)}).encode()
    path.write_bytes((MARK + struct.pack("<Q", len(text)) + text).ljust(room, b"\0") + content[room:])


def test_verify_compares_the_preface_with_the_hdf5_part(path):
    forged(shards(path, DONE)[0], provenance=[{"seed": 1}])
    assert [line for line in verify_run(RunReader.open(path)) if "its preface is damaged" in line]


@pytest.mark.parametrize(
    "change",
    [
        {"spans": []},
        {"spans": [[0, 16], [20, 40]]},
        {"spans": [[0, 1 << 60]]},
        {"offsets": {"top5": -5, "logp": 0, "correct": 0}},
        {"offsets": {}},
        {"size": 1 << 50},
        {"room": 1 << 50},
        {"room": "512"},
        {"tails": {"top5": ["a"]}},
        {"dtypes": {"top5": "O9"}},
        {"origin": [1]},
        {"provenance": 3},
        {"format": 99},
        {"frame": None},
    ],
)
def test_a_preface_of_a_stranger_is_none(path, change):
    file = shards(path, DONE)[0]
    before = read_header(file)
    forged(file, **change)
    assert read_preface(file) is None
    assert read_header(file) == before


def test_a_file_without_any_content_and_none_at_all(tmp_path):
    for name, content in {"empty": b"", "mark": MARK, "long": MARK + b"\xff" * 8, "zeros": bytes(600)}.items():
        (tmp_path / name).write_bytes(content)
        assert read_preface(tmp_path / name) is None
    with pytest.raises(FileNotFoundError):
        read_preface(tmp_path / "none.h5")


def test_trials_at_the_places_that_the_preface_states_are_those_of_hdf5(path):
    (file,) = shards(path, WIDE)
    origin = read_header(file).origin
    with h5py.File(file, "r") as plain:
        for (low, high), fields in read_bytes(file, origin, ("top5", "correct")):
            assert np.array_equal(fields["top5"], plain["top5"][low:high])
            assert np.array_equal(fields["correct"], plain["correct"][low:high])
