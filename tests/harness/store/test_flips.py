"""One flipped bit in the small files that give trials a meaning is noticed, or changes nothing that a reader sees."""

import json
import shutil
from pathlib import Path

import h5py
import pytest

from harness import HarnessError, ImportedModel, ImportedTable, Measure, RunError, StoreError
from harness.local.writing import write_json
from harness.records import Job
from harness.store import RunReader, cells, run_record, store_table, verify_run
from harness.store.export import complete_cells, damaged_cells, export_run
from tests.helpers.flip_hdf5 import campaign
from tests.helpers.store_writer import ARRAYS, COMMAND, TASK, create, fill, make_job, make_layout

LAYOUT, JOB, OTHER = make_layout(n=16, classes=6), make_job(arrays=ARRAYS), make_job("net-b")


@pytest.fixture
def path(tmp_path) -> Path:
    with create(tmp_path / "run") as run:
        for job in (JOB, OTHER):
            fill(run, LAYOUT, job)
        run.update_manifest(
            models={"net-a": {"group": "x"}},
            planned={TASK: {"net-a": "", "net-b": "needs 16 classes"}},
            study={"axes": {"ID": ["top1@made"]}, "biases": {"low": ["m@made/low-pass-0.4"]}},
            warnings={"made": ["made: 16 of 50,000 images"]},
        )
        run.finish([JOB, OTHER])
    return tmp_path / "run"


def cell_file(path, job=JOB):
    return path / "shards" / TASK / job.model / "cell.json"


@pytest.fixture
def afresh(monkeypatch):
    """Files are read again, even if they change faster than the clock of the file system ticks."""
    monkeypatch.setattr(run_record, "_parsed", run_record._parsed.__wrapped__)
    monkeypatch.setattr(cells, "_read_record", cells._read_record.__wrapped__)


def flips(file):
    """Write `file` with every single bit flipped, one after the other, and then as it was."""
    original = file.read_bytes()
    with file.open("r+b") as stream:
        for bit in range(8 * len(original)):
            content = bytearray(original)
            content[bit // 8] ^= 1 << bit % 8
            stream.seek(0)
            stream.write(content)
            stream.flush()
            yield bit
        stream.seek(0)
        stream.write(original)


def test_every_bit_of_cell_json(path, afresh):
    folder, before, noticed = RunReader(path).folder(TASK, JOB.model), None, 0
    before = folder.record()
    for bit in flips(cell_file(path)):
        try:
            assert folder.record() == before, bit
        except StoreError as error:
            noticed += 1
            assert "cell.json" in str(error) and "delete" in str(error)
    assert folder.record() == before and noticed > 1000


def test_every_bit_of_run_json(path, afresh):
    before, noticed = RunReader.open(path).record, 0
    for bit in flips(path / "run.json"):
        try:
            assert RunReader.open(path).record == before, bit
        except (StoreError, RunError) as error:
            noticed += 1
            assert "run.json" in str(error) or "format" in str(error)
    assert RunReader.open(path).record == before and noticed > 1000


@pytest.mark.parametrize("step", [911, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(7200)])])
@pytest.mark.parametrize("name", ["index.h5", "layout.h5", "all.h5"])
def test_bits_of_hdf5_files(tmp_path, name, step):
    tally = campaign(tmp_path, name, step)
    assert set(tally) <= {"noticed", "invisible", "died"}, tally
    assert tally["noticed"] > 5


# --- who notices -----------------------------------------------------------------------------


def edit(file, change):
    """Change a JSON file, and keep its digest right: what remains to be noticed is not damage, but another meaning."""
    content = {name: value for name, value in json.loads(file.read_text()).items() if name != "digest"}
    change(content)
    write_json(file, content)


def exported(path):
    """Export the run. Raises the error of the damaged cell, which is left out."""
    damage = {}
    rows = export_run(path, path.parent / "trials.csv", damage)
    assert rows == 16 * 2 and list(damage) == [(TASK, JOB.model)]  # the other cell
    raise damage[TASK, JOB.model]


@pytest.mark.parametrize(
    "reader",
    [
        lambda path: RunReader.open(path).cells(),
        lambda path: RunReader.open(path).checked_cells(),
        lambda path: RunReader.open(path).read(TASK, JOB.model),
        lambda path: RunReader.open(path).read_array(TASK, JOB.model, "map", 0, 3),
        lambda path: exported(path),
        lambda path: create(path).close(),
    ],
    ids=["report", "resume", "read", "array", "export", "write"],
)
def test_a_parameter_changed_in_cell_json_is_noticed_by_every_reader(path, reader):
    edit(cell_file(path), lambda cell: cell["job"]["identity"]["model"].update(salt="0.6"))
    with pytest.raises(StoreError, match=r"cell\.json is damaged: its key is not the digest of its identity; delete"):
        reader(path)
    assert (TASK, JOB.model) in damaged_cells(RunReader.open(path))
    assert (TASK, JOB.model) not in complete_cells(RunReader.open(path))
    assert [line for line in verify_run(RunReader.open(path)) if "its key is not the digest" in line]


@pytest.mark.parametrize(
    ("field", "value"), [("settings", {"seed": 1}), ("study", {"biases": {"low": ["m@made/low-pass-0.6"]}})]
)
def test_run_json_is_covered_by_its_digest(path, field, value):
    document = json.loads((path / "run.json").read_text())
    write_json(path / "run.json", {**document, field: value})
    with pytest.raises(
        StoreError, match=r"run\.json is damaged: its content does not match its digest; if you have edited"
    ):
        RunReader.open(path)
    write_json(path / "run.json", {**{k: v for k, v in document.items() if k != "digest"}, field: value})
    assert RunReader.open(path).record.document[field] == value  # edited by its owner, who followed the advice


def test_runs_of_earlier_versions_have_no_digests_and_get_them_when_they_are_written_again(path):
    for file in (path / "run.json", cell_file(path)):
        edit(file, lambda content: None)
        assert "digest" not in json.loads(file.read_text())
    assert verify_run(RunReader.open(path)) == []
    create(path).close()
    assert json.loads((path / "run.json").read_text())["digest"].startswith("sha256:")


def test_a_failure_is_covered_too(path):
    with create(path) as run:
        run.fail(JOB, "NaN logits")
    file = next(path.rglob("failed.json"))
    file.write_text(file.read_text().replace("NaN", "NoN"))
    with pytest.raises(StoreError, match=r"failed\.json is damaged.*delete .*to retry the cell"):
        RunReader.open(path).cells()


def test_an_imported_table_is_covered_too(tmp_path):
    measures = {"top1@imagenet": Measure(name="top1", value=0.125)}
    model = ImportedModel(name="net-a", group=None, measures=measures, missing={})
    table = ImportedTable(title="A table", source="", license="", models=(model,), biases={}, axes={})
    store_table(tmp_path / "run", table, source_sha256="0" * 64, command=COMMAND)
    file = tmp_path / "run" / "measures.json"
    assert RunReader.open(tmp_path / "run").imported == table
    file.write_text(file.read_text().replace("0.125", "0.625"))
    with pytest.raises(StoreError, match=r"measures\.json is damaged.*import the table again"):
        _ = RunReader.open(tmp_path / "run").imported
    assert verify_run(RunReader.open(tmp_path / "run")) != []


def test_a_cell_in_the_folder_of_another_is_noticed(path):
    shutil.copy(cell_file(path), cell_file(path, OTHER))
    with pytest.raises(StoreError, match=r"belongs to net-a on accuracy@made, not to net-b on accuracy@made; delete"):
        RunReader.open(path).cells()


# --- shards of others ------------------------------------------------------------------------


def shards_of(path, job):
    return sorted((path / "shards" / job.task / job.model / job.key[:16]).glob("*.h5"))


@pytest.mark.parametrize("finished", [False, True])
def test_a_resume_refuses_a_shard_of_another_model_task_or_run(tmp_path, finished):
    layout, elsewhere = make_layout(), make_job(task="accuracy@elsewhere")
    for name, job in (("run", JOB), ("run", OTHER), ("run", elsewhere), ("other", make_job(salt="other run"))):
        with create(tmp_path / name) as run:
            fill(run, make_layout(task=job.task), job)
            run.finish([job] if finished else [])
    path = tmp_path / "run"
    assert len(RunReader.open(path).checked_cells()) == 3
    mine = shards_of(path, JOB)[0]
    intact = mine.read_bytes()
    for other, field in (
        (shards_of(path, OTHER)[0], "model"),
        (shards_of(path, elsewhere)[0], "task"),
        (shards_of(tmp_path / "other", make_job(salt="other run"))[0], "key"),
    ):
        shutil.copy(other, mine)
        with pytest.raises(StoreError, match=f"{mine.name} holds trials of another {field}: .*delete it"):
            RunReader.open(path).checked_cells()
        with pytest.raises(StoreError, match=f"another {field}"):
            RunReader.open(path).read(TASK, JOB.model)
    mine.write_bytes(intact)
    assert RunReader.open(path).cell(TASK, JOB.model).complete(layout)


def test_a_resume_refuses_a_shard_of_other_samples(tmp_path):
    path = tmp_path / "run"
    with create(path) as run:
        fill(run, make_layout(), JOB)
    first, second, _ = shards_of(path, JOB)
    shutil.copy(first, second)
    with pytest.raises(StoreError, match=r"000016-000032.h5 holds samples \(0, 16\), expected \(16, 32\)"):
        RunReader.open(path).checked_cells()


# --- the index -------------------------------------------------------------------------------


def _rename_class(index):
    classes = list(index[TASK].attrs["classes"])
    index[TASK].attrs["classes"] = [classes[1], classes[0], *classes[2:]]


def _other_conditions(index):
    del index[TASK]["condition"]
    index[TASK]["condition"] = ["low-pass-0.6", "low-pass-0.4"]


def _other_link(index):
    del index[TASK]["target"]
    index[TASK]["target"] = h5py.ExternalLink(f"shards/{TASK}/layout.h5", "/sample_id")


def _swap_models(index):
    index[TASK].move("net-a/top5", "spare")
    index[TASK].move("net-b/top5", "net-a/top5")
    index[TASK].move("spare", "net-b/top5")


def _other_provenance(index):
    index[TASK]["net-a"].attrs["provenance"] = "{}"


def _failed(index):
    index[TASK]["net-a"].attrs["failed"] = "NaN"


def _no_array(index):
    del index[TASK]["net-a"]["arrays"]["map"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_rename_class, "index.h5 is damaged or out of date (accuracy@made: classes); delete it"),
        (_other_conditions, "(accuracy@made: condition)"),
        (_other_link, "(accuracy@made: target)"),
        (_swap_models, "(accuracy@made/net-a: top5)"),
        (_other_provenance, "(accuracy@made/net-a: provenance)"),
        (_failed, "(accuracy@made/net-a: failed)"),
        (_no_array, "(accuracy@made/net-a: arrays/map)"),
    ],
)
def test_verify_compares_all_of_the_index_with_what_it_derives_from(path, change, message):
    assert verify_run(RunReader.open(path)) == []
    with h5py.File(path / "index.h5", "r+") as index:
        change(index)
    assert [line for line in verify_run(RunReader.open(path)) if message in line]
    (path / "index.h5").unlink()  # the advice
    with create(path) as run:
        run.publish()
        assert verify_run(run) == []


def test_a_failure_that_the_index_does_not_show_yet_is_no_damage(path):
    with create(path) as run:
        run.fail(JOB, "NaN logits")
        assert verify_run(run) == []
        run.publish()
        assert verify_run(run) == []


def test_both_digests_of_a_layout_are_compared_with_it(path):
    """By the one, cells belong to their layout: a cell whose layout has another may not count as complete."""
    run, cell = RunReader.open(path), RunReader.open(path).cell(TASK, JOB.model)
    assert cell.complete(run.layout(TASK)) and cell.complete(run.layout_header(TASK))
    with h5py.File(path / "shards" / TASK / "layout.h5", "r+") as layout:
        layout.attrs["digest"] = "0" * 64
    assert not cell.complete(RunReader.open(path).layout_header(TASK))
    with pytest.raises(StoreError, match=r"layout\.h5 is damaged"):
        RunReader.open(path).layout(TASK)


def test_a_resume_does_not_publish_damaged_class_names(path):
    layout = path / "shards" / TASK / "layout.h5"
    content = layout.read_bytes()
    assert content.count(b"class 3") == 1
    layout.write_bytes(content.replace(b"class 3", b"class 7"))
    with create(path) as run, pytest.raises(StoreError, match=r"layout\.h5 is damaged"):
        run.put_layout(LAYOUT)


def test_every_error_is_one_of_ours(path):
    """Whatever JSON the small files hold."""
    for file in (path / "run.json", cell_file(path)):
        intact = file.read_bytes()
        for text in (
            "",
            "3",
            "[]",
            "{}",
            '{"job": 3}',
            '{"job": {}}',
            '{"kind": 3, "format": 1}',
            "null",
            '"x"',
            "\x00",
        ):
            file.write_text(text)
            with pytest.raises(HarnessError):
                RunReader.open(path).cells()
        file.write_bytes(intact)


@pytest.mark.parametrize("key", ["0" * 64, "", "../../x"])
def test_a_key_that_is_not_the_digest_of_its_identity_is_never_begun(tmp_path, key):
    with create(tmp_path / "run") as run:
        run.put_layout(LAYOUT)
        with pytest.raises(ValueError, match="expected the digest of its identity"):
            run.begin(Job(task=TASK, model="net-a", key=key, identity=JOB.identity), {})
        assert run.cells() == {}
