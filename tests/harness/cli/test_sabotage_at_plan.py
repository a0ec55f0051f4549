"""Plugins that misbehave while a run is planned: exit 2, one line that names them, nothing written, no traceback."""

from pathlib import Path

import pytest

from tests.helpers.grey_images import GREYS

PROBE = """
import sys
from dataclasses import dataclass
from typing import ClassVar
from harness import Probe, accuracy_measures, hookimpl

@dataclass(frozen=True, kw_only=True)
class Bad(Probe):
    '''Bad.'''
    name: ClassVar[str] = "bad"

    def conditions(self, size):
        return ("clean",)

    def stimuli(self, batch):
        yield "clean", batch.images

    def measures(self, trials):
        yield from accuracy_measures(trials, "clean")

CHANGE

@hookimpl
def harness_probes():
    return [Bad()]
"""
DATASET = GREYS.replace("Greys", "Bad").replace('"greys"', '"bad"')
SOURCE = """
import sys
from pathlib import Path
from harness import ModelSource, hookimpl

class Bad(ModelSource):
    '''Bad.'''
    name = "bad"

    def files(self, spec):
        return ()

    def load(self, spec):
        import torch
        class Net(torch.nn.Module):
            def forward(self, images):
                return images.mean(dim=(1, 2, 3))[:, None] * torch.linspace(0, 1, spec.outputs)
        return Net().eval()

CHANGE

@hookimpl
def harness_model_sources():
    return [Bad()]
"""


def method(name, body, arguments="self"):
    return f"Bad.{name} = lambda {arguments}: {body}"


EXIT, RAISE = "sys.exit(0)", "1 / 0"
CONDITIONS = [
    *(EXIT, RAISE, "None", "3", "()", "'clean'", "sys.setrecursionlimit.nothing", "int('x')"),
    *("(1, 2)", "('a', 'a')", "('a b',)", "('a/b',)", "('a@b',)", "(b'a',)", "('',)"),
    *("tuple(map(str, range(10**6)))", "__import__('itertools').repeat('a')"),
]
PROBES = {
    **{f"conditions: {body}": method("conditions", body, "self, size") for body in CONDITIONS},
    **{f"effort: {body}": method("effort", body) for body in (EXIT, RAISE, "'2'", "0", "-1", "None", "1.5")},
    **{f"version: {value}": f"Bad.version = {value}" for value in ("'1'", "1.5", "None", "0", "-3", "True", "[1]")},
    **{f"version: property {body}": f"Bad.version = property(lambda self: {body})" for body in (EXIT, RAISE)},
    "conditions: another working folder": method("conditions", "(__import__('os').chdir('..'), 'a')[1:]", "self, size"),
    "requires itself": "Bad.requires = ('bad',)",
    "requires a string": "Bad.requires = 'accuracy'",
    "requires nothing known": "Bad.requires = ('nothing',)",
    "requires a number": "Bad.requires = (3,)",
    "attributes: a string": "Bad.attributes = 'texture'",
    "attributes: a number": "Bad.attributes = 3",
}
SAMPLES = [EXIT, RAISE, "None", "3", "[None]", "['00']", "[Sample(id=3, targets=(0,))]", "[Sample(id='a', targets=())]",
           "[Sample(id='a', targets=(1000,))]", "[Sample(id='a', targets=(-1,))]", "[Sample(id='a', targets=('x',))]",
           "[Sample(id='a', targets=3)]", "[Sample(id='a', targets=(0,))] * 2", "[]",
           "[Sample(id='a', targets=(0,), attributes=('x',))]", "[Sample(id='a', targets=(0,), path='a.png')]",
           "[Sample(id='', targets=(0,))]", "[Sample(id='a\\0', targets=(0,))]",
           "[Sample(id='caf\\udce9', targets=(0,))]"]  # fmt: skip
SPACES = [
    *(EXIT, RAISE, "None", "('a', 'b')"),
    *(
        f"LabelSpace(name='x', model_label_space='imagenet-1k', outputs=1000, {more})"
        for more in (
            "classes=()",
            "classes=('a', 'b')",
            "classes=('a\\0',), columns=(0,)",
            "classes=(1, 2), columns=(0, 1)",
            "classes=('a', 'b'), columns=(0, 5000)",
        )
    ),
]
DATASETS = {
    **{f"views: {body}": method("views", body) + "\n" + method("folder", "None", "self, root, view")
       for body in (EXIT, RAISE, "None", "3", "(1, 2)", "('a', 'a')", "'fog'", "('a b',)", "('',)")},
    **{f"samples: {body}": method("samples", body, "self, root") for body in SAMPLES},
    **{f"label space: {body}": method("label_space", body) for body in SPACES},
    **{f"root: {body}": method("root", body) for body in (EXIT, RAISE, "3", "'elsewhere'", "Path('elsewhere')")},
    **{f"image: {body}": method("image", body, "self, sample")
       for body in (EXIT, RAISE, "None", "3", "__import__('PIL.Image').Image.effect_noise((32, 32), 9)")},
    **{f"remarks: {body}": method("remarks", body, "self, samples") for body in (EXIT, RAISE, "None", "7")},
    **{f"folder: {body}": method("views", "('a', 'b')") + "\n" + method("folder", body, "self, root, view")
       for body in (EXIT, RAISE, "3", "Path('elsewhere')")},
    **{f"version: {value}": f"Bad.version = {value}" for value in ("'1'", "None", "0", "1.5")},
    "attributes: a number": "Bad.attributes = 3",
    "attributes: without values": "Bad.attributes = ('texture',)",
}  # fmt: skip
SOURCES = {
    **{f"options: {body}": method("options", body, "self, spec") for body in (EXIT, RAISE)},
    **{f"files: {body}": method("files", body, "self, spec")
       for body in (EXIT, RAISE, "None", "3", "['no/such/file']", "[3]", "[Path('no/such/file')]", "[Path('.')]")},
    **{f"version: {value}": f"Bad.version = {value}" for value in ("'1'", "None", "0", "1.5")},
    "version: raises": "Bad.version = property(lambda self: 1 / 0)",
    **{f"load: {body}": method("load", body, "self, spec") for body in (EXIT, RAISE, "None", "3")},
}  # fmt: skip
CASES = [
    pytest.param(kind, text.replace("CHANGE", change), id=f"{kind}: {name}")
    for kind, text, changes in (("probe", PROBE, PROBES), ("dataset", DATASET, DATASETS), ("source", SOURCE, SOURCES))
    for name, change in changes.items()
]


@pytest.fixture
def planned(command_line, monkeypatch):
    """Plans, or runs, one task with a sabotaging plugin and a good dataset; without the shipped registry, for speed."""
    Path("empty.yaml").write_text("models: {}\n")
    monkeypatch.setattr("harness.registry.registry.built_in_registry", lambda: Path("empty.yaml"))

    def call(kind, text, *more):
        Path("mine").mkdir()
        Path("mine", "sabotage.py").write_text(text)
        Path("mine", "good.py").write_text(DATASET.replace("CHANGE", "").replace('"bad"', '"goods"'))
        source = "bad" if kind == "source" else "dummy, options: {kind: brightness}"
        Path("models.yaml").write_text(f"models: {{plain: {{source: {source}}}}}\n")
        task = {"probe": "bad@goods", "dataset": "accuracy@bad", "source": "accuracy@goods"}[kind]
        words = ("--plugins", "mine", "--registry", "models.yaml", "--task", task, "--models", "plain")
        return command_line("run", *words, "--device", "cpu", "--out", "run", *more)

    return call


EVERY_THIRD = [
    case if number % 3 == 0 else pytest.param(*case.values, id=case.id, marks=pytest.mark.slow)
    for number, case in enumerate(CASES)
]
"""The fast suite tries a third of the cases, of every kind; the slow one the others."""


@pytest.mark.parametrize(("kind", "text"), EVERY_THIRD)
def test_it_ends_with_exit_2_and_one_line(planned, kind, text):
    code, out, err = planned(kind, text)
    assert code == 2 and "Traceback" not in err, (code, out, err)
    assert len([line for line in err.splitlines() if line.startswith("error: ")]) == 1 and len(err) < 900, err
    assert out == "" and not Path("run").exists()
    assert "bad" in err.lower() or "elsewhere" in err, "the line names the plugin, or its file"


@pytest.mark.parametrize(("kind", "text"), CASES[::8])
def test_a_dry_run_ends_likewise(planned, kind, text):
    code, out, err = planned(kind, text, "--dry-run")
    told = code == 2 or ("missing: plain" in out and "bad" in out)  # a model that cannot be found is set aside
    assert "Traceback" not in err and (told or "Bad.load" in text), "a plan loads no network"


@pytest.mark.parametrize("body", [EXIT, RAISE, "3"])
def test_a_release_that_fails_refuses_the_estimate(command_line, body):
    """A release is asked for where the data of a suite is missing."""
    Path("mine").mkdir()
    change = f"{method('release', body)}\n{method('root', 'None')}"
    Path("mine", "sabotage.py").write_text(DATASET.replace("CHANGE", change))
    Path("suite.yaml").write_text(
        "models: {plain: {source: dummy, options: {kind: brightness}}}\n"
        "suites: {all: {models: [plain], tasks: [accuracy@bad]}}\n"
    )
    words = ("--plugins", "mine", "--registry", "suite.yaml", "--suite", "all", "--out", "run", "--dry-run")
    code, out, err = command_line("run", *words)
    assert code == 2 and err.startswith("error: task accuracy@bad raised ") and "Traceback" not in err, (code, out, err)


@pytest.mark.parametrize("body", [EXIT, RAISE, "int('x')", "object.__setattr__(self, 'strength', [1])",
                                  "object.__setattr__(self, 'strength', float('nan'))"])  # fmt: skip
@pytest.mark.parametrize("kind", ["probe", "dataset"])
def test_parameters_that_make_a_plugin_fail_are_refused(command_line, kind, body):
    """The plugin is fine with its own parameters, and fails with those of a registry file."""
    text = {"probe": PROBE, "dataset": DATASET}[kind]
    field = "    strength: float = 1.0\n\n    def __post_init__(self):\n        self.strength == 1.0 or BODY\n\n"
    first = "    def conditions(" if kind == "probe" else "    def root("
    text = text.replace(first, field.replace("BODY", body) + first, 1).replace("CHANGE", "")
    Path("mine").mkdir()
    Path("mine", "sabotage.py").write_text(text)
    task = "{task: bad@shapes-64, params: {strength: 2.0}}" if kind == "probe" else "accuracy@other"
    Path("suite.yaml").write_text(
        "models: {plain: {source: dummy, options: {kind: brightness}}}\n"
        + ("" if kind == "probe" else "datasets: {other: {plugin: bad, params: {strength: 2.0}}}\n")
        + f"suites: {{all: {{models: [plain], tasks: [{task}]}}}}\n"
    )
    words = ("--plugins", "mine", "--registry", "suite.yaml", "--suite", "all", "--out", "run")
    code, out, err = command_line("run", *words)
    assert code == 2 and out == "" and len(err.strip().splitlines()) == 1, (code, out, err)
    assert err.startswith("error: suite.yaml:") and "Traceback" not in err and not Path("run").exists()


@pytest.mark.parametrize("kind", ["probe", "dataset"])
@pytest.mark.parametrize("body", [EXIT, RAISE, "int('x')"])
def test_info_ends_likewise(command_line, kind, body):
    Path("mine").mkdir()
    named = {"probe": method("conditions", body, "self, size"), "dataset": method("label_space", body)}
    Path("mine", "sabotage.py").write_text({"probe": PROBE, "dataset": DATASET}[kind].replace("CHANGE", named[kind]))
    code, out, err = command_line("info", "bad", "--plugins", "mine")
    refused = code == 2 and err.startswith(f"error: {kind} 'bad' raised ")
    told = kind == "probe" and code == 0 and "invalid literal" in out  # a probe for images of another size
    assert (refused or told) and "Traceback" not in err, (code, out, err)


@pytest.mark.parametrize(("kind", "text"), [("probe", PROBE), ("dataset", DATASET), ("source", SOURCE)])
def test_without_sabotage_it_runs(planned, kind, text):
    assert planned(kind, text.replace("CHANGE", ""))[0] == 0
