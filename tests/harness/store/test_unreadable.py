"""A run folder that the disk does not let be read: said at every operation, and never taken for damage or absence."""

from __future__ import annotations

import errno as E
import os
import shutil
from itertools import count

import pytest

from harness.errors import HarnessError, RunError, StoreError, UnreadableError
from harness.local.listing import is_there, names_in
from harness.local.regular import opened_regular, refuse_irregular, refuse_links
from harness.store import RunReader
from harness.store.blocks import trial_blocks
from harness.store.prefaces import read_preface
from harness.store.remaking import lost_manifest, remade_fields, stored_records
from harness.store.shards import has_sound_preface, opened, read_header
from harness.store.sound import cells_of
from tests.helpers.io_faults import Faults, injected
from tests.helpers.store_writer import TASK, create, fill, make_job, make_layout

NUMBERS = (E.EIO, E.ESTALE, E.EROFS, E.EACCES, E.EMFILE, E.ENOSPC, E.EDQUOT)
LAYOUT, JOB, HALF = make_layout(), make_job(), make_job("net-b")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A run of one finished cell, and one of which a span is stored and that failed."""
    path = tmp_path_factory.mktemp("unreadable") / "run"
    with create(path) as run:
        fill(run, LAYOUT, JOB)
        run.finish([JOB])
        fill(run, LAYOUT, HALF, [(0, 16)])
        run.fail(HALF, "too warm")
    return path


@pytest.fixture
def fresh(stored, tmp_path):
    """Copies of the run, each under a name of its own, of which nothing is remembered."""
    numbers = count()

    def copied():
        return shutil.copytree(stored, tmp_path / f"run{next(numbers)}")

    return copied


def state(path):
    run = RunReader(path)
    return [run.cell(*place) for place in run.places()]


def trials(path):
    return RunReader(path).read(TASK, JOB.model)


def blocks(path):
    return list(trial_blocks(RunReader(path), TASK, JOB.model))


def record(path):
    return RunReader(path).record


def refusal_of(read, path):
    try:
        read(path)
    except HarnessError as error:
        return error
    return None


def shard(path):
    return path / "shards" / TASK / JOB.model / JOB.key[:16] / "all.h5"


OPERATIONS = [
    (record, "stat", "run.json"),
    (record, "open", "run.json"),
    (record, "read", "run.json"),
    (state, "stat", "shards"),
    (state, "list", "shards"),
    (state, "stat", "layout.h5"),
    (state, "stat", "cell.json"),
    (state, "read", "cell.json"),
    (state, "stat", "all.h5"),
    (state, "read", "all.h5"),
    (state, "stat", "failed.json"),
    (state, "open", "failed.json"),
    (state, "list", JOB.key[:16]),
    (trials, "h5py", "layout.h5"),
    (trials, "read", "all.h5"),
    (trials, "open", "all.h5"),
    (blocks, "read", "all.h5"),
    (blocks, "open", "all.h5"),
    (remade_fields, "list", "shards"),
    (lost_manifest, "list", "shards"),
    (stored_records, "read", "cell.json"),
    (lambda path: read_preface(shard(path)), "read", "all.h5"),
    (lambda path: read_header(shard(path)), "read", "all.h5"),
    (lambda path: has_sound_preface(shard(path)), "read", "all.h5"),
    (lambda path: has_sound_preface(shard(path)), "h5py", "all.h5"),
    (lambda path: opened(shard(path)).__enter__(), "stat", "all.h5"),
    (lambda path: refuse_links(path, "shards"), "stat", "shards"),
    (lambda path: refuse_irregular(path / "run.json"), "stat", "run.json"),
    (lambda path: opened_regular(path / "run.json").close(), "open", "run.json"),
    (lambda path: is_there(path / "run.json"), "stat", "run.json"),
    (lambda path: names_in(path / "shards"), "list", "shards"),
]


@pytest.mark.parametrize(
    ("read", "kind", "part"),
    [pytest.param(*row, id=f"{place}-{row[1]}-{row[2]}") for place, row in enumerate(OPERATIONS)],
)
def test_injected_into_a_reader(fresh, read, kind, part):
    """The first such operation fails, or all of them, with each error number; one alone may not matter."""
    path = fresh()
    for number in NUMBERS:
        for mode in ("once", "on"):
            faults = Faults(path, part).fail(kind, number, mode=mode)
            with injected(faults):
                refused = refusal_of(read, path)
            assert faults.failed
            if mode == "on" or refused is not None:
                assert isinstance(refused, RunError if read is remade_fields else UnreadableError)
                assert os.strerror(number) in str(refused)
                assert part.partition(".")[0] in str(refused)
                assert "delete" not in str(refused)
                assert "\n" not in str(refused)
    read(path)  # nothing that failed is remembered


@pytest.mark.parametrize(("kind", "first"), [("stat", 1), ("stat", 3), ("open", 1), ("h5py", 1), ("h5py", 2)])
def test_injected_removal_while_axes_are_read(fresh, kind, first):
    path = fresh()
    faults = Faults(path, "layout.h5").act(kind, lambda: path.rename(path.with_name("gone")), first)
    with injected(faults), pytest.raises(StoreError, match=r"has no task .* Available: none"):
        RunReader(path).layout(TASK)
    assert faults.failed


def test_injected_states_are_unreadable_and_not_damaged(fresh):
    """One cell that cannot be read costs its own numbers alone."""
    path = fresh()
    with injected(Faults(path, "net-b/cell.json").fail("read", E.EIO, mode="on")):
        cells = cells_of(RunReader(path))
    assert list(cells.sound) == [(TASK, JOB.model)]
    assert [type(error) for error in cells.damaged.values()] == [UnreadableError]


@pytest.mark.parametrize("text", ["errno = 5, error message = 'Input/output error'", "errno = 116,"])
def test_injected_number_that_hdf5_states_in_its_text_alone(fresh, monkeypatch, text):
    """HDF5 raises KeyError or RuntimeError where a read below it fails."""
    path = shard(fresh())
    for kind in (KeyError, RuntimeError, OSError):
        with pytest.raises(UnreadableError, match=rf"all\.h5: {os.strerror(int(text.split()[2].strip(',')))}"):
            with opened(path):
                raise kind(f"Unable to synchronously open object (file read failed: {text}")
    with pytest.raises(StoreError, match="delete it") as refused, opened(path):
        raise RuntimeError("Unable to open object (bad symbol table)")
    assert not isinstance(refused.value, UnreadableError)
