"""How images are resized is part of the identity, where it is not the study's way."""

from pathlib import Path

import pytest

REGISTRY = """
models: {{plain: {{source: dummy, options: {{kind: brightness}}}}}}
datasets: {{mine: {{plugin: imagenet, path: data{keys}}}}}
"""
NATIVE = ", resize: 56, size: 48"


@pytest.fixture
def measure(command_line, tiny_tree, tmp_path):
    tiny_tree(classes=2, images=3, folder=tmp_path / "data")

    def run(keys, *more):
        Path("my.yaml").write_text(REGISTRY.format(keys=keys))
        return command_line(
            "run", "--registry", "my.yaml", "--models", "plain", "--task", "accuracy@mine", "--data", "mine=data",
            "--device", "cpu", "--out", "run", *more,
        )  # fmt: skip

    return run


def test_an_interpolation_is_in_the_identity_and_the_default_is_not(measure):
    assert measure(NATIVE)[0] == 0
    for keys, said in (
        (f"{NATIVE}, interpolation: bilinear", "stored"),
        (f"{NATIVE}, interpolation: bicubic", "dataset.preprocessing.interpolation changed: absent -> bicubic"),
        (", resize: [56, 56], size: 48", "dataset.preprocessing.resize changed: 56 -> 56, 56"),
    ):
        code, out, err = measure(keys, "--dry-run")
        assert code == 0 and said in " ".join((out + err).split()), out + err


def test_a_bicubic_entry_is_described_and_measured(measure, command_line):
    assert measure(f"{NATIVE}, interpolation: bicubic")[0] == 0
    code, out, _ = command_line("info", "mine", "--registry", "my.yaml")
    assert code == 0 and "interpolation: bicubic" in out


PICKY = """
from dataclasses import dataclass
from harness import hookimpl
from harness.plugins.datasets.imagenet import ImageNet

@dataclass(frozen=True, kw_only=True)
class Picky(ImageNet):
    name: str = "picky"

    def __post_init__(self):
        if self.preprocessing.size != 224:
            raise {error}("only 224 pixels")

@hookimpl
def harness_datasets():
    return [Picky()]
"""
SUITE = """
models: {plain: {source: dummy, options: {kind: brightness}}}
suites: {s: {title: t, models: [plain], tasks: [accuracy@picky], preprocessing: {picky: {resize: 56, size: 48}}}}
"""


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [("ValueError", 2, "dataset 'picky' refuses"), ("KeyError", 2, "dataset 'picky' with")],
)
def test_a_dataset_that_refuses_what_a_suite_shows_is_one_line(command_line, tmp_path, monkeypatch, error, code, text):
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("mine/picky.py").write_text(PICKY.format(error=error))
    Path("my.yaml").write_text(SUITE)
    given = ("--registry", "my.yaml", "--plugins", "mine", "--suite", "s")
    exit_code, out, err = command_line("run", *given, "--device", "cpu", "--out", "run")
    assert exit_code == code and text in err and "only 224 pixels" in err and "Traceback" not in out + err
    assert not Path("run").exists()
    assert "Traceback" not in "".join(command_line("doctor", *given)[1:])
