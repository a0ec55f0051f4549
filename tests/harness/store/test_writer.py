"""The run folder: what goes in comes out, whole, and what does not fit is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import ImportedModel, ImportedTable, Measure, RunError, StoreError, read_trials
from harness.local.recall import remembered
from harness.local.writing import read_json, write_json
from harness.proportions import target_ranks
from harness.records import RunModel
from harness.store import RunReader, RunWriter, store_table, verify_run
from harness.store.export import compact
from tests.helpers.store_writer import (
    ARRAYS,
    COMMAND,
    SETTINGS,
    TASK,
    assert_equal_trials,
    create,
    fill,
    make_block,
    make_job,
    make_layout,
)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "run"


def content(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, and every folder as an empty entry."""
    return {str(one.relative_to(folder)): one.read_bytes() if one.is_file() else b"" for one in folder.rglob("*")}


# --- round trips -----------------------------------------------------------------------------


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("arrays", [{}, ARRAYS], ids=["decisions", "arrays"])
@pytest.mark.parametrize("targets", [1, 3])
def test_what_is_committed_is_read(path, targets, arrays, finished):
    layout, job = make_layout(targets=targets, attributes=("texture", "shape")), make_job(arrays=arrays)
    with create(path) as run:
        fill(run, layout, job, outputs=12)
        if finished:
            run.finish([job])
        run.publish()
        cell = run.cell(TASK, job.model)
    trials = read_trials(path, TASK, job.model)
    assert_equal_trials(trials, layout, job)
    stored = trials.layout
    assert np.array_equal(stored.targets, layout.targets)
    assert replace(stored, targets=0) == replace(layout, targets=0)
    assert cell.spans == layout.spans()
    assert cell.complete(layout)
    assert cell.provenance == {"seed": 0, "git": "abc"}
    assert cell.job == job
    assert verify_run(RunReader.open(path)) == []


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_layout_in_any_order(data):
    layout = make_layout(
        n=data.draw(st.integers(1, 30)),
        span=data.draw(st.integers(1, 12)),
        conditions=data.draw(st.integers(1, 3)),
        classes=data.draw(st.integers(1, 8)),
        targets=1,
        salt=data.draw(st.sampled_from(["", "a b", "ß\n"])),
    )
    job, spans = make_job(), data.draw(st.permutations(layout.spans()))
    with tempfile.TemporaryDirectory() as folder, create(Path(folder) / "run") as run:
        fill(run, layout, job, spans)
        if data.draw(st.booleans()):
            run.finish([job])
        run.publish()
        assert_equal_trials(run.read(TASK, job.model), layout, job)
        assert verify_run(run) == []


def test_committing_twice_gives_the_same_bytes(path):
    layout, job = make_layout(), make_job()
    with create(path) as run:
        fill(run, layout, job)
        first = content(path / "shards")
        fill(run, layout, job)
        assert content(path / "shards") == first


def test_every_shard_says_whose_it_is(path):
    layout, job = make_layout(), make_job()
    with create(path) as run:
        fill(run, layout, job, layout.spans()[:2])
        run.begin(job, {"git": "later"})
        run.commit(job, layout.spans()[2], make_block(layout, job, layout.spans()[2]))
        folder = path / "shards" / TASK / job.model / job.key[:16]
        assert sorted(one.name for one in folder.iterdir()) == [
            "000000-000016.h5",
            "000016-000032.h5",
            "000032-000040.h5",
        ]
        with h5py.File(folder / "000016-000032.h5") as shard:
            told = dict(shard.attrs)
            assert (told["task"], told["model"], told["key"], told["low"], told["high"]) == (
                TASK,
                job.model,
                job.key,
                16,
                32,
            )
            assert json.loads(told["provenance"]) == {"seed": 0, "git": "abc"}
            assert shard["top5"].chunks is None
        run.finish([job])
        assert [one.name for one in folder.iterdir()] == ["all.h5"]
        with h5py.File(folder / "all.h5") as shard:
            assert json.loads(shard.attrs["provenance"]) == {"git": "later"}
            assert json.loads(shard.attrs["earlier_provenance"]) == [{"seed": 0, "git": "abc"}]


@pytest.mark.parametrize("room", [0, 2_000, 32 << 20], ids=["none", "some", "all"])
def test_a_cell_is_consolidated_to_the_same_bytes_from_memory_and_from_its_shards(path, tmp_path, monkeypatch, room):
    layout, jobs = make_layout(), [make_job(arrays=ARRAYS), make_job("net-b")]
    with create(tmp_path / "other") as run:
        for job in jobs:
            fill(run, layout, job)
    with create(tmp_path / "other") as run:  # which has committed nothing itself
        run.finish(jobs)
    monkeypatch.setattr("harness.store.recent.RECENT_BYTES", room)
    with create(path) as run:
        for job in jobs:
            fill(run, layout, job)
        assert run._recent._bytes <= room and bool(run._recent._spans) == bool(room)
        run.finish(jobs)
        assert run._recent._bytes == 0 and not run._recent._spans
    for job in jobs:
        one, other = (
            folder / "shards" / TASK / job.model / job.key[:16] / "all.h5" for folder in (path, tmp_path / "other")
        )
        assert one.read_bytes() == other.read_bytes()


def test_a_span_that_is_committed_again_replaces_what_is_kept_of_it(path):
    layout, job = make_layout(), make_job()
    with create(path) as run:
        fill(run, layout, job)
        run.commit(job, (0, 16), make_block(layout, make_job("net-b"), (0, 16)))
        run.finish([job])
    trials = read_trials(path, TASK, job.model)
    assert np.array_equal(trials.top5[:16], make_block(layout, make_job("net-b"), (0, 16)).top5)
    assert np.array_equal(trials.top5[16:], make_block(layout, job, (16, 40)).top5)


def test_a_file_is_remembered_until_another_takes_its_place(tmp_path):
    file, reads = tmp_path / "x.json", []

    @remembered(2)
    def read(path):
        reads.append(path)
        return read_json(path)

    with pytest.raises(FileNotFoundError):
        read(file)
    reads.clear()
    write_json(file, 1)
    assert [read(file), read(file)] == [1, 1] and len(reads) == 1
    write_json(file, 2)  # of the same size
    assert read(file) == 2 and len(reads) == 2
    file.unlink()
    with pytest.raises(FileNotFoundError):
        read(file)


# --- the index -------------------------------------------------------------------------------


def test_index_of_a_run_that_is_half_done(path):
    layout, job, late = make_layout(attributes=("texture",)), make_job(), make_job("net-late")
    with create(path) as run:
        run.put_layout(layout)
        run.begin(job, {"seed": 0}, outputs=12)
        run.publish()
        before = (path / "index.h5").read_bytes()
        run.commit(job, (16, 32), make_block(layout, job, (16, 32), 12))
        assert (path / "index.h5").read_bytes() == before
        expected = make_block(layout, job, (16, 32), 12)
        with h5py.File(path / "index.h5", "r") as index:
            group = index[TASK][job.model]
            assert group["correct"].shape == (40, 2)
            for name, fill_value in (("top5", -1), ("logp", np.nan), ("correct", 255), ("logits", np.nan)):
                shown = group[name][:]
                assert np.array_equal(shown[16:32], getattr(expected, name))
                assert np.array_equal(shown[:16], np.full_like(shown[:16], fill_value), equal_nan=name != "top5")
                assert group[name].dtype == shown.dtype == getattr(expected, name).dtype
            assert index[TASK]["target"].dtype == np.int16
            assert index[TASK]["target"].shape == (40,)
            assert tuple(index[TASK]["sample_id"].asstr()[:]) == layout.sample_ids
            assert tuple(index[TASK]["condition"].asstr()[:]) == layout.conditions
            assert tuple(index[TASK]["texture"].asstr()[:]) == layout.attributes["texture"]
            assert tuple(index[TASK].attrs["classes"]) == layout.classes
            assert (index[TASK].attrs["size"], index[TASK].attrs["span"]) == (32, 16)
            assert group.attrs["key"] == job.key
            assert json.loads(group.attrs["provenance"]) == {"seed": 0}
        run.begin(late, {})
        with pytest.raises(StoreError, match=r"incomplete: 16 of 40 samples"):
            run.read(TASK, job.model)
        assert [line for line in verify_run(run) if "does not show its current trials" in line]
        run.publish()
        assert verify_run(run) == []


def test_targets_of_many_classes_are_padded(path):
    layout = make_layout(targets=3)
    with create(path) as run:
        run.put_layout(layout)
        run.publish()
        with h5py.File(path / "index.h5", "r") as index:
            assert np.array_equal(index[TASK]["target"][:], layout.targets)


def test_run_can_be_moved(path, tmp_path, monkeypatch):
    layout, job, other = make_layout(), make_job(), make_job("net-b")
    with create(path) as run:
        fill(run, layout, job)
        run.finish([job])
        fill(run, layout, other)
        run.publish()
    moved = tmp_path / "else where" / "new"
    moved.parent.mkdir()
    shutil.move(path, moved)
    monkeypatch.chdir("/")
    with h5py.File(moved / "index.h5", "r") as index:
        for one in (job, other):
            expected = make_block(layout, one, (0, 40))
            assert np.array_equal(index[TASK][one.model]["top5"][:], expected.top5)
        assert tuple(index[TASK]["sample_id"].asstr()[:]) == layout.sample_ids
    assert_equal_trials(read_trials(moved, TASK, job.model), layout, job)


def test_few_sources_after_finishing(path):
    layout, job = make_layout(n=100, span=1), make_job()
    with create(path) as run:
        fill(run, layout, job)
        run.finish([job])
        with h5py.File(path / "index.h5", "r") as index:
            assert [one.file_name for one in index[TASK][job.model]["top5"].virtual_sources()] == [
                f"shards/{TASK}/{job.model}/{job.key[:16]}/all.h5"
            ]


def test_one_plain_file_shows_what_the_index_shows(path, tmp_path):
    layout, job, other, half = make_layout(attributes=("texture",)), make_job(), make_job("net-b"), make_job("half")
    with create(path) as run:
        for one in (job, other):
            fill(run, layout, one, outputs=12)
        run.finish([job])
        fill(run, layout, half, [(0, 16)])
        run.publish()
        assert compact(run, tmp_path / "all-trials.h5") == 2 * 40 * 2
    with h5py.File(tmp_path / "all-trials.h5") as plain, h5py.File(path / "index.h5") as index:
        assert set(plain[TASK]) - {"classes"} == set(index[TASK]) - {"half"}
        for name in ("sample_id", "target", "condition", "texture"):
            assert np.array_equal(plain[TASK][name][:], index[TASK][name][:])
        for one in (job, other):
            for name in ("top5", "logp", "correct", "logits"):
                assert not plain[TASK][one.model][name].is_virtual
                assert np.array_equal(plain[TASK][one.model][name][:], index[TASK][one.model][name][:])
            attributes = {name: value.decode() for name, value in plain[TASK][one.model].attrs.items()}
            assert attributes == dict(index[TASK][one.model].attrs)


# --- keys, failures, layouts -----------------------------------------------------------------


def test_a_new_key_replaces_the_old_when_it_is_finished(path):
    layout, old, new = make_layout(), make_job(salt="old"), make_job(salt="new")
    folder = path / "shards" / TASK / old.model
    with create(path) as run:
        fill(run, layout, old)
        run.finish([old])
        run.begin(new, {})
        run.publish()
        assert run.cell(TASK, new.model).spans == ()
        with h5py.File(path / "index.h5", "r") as index:
            assert (index[TASK][new.model]["correct"][:] == 255).all()
        with pytest.raises(StoreError, match="incomplete: 0 of 40"):
            run.read(TASK, new.model)
        assert (folder / old.key[:16] / "all.h5").exists()
        fill(run, layout, new)
        run.finish([new])
        assert not (folder / old.key[:16]).exists()
        assert_equal_trials(run.read(TASK, new.model), layout, new)
        with pytest.raises(ValueError, match="was not begun"):
            run.commit(old, (0, 16), make_block(layout, old, (0, 16)))


def test_a_failed_cell_says_why(path):
    layout, job = make_layout(), make_job()
    with create(path) as run:
        fill(run, layout, job, [(0, 16)])
        run.fail(job, "NaN logits under noise-1")
        assert run.cell(TASK, job.model).failed == "NaN logits under noise-1"
        run.finish([job])
        with h5py.File(path / "index.h5", "r") as index:
            assert index[TASK][job.model].attrs["failed"] == "NaN logits under noise-1"
        with pytest.raises(StoreError, match=r"failed: NaN logits under noise-1\. To retry"):
            run.read(TASK, job.model)
        run.update_manifest(planned={TASK: {job.model: ""}})
        assert verify_run(run) == []
        run.clear_failure(job)
        fill(run, layout, job)
        run.finish([job])
        assert_equal_trials(run.read(TASK, job.model), layout, job)


def test_a_new_layout_makes_cells_stale(path):
    layout, job, new = make_layout(), make_job(), make_layout(salt="new")
    with create(path) as run:
        fill(run, layout, job)
        run.finish([job])
        run.put_layout(layout)
        assert run.cell(TASK, job.model).complete(layout)
        run.put_layout(new)
        with h5py.File(path / "index.h5", "r") as index:
            assert TASK not in index, "old trials beside new axes"
        run.publish()
        with h5py.File(path / "index.h5", "r") as index:
            assert job.model not in index[TASK]
        assert not run.cell(TASK, job.model).complete(new)
        with pytest.raises(StoreError, match="have changed since"):
            run.read(TASK, job.model)
        assert [line for line in verify_run(run) if "another layout" in line]
        with pytest.raises(StoreError, match="same key on another layout"):
            run.begin(job, {})
        again = make_job(salt="on the new layout")
        fill(run, new, again)
        run.finish([again])
        assert_equal_trials(run.read(TASK, again.model), new, again)


def test_changed_attributes_leave_trials_valid(path):
    layout, job = make_layout(attributes=("texture",)), make_job()
    with create(path) as run:
        fill(run, layout, job)
        run.put_layout(replace(layout, attributes={"texture": ("wool",) * 40}))
        assert run.read(TASK, job.model).layout.attributes["texture"][0] == "wool"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_ids": ("same",) * 40}, "a sample id occurs twice"),
        ({"sample_ids": ()}, "it has no samples"),
        ({"sample_ids": tuple(f"{i}\0" for i in range(40))}, "zero character"),
        ({"conditions": ("a", "a")}, "a condition occurs twice"),
        ({"targets": np.array([[-1]] * 39 + [[3]], np.int16)}, r"without a target beside others.*\(39 samples"),
        ({"targets": np.full((40, 1), 10, np.int16)}, "targets outside 0 to 9"),
        ({"targets": np.tile(np.array([1, -1, 2], np.int16), (40, 1))}, "padding before a target"),
        ({"targets": np.zeros((40, 1), np.int64)}, "expected int16"),
        ({"attributes": {"texture": ("wool",)}}, "expected 40"),
        ({"attributes": {"target": ("wool",) * 40}}, "cannot be called 'target'"),
        ({"attributes": {"../x": ("wool",) * 40}}, "cannot be stored"),
        ({"task": "../probe@x"}, "cannot be stored"),
        ({"task": "a/b"}, "cannot be stored"),
        ({"classes": tuple(map(str, range(4001)))}, "4001 classes"),
    ],
)
def test_layouts_that_contradict_themselves(path, change, message):
    with create(path) as run:
        with pytest.raises(ValueError, match=message):
            run.put_layout(replace(make_layout(), **change))
        assert run.tasks() == ()


@pytest.mark.parametrize("model", ["../up", "a/b", "", ".hidden", "target", "texture", "layout.h5", "a b", "x\n"])
def test_model_names_that_cannot_be_stored(path, model):
    with create(path) as run:
        run.put_layout(make_layout(attributes=("texture",)))
        with pytest.raises(ValueError, match="cannot be stored"):
            run.begin(make_job(model), {})
        assert run.cells() == {}


def _changed(field, **cells):
    def change(block):
        array = getattr(block, field).copy()
        for value in cells.values():
            array[2, 1] = value
        return replace(block, **{field: array})

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_changed("correct", value=255), "not measured"),
        (_changed("correct", value=7), "neither 0 nor 1"),
        (lambda block: replace(block, correct=1 - block.correct), "disagrees with top5"),
        (_changed("top5", value=10), "top5 lies outside 0 to 9"),
        (_changed("top5", value=-1), "top5 lies outside 0 to 9"),
        (_changed("logp", value=np.nan), "not a log-probability"),
        (_changed("logp", value=0.5), "not a log-probability"),
        (lambda block: replace(block, logp=block.logp[:, :, ::-1]), "does not fall"),
        (lambda block: replace(block, logp=block.logp.astype(np.float32)), r"logp is float32 .* expected float16"),
        (
            lambda block: replace(block, top5=block.top5[:-1]),
            r"top5 is int16 \(15, 2, 5\), expected int16 \(16, 2, 5\)",
        ),
        (lambda block: replace(block, logits=np.zeros((16, 3, 4), np.float16)), r"expected float16 \(16, 2, outputs\)"),
        (lambda block: replace(block, logits=np.full((16, 2, 4), np.nan, np.float16)), "logits are NaN"),
    ],
)
def test_blocks_that_cannot_be_right(path, change, message):
    layout, job = make_layout(), make_job()
    with create(path) as run:
        fill(run, layout, job, [])
        with pytest.raises(ValueError, match=message):
            run.commit(job, (0, 16), change(make_block(layout, job, (0, 16))))
        assert run.cell(TASK, job.model).spans == ()


def test_minus_infinity_is_a_log_probability(path):
    layout, job = make_layout(n=16), make_job()
    block = make_block(layout, job, (0, 16))
    block.logp[:, :, 3:] = -np.inf
    with create(path) as run:
        fill(run, layout, job, [])
        run.commit(job, (0, 16), block)
        assert np.isneginf(run.read(TASK, job.model).logp[:, :, 3:]).all()


@pytest.mark.parametrize("span", [(0, 15), (1, 17), (32, 48), (40, 56), (-16, 0), (16, 16)])
def test_spans_that_the_layout_does_not_have(path, span):
    layout, job = make_layout(), make_job()
    with create(path) as run:
        fill(run, layout, job, [])
        with pytest.raises(ValueError, match="is no span of"):
            run.commit(job, span, make_block(layout, job, (0, 16)))


# --- who may write ---------------------------------------------------------------------------


def test_extending_a_run(path):
    with create(path) as run:
        run.update_manifest(
            models={"a": {"group": "x"}},
            planned={TASK: {"a": ""}},
            study={"axes": {"ID": ["top1@made"]}},
            warnings={"photos": ["250 of 50,000 images"], "made": ["few"]},
        )
    with RunWriter.create(path, settings=SETTINGS, command=["harness", "run", "--again"]) as run:
        run.update_manifest(
            models={"b": {"group": None}},
            planned={TASK: {"b": "needs 16 classes"}, "other@made": {"a": ""}},
            study={"axes": {"Robustness": ["top1@c"]}, "biases": {}},
            warnings={"photos": ["50,000 of 50,000 images"]},
        )
        with pytest.raises(ValueError, match="settings of a run cannot be changed"):
            run.update_manifest(settings={"seed": 1})
    record = RunReader.open(path).record
    manifest = record.document
    assert record.models == {"a": RunModel(group="x"), "b": RunModel()}
    assert record.axes["ID"] == ("top1@made",) and record.warnings["made"] == ("few",)
    assert manifest["models"] == {"a": {"group": "x"}, "b": {"group": None}}
    assert manifest["planned"] == {TASK: {"a": "", "b": "needs 16 classes"}, "other@made": {"a": ""}}
    assert manifest["study"] == {"axes": {"ID": ["top1@made"], "Robustness": ["top1@c"]}, "biases": {}}
    assert manifest["warnings"] == {"photos": ["50,000 of 50,000 images"], "made": ["few"]}
    assert [one["command"] for one in manifest["history"]] == [COMMAND, ["harness", "run", "--again"]]
    assert manifest["history"][0]["versions"]["h5py"] == h5py.__version__


def test_other_settings_are_refused_by_name(path):
    create(path).close()
    before = content(path)
    with pytest.raises(RunError) as refused:
        RunWriter.create(path, settings={"seed": 1, "limit": 8}, command=COMMAND)
    assert "limit is unset there and 8 here, seed is 0 there and 1 here" in str(refused.value)
    assert "type --seed 0 and leave out --limit; otherwise choose another --out" in str(refused.value)
    assert refused.value.exit_code == 2
    assert content(path) == before


HOLD = """
import sys
from harness.store import RunReader, RunWriter, store_table, verify_run
run = RunWriter.create(sys.argv[1], settings={"seed": 0, "limit": None}, command=["harness"])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused(path):
    arguments = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        before = content(path)
        with pytest.raises(RunError, match=f"is locked: process {holder.pid} writes to it; wait until it ends"):
            create(path)
        assert RunReader.open(path).cells() == {}, "readers need no lock"
        assert content(path) == before
        holder.stdin.close()
    create(path).close()


@pytest.mark.parametrize("existing", [False, True])
def test_refusal_leaves_nothing_behind(tmp_path, monkeypatch, existing):
    folder = tmp_path / "deep" / "er" / "run"
    if existing:
        folder.mkdir(parents=True)
    before = content(tmp_path)

    def refuse(path, value):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("harness.store.writer.write_sealed", refuse)
    with pytest.raises(RunError, match=r"cannot write to .*Permission denied.*choose another --out"):
        create(folder)
    assert content(tmp_path) == before
    monkeypatch.undo()
    create(folder).close()


def test_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match=r"is not empty and holds no run \(it holds thesis.tex\)"):
        create(tmp_path)
    with pytest.raises(RunError, match="is a file"):
        create(tmp_path / "thesis.tex")
    with pytest.raises(RunError, match=r"thesis\.tex is a file, expected a folder"):
        create(tmp_path / "thesis.tex" / "run")
    with pytest.raises(RunError, match=r"cannot be used as a path .*too long"):
        create(tmp_path / ("x" * 300))
    assert content(tmp_path) == {"thesis.tex": b"years of work"}


@pytest.mark.parametrize(("made", "message"), [(None, "does not exist"), ("", "is empty"), ("x.csv", "holds x.csv")])
def test_opening_what_is_no_run(tmp_path, made, message):
    folder = tmp_path / "run"
    if made is not None:
        folder.mkdir()
    if made:
        (folder / made).touch()
    with pytest.raises(RunError, match=rf"{message}.*Type: harness run"):
        RunReader.open(folder)
    with pytest.raises(RunError):
        read_trials(folder, TASK, "net-a")


def test_reading_is_not_writing(path):
    create(path).close()
    reader = RunReader.open(path)
    assert not [
        name for name in ("begin", "commit", "fail", "finish", "publish", "put_layout") if hasattr(reader, name)
    ]


def test_names_that_are_not_there(path):
    layout, job = make_layout(), make_job()
    with create(path) as run:
        fill(run, layout, job)
        with pytest.raises(StoreError, match=r"no task 'top1@made'\. Available: accuracy@made"):
            run.layout("top1@made")
        with pytest.raises(StoreError, match=r"'net-b'\. Available: net-a"):
            run.read(TASK, "net-b")
        assert run.cell(TASK, "net-b") is None


# --- imported tables -------------------------------------------------------------------------


def test_imported_table(path):
    measures = {
        "top1@imagenet": Measure(name="top1", value=0.1 + 0.2, n=50000, flags=("rounded",), low=1e-300),
        "shape-bias@cue-conflict": Measure(name="shape-bias", value=None, reason="not published"),
    }
    table = ImportedTable(
        title="A table",
        source="https://example.org/table.csv",
        license="CC-BY-4.0",
        models=(ImportedModel(name="net-a", group=None, measures=measures, missing={"ID": "one part"}),),
        biases={"shape-bias": ("shape-bias@cue-conflict",)},
        axes={"ID": ("top1@imagenet",)},
    )
    digest = hashlib.sha256(b"file").hexdigest()
    store_table(path, table, source_sha256=digest, command=["harness", "import"])
    run = RunReader.open(path)
    assert run.kind == "imported"
    assert RunReader.open(path).imported == table
    assert run.record.document["sha256"] == digest
    assert verify_run(run) == []
    with pytest.raises(RunError, match="holds a run already"):
        store_table(path, table, source_sha256=digest, command=[])
    with pytest.raises(RunError, match="imported table, which cannot be extended"):
        create(path)
    (path / "measures.json").write_text("[]")
    assert ["is damaged" in line for line in verify_run(run)] == [True]


def test_trials_are_no_table(path):
    create(path).close()
    assert RunReader.open(path).kind == "trials"
    with pytest.raises(RunError, match="holds trials"):
        _ = RunReader.open(path).imported


# --- memory ----------------------------------------------------------------------------------


def test_memory_does_not_grow_with_commits(path):
    layout, job = make_layout(n=600, span=1), make_job()
    block = make_block(layout, job, (0, 1))
    ranks = [target_ranks(block.top5, layout.targets[i : i + 1], np.full((1, 2), 5)) for i in range(600)]
    blocks = [replace(block, correct=(rank == 0).astype(np.uint8), rank=rank) for rank in ranks]
    process = psutil.Process()
    with create(path) as run:
        fill(run, layout, job, [])
        for i in range(100):
            run.commit(job, (i, i + 1), blocks[i])
        before, files = process.memory_info().rss, process.num_fds()
        for i in range(100, 600):
            run.commit(job, (i, i + 1), blocks[i])
        assert process.memory_info().rss - before < 4 * 2**20
        assert process.num_fds() == files
        assert len(run.cell(TASK, job.model).spans) == 600
