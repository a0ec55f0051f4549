"""A run folder that is damaged is not built upon: exit code 2, all of it named, and the advice works."""

import json
import shutil
from pathlib import Path

import pytest

from harness.local.writing import write_json
from harness.store import RunReader
from tests.helpers.command import MODELS, completed
from tests.helpers.trees import write_tree

COMMAND = ("run", "--registry", "models.yaml", "--data", ".", "--device", "cpu", "--batch-size", "4",
           "--task", "band-pass@imagenet", "--models", "plain", "other", "--out", "run")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A registry, data and ``run``: two models on two tasks, stored."""
    folder = tmp_path_factory.mktemp("damage")
    write_tree(folder / "imagenet" / "val", classes=4, images=2)
    (folder / "models.yaml").write_text(MODELS)
    assert completed(COMMAND, folder).returncode == 0
    return folder


@pytest.fixture
def stored(folder, command_line):
    """A copy of the run, in the working folder."""
    shutil.copytree(folder, Path(), dirs_exist_ok=True)
    return Path("run")


def state(run):
    return {file: file.read_bytes() for file in run.rglob("*") if file.is_file() and file.name != ".lock"}


def cell(run, model):
    return run / "shards" / "band-pass@imagenet" / model / "cell.json"


def wrong_cutoff(file):
    content = json.loads(file.read_text())
    del content["digest"]
    cutoffs = content["job"]["identity"]["probe"]["params"]["cutoffs"]
    cutoffs[cutoffs.index(0.4)] = 0.6
    write_json(file, content)


def test_a_cutoff_changed_in_cell_json_stops_a_resume_and_its_advice_works(stored, command_line):
    wrong_cutoff(cell(stored, "plain"))
    before = state(stored)
    code, _, err = command_line(*COMMAND)
    assert code == 2 and "its key is not the digest of its identity; delete" in err
    assert state(stored) == before
    code, out, _ = command_line("verify", "run")
    assert code == 1 and "cell.json is damaged" in out
    code, out, err = command_line("report", "run")
    assert code == 0 and "cell.json is damaged" in " ".join((out + err).split())
    shutil.rmtree(cell(stored, "plain").parent)
    assert command_line(*COMMAND)[0] == 0
    assert command_line("verify", "run")[0] == 0


def test_a_finished_shard_of_another_model_is_refused_by_name(stored, command_line):
    plain, other = ([*cell(stored, model).parent.rglob("*.h5")] for model in ("plain", "other"))
    shutil.copy(other[0], plain[0])
    before = state(stored)
    code, _, err = command_line(*COMMAND)
    assert code == 2 and plain[0].name in err and "another model: expected plain, found other" in err
    assert state(stored) == before
    plain[0].unlink()
    code, _, err = command_line(*COMMAND)
    assert code == 0, err
    assert command_line("verify", "run")[0] == 0


def test_all_that_is_damaged_is_listed_at_once(stored, command_line):
    for model in ("plain", "other"):
        wrong_cutoff(cell(stored, model))
    code, _, err = command_line(*COMMAND)
    assert code == 2 and str(Path("plain/cell.json")) in err and str(Path("other/cell.json")) in err


def test_a_run_json_edited_by_hand_says_how_to_keep_the_edit(stored, command_line):
    document = json.loads((stored / "run.json").read_text())
    document["models"]["plain"]["group"] = "mine"
    write_json(stored / "run.json", document)
    for words in (("report", "run"), ("verify", "run"), COMMAND):
        code, out, err = command_line(*words)
        assert code in (1, 2) and 'if you have edited it, delete its entry "digest"' in " ".join((out + err).split())
    write_json(stored / "run.json", {name: value for name, value in document.items() if name != "digest"})
    assert command_line("report", "run")[0] == 0
    assert RunReader.open(stored).record.models["plain"].group == "mine"


def test_a_lost_run_json_is_made_again_by_the_same_command(stored, command_line):
    before = command_line("report", "run", "--format", "csv")
    shards = {file: file.stat().st_mtime_ns for file in (stored / "shards").rglob("*-*.h5")}
    (stored / "run.json").unlink()
    code, _, err = command_line("report", "run")
    assert code == 2 and err.count("\n") == 1 and "has lost its run.json" in err
    assert err.rstrip().endswith(" ".join(("harness", *COMMAND)))
    assert command_line(*COMMAND, "--seed", "1")[0] == 2 and not (stored / "run.json").exists()
    code, _, err = command_line(*COMMAND)
    assert code == 0 and "4 of 4 cells stored" in err, err
    assert {file: file.stat().st_mtime_ns for file in (stored / "shards").rglob("*-*.h5")} == shards
    assert command_line("report", "run", "--format", "csv") == before
    assert command_line("verify", "run")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("report", "run", "-o", "run/run.json"),
        ("report", "run", "--figure", "list", "-o", "run/run.json"),
        ("compare", "run", "--against", "run", "-o", "run/shards/x.json"),
        ("export", "run", "-o", "run/index.h5"),
        ("export", "run", "-o", "run/new.csv"),
    ],
)
def test_no_output_goes_into_a_run_folder(stored, command_line, words):
    before = state(stored)
    code, out, err = command_line(*words)
    assert (code, out) == (2, "") and err.count("\n") == 1 and "lies in the run folder" in err
    assert state(stored) == before
