"""An ``.h5`` export is read by other languages, and holds the numbers of the run."""

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import StoreError
from harness.store import RunReader, export_run
from harness.store.blocks import read_spans, trial_blocks
from harness.store.file_names import portable_names
from tests.helpers.store_writer import (
    ARRAYS,
    TASK,
    assert_equal_trials,
    create,
    fill,
    make_block,
    make_job,
    make_layout,
)

LAYOUT = make_layout(attributes=("texture",), targets=2)
JOBS = (make_job(arrays=ARRAYS), make_job("0net.b+c@d", arrays=ARRAYS))
N = len(LAYOUT.sample_ids)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "run"
    with create(path) as writer:
        for job in JOBS:
            fill(writer, LAYOUT, job, outputs=12)
        writer.finish(JOBS[:1])  # one cell in one file, one in several
    return path


@pytest.fixture(scope="module")
def exported(run):
    output = run.parent / "trials.h5"
    assert export_run(run, output) == len(JOBS) * N * 2
    return output


def everything(file):
    """All groups and datasets of an open file."""
    items = [file]
    file.visititems(lambda _, item: items.append(item))
    return items


def assert_plain(kind):
    """`kind` is a number of 4 or 8 bytes, a small integer, or a string of fixed length."""
    if isinstance(kind, h5py.h5t.TypeStringID):
        assert not kind.is_variable_str() and kind.get_strpad() == h5py.h5t.STR_NULLPAD
    elif isinstance(kind, h5py.h5t.TypeFloatID):
        assert kind.get_size() in (4, 8)
    else:
        assert isinstance(kind, h5py.h5t.TypeIntegerID)


def test_only_types_that_all_readers_know(exported):
    with h5py.File(exported) as file:
        items = everything(file)
        assert len(items) > 20
        for item in items:
            for name in item.attrs:
                assert_plain(item.attrs.get_id(name).get_type())
            if isinstance(item, h5py.Dataset):
                assert_plain(item.id.get_type())
                assert not item.is_virtual and item.chunks is None and not item.external
            else:
                assert all(type(item.get(name, getlink=True)) is h5py.HardLink for name in item)
        assert isinstance(h5py.check_string_dtype(file[TASK]["sample_id"].dtype).length, int)
        assert file[TASK][JOBS[0].model]["logp"].dtype == np.float32


def test_names_classes_and_targets_are_those_of_the_run(exported):
    with h5py.File(exported) as file:
        task = file[TASK]
        assert tuple(task["sample_id"].asstr()[:]) == LAYOUT.sample_ids
        assert tuple(task["condition"].asstr()[:]) == LAYOUT.conditions
        assert tuple(task["classes"].asstr()[:]) == LAYOUT.classes
        assert tuple(task["texture"].asstr()[:]) == LAYOUT.attributes["texture"]
        assert np.array_equal(task["target"][:], LAYOUT.targets)
        assert task.attrs["size"] == LAYOUT.size


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.model)
def test_numbers_are_those_of_the_run(exported, run, job):
    block = make_block(LAYOUT, job, (0, N), outputs=12)
    with h5py.File(exported) as file:
        model = file[TASK][job.model]
        assert np.array_equal(model["top5"][:], block.top5)
        assert np.array_equal(model["correct"][:], block.correct)
        assert np.array_equal(model["logp"][:], block.logp.astype(np.float32))
        assert np.array_equal(model["logits"][:], block.logits.astype(np.float32))
        for name, values in block.arrays.items():
            assert np.array_equal(model["arrays"][name][:], values)
        assert model["arrays/map"].attrs["dimensions"].decode() == "sample condition axis_1 axis_2"
        assert model["top5"].attrs["dimensions"].decode() == "sample condition rank"
        assert model.attrs["key"].decode() == job.key
        assert json.loads(model.attrs["provenance"])["git"] == "abc"


def test_netcdf_reads_the_same_numbers(exported):
    netcdf = pytest.importorskip("netCDF4", reason="netCDF4 is not installed: pip install netCDF4")
    block = make_block(LAYOUT, JOBS[1], (0, N), outputs=12)
    with netcdf.Dataset(exported) as file:
        task = file[TASK]
        model = task[JOBS[1].model]
        assert tuple(task["sample_id"][:]) == LAYOUT.sample_ids
        assert np.array_equal(model["top5"][:], block.top5)
        assert np.array_equal(model["logp"][:], block.logp.astype(np.float32))
        assert np.array_equal(model["arrays"]["map"][:], block.arrays["map"])
        assert task["condition"].dimensions and model.key == JOBS[1].key


RHDF5 = """
suppressMessages(library(rhdf5))
file <- commandArgs(TRUE)[1]
logp <- h5read(file, paste0(commandArgs(TRUE)[2], "/logp"))
top5 <- h5read(file, paste0(commandArgs(TRUE)[2], "/top5"))
ids <- h5read(file, paste0(dirname(commandArgs(TRUE)[2]), "/sample_id"))
stopifnot(h5readAttributes(file, commandArgs(TRUE)[2])$key == commandArgs(TRUE)[3])
correct <- h5read(file, paste0(commandArgs(TRUE)[2], "/correct"))
storage.mode(correct) <- "integer"  # uint8 is read as raw
cat(rowMeans(correct), fill = 1000)
writeLines(sprintf("%.9g", c(logp)))
writeLines(sprintf("%d", c(top5)))
writeLines(ids)
"""


@pytest.mark.slow
def test_r_reads_the_same_numbers(exported):
    if shutil.which("Rscript") is None or b"TRUE" not in rscript("cat(requireNamespace('rhdf5', quietly = TRUE))"):
        pytest.skip("R with rhdf5 is not installed: apt-get install r-bioc-rhdf5")
    lines = rscript(RHDF5, exported, f"{TASK}/{JOBS[0].model}", JOBS[0].key).decode().splitlines()
    block = make_block(LAYOUT, JOBS[0], (0, N), outputs=12)
    assert np.allclose(np.array(lines.pop(0).split(), float), block.correct.mean(axis=0))
    logp, top5 = np.array(lines[: block.logp.size], np.float32), np.array(lines[block.logp.size : -N], np.int16)
    assert np.array_equal(logp, block.logp.astype(np.float32).ravel())  # R's axes run the other way round
    assert np.array_equal(top5, block.top5.ravel())
    assert tuple(lines[-N:]) == LAYOUT.sample_ids


def rscript(code, *arguments):
    command = ["Rscript", "--vanilla", "--encoding=UTF-8", "-e", code, *map(str, arguments)]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, capture_output=True, check=True, env=environment).stdout


def test_a_long_provenance_and_many_classes_fit(tmp_path):
    classes, command = tuple(f"{number} {'ü' * 60}" for number in range(1000)), "x" * 70_000
    layout, job = replace(make_layout(n=16, classes=1000), classes=classes), make_job()
    with create(tmp_path / "run") as writer:
        writer.put_layout(layout)
        writer.begin(job, {"git": "abc"})
        writer.commit(job, (0, 16), make_block(layout, job, (0, 16)))
    record = tmp_path / "run" / "shards" / TASK / job.model / "cell.json"
    content = json.loads(record.read_text())
    content["provenance"]["command"] = command
    content.pop("digest", None)
    record.write_text(json.dumps(content))
    export_run(tmp_path / "run", tmp_path / "trials.h5")
    with h5py.File(tmp_path / "trials.h5") as file:
        assert tuple(file[TASK]["classes"].asstr()[:]) == classes
        assert json.loads(file[TASK][job.model]["provenance"].asstr()[()])["command"] == command


@given(names=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300), unique=True))
def test_every_name_gets_one_of_its_own_that_netcdf_accepts(names):
    portable = portable_names(names, taken=["target"])
    assert list(portable) == names and len({*portable.values()} - {"target"}) == len(names)
    with tempfile.TemporaryDirectory() as folder, h5py.File(Path(folder) / "names.h5", "w") as file:
        for name in portable.values():
            file.create_group(name)
            assert 0 < len(name.encode()) <= 256 and "/" not in name and name.strip() == name and name.isprintable()
        assert set(file) == set(portable.values())


@given(st.lists(st.sampled_from("aZ09._+@-"), max_size=200).map("".join).map("x".__add__))
def test_a_name_that_the_store_takes_stays_as_it_is(name):
    assert portable_names([name[:200]]) == {name[:200]: name[:200]}


def test_a_damaged_array_costs_its_own_cell_alone(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (shard,) = tmp_path.glob(f"run/shards/{TASK}/{JOBS[0].model}/*/all.h5")
    with h5py.File(shard) as file:
        offset = file["arrays"]["map"].id.get_offset() + 3
    content = bytearray(shard.read_bytes())
    content[offset] ^= 16
    shard.write_bytes(content)
    damage = {}
    assert export_run(tmp_path / "run", tmp_path / "trials.h5", damage) == N * 2
    assert list(damage) == [(TASK, JOBS[0].model)]
    with h5py.File(tmp_path / "trials.h5") as file:
        assert JOBS[0].model not in file[TASK] and JOBS[1].model in file[TASK]
    with pytest.raises(StoreError, match="arrays/map"):
        export_run(tmp_path / "run", tmp_path / "strict.h5")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "trials.h5"]


def test_blocks_are_the_trials_in_order(run, monkeypatch):
    monkeypatch.setattr("harness.store.blocks.MOST_TRIALS", 14)
    blocks = list(trial_blocks(RunReader.open(run), TASK, JOBS[0].model))
    assert max(len(block.layout.sample_ids) for block in blocks) == 7
    assert [name for block in blocks for name in block.layout.sample_ids] == list(LAYOUT.sample_ids)
    assert [name for block in blocks for name in block.layout.attributes["texture"]] == list(
        LAYOUT.attributes["texture"]
    )
    expected = make_block(LAYOUT, JOBS[0], (0, N))
    for name in ("top5", "logp", "correct"):
        assert np.array_equal(np.concatenate([getattr(block, name) for block in blocks]), getattr(expected, name))
    assert np.array_equal(np.concatenate([block.layout.targets for block in blocks]), LAYOUT.targets)


def test_a_cell_that_is_consolidated_while_it_is_read_is_read_on(tmp_path):
    job = make_job()
    with create(tmp_path / "run") as writer:
        fill(writer, LAYOUT, job)
        spans = read_spans(RunReader.open(tmp_path / "run"), TASK, job.model)
        parts = [next(spans)]
        writer.finish([job])
        parts += spans
    assert [span for span, _ in parts] == list(LAYOUT.spans())
    assert_equal_trials(RunReader.open(tmp_path / "run").read(TASK, job.model), LAYOUT, job)
    top5 = np.concatenate([fields["top5"] for _, fields in parts])
    assert np.array_equal(top5, make_block(LAYOUT, job, (0, N)).top5)


def test_a_cell_that_is_replaced_while_it_is_read_is_an_error(tmp_path):
    job, new = make_job(), make_job(salt="new")
    with create(tmp_path / "run") as writer:
        fill(writer, LAYOUT, job)
        spans = read_spans(RunReader.open(tmp_path / "run"), TASK, job.model)
        next(spans)
        fill(writer, LAYOUT, new)
        writer.finish([new])
        with pytest.raises(StoreError, match="replaced while it was read; try again"):
            list(spans)
