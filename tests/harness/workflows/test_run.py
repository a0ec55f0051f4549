"""`harness.run` does what ``harness run`` does: the same bits, the same refusals in the same order, nothing written."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

import harness as door
from harness.store import RunReader
from harness.workflows import execution
from tests.helpers import command
from tests.helpers.engine import Watch, same, trials
from tests.helpers.forks import python
from tests.helpers.notebook import executed, output

ABSENT = """
datasets:
  elsewhere: {plugin: imagenet, path: not/here}
suites:
  nowhere: {models: [plain], tasks: [accuracy@elsewhere]}
  partly: {models: [plain], tasks: [accuracy@imagenet, accuracy@elsewhere]}
"""


@pytest.fixture
def run(data, monkeypatch, tmp_path):
    """`harness.run` in a folder with data, on the models of the command line's tests."""
    monkeypatch.chdir(tmp_path)
    Path("more.yaml").write_text(command.MODELS + ABSENT)

    def call(**more):
        usual = {"models": "plain", "tasks": "accuracy@imagenet", "out": "door", "device": "cpu", "batch_size": 8}
        return door.run(**{**usual, "registry": "more.yaml", "data": "data", **more})

    return call


def same_bits(a, b):
    keys = [{place: cell.job.key for place, cell in RunReader.open(path).cells().items()} for path in (a, b)]
    return keys[0] == keys[1] and bool(keys[0]) and same(trials(a), trials(b))


def test_the_same_bits_as_the_command_line(run, harness):
    tasks = ("accuracy@imagenet", "band-pass@imagenet")
    result = run(models=["plain", "other"], tasks=tasks, limit=10, seed=3)
    more = ("--limit", "10", "--seed", "3")
    assert command.run(harness, *more, models=("plain", "other"), tasks=tasks, out="line")[0] == 0
    assert same_bits("door", "line")
    assert (result.stored, result.cells, result.complete, result.path) == (4, 4, True, Path("door"))
    assert str(result) == "4 of 4 cells stored in door"
    assert result.study().measures().equals(door.open_study("door").measures())


def test_the_same_call_computes_nothing_and_more_models_extend(run):
    run()
    before = sorted(Path("door").rglob("*.h5"))
    again = run(models=["plain", "other"])
    assert again.stored == 2
    assert [cell.status for cell in again.plan.cells] == ["stored", "run"]
    assert set(before) <= set(Path("door").rglob("*.h5"))


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_a_run_with_nothing_to_do_needs_neither_a_device_nor_a_network(run, monkeypatch, device):
    first = run()
    before = RunReader.open("door").record

    def unneeded(*arguments):
        raise AssertionError("torch is imported, though nothing is computed")

    monkeypatch.setattr(execution, "pick_device", unneeded)
    monkeypatch.setattr(execution, "load", unneeded)
    again = run(device=device)
    assert (again.stored, again.cells, again.complete, again.failures) == (1, 1, True, {})
    assert trials("door") and str(again) == str(first)
    after = RunReader.open("door").record
    assert len(after.document["history"]) == len(before.document["history"]) + 1
    assert {**after.document, "history": None, "digest": None} == {**before.document, "history": None, "digest": None}
    with pytest.raises(AssertionError, match="torch is imported"):
        run(models=["plain", "other"])


OUT_OF_RANGE = [
    ({"device": "gpu"}, "--device 'gpu'"),
    ({"precision": "fp8"}, "--precision 'fp8'"),
    ({"store": "all"}, "--store 'all'"),
    ({"limit": 0}, "--limit is 0, expected a positive number"),
    ({"batch_size": "many"}, "--batch-size is 'many', expected a positive number or auto"),
    ({"batch_size": 0}, "--batch-size is 0"),
    ({"workers": 0}, "--workers is 0"),
    ({"plugins": ["none"]}, "none"),
    ({"suite": "nothing"}, "unknown suite 'nothing'"),
    ({"models": "nobody"}, "unknown model 'nobody'"),
    ({"models": ()}, "no models"),
    ({"tasks": "accuracy@nowhere"}, "unknown dataset 'nowhere'"),
    ({"tasks": ["accuracy@elsewhere"]}, "no folder"),
    ({"suite": "nowhere", "tasks": (), "models": ()}, "nothing can run"),
]


@pytest.mark.parametrize(("given", "words"), OUT_OF_RANGE)
def test_a_wrong_request_is_refused_and_nothing_is_written(run, given, words):
    with pytest.raises(door.RequestError) as error:
        run(**given)
    assert words in str(error.value)
    assert not Path("door").exists()


IN_ORDER = [
    ({"device": "gpu"}, "--device"),
    ({"limit": 0}, "--limit"),
    ({"workers": 0}, "--workers"),
    ({"plugins": "none"}, "none"),
    ({"models": "nobody"}, "unknown model"),
    ({"device": "cuda"}, "no CUDA device"),
    ({"out": "occupied"}, "is not empty"),
    ({"tasks": "accuracy@elsewhere"}, "no folder"),
]
"""What is refused first stands first: two mistakes are refused by the earlier one."""


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("first", range(len(IN_ORDER) - 1))
def test_the_order_of_refusals_is_that_of_the_command_line(run, harness, first):
    Path("occupied").mkdir()
    Path("occupied/notes.txt").write_text("mine")
    given = {}
    for mistake, _ in reversed(IN_ORDER[first:]):
        given.update(mistake)
    with pytest.raises(door.RequestError) as error:
        run(**given)
    assert IN_ORDER[first][1] in str(error.value)
    options = {"models": "plain", "tasks": "accuracy@imagenet", "out": "line", "device": "cpu", **given}
    words = {"models": "--models", "tasks": "--task"}
    spelt = [word for name, value in options.items() for word in (words.get(name, f"--{name}"), str(value))]
    code, _, err = harness("run", "--registry", "more.yaml", "--data", "data", "--batch-size", "8", *spelt)
    assert (code, err) == (2, f"error: {error.value}\n")
    assert [path.name for path in Path("occupied").iterdir()] == ["notes.txt"]
    assert not Path("door").exists() and not Path("line").exists()


def test_other_settings_are_refused(run):
    run()
    before = Path("door/run.json").read_bytes()
    with pytest.raises(door.RunError, match="made with other settings"):
        run(seed=1)
    assert Path("door/run.json").read_bytes() == before


def test_what_fails_and_what_is_missing_is_in_the_result(run):
    result = run(suite="partly", tasks=(), models=["plain", "nan"])
    assert list(result.failures) == [("accuracy@imagenet", "nan")]
    assert "NaN" in result.failures["accuracy@imagenet", "nan"]
    assert set(result.missing) == {("accuracy@elsewhere", "plain"), ("accuracy@elsewhere", "nan")}
    assert (result.stored, result.complete) == (1, False)
    assert "failed: nan on accuracy@imagenet: nan gave NaN" in str(result)
    assert "missing: plain on accuracy@elsewhere: no folder" in str(result)


def test_a_reason_is_escaped_in_a_notebook(run, tmp_path):
    Path("more.yaml").write_text(ABSENT.replace("not/here", "<b>here") + command.MODELS)
    page = run(suite="partly", tasks=(), models=())._repr_html_()
    assert "&lt;b&gt;here" in page and "<b>" not in page


def test_nobody_watches_unless_asked_for(run, capfd):
    run(models=["plain", "nan"])
    assert capfd.readouterr() == ("", "")
    watch = Watch()
    result = run(models=["other"], progress=watch)
    assert (watch.images, watch.forwards) == (24, 24) == watch.promised
    assert result.stored == 1
    run(models=["nan"], progress=True)
    out, err = capfd.readouterr()
    assert out == "" and "retry: nan on accuracy@imagenet: failed before" in err and "forwards/s" in err


class Interrupting(Watch):
    """Ctrl-C at the first batch."""

    def advance(self, images, forwards):
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_ends_it_cleanly_and_the_same_call_resumes(run):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt, match="the same call resumes"):
        run(progress=Interrupting())
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert run().complete
    run(out="whole")
    assert same_bits("door", "whole")


CELLS = """
import os, signal
import harness

class Interrupting:
    def begin(self, title, images, forwards): pass
    def warn(self, message): pass
    def advance(self, images, forwards): os.kill(os.getpid(), signal.SIGINT)

asked = dict(models="plain", tasks="accuracy@imagenet", registry="more.yaml", data="data", device="cpu", batch_size=8)
try:
    harness.run(**asked, out="door", progress=Interrupting())
except KeyboardInterrupt as stop:
    print(stop)
~~~
harness.run(**asked, out="door", progress=True)
"""


def test_a_notebook_is_interrupted_and_shows_progress_as_plain_lines(run, tmp_path, monkeypatch):
    first, second = executed(CELLS.split("~~~"), tmp_path, monkeypatch)["cells"]
    assert [one["text"] for one in first["outputs"]] == ["finished spans are stored in door; the same call resumes\n"]
    assert output(second, "text/html") == "1 of 1 cells stored in door"
    lines = "".join(one["text"] for one in second["outputs"] if one.get("name") == "stderr")
    assert "forwards/s" in lines and "ipywidgets" not in lines
    run(out="whole")
    assert same_bits("door", "whole")


def test_it_runs_in_a_thread_that_gets_no_signals(run):
    results = []
    thread = threading.Thread(target=lambda: results.append(run()))
    thread.start()
    thread.join()
    assert [result.complete for result in results] == [True]


def test_the_run_records_a_command_that_repeats_it(run, tmp_path):
    run(limit=5, workers=1, models=iter(["plain"]), data=[Path("data")], out=Path("door"))
    (entry,) = RunReader.open("door").record.document["history"]
    assert entry["command"][:2] == ["python", "-c"]
    assert "limit=5" in entry["command"][2] and "precision" not in entry["command"][2]
    moved = Path("door").rename("first")
    done = python(entry["command"][2], tmp_path)
    assert done.returncode == 0, done.stderr
    assert same_bits("door", moved)


def test_the_door_opens_without_heavy_imports():
    heavy = "('torch', 'h5py', 'pandas', 'numpy')"
    script = f"import sys, harness; harness.run, harness.open_study; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


REDEFINING = """
suites:
  first: {models: [plain], tasks: [accuracy@imagenet], axes: {ID: [top1@imagenet]}, biases: {B: [top5@imagenet]}}
  second: {models: [plain], tasks: [accuracy@imagenet], axes: {ID: [top5@imagenet]}, biases: {B: [top5@imagenet]}}
"""


def test_a_second_suite_that_redefines_an_axis_says_so_in_the_run_and_in_the_report(run):
    Path("suites.yaml").write_text(REDEFINING)
    said = []
    for suite in ("first", "first", "second", "second"):
        watch = Watch()
        run(suite=suite, models=(), tasks=(), registry=["more.yaml", "suites.yaml"], progress=watch)
        said.append(len([text for text in watch.warnings if "redefined" in text]))
    assert said == [0, 0, 1, 0]  # the last one changes nothing
    study = door.open_study("door")
    (remark,) = [text for text in study.warnings if "redefined" in text]
    assert "ID" in remark and "'second'" in remark and "top5@imagenet; before, in this run, top1@imagenet" in remark
    assert "The latest definition holds" in remark
    assert study.axes["ID"] == ("top5@imagenet",)


DECLARING = """
suites:
  plain: {models: [plain], tasks: [accuracy@imagenet], biases: {B: [top5@imagenet]}}
  first: {models: [plain], tasks: [accuracy@imagenet], biases: {B: [top5@imagenet]}, statistics: {log: B}}
  second: {models: [plain], tasks: [accuracy@imagenet], biases: {B: [top5@imagenet]}, statistics: {controls: B}}
  aside: {models: [plain], tasks: [accuracy@imagenet], axes: {ID: [top1@imagenet]}}
"""


def test_declared_statistics_are_stored_and_reach_the_study(run):
    """What a later call does not declare any more holds on, with a word; a suite of other biases has no say in it."""
    Path("suites.yaml").write_text(DECLARING)
    declared, said = [], []
    for suite in ("plain", "first", "plain", "second", "aside"):
        watch = Watch()
        run(suite=suite, models=(), tasks=(), registry=["more.yaml", "suites.yaml"], progress=watch)
        declared.append(door.open_study("door").statistics.document())
        said.append([text for text in watch.warnings if text.startswith("statistics: ")])
    both = {"log": ["B"], "controls": ["B"]}
    assert declared == [{}, {"log": ["B"]}, {"log": ["B"]}, both, both]
    kept = "does not declare log; what this run declares of it holds on"
    assert said == [[], [], [f"statistics: suite 'plain' {kept}"], [f"statistics: suite 'second' {kept}"], []]
