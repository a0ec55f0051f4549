"""A plugin edited without a new version: `run` stops, `--dry-run` and `report` say it, and both ways on work."""

import json
from pathlib import Path

import pytest

from harness.store import RunReader
from tests.helpers.command import run
from tests.helpers.grey_images import GREYS

PROBE = """
from dataclasses import dataclass
from typing import ClassVar
from harness import Probe, accuracy_measures, hookimpl
from ._helper import STRENGTH

@dataclass(frozen=True, kw_only=True)
class Faded(Probe):
    '''Faded images.'''
    name: ClassVar[str] = "faded"
    version: ClassVar[int] = 1

    def conditions(self, size):
        return ("faded",)

    def stimuli(self, batch):
        yield "faded", batch.images * STRENGTH

    def measures(self, trials):
        yield from accuracy_measures(trials, "faded", label="faded")

@hookimpl
def harness_probes():
    return [Faded()]
"""
NO_REMARKS = "    def remarks(self, samples):\n        return ()"
SOURCE = """
from harness import ModelSource, hookimpl

class Constant(ModelSource):
    name = "constant"

    def files(self, spec):
        return ()

    def load(self, spec):
        from ._network import Net
        return Net(spec.outputs).eval()

@hookimpl
def harness_model_sources():
    return [Constant()]
"""
NETWORK = """
import torch

class Net(torch.nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.outputs = outputs

    def forward(self, images):
        slope = torch.linspace(0, 1.0, self.outputs)
        return images.mean(dim=(1, 2, 3))[:, None] * slope
"""
MODELS = "models: {first: {source: constant}, second: {source: constant}}\n"


@pytest.fixture
def plugins(tmp_path):
    """The folder of a probe, a dataset and a model source, each with a helper; ``edit(name, old, new)`` changes one."""
    folder = tmp_path / "mine"
    folder.mkdir()
    files = {
        "faded.py": PROBE,
        "_helper.py": "STRENGTH = 0.5\n",
        "greys.py": GREYS.replace("CHANGE", NO_REMARKS),
        "constant.py": SOURCE,
        "_network.py": NETWORK,
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    (tmp_path / "constant.yaml").write_text(MODELS)

    def edit(name, old, new):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new) + "\n# edited")  # another size: Python's cache sees it

    return edit


@pytest.fixture
def measured(plugins, command_line):
    """Runs ``faded@greys`` with our plugins: ``measured("--dry-run", models=("first",))``."""

    def call(*more, models=("first",), task="faded@greys"):
        words = ("run", "--plugins", "mine", "--registry", "constant.yaml", "--task", task, "--models", *models)
        repeated = [word for model in models[1:] for word in ("--models", model)]
        words = (*words[: words.index("--models") + 2], *repeated)
        return command_line(*words, "--device", "cpu", "--batch-size", "8", "--out", "run", *more)

    return call


def state():
    return {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file() and path.name != ".lock"}


EDITS = {
    "probe faded": ("_helper.py", "0.5", "0.45"),
    "dataset greys": ("greys.py", "samples):\n        return ()", "samples):\n        return []"),
    "model source constant": ("_network.py", "1.0", "2.0"),
}


@pytest.mark.parametrize("subject", EDITS)
@pytest.mark.parametrize("models", [("first",), ("second",), ("first", "second")], ids=" ".join)
def test_stored_cells_of_other_code_stop_the_run_and_both_ways_on_are_named(measured, plugins, subject, models):
    """Also where only a model added later would be measured by the new code, in the same table."""
    assert measured()[0] == 0
    before = state()
    plugins(*EDITS[subject])
    code, out, err = measured(models=models)
    assert code == 2 and out == "" and len(err.strip().splitlines()) == 1, err
    for words in (
        subject,
        "version 1",
        "first on faded@greys",
        "--same-numbers",
        "version: ClassVar[int] = 2 in mine/",
    ):
        assert words in err, err
    assert state() == before


def test_an_entry_counts_with_the_code_of_its_plugin(measured, plugins):
    """A dataset under another name, with other parameters."""
    with Path("constant.yaml").open("a") as file:
        file.write("datasets: {pale: {plugin: greys}}\n")
    assert measured(task="faded@pale")[0] == 0
    plugins(*EDITS["dataset greys"])
    code, _, err = measured(task="faded@pale")
    assert code == 2 and "dataset pale, version 1" in err and "mine/greys.py" in err


def test_dry_run_says_it_for_each_cell_and_that_the_run_would_stop(measured, plugins):
    measured()
    plugins(*EDITS["probe faded"])
    code, out, _ = measured("--dry-run", models=("first", "second"))
    assert code == 0
    text = " ".join(out.split())
    assert "stored: first on faded@greys: made by other code of probe faded, version 1" in text
    assert "harness run stops here: 1 stored cell" in text and "--same-numbers" in text
    plan = json.loads(measured("--dry-run", "--json")[1])
    assert plan["cells"][0]["status"] == "stored" and "other code of probe faded" in plan["cells"][0]["reason"]
    assert "--same-numbers" in plan["refusal"]


def test_a_new_version_measures_the_cells_again(measured, plugins):
    measured()
    plugins(*EDITS["probe faded"])
    plugins("faded.py", "version: ClassVar[int] = 1", "version: ClassVar[int] = 2")
    code, _, err = measured()
    assert code == 0 and "probe.version changed: 1 -> 2" in err
    assert measured("--dry-run")[0] == 0 and "harness run stops" not in measured("--dry-run")[1]


def test_same_numbers_is_recorded_and_holds_from_then_on(measured, plugins, command_line):
    measured()
    before = RunReader.open("run").cell("faded@greys", "first").job
    plugins(*EDITS["probe faded"])
    assert measured("--same-numbers", models=("first", "second"))[0] == 0
    reader = RunReader.open("run")
    after, added = (reader.cell("faded@greys", name).job for name in ("first", "second"))
    assert after.key == before.key and after.code == before.code, "a stored cell keeps the code that made it"
    assert added.code["probe"] != before.code["probe"]
    (said,) = reader.record.document["same_numbers"]
    assert (said["kind"], said["name"], said["version"]) == ("probe", "faded", 1)
    assert (said["before"], said["now"]) == (before.code["probe"], added.code["probe"])
    assert measured(models=("first", "second"))[0] == 0, "the new digest counts as equal"
    plugins("_helper.py", "0.45", "0.4")
    assert measured()[0] == 2, "a further change does not"
    assert measured("--same-numbers")[0] == 0 and measured()[0] == 0
    assert "comparab" not in command_line("report", "run", "--plugins", "mine")[1]


def test_a_comment_and_the_body_of_measures_change_nothing(measured, plugins):
    measured()
    plugins("_helper.py", "STRENGTH", "# half as bright\nSTRENGTH")
    plugins("faded.py", 'label="faded"', 'label="faded images"')
    code, _, err = measured(models=("first", "second"))
    assert code == 0 and "rerun" not in err


@pytest.mark.parametrize("place", ["strength.txt", "tables/strength.txt"])
def test_a_file_of_data_beside_the_plugin_counts(measured, plugins, place):
    """Also one folder below; a run from before it was looked at goes on."""
    file = Path("mine", place)
    file.parent.mkdir(exist_ok=True)
    file.write_text("0.5")
    named = f"Path(__file__).parent.joinpath({str(file.parent.name)!r} * {int('/' in place)}, 'strength.txt')"
    plugins("_helper.py", "STRENGTH = 0.5", f"from pathlib import Path\nSTRENGTH = float({named}.read_text())")
    assert measured()[0] == measured(models=("first", "second"))[0] == 0
    file.write_text("0.250")
    code, out, err = measured(models=("first", "second"))
    assert (code, out) == (2, "") and "made by other code of probe faded (its data files), version 1" in err
    assert measured("--same-numbers")[0] == measured()[0] == 0
    file.write_text("0.125")
    assert measured()[0] == 2
    without_code("run")
    assert measured()[0] == 0


def test_a_cell_that_failed_before_it_stored_anything_is_retried_with_new_code(measured, plugins):
    """Developing a probe: it raises, one corrects it and types the same command again."""
    plugins("faded.py", 'yield "faded", batch', 'yield "faded", 0 + bath')
    assert measured()[0] == 1
    plugins("faded.py", "0 + bath", "batch")
    assert measured()[0] == 0


def without_code(run):
    """What an older version of the harness would have stored."""
    for file in Path(run).rglob("cell.json"):
        cell = json.loads(file.read_text())
        del cell["job"]["code"], cell["digest"]
        file.write_text(json.dumps(cell))


def test_a_run_of_an_older_version_is_kept_with_a_remark(measured, plugins, command_line):
    measured()
    without_code("run")
    plugins(*EDITS["probe faded"])
    code, _, err = measured(models=("first", "second"))
    assert code == 0 and "rerun" not in err
    remark = "1 stored cell is from a version of the harness that did not note the code of plugins"
    assert f"probe faded: {remark}" in " ".join(err.split())
    assert "first (code not recorded)" in command_line("report", "run", "--plugins", "mine", "--format", "markdown")[1]


def test_an_older_run_of_built_in_plugins_has_no_remark(harness, data):
    run(harness)
    without_code("run")
    code, _, err = run(harness)
    assert code == 0 and "not known" not in err


def test_a_report_over_two_runs_of_different_code_says_so(measured, plugins, command_line):
    measured()
    Path("run").rename("before")
    plugins(*EDITS["model source constant"])
    measured(models=("second",))
    code, out, _ = command_line("report", "before", "run", "--plugins", "mine", "--format", "json")
    assert code == 0
    warnings = json.loads(out)["warnings"]
    assert [
        text for text in warnings if "model source constant: different code under version 1: first / second" in text
    ]
