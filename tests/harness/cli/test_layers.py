"""Probes that see layers, from the command line: known ones are stored with their names, others refused in one line."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from harness import read_trials
from tests.helpers import features

PLUGIN = Path(features.__file__).read_text().replace("from harness import", "from harness import hookimpl,")
HOOK = """

@hookimpl
def harness_probes():
    return [Means(layers=LAYERS_OF_IT)]
"""


def run(harness, layers, *words, out="r", models=("zoo-baseline", "zoo-low-frequency-only")):
    Path("plug").mkdir(exist_ok=True)
    Path("plug/means.py").write_text(PLUGIN + HOOK.replace("LAYERS_OF_IT", repr(layers)))
    return harness(
        "run", "--plugins", "plug", "--task", "means@shapes", "--models", *models, "--limit", "3", "--out", out, *words
    )  # fmt: skip


def test_the_layers_of_a_cell_are_stored_with_their_names(harness):
    code, out, err = run(harness, ("stages.1.1", "head", "stages.3.2"), models=("zoo-baseline",))
    assert code == 2, "a normalization is folded into its convolution, and not called"
    code, out, err = run(harness, ("stages.1.2", "head", "stages.3.2"), models=("zoo-baseline",))
    assert code == 0, out + err
    trials = read_trials("r", "means@shapes", "zoo-baseline")
    assert trials.layers == ("stages.1.2", "head", "stages.3.2")
    means = trials.array("mean")
    assert np.allclose(means[:, :, 1], means[:, :, 2], atol=1e-6)  # the head gets the last stage
    with h5py.File("r/index.h5") as index:
        assert json.loads(index["means@shapes/zoo-baseline"].attrs["layers"]) == list(trials.layers)
    assert harness("verify", "r")[0] == 0
    code, out, _ = harness("report", "r", "--plugins", "plug", "--format", "json")
    assert code == 0 and set(json.loads(out)["models"][0]["measures"]) == {
        f"mean@shapes/{name}" for name in trials.layers
    }
    before = {file: file.stat().st_mtime_ns for file in Path("r/shards").rglob("*.*")}
    assert run(harness, ("stages.1.2", "head", "stages.3.2"), models=("zoo-baseline",))[0] == 0
    assert {file: file.stat().st_mtime_ns for file in Path("r/shards").rglob("*.*")} == before  # nothing is computed
    code, out, err = run(harness, ("head",), "--dry-run", models=("zoo-baseline",))
    assert "probe.params.layers changed" in out + err  # another list is another cell


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (("layer9",), "unknown layer of zoo-baseline 'layer9'"),
        (("stages.1.3", "head"), "did you mean 'stages.1.2'"),
        (("../../etc/passwd",), "unknown layer of zoo-baseline '../../etc/passwd'"),
        (("",), "unknown layer of zoo-baseline ''"),
        (("\\x1b[2J",), "unknown layer of zoo-baseline"),
        ((), "sees no layer of zoo-baseline"),
    ],
    ids=["absent", "near", "path", "empty", "escape", "none"],
)
def test_hostile_layers_are_refused_in_one_line(harness, layers, words):
    code, out, err = run(harness, layers)
    assert (code, out) == (2, "") and err.count("\n") == 1 and words in err and "\x1b" not in err
    assert "Available: front, head, stages" in err or not layers
    assert not Path("r").exists()


def test_layers_that_are_no_names(harness):
    code, _, err = run(harness, (3,))
    assert code == 2 and "layers is (3,)" in err
