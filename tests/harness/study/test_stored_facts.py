"""The provenance of a report says what its runs have stored: tasks, checkpoints and sessions of a made run."""

import hashlib
from pathlib import Path

import pytest

from harness import open_study
from harness.records import RunRecord
from harness.records.run import STORED
from harness.store import RunReader
from tests.helpers.command import run

WEIGHTS = Path(__file__).parents[3] / "plugins" / "models" / "_zoo" / "weights"


@pytest.fixture
def provenance(harness, data):
    """Of a run of two networks that can be measured, and one that gives NaN."""
    assert run(harness, models=("plain", "other", "nan"))[0] == 1
    (entry,) = open_study("run").provenance
    return entry


def test_tasks_have_what_the_store_has(provenance):
    reader, tasks = RunReader.open("run"), provenance["tasks"]
    assert tasks
    for task, stated in tasks.items():
        complete = [reader.read(task, model) for model in ("plain", "other")]
        assert stated["models"] == 2  # a failed cell has no trials
        assert stated["trials"] == sum(trials.correct.size for trials in complete)
        assert (stated["images"], stated["columns"]) == complete[0].correct.shape
        assert stated["size"] == complete[0].layout.size
        assert stated["dataset"] == reader.cell(task, "plain").job.identity.document["dataset"]["manifest"]


def test_sessions_are_told_once_without_what_differs_from_cell_to_cell(provenance):
    (session,) = provenance["sessions"]
    assert session["versions"]["torch"] and session["git"] and session["device"].startswith("cpu")
    assert not {"created", "command"} & session.keys()


def test_checkpoints_have_the_digests_of_their_files(command_line):
    words = ("--task", "accuracy@shapes", "--models", "zoo-baseline", "--limit", "8", "--out", "own")
    assert command_line("run", *words)[0] == 0
    (entry,) = open_study("own").provenance
    digest = hashlib.sha256((WEIGHTS / "zoo-baseline.safetensors").read_bytes()).hexdigest()
    assert entry["checkpoints"] == {"zoo-baseline": [digest]}


@pytest.mark.parametrize("claimed", [5, "x", [1], {"accuracy@a": 3}, {"accuracy@a": {"trials": "many"}}])
def test_a_hostile_run_says_nothing_of_what_it_has_stored(claimed):
    document = {"kind": "imported", "settings": {}, "format": 1, **dict.fromkeys(STORED, claimed)}
    assert RunRecord.parse(document).origin == {"kind": "imported", "settings": {}, "format": 1}


def test_networks_without_a_checkpoint_have_none(provenance):
    assert provenance["checkpoints"] == {}
