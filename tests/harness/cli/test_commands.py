"""The command line as a user meets it: results on stdout, one line for a mistake, exit codes as promised."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.helpers.command import HARNESS, MODELS, refused, run
from tests.helpers.forks import python
from tests.helpers.reasons import lines


def test_help_is_quick_and_imports_no_torch(tmp_path):
    code = "import sys, harness.cli; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_run_its_report_and_its_index(harness, data):
    code, out, err = run(harness, models=("plain", "other"))
    assert code == 0 and out == ""
    assert "2 of 2 cells stored in run" in err and "next: harness report run" in err
    assert "24 of 50,000 images" in err  # a partial tree is a remark
    code, out, err = harness("report", "run", "--format", "json")
    report = json.loads(out)
    assert code == 0 and {model["name"] for model in report["models"]} == {"plain", "other"}
    measures = {model["name"]: model["measures"] for model in report["models"]}
    assert measures["plain"]["n@imagenet"] == 24
    assert measures["plain"]["top1@imagenet"] == measures["plain"]["correct@imagenet"] / 24
    assert any("24 of 50,000" in warning for warning in report["warnings"])
    assert harness("verify", "run")[0] == 0


def test_the_same_command_again_computes_nothing(harness, data):
    run(harness)
    code, out, _ = run(harness, "--dry-run", "--json")
    plan = json.loads(out)
    assert code == 0 and plan["forwards"] == 0 and plan["cells"][0]["status"] == "stored"
    assert run(harness)[0] == 0


def test_dry_run_writes_nothing_and_needs_no_torch(harness, data, tmp_path):
    code, out, _ = run(harness, "--dry-run", tasks=("band-pass@imagenet",))
    assert code == 0 and not Path("run").exists()
    assert "band-pass@imagenet" in out and "accuracy@imagenet" in out  # what its measures need comes along
    assert "552 forwards" in out  # 24 x (22 + 1)
    assert all(len(line) <= 80 for line in out.splitlines() if not line.startswith("note"))
    code = (
        "import sys, harness.cli; sys.argv[1:] = sys.argv[2:]\n"
        "try: harness.cli.main()\nexcept SystemExit as stop: code = stop.code\n"
        "sys.exit(code or 'torch' in sys.modules)"
    )
    command = "run --registry models.yaml --data data --task accuracy@imagenet --models plain --out run --dry-run"
    done = subprocess.run(
        [sys.executable, "-c", code, "-", *command.split()], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_changed_option_of_a_model_reruns_its_cell_and_says_why(harness, data):
    run(harness, models=("plain", "other"))
    Path("models.yaml").write_text(MODELS.replace("seed: 3", "seed: 4"))
    _, out, _ = run(harness, "--dry-run", models=("plain", "other"))
    assert "rerun: other on accuracy@imagenet: model.options.seed changed: 3 -> 4" in out
    assert "1 rerun" in out and "1 stored" in out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"models": ("plian",)}, ["unknown model 'plian'", "did you mean 'plain'"]),
        ({"tasks": ("acuracy@imagenet",)}, ["unknown probe 'acuracy'", "did you mean 'accuracy'"]),
        ({"tasks": ("accuracy@imagnet",)}, ["unknown dataset 'imagnet'", "did you mean 'imagenet'"]),
        ({"tasks": ("accuracy",)}, ["accuracy", "probe@dataset"]),
        ({"tasks": ("shape-bias@imagenet",)}, ["shape-bias", "texture", "cue-conflict"]),
    ],
)
def test_a_name_that_does_not_exist_is_refused(harness, data, more, words):
    refused(run(harness, **more), *words)


def test_an_unknown_suite_is_refused(harness):
    refused(harness("run", "--suite", "smoek", "--out", "run"), "unknown suite 'smoek'", "did you mean 'smoke'")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--precision", "fp16", ["fp16", "bf16"]),
        ("--precision", "tf32", ["tf32", "CUDA"]),
        ("--store", "top1", ["top1", "top5"]),
        ("--device", "gpu", ["gpu", "cuda"]),
        ("--batch-size", "many", ["many", "auto"]),
        ("--limit", "0", ["--limit", "positive"]),
    ],
)
def test_an_option_out_of_range_is_refused(harness, data, option, value, words):
    refused(run(harness, option, value), *words)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device_is_refused(harness, data):
    refused(run(harness, "--device", "cuda"), "no CUDA device")


def plugin(folder, name, text):
    Path(folder).mkdir(exist_ok=True)
    Path(folder, name).write_text(text)


PROBE = """
from dataclasses import dataclass
from typing import ClassVar
from harness import Probe, accuracy_measures, hookimpl

@dataclass(frozen=True, kw_only=True)
class Mine(Probe):
    '''Mine.'''
    name: ClassVar[str] = "NAME"
    seen = 0

    def conditions(self, size):
        return ("clean",)

    def stimuli(self, batch):
        BODY
        yield "clean", batch.images

    def measures(self, trials):
        yield from accuracy_measures(trials, "clean", label="mine")

@hookimpl
def harness_probes():
    return [Mine()]
"""


def test_two_plugins_with_one_name_are_refused_naming_both_and_listed(harness, data):
    plugin("mine", "again.py", PROBE.replace("NAME", "accuracy").replace("BODY", "pass"))
    refused(run(harness, "--plugins", "mine"), "accuracy", "again.py", "harness.plugins.probes.accuracy")
    code, out, _ = harness("list", "plugins", "--plugins", "mine")
    assert code == 0 and "duplicate" in out
    assert run(harness, "--plugins", "mine", tasks=("critical-band@imagenet",))[0] == 0  # which needs nothing of it


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise RuntimeError('no such licence')", ["no such licence"]),
        (PROBE.replace("harness_probes", "harness_probe"), ["harness_probe", "harness_probes"]),
        ("import does_not_exist", ["does_not_exist"]),
    ],
)
def test_a_broken_plugin_is_listed_and_stops_only_those_who_need_it(harness, data, text, words):
    plugin("mine", "broken.py", text)
    code, out, _ = harness("list", "plugins", "--plugins", "mine", "--format", "json")
    assert code == 0
    (row,) = [row for row in json.loads(out) if row["state"] == "broken"]
    assert "broken.py" in row["plugin"] and all(word in row["about"] for word in words)
    refused(run(harness, "--plugins", "mine", tasks=("mine@imagenet",)), "unknown probe 'mine'", "broken.py", words[0])
    assert run(harness, "--plugins", "mine")[0] == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models:\n  a:\n    source: dummy\n    sorce: x\n", ["bad.yaml:4", "sorce", "source"]),
        ("models:\n  a:\n    source: dummy\n    mean: grey\n", ["bad.yaml:4", "mean"]),
        ("models:\n  a: {source: dummy\n", ["bad.yaml:"]),
        ("suites:\n  s:\n    models: [plain]\n    tasks: [accuracy]\n", ["bad.yaml:4", "accuracy"]),
    ],
)
def test_a_mistake_in_yaml_names_file_and_line(harness, data, text, words):
    Path("bad.yaml").write_text(text)
    refused(run(harness, "--registry", "bad.yaml"), *words)


def test_missing_and_empty_data_are_refused(harness, data):
    nowhere = ["--task", "accuracy@imagenet", "--models", "plain", "--out", "run"]
    refused(harness("run", "--registry", "models.yaml", *nowhere), "imagenet", "--data imagenet=DIR")
    refused(run(harness, "--data", "imagenet=nowhere"), "nowhere", "--data imagenet=DIR")
    (data / "n02119789").mkdir()
    refused(run(harness), "n02119789")


def checkpoint(name, file, **more):
    entry = {"source": "checkpoint", "arch": "timm:test_resnet", "weights": [f"file:{file}"], **more}
    Path("models.yaml").write_text(json.dumps({"models": {name: entry}}))


class Payload:
    """A pickle that writes a file when it is loaded."""

    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def network(outputs=1000):
    import timm

    return timm.create_model("test_resnet", num_classes=outputs).state_dict()


def html(path):
    path.write_text("<!DOCTYPE html><html><body>Quota exceeded</body></html>")


def truncated(path):
    torch.save(network(), path)
    path.write_bytes(path.read_bytes()[:5000])


def pickled_code(path):
    torch.save({"state_dict": Payload()}, path)


def few_outputs(path):
    torch.save(network(999), path)


def missing_key(path):
    torch.save({k: v for k, v in network().items() if k != "fc.bias"}, path)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (html, ["HTML"]),
        (truncated, ["is truncated after", "copy or fetch it again"]),
        (pickled_code, ["refused", "nothing was executed"]),
        (few_outputs, ["999", "1000"]),
        (missing_key, ["fc.bias"]),
        (lambda path: None, ["mine.pth"]),
    ],
)
def test_a_checkpoint_that_is_none_is_refused_before_anything_is_written(harness, data, write, words):
    write(Path("mine.pth"))
    checkpoint("mine", "mine.pth")
    refused(run(harness, models=("mine",)), "mine", *words)
    assert not Path("executed").exists()


def test_an_output_folder_that_cannot_be_is_refused(harness, data):
    Path("file").write_text("")
    code, _, err = run(harness, out="file/run")
    assert code == 2 and "file" in err and len(err.strip().splitlines()) == 1
    Path("full").mkdir()
    Path("full/thesis.tex").write_text("")
    code, _, err = run(harness, out="full")
    assert code == 2 and "full" in err
    assert [path.name for path in Path("full").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--seed", "1", ["seed", "0", "1"]),
        ("--limit", "5", ["limit", "5"]),
        ("--batch-size", "16", ["batch", "8", "16"]),
    ],
)
def test_other_settings_are_refused_by_name(harness, data, option, value, words):
    run(harness)
    before = sorted(path for path in Path("run").rglob("*"))
    arguments = [option, value]
    code, _, err = run(harness, *arguments)
    assert code == 2 and len(err.strip().splitlines()) == 1
    assert all(word in err for word in words)
    assert before == sorted(path for path in Path("run").rglob("*"))


def test_settings_that_are_not_given_are_those_of_the_run(harness, data):
    run(harness, "--seed", "7")
    code, out, _ = harness("run", "--registry", "models.yaml", "--data", "data", "--task", "accuracy@imagenet",
                           "--models", "plain", "--out", "run", "--dry-run", "--json")  # fmt: skip
    assert code == 0 and json.loads(out)["settings"]["seed"] == 7 and json.loads(out)["forwards"] == 0


def spoil(data, how):
    victim = sorted(data.rglob("*.JPEG"))[13]
    if how == "truncated":
        victim.write_bytes(victim.read_bytes()[:200])
    else:
        victim.write_text("a text file")
    return victim.name


@pytest.mark.parametrize("how", ["truncated", "text"])
def test_an_image_that_cannot_be_decoded_fails_its_cells_and_the_others_are_stored(
    harness, data, how, tiny_tree, tmp_path
):
    Path("models.yaml").write_text(MODELS + "datasets:\n  sound: {plugin: imagenet, path: sound}\n")
    tiny_tree(classes=2, images=2, folder=tmp_path / "data" / "sound")
    name = spoil(data, how)
    code, _, err = run(harness, tasks=("accuracy@imagenet", "accuracy@sound"))
    assert code == 1
    assert "failed: plain on accuracy@imagenet: image" in err and name in err
    report = json.loads(harness("report", "run", "--format", "json")[1])["models"][0]
    assert report["measures"]["n@sound"] == 4
    assert name in lines(report)["accuracy@imagenet"]


def test_nan_logits_fail_their_cell(harness, data):
    code, _, err = run(harness, models=("nan", "plain"))
    assert code == 1 and "nan gave NaN or infinite logits under clean" in err
    models = {model["name"]: model for model in json.loads(harness("report", "run", "--format", "json")[1])["models"]}
    assert "NaN" in lines(models["nan"])["accuracy@imagenet"]
    assert models["plain"]["measures"]["n@imagenet"] == 24


def test_a_plugin_that_raises_on_its_second_batch_fails_alone(harness, data):
    body = "if 'n01443537/n01443537_3.JPEG' in batch.sample_ids: raise RuntimeError('second batch')"
    plugin("mine", "late.py", PROBE.replace("NAME", "late").replace("BODY", body))
    code, _, err = run(harness, "--plugins", "mine", tasks=("late@imagenet", "accuracy@imagenet"))
    assert code == 1
    assert "probe late raised RuntimeError: second batch (late.py:" in err
    model = json.loads(harness("report", "run", "--format", "json", "--plugins", "mine")[1])["models"][0]
    assert "second batch" in lines(model)["late@imagenet"] and model["measures"]["n@imagenet"] == 24


def start(*arguments, cwd):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*HARNESS, *arguments], cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


SLOW = [
    "run", "--registry", "models.yaml", "--data", "data", "--batch-size", "8", "--device", "cpu",
    "--task", "critical-band@small", "--models", "plain", "--out", "run",
]  # fmt: skip


@pytest.fixture
def many(harness, tiny_tree, tmp_path):
    """320 images and a dataset of them at 64 pixels: enough to be interrupted."""
    tiny_tree(classes=8, images=40, folder=tmp_path / "data" / "imagenet" / "val")
    small = "datasets: {small: {plugin: imagenet, path: imagenet/val, resize: 64, size: 64}}\n"
    (tmp_path / "models.yaml").write_text(MODELS + small)


def wait_for_a_shard(process, folder):
    deadline = time.monotonic() + 60
    while not list(folder.glob("run/shards/critical-band@small/plain/*/0*.h5")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_stops_cleanly_and_the_same_command_resumes(many, harness, tmp_path):
    process = start(*SLOW, cwd=tmp_path)
    wait_for_a_shard(process, tmp_path)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Resume with the same command" in err and "Traceback" not in err
    _, out, _ = harness(*SLOW, "--dry-run", "--json")
    statuses = {cell["task"]: cell["status"] for cell in json.loads(out)["cells"]}
    assert statuses["critical-band@small"] == "resume"
    assert harness(*SLOW)[0] == 0
    shutil.move("run", "resumed")
    assert harness(*SLOW)[0] == 0
    import numpy as np

    from harness import read_trials

    a, b = (read_trials(run, "critical-band@small", "plain") for run in ("run", "resumed"))
    assert np.array_equal(a.top5, b.top5) and np.array_equal(a.logp, b.logp) and np.array_equal(a.correct, b.correct)


def test_a_second_process_on_the_same_run_is_refused(many, harness, tmp_path):
    process = start(*SLOW, cwd=tmp_path)
    try:
        wait_for_a_shard(process, tmp_path)
        code, _, err = harness(*SLOW)
        assert code == 2 and "run" in err and re.search(r"lock|another process|in use", err), err
        assert len(err.strip().splitlines()) == 1
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_a_full_disk_fails_cells_with_the_reason_and_keeps_what_was_stored(many, tmp_path):
    code = (
        "import resource, signal, sys, harness.cli\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))\n"
        "harness.cli.main()\n"
    )
    arguments = ["--store", "logits", "--task", "accuracy@small"]
    done = python(code, tmp_path, *SLOW[:-4], *arguments, "--models", "plain", "--out", "run")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "failed: plain on critical-band@small" in done.stderr


def test_a_bug_keeps_its_traceback(harness, data, monkeypatch):
    from harness.study import compose as study

    monkeypatch.setattr(study, "open_study", lambda *a, **b: 1 / 0)
    run(harness)
    code, _, err = harness("report", "run")
    assert code == 70 and "ZeroDivisionError" in err and "bug" in err


def test_lists_and_info_fit_80_columns_and_speak_json(harness):
    for what in ("models", "datasets", "probes", "reports", "suites", "plugins"):
        code, out, _ = harness("list", what)
        assert code == 0 and out.strip() and all(len(line) <= 80 for line in out.splitlines()), out
        assert isinstance(json.loads(harness("list", what, "--format", "json")[1]), list)
    known = json.loads(harness("list", "models", "--format", "json")[1])
    shown = [line.split() for line in harness("list", "models")[1].rstrip().splitlines()[3:]]
    assert shown == [[one["name"], one["group"] or "–"] for one in known]  # no name is broken or cut
    datasets = {line.split()[0]: line.split()[1:] for line in harness("list", "datasets")[1].rstrip().splitlines()[3:]}
    assert datasets["imagenet"] == ["50,000", "imagenet/val"] and datasets["sample-photos"][-1] == "–"
    assert "harness.plugins.importers.model_vs_human " in harness("list", "plugins")[1]
    assert " 0.3, 0.4," in harness("info", "band-pass")[1]
    code, out, _ = harness("info", "critical-band", "--format", "json")
    assert code == 0 and len(json.loads(out)["conditions at 224 px"]) == 29
    assert harness("info", "critical-bund")[0] == 2


def test_doctor_tells_present_partial_missing_and_wrong_apart(harness, data):
    html(Path("mine.pth"))
    entry = {"source": "checkpoint", "arch": "timm:test_resnet", "weights": ["file:mine.pth"]}
    gone = {**entry, "weights": ["file:gone.pth"]}
    suites = {"s": {"models": ["broken", "gone", "plain"], "tasks": ["accuracy@imagenet", "shape-bias@cue-conflict"]}}
    plain = {"source": "dummy", "options": {"kind": "brightness"}}
    models = {"broken": entry, "gone": gone, "plain": plain}
    Path("suite.yaml").write_text(json.dumps({"models": models, "suites": suites}))
    code, out, _ = harness("doctor", "--suite", "s", "--registry", "suite.yaml", "--data", "data", "--format", "json")
    states = {row["name"]: row["state"] for row in json.loads(out)}
    assert code == 1
    assert states == {
        "imagenet": "partial", "cue-conflict": "missing", "accuracy@imagenet": "present",
        "shape-bias@cue-conflict": "present", "broken": "wrong", "gone": "missing", "plain": "present",
    }  # fmt: skip


def test_exports_hold_every_trial(harness, data):
    import h5py
    import pandas as pd

    run(harness, models=("plain", "other"))
    for name in ("t.csv", "t.h5"):
        code, _, err = harness("export", "run", "-o", name)
        assert code == 0 and "48 trials" in err
    table = pd.read_csv("t.csv")
    assert len(table) == 48 and set(table.model) == {"plain", "other"}
    with h5py.File("t.h5") as file, h5py.File("run/index.h5") as index:
        plain = file["accuracy@imagenet/plain/correct"]
        assert not plain.is_virtual and (plain[:] == index["accuracy@imagenet/plain/correct"][:]).all()
        assert table[table.model == "plain"].correct.sum() == plain[:].sum()
    code, _, err = harness("export", "run", "-o", "t.xlsx")
    assert code == 2 and ".csv" in err


def test_a_model_with_other_outputs_than_the_dataset_is_not_judged(harness, data):
    odd = "  odd: {source: dummy, options: {kind: brightness}, outputs: 999}\n"
    Path("models.yaml").write_text(MODELS + odd)
    code, out, _ = run(harness, "--dry-run", models=("odd",))
    assert code == 0 and "inapplicable: odd on accuracy@imagenet: odd has 999 outputs" in " ".join(out.split())
    refused(run(harness, models=("odd",)), "nothing can run: odd has 999 outputs", "See: harness info odd")
    code, _, err = run(harness, models=("odd", "plain"))
    assert code == 0 and "inapplicable: odd on accuracy@imagenet: odd has 999 outputs" in err
    models = json.loads(harness("report", "run", "--format", "json")[1])["models"]
    model = next(model for model in models if model["name"] == "odd")
    assert model["measures"] == {} and "999 outputs" in lines(model)["accuracy@imagenet"]


def test_a_misspelt_dataset_in_data_is_refused(harness, data):
    refused(run(harness, "--data", "imagnet=data"), "unknown dataset 'imagnet'", "did you mean 'imagenet'")


def test_a_broken_link_among_the_images_is_refused(harness, data):
    (data / "n01440764" / "gone.JPEG").symlink_to("nowhere")
    refused(run(harness), "gone.JPEG", "cannot read")


def test_a_model_named_like_an_axis_of_the_index_is_refused(harness, data):
    Path("models.yaml").write_text("models: {target: {source: dummy, options: {kind: brightness}}}\n")
    refused(run(harness, models=("target",)), "target", "axis")


def test_an_index_that_was_lost_is_written_again(harness, data):
    run(harness)
    Path("run/index.h5").unlink()
    assert harness("verify", "run")[0] == 1
    assert run(harness)[0] == 0
    assert harness("verify", "run")[0] == 0


def test_brackets_in_a_reason_are_printed_as_they_are(harness, data):
    plugin("mine", "late.py", PROBE.replace("NAME", "late").replace("BODY", "raise ValueError('[/bold] [demo]')"))
    code, _, err = run(harness, "--plugins", "mine", tasks=("late@imagenet",))
    assert code == 1 and "ValueError: [/bold] [demo]" in err


def test_an_export_holds_all_tasks_under_the_same_columns_and_says_what_it_leaves_out(harness, data, real):
    import pandas as pd

    cue = f"cue-conflict={real / 'cue_conflict'}"
    tasks = ("accuracy@imagenet", "shape-bias@cue-conflict")
    assert run(harness, "--data", cue, "--limit", "8", tasks=tasks, models=("plain", "nan"))[0] == 1
    code, _, err = harness("export", "run", "-o", "t.csv")
    assert code == 0 and "left out: nan on accuracy@imagenet: nan gave NaN" in err
    table = pd.read_csv("t.csv")
    assert set(table.task) == set(tasks)
    shapes = table[table.task == "shape-bias@cue-conflict"]
    assert shapes.texture.isin(["airplane", "bear", "bicycle", "bird", "boat", "bottle", "car", "cat", "chair", "clock",
                                "dog", "elephant", "keyboard", "knife", "oven", "truck"]).all()  # fmt: skip
    assert table[table.task == "accuracy@imagenet"].texture.isna().all()


def test_an_imported_table_is_not_exported(harness, real):
    assert harness("import", "paper", real / "paper" / "benchmark.csv", "--out", "paper")[0] == 0
    code, _, err = harness("export", "paper", "-o", "t.csv")
    assert code == 2 and "no complete cell" in err
