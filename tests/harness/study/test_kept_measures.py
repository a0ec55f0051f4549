"""Measures that a report keeps for the next one: the same numbers without a look at the trials, and never old ones."""

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import h5py
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Measure, Probe, Remark, StoreError
from harness.local import kept, recall
from harness.plugins.probes.accuracy import Accuracy
from harness.plugins.probes.band_pass import BandPass
from harness.store import RunReader, direct, prefaces, shards
from harness.study import compose, kept_measures
from harness.study.kept_measures import KeptMeasures
from tests.helpers.store_writer import write_random

TASK, MODEL = "accuracy@made", "net-0"
PROBES = {"accuracy": Accuracy()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "run"
    write_random(folder, 48, models=2)
    return folder


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a finished run of two cells, 48 samples in three spans."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture(autouse=True)
def however_few_and_however_new(monkeypatch):
    monkeypatch.setattr(kept_measures, "LEAST", 0)
    monkeypatch.setattr(recall, "SETTLED_NS", -1)


def report(path):
    """Model -> measures, what is missing, and the number of cells that were measured anew."""
    measured = []
    measures = Accuracy.measures

    def counted(probe, trials):
        measured.append(trials.model)
        return measures(probe, trials)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Accuracy, "measures", counted)
        study = compose.open_study([path], PROBES)
    return {model.name: (model.measures, model.missing) for model in study.models}, len(measured)


def file_of(run):
    return kept.kept_file("measures", sha256(os.fsencode(run.resolve())).hexdigest())


def of_next_process(run):
    """The same files under another name, with what is kept of them: this process has cached nothing of those."""
    moved, file = run.with_name(f"{run.name}+"), file_of(run)
    run.rename(moved)
    file.rename(file_of(moved))
    return moved


def shard_of(run, model=MODEL):
    (file,) = (run / "shards" / TASK / model).glob("*/all.h5")
    return file


@pytest.fixture
def no_trials(monkeypatch):
    """Nobody opens a shard or a layout, with HDF5 or without."""

    def refuse(*_, **__):
        raise AssertionError("a file of trials was opened")

    monkeypatch.setattr(h5py, "File", refuse)
    for module in (direct, prefaces):
        monkeypatch.setattr(module, "opened_regular", refuse)


def test_the_next_report_opens_no_shard_and_says_the_same(run, request):
    first, measured = report(run)
    assert measured == 2 and len(first[MODEL][0]) > 5
    again = of_next_process(run)
    request.getfixturevalue("no_trials")
    now, measured = report(again)
    assert measured == 0 and now == first and list(now[MODEL][0]) == list(first[MODEL][0])
    assert all(measure.flags == first[MODEL][0][name].flags for name, measure in now[MODEL][0].items())


def test_arrays_are_read_when_somebody_asks_for_them(run, monkeypatch):
    """And compared with SHA-256 then, span by span."""
    trials, sizes, real = RunReader.open(run).read(TASK, MODEL, lazily=True), [], direct.sha256
    monkeypatch.setattr(direct, "sha256", lambda content: (sizes.append(len(content)), real(content))[1])
    assert trials.rank is trials.rank and not trials.rank.flags.writeable and sizes == [16 * 2] * 3
    whole = RunReader.open(run).read(TASK, MODEL)
    for name in ("top5", "logp", "correct", "rank"):
        assert getattr(trials, name).tobytes() == getattr(whole, name).tobytes()
        assert getattr(trials, name).dtype == getattr(whole, name).dtype


def flip(file, at):
    """One bit is another one, in place; the time of modification is set back."""
    before, content = file.stat(), bytearray(file.read_bytes())
    content[at] ^= 1
    with file.open("r+b") as opened:
        opened.write(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("field", ["correct", "rank", "logp"])
def test_a_shard_changed_in_place_gives_no_old_numbers(run, field):
    first, _ = report(run)
    flip(shard_of(run), shards.read_header(shard_of(run)).offsets[field])
    now, _ = report(of_next_process(run))
    assert now["net-1"] == first["net-1"] and not now[MODEL][0]
    assert f"{field} of samples 0-16 do not match SHA-256" in now[MODEL][1][0].text


@pytest.mark.parametrize("gone", ["shard", "cell"])
def test_a_file_that_is_gone_gives_no_old_numbers(run, gone):
    first, _ = report(run)
    (shard_of(run) if gone == "shard" else run / "shards" / TASK / MODEL / "cell.json").unlink()
    now, measured = report(of_next_process(run))
    assert measured == 0 and now["net-1"] == first["net-1"] and not now.get(MODEL, ({}, ()))[0]


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_axes_that_are_changed_or_gone_give_no_old_numbers(run, how):
    report(run)
    file = run / "shards" / TASK / "layout.h5"
    file.unlink() if how == "gone" else flip(file, file.read_bytes().index(b"val/n00000000"))
    try:
        now, _ = report(of_next_process(run))
        assert not any(measures for measures, _ in now.values())
    except StoreError as error:
        assert "layout.h5" in str(error)


def test_trials_of_another_run_in_the_same_place_are_measured(run):
    """As after ``rm -r RUN`` and a run with another seed."""
    first, _ = report(run)
    again = of_next_process(run)
    shutil.rmtree(again)
    write_random(again, 48, models=2, seed=1)
    now, measured = report(again)
    assert measured == 2 and now != first


def test_a_touched_file_is_read_and_measured_again(run):
    first, _ = report(run)
    shard_of(run).touch()
    again = of_next_process(run)
    assert report(again) == (first, 1)
    assert report(of_next_process(again)) == (first, 0)


def test_of_a_file_of_this_moment_nothing_is_kept(run, monkeypatch):
    """It could be changed again within one tick of the clock."""
    monkeypatch.setattr(recall, "SETTLED_NS", 3600 * 10**9)
    first, _ = report(run)
    assert report(of_next_process(run)) == (first, 2)


MADE = {"top1@made": Measure(name="top1", value=0.5)}


def test_of_a_cell_that_was_replaced_while_it_was_measured_nothing_is_kept(run, monkeypatch):
    """Its digest was looked at before, its trials were read after."""
    keys, reader = ["before", "after"], RunReader.open(run)
    monkeypatch.setattr(kept_measures.KeptMeasures, "_source", lambda *_: keys.pop(0))
    of_run = KeptMeasures(reader)
    with of_run.active():
        of_run.measures(Accuracy(), [TASK], MODEL, lambda: (reader.read(TASK, MODEL) and MADE, []))
    assert keys == [] and not kept.read_kept(file_of(run)).get("measures")


def test_a_part_that_was_not_read_whole_keeps_nothing(run):
    reader = RunReader.open(run)
    of_run = KeptMeasures(reader)

    def measure():
        next(direct.read_bytes(shard_of(run), reader.place(TASK, MODEL)[0].origin, ("logp",), (0, 16)))
        return MADE, []

    with of_run.active():
        of_run.measures(Accuracy(), [TASK], MODEL, measure)
    assert not kept.read_kept(file_of(run)).get("measures")


def source(run, probe=PROBES["accuracy"], tasks=(TASK,), model=MODEL):
    return KeptMeasures(RunReader.open(run))._source(probe, tasks, model)


def test_measured_again_if_parameters_required_trials_or_the_model_are_others(run):
    first = source(run)
    assert source(run) == first
    others = [
        source(run, model="net-1"),
        source(run, BandPass()),
        source(run, BandPass(bias_cutoffs=(0.1, 0.2))),
        source(run, tasks=(TASK, TASK)),
    ]
    assert len({first, *others}) == 5


def test_what_other_code_has_kept_is_not_used(run, monkeypatch):
    first, _ = report(run)
    again = of_next_process(run)
    monkeypatch.setattr(kept_measures, "code_digest", lambda: "other")
    opened, real = [], prefaces.opened_regular
    monkeypatch.setattr(prefaces, "opened_regular", lambda path: (opened.append(path), real(path))[1])
    assert report(again) == (first, 2) and len(opened) == 2  # facts about files are what that code took from them


def test_of_two_reports_at_once_the_last_one_is_kept_whole(run):
    models = ("net-0", "net-1")
    both = [KeptMeasures(RunReader.open(run)) for _ in models]
    for of_run, model in zip(both, models, strict=True):
        with of_run.active():
            of_run.measures(
                Accuracy(), [TASK], model, lambda model=model: (RunReader.open(run).read(TASK, model) and MADE, [])
            )
    again = KeptMeasures(RunReader.open(run))
    with again.active():
        found = [again.measures(Accuracy(), [TASK], model, lambda: ({}, [])) for model in models]
    assert found == [({}, []), (MADE, [])]


def test_plugins_of_others_are_measured_each_time(run):
    class Own(Accuracy):
        pass

    assert issubclass(Own, Probe) and source(run, Own()) is None and source(run) is not None


def test_code_is_that_of_the_harness_and_of_every_plugin(monkeypatch):
    places = dict(kept._sources())
    assert {"statistics.py", "probes/accuracy.py", "probes/channels.npy", "clusters.py"} <= places.keys()
    before = kept.code_digest()
    edited = places["probes/_chance.py"]
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (path == edited))
    kept.code_digest.cache_clear()
    try:
        assert kept.code_digest() != before
    finally:
        kept.code_digest.cache_clear()


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"0" * 64 + b"{}"], ids=["empty", "letters", "digest"])
def test_hostile_content_of_the_cache_is_measured_again(run, content):
    first, _ = report(run)
    again = of_next_process(run)
    file_of(again).write_bytes(content)
    assert report(again) == (first, 2)
    assert report(of_next_process(again)) == (first, 0)


def change_kept(run, change):
    text = json.dumps(change(json.loads(file_of(run).read_bytes()[64:]))).encode()
    file_of(run).write_bytes(sha256(text).hexdigest().encode() + text)


ENTRIES = [[], "text", None, {"a": None}, [[], []], [{}, {"top1@photos": [1]}], [["x"], {}], [{"../x": ["rank"]}, {}]]


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_hostile_entries_with_a_right_digest_are_measured_again(run, entry):
    first, _ = report(run)
    again = of_next_process(run)
    for section, measured in (("facts", 0), ("checked", 2), ("measures", 2)):
        change_kept(again, lambda content, name=section: {**content, name: dict.fromkeys(content[name], entry)})
        assert report(again) == (first, measured)


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_hostile_facts_of_the_right_state_are_read_again(run, entry):
    first, _ = report(run)
    again = of_next_process(run)
    change_kept(again, lambda kept: {**kept, "facts": {name: [at, entry] for name, (at, _) in kept["facts"].items()}})
    assert report(again)[0] == first


def test_a_flipped_bit_of_the_cache_is_noticed(run):
    first, _ = report(run)
    again = of_next_process(run)
    flip(file_of(again), file_of(again).stat().st_size // 2)
    assert report(again) == (first, 2)


def test_a_small_run_and_a_folder_that_cannot_be_written_keep_nothing(run, monkeypatch, caplog):
    folder = Path(os.environ["HARNESS_CACHE"]) / "measures"
    monkeypatch.setattr(kept_measures, "LEAST", 10**9)
    first, _ = report(run)
    assert not folder.exists()
    monkeypatch.setattr(kept_measures, "LEAST", 0)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file")
    assert report(run) == (first, 2) and "cannot keep results" in caplog.text


def test_hostile_names_of_a_run_folder_have_a_place(run):
    for name in ("\udcff", "a\nb", "\x1b[31m", "é"):
        run = run.rename(run.with_name(name))
        first, measured = report(run)
        assert measured == 2 and report(run) == (first, 0)


def test_the_runs_of_longest_ago_are_forgotten(run, monkeypatch):
    monkeypatch.setattr(kept, "MOST_FILES", 2)
    folder = Path(os.environ["HARNESS_CACHE"]) / "measures"
    for number in range(4):
        run = run.rename(run.with_name(f"run-{number}"))
        report(run)
        newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, ns=(number, number))
    assert len(list(folder.iterdir())) == 2


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
FLAGS = st.text() | st.builds(
    Remark, st.sampled_from(["data", "flag", "comparability"]), st.text(), st.text(), line=st.text()
)


@given(
    st.builds(
        Measure, name=st.text(), value=NUMBERS | st.integers(-5, 5), unit=st.text(), condition=st.text(),
        direction=st.sampled_from(["higher", "lower", "neither"]), low=st.none() | NUMBERS, high=st.none() | NUMBERS,
        n=st.none() | st.integers(0), reason=st.none() | st.text(), flags=st.lists(FLAGS).map(tuple),
        by_image=st.booleans(),
    )
)  # fmt: skip
def test_a_measure_is_read_back_as_it_was(measure):
    import json

    again = kept_measures._measure(json.loads(json.dumps(kept_measures._facts(measure))))
    assert again == measure and type(again.value) is type(measure.value)
    for flag, before in zip(again.flags, measure.flags, strict=True):
        assert type(flag) is type(before) and getattr(flag, "__dict__", {}) == getattr(before, "__dict__", {})
