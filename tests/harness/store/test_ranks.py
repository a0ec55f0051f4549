"""Ranks of the target: stored, shown, checked and exported; cells of earlier versions, which have none."""

import csv
from dataclasses import replace

import h5py
import numpy as np
import pytest

from harness import StoreError, read_trials
from harness.records import NO_RANK
from harness.store import RunReader, verify_run
from harness.store.decisions import DECISIONS
from harness.store.export import export_run
from harness.store.shards import read_header
from tests.helpers.store_writer import TASK, assert_equal_trials, create, fill, make_block, make_job, make_layout

LAYOUT = make_layout(n=40, span=16, targets=3)
SPANS = LAYOUT.spans()
OLD, NEW = make_job("old"), make_job("new")


def as_earlier_versions_did(run, job, spans):
    """Commit `spans` of a cell without ranks."""
    run.put_layout(LAYOUT)
    run.begin(job, {"seed": 0})
    run._ranked[job.key] = False
    for span in spans:
        run.commit(job, span, replace(make_block(LAYOUT, job, span), rank=None))
    run.publish()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run"


def fields_shown(path, job):
    with h5py.File(path / "index.h5") as index:
        return set(index[TASK][job.model])


def test_the_index_shows_them_from_the_start_and_65535_where_nothing_is_stored(path):
    with create(path) as run:
        run.put_layout(LAYOUT)
        run.begin(NEW, {"seed": 0})
        run.publish()
        run.commit(NEW, SPANS[1], make_block(LAYOUT, NEW, SPANS[1]))
        with h5py.File(path / "index.h5") as index:
            shown = index[TASK]["new"]["rank"]
            assert (shown.dtype, shown.shape, shown.fillvalue) == (np.uint16, (40, 2), NO_RANK)
            assert np.array_equal(shown[16:32], make_block(LAYOUT, NEW, SPANS[1]).rank)
            assert (shown[:16] == NO_RANK).all() and (shown[32:] == NO_RANK).all()
        assert verify_run(run) == []


def test_a_cell_of_an_earlier_version_is_read_and_stays_stored(path):
    with create(path) as run:
        as_earlier_versions_did(run, OLD, SPANS)
        run.finish([OLD])
        fill(run, LAYOUT, NEW)
        run.finish([NEW])
    run = RunReader.open(path)
    assert all(run.cell(TASK, job.model).complete(LAYOUT) for job in (OLD, NEW))
    assert read_trials(path, TASK, "old").rank is None
    assert np.array_equal(read_trials(path, TASK, "old").top5, make_block(LAYOUT, OLD, (0, 40)).top5)
    assert_equal_trials(read_trials(path, TASK, "new"), LAYOUT, NEW)
    assert fields_shown(path, NEW) - fields_shown(path, OLD) == {"rank"}
    assert verify_run(run) == []


@pytest.mark.parametrize("stored", [1, 2])
def test_a_cell_that_was_begun_without_is_finished_without(path, stored):
    """All spans of a cell hold the same fields, so that no half of it is read as fill values."""
    with create(path) as run:
        as_earlier_versions_did(run, OLD, SPANS[:stored])
    with create(path) as run:
        assert run.cell(TASK, "old").spans == SPANS[:stored]
        fill(run, LAYOUT, OLD, SPANS[stored:])
        run.finish([OLD])
        assert [read_header(file.path).tails.keys() for file in run.place(TASK, "old")[1]] == [set(DECISIONS)]
    trials = read_trials(path, TASK, "old")
    assert trials.rank is None and np.array_equal(trials.top5, make_block(LAYOUT, OLD, (0, 40)).top5)
    assert "rank" not in fields_shown(path, OLD)
    assert verify_run(RunReader.open(path)) == []


def test_a_cell_that_was_only_begun_by_an_earlier_version_gets_them(path):
    with create(path) as run:
        as_earlier_versions_did(run, OLD, [])
    with create(path) as run:
        fill(run, LAYOUT, OLD)
        run.finish([OLD])
    assert_equal_trials(read_trials(path, TASK, "old"), LAYOUT, OLD)


def _with_rank(value):
    def change(block):
        rank = block.rank.copy()
        place = tuple(np.argwhere(rank >= 5)[0] if value == "inside" else np.argwhere(rank < 5)[0])
        rank[place] = {"inside": 4, "outside": 7, "next": rank[place] + 1, "too many": 10, "none": NO_RANK}[value]
        return replace(block, rank=rank)

    return change


@pytest.mark.parametrize("value", ["inside", "outside", "next", "too many", "none"])
def test_ranks_that_cannot_be_right(path, value):
    with create(path) as run:
        fill(run, LAYOUT, NEW, [])
        with pytest.raises(ValueError, match=r"rank disagrees with top5 and the targets \(1 values\)"):
            run.commit(NEW, SPANS[0], _with_rank(value)(make_block(LAYOUT, NEW, SPANS[0])))
        assert run.cell(TASK, "new").spans == ()


def test_a_rank_must_be_there_of_a_type_that_holds_it(path):
    block = make_block(LAYOUT, NEW, SPANS[0])
    with create(path) as run:
        fill(run, LAYOUT, NEW, [])
        with pytest.raises(ValueError, match="rank is missing"):
            run.commit(NEW, SPANS[0], replace(block, rank=None))
        with pytest.raises(ValueError, match=r"rank is int64 \(16, 2\), expected uint16 \(16, 2\)"):
            run.commit(NEW, SPANS[0], replace(block, rank=block.rank.astype(np.int64)))


def test_one_flipped_bit_is_noticed(path):
    with create(path) as run:
        fill(run, LAYOUT, NEW)
        run.finish([NEW])
        file = run.place(TASK, "new")[1][0].path
    content = bytearray(file.read_bytes())
    content[read_header(file).offsets["rank"] + 33] ^= 4
    file.write_bytes(content)
    with pytest.raises(StoreError, match=r"is damaged: rank of samples 0-16 do not match SHA-256"):
        read_trials(path, TASK, "new")
    assert any("rank of samples 0-16" in problem for problem in verify_run(RunReader.open(path)))


def test_samples_without_targets_have_none(path):
    bare = replace(LAYOUT, targets=np.full((40, 1), -1, np.int16))
    block = replace(make_block(LAYOUT, NEW, SPANS[0]), correct=np.zeros((16, 2), np.uint8))
    with create(path) as run:
        fill(run, bare, NEW, [])
        with pytest.raises(ValueError, match="rank disagrees"):
            run.commit(NEW, SPANS[0], block)
        run.commit(NEW, SPANS[0], replace(block, rank=np.full((16, 2), NO_RANK, np.uint16)))
        assert run.cell(TASK, "new").spans == SPANS[:1]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_have_a_column_that_is_empty_where_there_is_none(path, tmp_path, suffix):
    pd = pytest.importorskip("pandas")
    with create(path) as run:
        as_earlier_versions_did(run, OLD, SPANS)
        fill(run, LAYOUT, NEW)
        run.finish([OLD, NEW])
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    output = tmp_path / f"trials{suffix}"
    assert export_run(path, output) == 160
    if suffix == ".csv":
        with output.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        ranks = {job.model: [row["rank"] for row in rows if row["model"] == job.model] for job in (OLD, NEW)}
        assert ranks["old"] == [""] * 80
        assert ranks["new"] == list(map(str, make_block(LAYOUT, NEW, (0, 40)).rank.ravel()))
    else:
        table = pd.read_parquet(output).set_index("model")["rank"]
        assert table.loc["old"].isna().all()
        assert table.loc["new"].tolist() == make_block(LAYOUT, NEW, (0, 40)).rank.ravel().tolist()


def test_the_plain_file_has_them_and_says_what_they_are(path, tmp_path):
    with create(path) as run:
        as_earlier_versions_did(run, OLD, SPANS)
        fill(run, LAYOUT, NEW)
        run.finish([OLD, NEW])
    export_run(path, tmp_path / "trials.h5")
    with h5py.File(tmp_path / "trials.h5") as file:
        rank = file[TASK]["new"]["rank"]
        assert rank.dtype == np.uint16 and np.array_equal(rank[:], make_block(LAYOUT, NEW, (0, 40)).rank)
        assert rank.attrs["dimensions"] == b"sample condition" and b"65535" in rank.attrs["meaning"]
        assert "rank" not in file[TASK]["old"]
