"""A run that has lost its run.json, or whose run.json is damaged: made again from the cells, or refused in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness import RequestError, RunError
from harness.identity import job_of
from harness.records import Identity
from harness.store import RunReader, RunWriter, refuse_inside, refuse_unfit, verify_run
from tests.helpers.store_writer import COMMAND, SETTINGS, TASK, assert_equal_trials, create, fill, make_job, make_layout

LAYOUT, JOB, OTHER = make_layout(), make_job(), make_job("net-b")
PROVENANCE = {
    "created": "2026-01-02T03:04:05+00:00",
    "command": ["harness", "run", "--suite", "my own", "--out", "run"],
}


@pytest.fixture
def path(tmp_path):
    """A run of one finished cell, and one of which one span is stored; its run.json is lost."""
    with create(tmp_path / "run") as run:
        fill(run, LAYOUT, JOB)
        run.begin(JOB, PROVENANCE)
        run.finish([JOB])
        fill(run, LAYOUT, OTHER, [(0, 16)])
    (tmp_path / "run" / "run.json").rename(tmp_path / "kept.json")
    return tmp_path / "run"


def test_a_reader_says_which_command_makes_it_again(path):
    with pytest.raises(RunError, match=r"has lost its run\.json; its 2 cells are there") as refused:
        RunReader.open(path)
    assert str(refused.value).endswith("harness run --suite 'my own' --out run")


def test_the_same_command_makes_it_again(path):
    resumed = RunReader.resumable(path)
    assert resumed.settings == SETTINGS
    assert resumed.record.planned == {TASK: {"net-a": None, "net-b": None}}
    assert set(resumed.checked_cells()) == {(TASK, "net-a"), (TASK, "net-b")}
    with create(path) as run:
        for span in LAYOUT.spans()[1:]:
            run.begin(OTHER, {})
            fill(run, LAYOUT, OTHER, [span])
        run.finish([OTHER])
    run = RunReader.open(path)
    for job in (JOB, OTHER):
        assert_equal_trials(run.read(TASK, job.model), LAYOUT, job)
    assert run.settings == SETTINGS and verify_run(run) == []
    before = json.loads((path.parent / "kept.json").read_text())
    assert json.loads((path / "run.json").read_text()).keys() >= before.keys()


def test_other_settings_are_refused_as_ever(path):
    before = sorted(path.rglob("*"))
    with pytest.raises(RunError, match="seed is 0 there and 1 here"):
        refuse_unfit(path, {**SETTINGS, "seed": 1})
    with pytest.raises(RunError, match="seed is 0 there and 1 here"):
        RunWriter.create(path, settings={**SETTINGS, "seed": 1}, command=COMMAND)
    assert sorted(path.rglob("*")) == before


def test_cells_of_different_settings_do_not_make_one(path):
    identity = Identity({**OTHER.identity.document, "settings": {**SETTINGS, "seed": 3}})
    (path / "run.json").write_bytes((path.parent / "kept.json").read_bytes())
    with create(path) as run:
        run.begin(job_of(TASK, "net-b", identity), {})
    (path / "run.json").unlink()
    with pytest.raises(RunError, match="different settings"):
        RunReader.resumable(path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kind": "trials"}', '{"digest": "sha256:0", "kind": "trials"}'])
def test_a_damaged_one_is_refused_before_anything_is_written(path, content):
    (path / "run.json").write_text(content)
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
    for attempt in (RunReader.resumable, create, lambda place: refuse_unfit(place, SETTINGS)):
        with pytest.raises(RunError) as refused:
            attempt(path)
        assert refused.value.exit_code == 2
    assert {file: file.stat().st_mtime_ns for file in path.rglob("*")} == before


def test_a_damaged_cell_does_not_make_one(path):
    file = path / "shards" / TASK / "net-b" / "cell.json"
    file.write_text(file.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(RunError, match=r"cannot be made again: .*net-b.cell.json is damaged"):
        RunReader.resumable(path)


def test_new_folders_are_durable_up_to_the_first_that_existed(tmp_path, monkeypatch):
    synced, sync = set(), os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda number: (synced.add(str(Path(f"/proc/self/fd/{number}").readlink())), sync(number))
    )
    create(tmp_path / "a" / "b" / "run").close()
    assert synced >= {str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "b"), str(tmp_path / "a" / "b" / "run")}


@pytest.mark.parametrize(
    "name", ["run/run.json", "run/index.h5", "run/shards/x.csv", "link/report.html", "run/../run/x"]
)
def test_no_output_inside_a_run_folder(path, name):
    (path / "run.json").write_bytes((path.parent / "kept.json").read_bytes())
    (path.parent / "link").symlink_to("run")
    with pytest.raises(RequestError, match="lies in the run folder"):
        refuse_inside(path.parent / name)
    refuse_inside(path.parent / "report.html", [path])
    refuse_inside(None, [path])


def test_no_output_inside_a_folder_that_is_read_as_a_run(tmp_path):
    with pytest.raises(RequestError, match="lies in the run folder"):
        refuse_inside(tmp_path / "run" / "out.csv", [tmp_path / "run"])
