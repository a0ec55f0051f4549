"""The run folder under kills, full disks, damage and exhausted file descriptors: an error, never wrong numbers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from harness import CellError, StoreError
from harness.store import RunReader, verify_run
from tests.helpers.kill_store import campaign
from tests.helpers.places import ROOT
from tests.helpers.store_writer import TASK, assert_equal_trials, create, fill, make_block, make_job, make_layout

LAYOUT = make_layout()
JOB, OTHER = make_job(), make_job("net-b")


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "run"


def shards(path: Path, job=JOB) -> list[Path]:
    return sorted((path / "shards" / TASK / job.model / job.key[:16]).glob("*.h5"))


# --- kills -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(7200)])])
def test_killed_writers_lose_nothing(tmp_path, kills):
    tally = campaign(tmp_path, kills, seed=kills)
    assert tally.kills == kills
    assert tally.checked > kills


class Killed(BaseException):
    """The process is dead: nothing it wanted to do after this happens."""


def kill_at(monkeypatch, k: int) -> None:
    """From the k-th rename or deletion on, none happens any more."""
    done = 0

    def guarded(function):
        def step(*arguments, **options):
            nonlocal done
            done += 1
            if done >= k:
                raise Killed
            return function(*arguments, **options)

        return step

    for name in ("replace", "unlink", "rmdir"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name)))


def test_every_moment_of_a_consolidation_can_be_the_last(tmp_path, monkeypatch):
    old = make_job("net-b", salt="old")
    with create(tmp_path / "prepared") as run:
        for job in (old, OTHER, JOB):
            fill(run, LAYOUT, job)
        (shards(run.path)[0].parent / ".000000-000016.h5.1234-0123abcd.tmp").write_bytes(b"half")
        run.publish()
    for k in range(1, 100):
        path = tmp_path / f"killed-{k}"
        shutil.copytree(tmp_path / "prepared", path)
        with monkeypatch.context() as patch:
            kill_at(patch, k)
            ended = _finish(path)
        for job in (JOB, OTHER):
            reader = RunReader.open(path)
            assert_equal_trials(reader.read(TASK, job.model), LAYOUT, job)
            reader.check_index(TASK, job.model)
            with h5py.File(path / "index.h5") as index:
                expected = make_block(LAYOUT, job, (0, 40))
                assert np.array_equal(index[TASK][job.model]["top5"][:], expected.top5), k
        assert _finish(path)
        assert verify_run(RunReader.open(path)) == []
        assert [one.name for job in (JOB, OTHER) for one in shards(path, job)] == ["all.h5", "all.h5"]
        assert shards(path, old) == []
        if ended:
            break
    assert k > 12, "sweep, manifest, two consolidations, index, six spans and a stale folder are more steps than that"


def _finish(path) -> bool:
    """Whether it came to the end."""
    try:
        with create(path) as run:
            run.finish([JOB, OTHER])
    except Killed:
        return False
    return True


def test_consolidation_that_stopped_before_the_index_is_ended_by_the_next_writer(path, monkeypatch):
    with create(path) as run:
        fill(run, LAYOUT, JOB)
        run.publish()
        monkeypatch.setattr(run, "publish", lambda: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            run.finish([JOB])
    assert len(shards(path)) == 4
    assert_equal_trials(RunReader.open(path).read(TASK, JOB.model), LAYOUT, JOB)
    assert verify_run(RunReader.open(path)) == []  # the index shows the same trials from other files
    create(path).close()
    assert [one.name for one in shards(path)] == ["all.h5"]
    assert verify_run(RunReader.open(path)) == []


def test_reader_and_consolidation_at_one_moment(path, monkeypatch):
    """The files that a reader has listed are gone when it opens them."""
    with create(path) as run:
        fill(run, LAYOUT, JOB)
        run.publish()
        place, waiting = RunReader.place, [JOB]

        def slow_place(self, task, model):
            found = place(self, task, model)
            if self is not run and waiting:
                run.finish([waiting.pop()])
            return found

        monkeypatch.setattr(RunReader, "place", slow_place)
        assert_equal_trials(RunReader.open(path).read(TASK, JOB.model), LAYOUT, JOB)
        assert not waiting
        fill(run, LAYOUT, OTHER)
        run.publish()
        waiting.append(OTHER)
        RunReader.open(path).check_index(TASK, OTHER.model)
        assert not waiting


def test_leftovers_are_ignored_told_and_swept(path):
    with create(path) as run:
        fill(run, LAYOUT, JOB)
        run.publish()
    left = shards(path)[0].parent / ".000000-000016.h5.99999-0a1b2c3d.tmp"
    left.write_bytes(b"half a shard")
    users = path / "notes.tmp"
    users.write_text("mine")
    reader = RunReader.open(path)
    assert_equal_trials(reader.read(TASK, JOB.model), LAYOUT, JOB)
    assert [line for line in verify_run(reader) if left.name in line and "killed" in line]
    create(path).close()
    assert not left.exists()
    assert users.exists()


def test_process_killed_before_the_run_began(path):
    path.mkdir()
    (path / ".lock").write_text("99999\n")
    (path / ".run.json.99999-0a1b2c3d.tmp").write_text("{")
    create(path).close()
    assert verify_run(RunReader.open(path)) == [
        f"{path / 'index.h5'} is missing; the next `harness run` with this --out " + ("writes it again")
    ]


# --- damage ----------------------------------------------------------------------------------


def _truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 40)


def _flip(file: Path) -> None:
    with h5py.File(file) as shard:
        offset = shard["logp"].id.get_offset() + 3
    content = bytearray(file.read_bytes())
    content[offset] ^= 1
    file.write_bytes(content)


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _other_model(file: Path) -> None:
    _edit(file, "model", "net-z")


def _other_key(file: Path) -> None:
    _edit(file, "key", "0" * 64)


def _other_task(file: Path) -> None:
    _edit(file, "task", "accuracy@elsewhere")


def _edit(file: Path, name: str, value: str) -> None:
    with h5py.File(file, "r+") as shard:
        shard.attrs[name] = value
        del shard.attrs["digest"]  # as in shards of earlier versions, whose headers were not covered


def _no_field(file: Path) -> None:
    with h5py.File(file, "r+") as shard:
        del shard["correct"]


def _other_span(file: Path) -> None:
    with h5py.File(file, "r+") as shard:
        shard["spans"][0] += 16


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncate, "cannot be read|damaged"),
        (_flip, "logp of samples .* do not match SHA-256"),
        (_empty, "cannot be read"),
        (_other_model, "another model: expected net-a, found net-z"),
        (_other_key, "another key"),
        (_other_task, "another task"),
        (_no_field, "cannot be read|contradicts|missing"),
        (_other_span, "samples|contradict|header does not match its digest"),
    ],
)
def test_damaged_shards_are_errors(path, damage, message, finished):
    with create(path) as run:
        for job in (JOB, OTHER):
            fill(run, LAYOUT, job)
        run.finish([JOB, OTHER] if finished else [])
    assert verify_run(RunReader.open(path)) == []
    damage(shards(path)[0])
    reader = RunReader.open(path)
    with pytest.raises(StoreError, match=message):
        reader.read(TASK, JOB.model)
    assert [line for line in verify_run(reader) if JOB.model in line]
    assert_equal_trials(reader.read(TASK, OTHER.model), LAYOUT, OTHER)
    with create(path) as run, pytest.raises(StoreError):
        run.begin(JOB, {})
        run.finish([JOB])
        run.read(TASK, JOB.model)


def test_deleting_a_damaged_span_is_enough(path):
    with create(path) as run:
        fill(run, LAYOUT, JOB)
    _flip(shards(path)[1])
    with create(path) as run:
        with pytest.raises(StoreError, match="delete it"):
            run.finish([JOB])
        shards(path)[1].unlink()
        assert run.cell(TASK, JOB.model).spans == ((0, 16), (32, 40))
        fill(run, LAYOUT, JOB, [(16, 32)])
        run.finish([JOB])
        assert_equal_trials(run.read(TASK, JOB.model), LAYOUT, JOB)


def test_a_span_that_is_damaged_before_the_cell_is_finished_is_mended_by_who_committed_it(path):
    with create(path) as run:
        fill(run, LAYOUT, JOB)
        _flip(shards(path)[1])
        run.finish([JOB])
    assert_equal_trials(RunReader.open(path).read(TASK, JOB.model), LAYOUT, JOB)
    assert verify_run(RunReader.open(path)) == []


def test_a_shard_of_another_place_is_found(path):
    with create(path) as run:
        fill(run, LAYOUT, JOB)
        fill(run, LAYOUT, OTHER)
        shutil.copy(shards(path)[0], shards(path, OTHER)[0])
        shutil.copy(shards(path)[0], shards(path)[1])
        run.publish()
    for job, message in ((OTHER, "another model"), (JOB, "samples 0-16")):
        with pytest.raises(StoreError, match=message):
            RunReader.open(path).read(TASK, job.model)
        assert [line for line in verify_run(RunReader.open(path)) if job.model in line]


def test_overlapping_shards_are_found(path):
    with create(path) as run:
        fill(run, LAYOUT, JOB)
        shutil.copy(shards(path)[0], shards(path)[0].with_name("000008-000024.h5"))
        run.publish()
    assert [line for line in verify_run(RunReader.open(path)) if "overlaps" in line]
    with pytest.raises(StoreError):
        RunReader.open(path).read(TASK, JOB.model)


@pytest.mark.parametrize("name", ["run.json", "index.h5", "layout.h5", "cell.json"])
def test_other_damaged_files_are_errors(path, name):
    with create(path) as run:
        fill(run, LAYOUT, JOB)
        run.finish([JOB])
    file = next(path.rglob(name))
    file.write_bytes(b"<html>404</html>")
    with pytest.raises(StoreError, match=name):
        RunReader.open(path).check_index(TASK, JOB.model)
        RunReader.open(path).read(TASK, JOB.model)
    if name != "run.json":
        assert [line for line in verify_run(RunReader.open(path)) if name in line]


def test_index_that_disagrees_is_found(path):
    with create(path) as run:
        fill(run, LAYOUT, JOB)
        run.finish([JOB])
        with h5py.File(path / "index.h5", "r+") as index:
            group = index[TASK][JOB.model]
            wrong = group["correct"][:]
            wrong[20:] = 255
            top5 = group["top5"][:] * 0
            del group["correct"], group["top5"]
            group["correct"], group["top5"] = wrong, top5
        with pytest.raises(StoreError, match="20 stored samples as not measured, and 0 that are not stored"):
            run.check_index(TASK, JOB.model)
        told = verify_run(run)
        assert [line for line in told if "shows another top5" in line]
        assert [line for line in told if "20 stored samples" in line]
        run.publish()
        assert verify_run(run) == []
        (path / "index.h5").unlink()
        assert [line for line in verify_run(run)] == [
            f"{path / 'index.h5'} is missing; the next `harness run` with this --out writes it again"
        ]
        with pytest.raises(StoreError, match="is missing"):
            run.check_index(TASK, JOB.model)


def test_planned_cells_that_are_missing_are_told(path):
    with create(path) as run:
        fill(run, LAYOUT, JOB, [(0, 16)])
        run.publish()
        run.update_manifest(planned={TASK: {JOB.model: "", "net-b": "", "net-c": "answers in other classes"}})
        assert verify_run(run) == [
            f"{TASK} × net-a is planned and incomplete: 16 samples stored",
            f"{TASK} × net-b is planned and was never begun",
        ]


# --- limits ----------------------------------------------------------------------------------

FULL_DISK = """
import resource, signal, sys
from harness.store import verify_run
from tests.helpers.store_writer import *
from harness import CellError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
layout, job, hard = make_layout(n=600, span=300, conditions=4), make_job(), resource.getrlimit(resource.RLIMIT_FSIZE)[1]

def refused(limit, work):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        work()
    except CellError as error:
        print(error)
    else:
        sys.exit("not refused")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

with create(sys.argv[1]) as run:
    fill(run, layout, job, [(0, 300)])
    run.publish()
    block = make_block(layout, job, (300, 600))
    refused(20_000, lambda: run.commit(job, (300, 600), block))
    assert run.cell(TASK, job.model).spans == ((0, 300),)
    assert verify_run(run) == [], verify_run(run)
    run.commit(job, (300, 600), block)
    refused(40_000, lambda: run.finish([job]))
    assert_equal_trials(run.read(TASK, job.model), layout, job)
    assert verify_run(run) == [], verify_run(run)
    run.finish([job])
    assert_equal_trials(run.read(TASK, job.model), layout, job)
"""


def test_full_disk_costs_only_what_did_not_fit(path):
    said = _script(FULL_DISK, path)
    assert said.count("bytes did not fit on the disk at") == 2
    assert "ulimit -f unlimited" in said and "the same command resumes" in said


def test_full_disk_on_opening_is_a_refusal(path, monkeypatch):
    def full(*_):
        raise CellError("12 bytes did not fit on the disk")

    monkeypatch.setattr("harness.store.writer.write_sealed", full)
    with pytest.raises(Exception, match="did not fit") as refused:
        create(path)
    assert refused.value.exit_code == 2
    assert not path.exists()


FEW_DESCRIPTORS = """
import resource, sys
import h5py
from harness.store import verify_run
from tests.helpers.store_writer import *
from harness import StoreError

path, models, limit, too_low = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
layout, jobs = make_layout(n=100, span=1, conditions=1), [make_job(f"net-{i}") for i in range(models)]
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

def read_all():
    for job in jobs:
        assert_equal_trials(run.read(TASK, job.model), layout, job)

with create(path) as run:
    for job in jobs:
        fill(run, layout, job)
    run.publish()
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    read_all()
    for job in jobs:
        run.check_index(TASK, job.model)
    resource.setrlimit(resource.RLIMIT_NOFILE, (too_low, hard))
    read_all()
    with h5py.File(run.path / "index.h5", "r", locking=False) as index:
        lost = int((index[TASK][jobs[0].model]["correct"][:] == 255).sum())
    assert lost > 0, "the trap is not there any more; see what HDF5 does now"
    for job in jobs:
        try:
            run.check_index(TASK, job.model)
        except StoreError as error:
            assert "Raise the limit on open files" in str(error), error
        else:
            sys.exit("fill values passed as trials")
    assert any("as not measured" in line for line in verify_run(run))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    run.finish(jobs)
    resource.setrlimit(resource.RLIMIT_NOFILE, (too_low, hard))
    read_all()
    assert verify_run(run) == [], verify_run(run)
print("all there")
"""


@pytest.mark.parametrize(
    ("models", "limit", "too_low"),
    [(1, 150, 40), pytest.param(40, 256, 64, marks=pytest.mark.slow)],
)
def test_few_file_descriptors_give_trials_or_an_error(path, models, limit, too_low):
    assert _script(FEW_DESCRIPTORS, path, models, limit, too_low) == "all there\n"


def _script(code: str, *arguments) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout
