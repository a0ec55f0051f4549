"""What is not on this machine does not stop what is: planned as missing, with its reason, and shown."""

import json
from pathlib import Path

import pytest

from tests.helpers.command import refused
from tests.helpers.reasons import lines

REGISTRY = """
models:
  plain: {source: dummy, options: {kind: brightness}, group: dummies}
  other: {source: dummy, options: {kind: random-linear, seed: 3}, group: dummies}
  gone:
    source: checkpoint
    arch: timm:test_resnet
    weights: [https://example.org/gone.pth]
    mean: [0.5, 0.5, 0.5]
    std: [0.5, 0.5, 0.5]
    group: dummies

datasets:
  elsewhere: {plugin: imagenet, path: not/here}

suites:
  two:
    models: [plain, other, gone]
    tasks: [accuracy@imagenet, accuracy@elsewhere]
    axes:
      here: [top1@imagenet]
      both: [top1@imagenet, top1@elsewhere]
  nowhere:
    models: [plain]
    tasks: [accuracy@elsewhere]
"""


@pytest.fixture
def suite(harness):
    Path("two.yaml").write_text(REGISTRY)

    def call(*more, name="two"):
        options = ("--registry", "two.yaml", "--data", "data", "--batch-size", "8", "--device", "cpu", "--out", "run")
        return harness("run", "--suite", name, *options, *more)

    return call


def test_the_rest_runs_and_the_report_says_what_is_missing(suite, harness, data):
    code, _, err = suite()
    assert code == 1
    assert "2 of 6 cells stored in run" in err
    assert "missing: 3 cells, plain, other, gone on accuracy@elsewhere: no folder" in err
    assert "--data elsewhere=DIR" in err
    assert "missing: gone on accuracy@imagenet: model 'gone': its checkpoint is not on this machine" in err
    report = json.loads(harness("report", "run", "--format", "json")[1])
    models = {model["name"]: model for model in report["models"]}
    assert set(models) == {"plain", "other", "gone"}
    assert models["plain"]["axes"]["here"] is not None
    assert models["plain"]["axes"]["both"] is None
    assert "no top1@elsewhere" in lines(models["plain"])["both"]
    assert "no folder" in lines(models["plain"])["both"]
    assert "not on this machine" in lines(models["gone"])["here"]
    assert "no folder" in harness("report", "run")[1]


def test_data_that_arrives_later_completes_the_run(suite, harness, data, tiny_tree):
    assert suite()[0] == 1
    tiny_tree(classes=4, images=2, folder=Path("data/not/here"))
    code, _, err = suite()
    assert code == 1  # the checkpoint is still not there
    assert "4 of 6 cells stored" in err
    report = json.loads(harness("report", "run", "--format", "json")[1])
    assert report["models"][0]["axes"]["both"] is not None


def test_data_that_has_gone_leaves_what_was_stored(suite, harness, data, tiny_tree):
    tiny_tree(classes=4, images=2, folder=Path("data/not/here"))
    suite()
    Path("data/not/here").rename("data/not/there")
    code, _, err = suite()
    assert code == 1 and "what was stored before is kept" in err
    report = json.loads(harness("report", "run", "--format", "json")[1])
    assert report["models"][0]["axes"]["both"] is not None


def test_a_plan_needs_no_data_at_all(suite):
    Path("data").mkdir()
    code, out, _ = suite("--dry-run", "--json")
    plan = json.loads(out)
    assert code == 0 and not Path("run").exists()
    assert {cell["status"] for cell in plan["cells"]} == {"missing"}
    assert len(plan["cells"]) == 6


def test_nothing_to_run_is_a_mistake(suite):
    Path("data").mkdir()
    refused(suite(name="nowhere"), "nothing can run: no folder", "See: harness doctor --suite nowhere", out="run")


def test_what_was_asked_for_by_name_must_be_there(suite, harness, data):
    refused(suite("--task", "accuracy@elsewhere"), "no folder", "--data elsewhere=DIR")
    refused(suite("--models", "gone"), "'gone': its checkpoint is not on this machine")
    assert suite("--models", "g*", "plain")[0] == 1


def test_another_crop_than_the_datasets_own_is_a_remark(suite, harness, data):
    text = (
        Path("two.yaml")
        .read_text()
        .replace("    axes:", "    preprocessing: {imagenet: {resize: 40, size: 32}}\n    axes:")
    )
    Path("two.yaml").write_text(text)
    remark = "imagenet: resized to 40, cropped to 32 as the suite says; its own is resized to 256, cropped to 224"
    assert remark in " ".join(suite()[2].split())
    assert remark in json.loads(harness("report", "run", "--format", "json")[1])["warnings"]


def test_a_folder_that_was_given_must_be_there(suite, data):
    refused(suite("--data", "elsewhere=nope"), "--data elsewhere=nope: no such folder")
    refused(suite("--data", "nope"), "--data nope (or HARNESS_DATA): no such folder")
