"""Measures that a report keeps for the next one: the same numbers, and measured again when anything has changed."""

import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Measure, Probe, Remark, Trials
from harness.local import kept
from harness.plugins.probes.accuracy import Accuracy
from harness.plugins.probes.band_pass import BandPass
from harness.study import kept_measures
from harness.study.kept_measures import KeptMeasures
from harness.study.reduction import measures_of
from harness.testing import make_trials
from harness.views import Views

CLEAN = ("clean",)


@pytest.fixture(autouse=True)
def however_few(monkeypatch):
    monkeypatch.setattr(kept_measures, "LEAST", 0)


def views(**changes):
    trials = replace(make_trials(list(CLEAN)), **changes)
    return Views.of(trials, CLEAN)


def kept_once(tmp_path):
    """The measures of a first report, and what the next one looks up."""
    first = KeptMeasures(tmp_path)
    measures, _ = measures_of(Accuracy(), views(), "photos", first)
    first.close()
    return measures, KeptMeasures(tmp_path)


def test_the_next_report_takes_them_and_measures_nothing(tmp_path, monkeypatch):
    measures, again = kept_once(tmp_path)
    monkeypatch.setattr(Accuracy, "measures", None)
    monkeypatch.setattr(Accuracy, "measures_of_view", None)
    found, others = measures_of(Accuracy(), views(), "photos", again)
    assert found == measures and list(found) == list(measures) and others == []
    assert {name: measure.flags for name, measure in found.items()} == {n: m.flags for n, m in measures.items()}


def other_decision():
    trials = make_trials(list(CLEAN))
    correct = trials.correct.copy()
    correct[3, 0] = not correct[3, 0]
    return {"correct": correct}


def other_layout(**changes):
    return {"layout": replace(make_trials(list(CLEAN)).layout, **changes)}


LAYOUT = make_trials(list(CLEAN)).layout
CHANGES = {
    "decision": other_decision(),
    "probability": {"logp": make_trials(list(CLEAN)).logp - np.float16(0.5)},
    "class": {"top5": np.roll(make_trials(list(CLEAN)).top5, 1, axis=2)},
    "type": {"correct": make_trials(list(CLEAN)).correct.astype(np.uint8)},
    "rank": {"rank": make_trials(list(CLEAN)).rank + np.uint16(1)},
    "no ranks": {"rank": None},
    "model": {"model": "another"},
    "layers": {"layers": ("head",)},
    "target": other_layout(targets=np.roll(LAYOUT.targets, 1, axis=0)),
    "sample": other_layout(sample_ids=("renamed", *LAYOUT.sample_ids[1:])),
    "attribute": other_layout(attributes={"x": ("1",) * len(LAYOUT.sample_ids)}),
}


def test_every_field_of_trials_is_in_the_key():
    """A field that trials get in future is one more line in `CHANGES`, and one more in the key."""
    known = {field for change in CHANGES.values() for field in change}
    aside = {"required", "logits", "arrays", "repeats"}  # in the key by themselves, or such trials are not kept
    assert {field.name for field in fields(Trials)} == known | aside


@pytest.mark.parametrize("change", CHANGES)
def test_measured_again_if_the_trials_are_others(tmp_path, change):
    _, again = kept_once(tmp_path)
    assert again.find(again.key(Accuracy(), views())) is not None
    assert again.find(again.key(Accuracy(), views(**CHANGES[change]))) is None


def test_measured_again_if_required_trials_or_parameters_or_code_are_others(tmp_path, monkeypatch):
    probe, needed = BandPass(), views()
    trials = make_trials(list(probe.conditions(224)))

    def key(probe=probe, needed=needed):
        return KeptMeasures(tmp_path).key(probe, Views.of(trials, probe.conditions(224), {"accuracy": needed}))

    first = key()
    assert key() == first
    assert len({first, key(needed=views(**other_decision())), key(BandPass(bias_cutoffs=(0.1, 0.2)))}) == 3
    monkeypatch.setattr(kept_measures, "code_digest", lambda: "other")
    assert key() != first


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


def test_plugins_of_others_logits_and_arrays_are_measured_each_time(tmp_path):
    class Own(Accuracy):
        pass

    of_run = KeptMeasures(tmp_path)
    assert of_run.key(Own(), views()) is None
    assert of_run.key(Accuracy(), views(logits=lambda low, high: None)) is None
    assert of_run.key(Accuracy(), views(arrays={"map": lambda low, high: None})) is None
    assert issubclass(Own, Probe) and of_run.key(Accuracy(), views()) is not None


def file_of(tmp_path):
    (file,) = (Path(os.environ["HARNESS_CACHE"]) / "measures").glob("*.json")
    return file


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"0" * 64 + b"{}"], ids=["empty", "letters", "digest"])
def test_hostile_content_of_the_cache_is_measured_again(tmp_path, content):
    measures, again = kept_once(tmp_path)
    file_of(tmp_path).write_bytes(content)
    assert again.find(again.key(Accuracy(), views())) is None
    found, _ = measures_of(Accuracy(), views(), "photos", again)
    again.close()
    assert found == measures and kept.read_kept(file_of(tmp_path)) != {}


@pytest.mark.parametrize("entry", [[], "text", {"top1@photos": [1]}, {"top1@photos": ["a"] * 11}, {"a": None}])
def test_hostile_entries_with_a_right_digest_are_measured_again(tmp_path, entry):
    import json
    from hashlib import sha256

    _, again = kept_once(tmp_path)
    key = again.key(Accuracy(), views())
    text = json.dumps({key: entry}).encode()
    file_of(tmp_path).write_bytes(sha256(text).hexdigest().encode() + text)
    assert again.find(key) is None or entry == {}


def test_a_flipped_bit_is_noticed(tmp_path):
    _, again = kept_once(tmp_path)
    content = bytearray(file_of(tmp_path).read_bytes())
    content[len(content) // 2] ^= 1
    file_of(tmp_path).write_bytes(content)
    assert again.find(again.key(Accuracy(), views())) is None


def test_a_small_run_and_a_folder_that_cannot_be_written_keep_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(kept_measures, "LEAST", 10**9)
    kept_once(tmp_path)
    assert not (Path(os.environ["HARNESS_CACHE"]) / "measures").exists()
    monkeypatch.setattr(kept_measures, "LEAST", 0)
    Path(os.environ["HARNESS_CACHE"]).mkdir(parents=True, exist_ok=True)
    (Path(os.environ["HARNESS_CACHE"]) / "measures").write_text("a file")
    kept_once(tmp_path)
    assert "cannot keep results" in caplog.text


def test_hostile_names_of_a_run_folder_have_a_place(tmp_path):
    for name in ("\udcff", "a\nb", "\x1b[31m", "é"):
        measures, again = kept_once(tmp_path / name)
        assert again.find(again.key(Accuracy(), views())) == measures


def test_the_runs_of_longest_ago_are_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "MOST_FILES", 2)
    for number in range(4):
        kept_once(tmp_path / f"run-{number}")
        newest = max(
            (Path(os.environ["HARNESS_CACHE"]) / "measures").iterdir(), key=lambda path: path.stat().st_mtime_ns
        )
        os.utime(newest, ns=(number, number))
    assert len(list((Path(os.environ["HARNESS_CACHE"]) / "measures").iterdir())) == 2


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
