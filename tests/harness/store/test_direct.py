"""Trials read from their place in a shard are those that HDF5 reads, and damage is noticed as there."""

import numpy as np
import pytest

from harness import StoreError
from harness.store import RunReader
from harness.store.direct import read_bytes
from harness.store.shards import read_shard
from tests.helpers.store_writer import create, fill, make_job, make_layout

FIELDS = ("top5", "logp", "correct", "rank")


@pytest.fixture
def shards(tmp_path):
    """(path, origin) of the files of one finished cell of three spans and of an unfinished one."""
    layout, done, open_ = make_layout(), make_job("done"), make_job("open")
    with create(tmp_path / "run") as run:
        run.put_layout(layout)
        fill(run, layout, done)
        run.finish([done])
        fill(run, layout, open_, spans=layout.spans()[:2])
    reader = RunReader.open(tmp_path / "run")
    places = [reader.place(layout.task, model) for model in ("done", "open")]
    return [(file.path, record.origin) for record, files in places for file in files]


def test_the_same_spans_and_bytes_as_by_hdf5(shards):
    assert len(shards) == 3
    for path, origin in shards:
        by_hdf5 = list(read_shard(path, origin, FIELDS))
        direct = list(read_bytes(path, origin, FIELDS))
        assert [span for span, _ in direct] == [stored.span for stored in by_hdf5]
        for (_, fields), stored in zip(direct, by_hdf5, strict=True):
            for name in FIELDS:
                assert fields[name].dtype == stored.fields[name].dtype
                assert fields[name].shape == stored.fields[name].shape
                assert fields[name].tobytes() == stored.fields[name].tobytes()


def test_each_flipped_bit_of_the_trials_is_noticed(shards):
    path, origin = shards[0]
    whole = path.read_bytes()
    values = np.frombuffer(whole, np.uint8)
    for at in np.random.default_rng(0).integers(len(values) // 2, len(values), 24):
        changed = values.copy()
        changed[at] ^= 1 << int(at % 8)
        path.write_bytes(changed.tobytes())
        results = []
        for read in (lambda: list(read_bytes(path, origin, FIELDS)), lambda: list(read_shard(path, origin, FIELDS))):
            try:
                read()
                results.append("sound")
            except StoreError as error:
                results.append(str(error))
        assert (results[0] == "sound") == (results[1] == "sound"), at
    path.write_bytes(whole)


def test_a_file_that_ends_early_another_origin_and_an_absent_field_are_errors(shards):
    path, origin = shards[0]
    with pytest.raises(StoreError, match="trials of another model"):
        list(read_bytes(path, origin._replace(model="other"), FIELDS))
    with pytest.raises(StoreError, match="has no logits"):
        list(read_bytes(path, origin, ("logits",)))
    path.write_bytes(path.read_bytes()[:-64])
    with pytest.raises(StoreError):
        list(read_bytes(path, origin, FIELDS))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        list(read_bytes(path, origin, FIELDS))
