"""A misspelt measure in a suite's bias or axis is refused before the first forward, and no measure that exists is."""

import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness import Measure, Probe, RegistryError, proportion
from harness.discovery.loader import load_plugins
from harness.planning import definitions
from harness.planning.definitions import MADE, check_definitions, measure_names
from harness.records import Suite
from harness.registry import load_registry
from harness.study.measuring import measures_of
from harness.views import Views
from tests.helpers.command import MODELS

PLUGINS = load_plugins(entry_points=False)
REGISTRY = load_registry((), PLUGINS)
SUITE = """
suites:
  mine:
    models: [plain]
    tasks: [accuracy@shapes-64, band-pass@shapes-64]
    biases:
      low: BIAS
    axes:
      ID: [top1@shapes-64]
"""


def tasks_of(suite):
    return [(REGISTRY.probe_for(task), REGISTRY.dataset(task.dataset)) for task in suite.tasks]


def check(suite):
    check_definitions(suite, tasks_of(suite), PLUGINS.probes, REGISTRY)


@pytest.mark.parametrize("name", REGISTRY.suites)
def test_no_shipped_suite_is_refused(name):
    check(REGISTRY.suite(name))


@pytest.mark.parametrize("name", ["accuracy", "band-pass", "critical-band", "pgd", "shape-bias"])
def test_every_measure_of_a_built_in_probe_is_found_on_a_dataset_with_and_without_views(name):
    """Against the names that the harness gives to the measures of stored trials."""
    from harness.planning.definitions import made_trials
    from harness.records import columns_of
    from harness.testing import make_trials

    probe = PLUGINS.probes[name]
    for dataset in (
        REGISTRY.dataset("shapes-64"),
        REGISTRY.dataset("shapes-cue-conflict"),
        REGISTRY.dataset("shapes-c"),
        REGISTRY.dataset("shapes-cues"),
    ):
        if not set(probe.attributes) <= set(dataset.attributes):
            continue
        expected = {part for made in MADE for part in measure_names(probe, dataset, PLUGINS.probes, made)}
        conditions = probe.conditions(dataset.preprocessing.size)
        views = tuple(dataset.views()[:10])
        columns = columns_of(views, conditions) if views else conditions
        classes = dataset.label_space().classes
        attributes = {key: [classes[i % len(classes)] for i in range(40)] for key in dataset.attributes}
        trials = make_trials(columns, classes=classes, size=dataset.preprocessing.size, attributes=attributes)
        needed = {}
        for required in probe.requires:
            other = PLUGINS.probes[required]
            own = made_trials(other, dataset, "random").layout.conditions
            more = make_trials(columns_of(views, own) if views else own, classes=classes, attributes=attributes)
            needed[required] = Views.of(more, own)
        stored, problems = measures_of(probe, Views.of(trials, conditions, needed), dataset.name)
        assert stored and set(stored) <= expected and problems == []


def test_measures_over_kinds_of_views_may_be_a_bias():
    """The mean corruption error, which papers print."""
    of_kinds = {"mce@imagenet-c-15", "mean-error@imagenet-c-15"}
    accuracy, dataset = PLUGINS.probes["accuracy"], REGISTRY.dataset("imagenet-c-15")
    assert of_kinds <= measure_names(accuracy, dataset, PLUGINS.probes, "right")
    suite = Suite(name="quickstart", models=(), tasks=(), biases={"shape-bias": tuple(of_kinds)}, axes={})
    check_definitions(suite, [(accuracy, dataset)], PLUGINS.probes, REGISTRY)


@dataclass(frozen=True, kw_only=True)
class Mixed(Probe):
    """Over kinds of views: what rests on logits and on another probe's trials, row by row."""

    name: ClassVar[str] = "mixed"
    requires: ClassVar[tuple[str, ...]] = ("accuracy",)
    needs_logits: ClassVar[bool] = True

    def conditions(self, size):
        return ("clean",)

    def stimuli(self, batch):
        yield "clean", batch.images

    def measures(self, trials):
        return ()

    def measures_of_levels(self, levels):
        for name, trials in levels.items():
            rows = len(trials.layout.sample_ids)
            assert trials.logits(3, 9).shape == (6, 1, 16)
            assert (trials.logits(0, 5) == trials.logits(0, 1)).all() and trials.repeats == 5
            assert len(set(trials.layout.sample_ids[:5])) == 1 and len(trials.required["accuracy"].correct) == rows
            yield Measure(name="mixed", condition=name, value=float(rows))


def test_made_levels_have_the_form_of_stored_ones():
    names = measure_names(Mixed(), REGISTRY.dataset("shapes-c-bar"), PLUGINS.probes)
    kinds = {name.rpartition("-")[0] for name in REGISTRY.dataset("shapes-c-bar").views()}
    assert names == {f"mixed@shapes-c-bar/{kind}" for kind in kinds}


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_any_misspelt_part_is_refused_with_file_and_line_and_the_right_name(data):
    suite = REGISTRY.suites["quickstart"]
    kind = data.draw(st.sampled_from(["biases", "axes"]))
    name, parts = data.draw(st.sampled_from(sorted(getattr(suite, kind).items())))
    part = data.draw(st.sampled_from(parts))
    place = data.draw(st.integers(0, part.index("@") - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
    misspelt = part[:place] + letter + part[place + 1 :]
    dataset = REGISTRY.dataset(part.partition("@")[2].partition("/")[0])
    real = {n for probe, d in tasks_of(suite) if d.name == dataset.name
            for n in measure_names(probe, d, PLUGINS.probes)}  # fmt: skip
    assume(misspelt not in real)
    changed = tuple(misspelt if p == part else p for p in parts)
    with pytest.raises(RegistryError, match=r"registry\.yaml:\d+: unknown measure") as refusal:
        check(replace(suite, **{kind: {**getattr(suite, kind), name: changed}}))
    assert repr(misspelt) in str(refusal.value) and "did you mean" in str(refusal.value)


@dataclass(frozen=True, kw_only=True)
class Odd(Probe):
    """Yields its measure for some trials only, or fails."""

    name: ClassVar[str] = "odd"
    way: str = "rare"

    def conditions(self, size):
        return ("clean",)

    def stimuli(self, batch):
        yield "clean", batch.images

    def measures(self, trials):
        if self.way == "exits":
            sys.exit(0)
        if self.way == "prints":
            print("here")
        if self.way == "raises":
            raise KeyError("no such attribute")
        if self.way == "endless":
            while True:
                yield Measure(name="odd", value=1.0)
        if trials.accuracy("clean") == {"rare": 1.0, "prints": 1.0, "never": 2.0}[self.way]:
            yield proportion("odd", trials.correct[:, 0])
        yield Measure(name="undefined", value=None, reason="there are no trials of a network")


def odd_suite(way, part):
    shapes = REGISTRY.dataset("shapes-64")
    suite = Suite(name="quickstart", models=(), tasks=(), biases={"shape-bias": (part,)}, axes={})
    check_definitions(suite, [(Odd(way=way), shapes)], PLUGINS.probes, REGISTRY)


@dataclass(frozen=True, kw_only=True)
class Needy(Odd):
    """Yields its measure of logits."""

    needs_logits: ClassVar[bool] = True

    def measures(self, trials):
        yield Measure(name="odd", value=float(trials.logits(3, 9).max()), n=len(trials.logits(0, len(trials.correct))))


def test_measures_of_logits_have_names_too():
    shapes = REGISTRY.dataset("shapes-64")
    for part, meant in (("odd@shapes-64", ""), ("od@shapes-64", "did you mean 'odd@shapes-64'")):
        suite = Suite(name="quickstart", models=(), tasks=(), biases={"shape-bias": (part,)}, axes={})
        with pytest.raises(RegistryError, match=meant) if meant else nullcontext():
            check_definitions(suite, [(Needy(), shapes)], PLUGINS.probes, REGISTRY)


@pytest.mark.parametrize("way", ["rare", "exits", "raises", "endless"])
def test_a_measure_that_is_rare_or_of_a_probe_that_fails_on_made_trials_is_not_refused(way):
    odd_suite(way, "odd@shapes-64")


def test_what_a_probe_prints_meanwhile_does_not_reach_stdout(capsys):
    odd_suite("prints", "odd@shapes-64")
    out, err = capsys.readouterr()
    assert out == "" and "here" in err


def test_an_undefined_measure_counts_and_one_of_another_installed_probe_too():
    odd_suite("never", "undefined@shapes-64")
    odd_suite("never", "low-frequency-bias@shapes-64")
    odd_suite("never", "whatever@imagenet")  # no task on it: it may be measured in another run
    with pytest.raises(RegistryError, match="unknown measure 'odd@shapes-64'"):
        odd_suite("never", "odd@shapes-64")


@pytest.mark.parametrize(
    ("part", "meant"),
    [
        ("top1@shapes-a/tiny", None),
        ("top1@shapes-a/tinny", "top1@shapes-a/tiny"),
        ("top1@shapes-r/cartoon", None),
        ("top1@geirhos-contrast/c50", None),
        ("ood-top1@geirhos-contrast", None),
        ("error-ratio@imagenet-x/texture", None),
        ("error-ratio-multi@imagenet-x/multiple_objects", None),
        ("worst-factor@imagenet-x", None),
        ("error-ratio@imagenet-x/textures", "error-ratio@imagenet-x/texture"),
    ],
)
def test_measures_of_the_values_of_an_attribute(part, meant):
    """Those that the dataset says it has, and no other."""
    dataset = REGISTRY.dataset(part.partition("@")[2].partition("/")[0])
    suite = Suite(name="quickstart", models=(), tasks=(), biases={"shape-bias": (part,)}, axes={})
    with pytest.raises(RegistryError, match=f"did you mean '{meant}'") if meant else nullcontext():
        check_definitions(suite, [(PLUGINS.probes["accuracy"], dataset)], PLUGINS.probes, REGISTRY)


def test_more_values_than_made_samples_are_all_seen():
    @dataclass(frozen=True, kw_only=True)
    class Varied(type(REGISTRY.dataset("shapes-a"))):
        def attribute_values(self):
            return {"variant": tuple(f"v{number}" for number in range(200))}

    names = measure_names(PLUGINS.probes["accuracy"], Varied(), PLUGINS.probes, "right")
    assert {f"top1@shapes-a/v{number}" for number in range(200)} <= names


@pytest.mark.parametrize("more", [(), ("--dry-run",)], ids=["run", "dry-run"])
@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("low-freqency-bias@shapes-64", "low-frequency-bias@shapes-64"),
        ("top1@shapes-64/low-pass-0.11", "top1@shapes-64/low-pass-0.1"),
    ],
)
def test_run_and_dry_run_refuse_it_in_one_line(command_line, given, meant, more):
    Path("mine.yaml").write_text(
        MODELS.replace("plain: {", "plain: {label_space: shapes-16, outputs: 16, ") + SUITE.replace("BIAS", given)
    )
    code, out, err = command_line("run", "--registry", "mine.yaml", "--suite", "mine", "--out", "run", *more)
    assert code == 2 and out == "" and len(err.strip().splitlines()) == 1, err
    assert "mine.yaml:" in err and repr(given) in err and f"did you mean {meant!r}" in err
    assert not Path("run").exists()
    Path("mine.yaml").write_text(Path("mine.yaml").read_text().replace(given, meant))
    assert command_line("run", "--registry", "mine.yaml", "--suite", "mine", "--out", "run", "--dry-run")[0] == 0


@pytest.mark.parametrize("order", list(permutations(MADE)), ids="-".join)
def test_the_order_of_made_trials_changes_no_answer(monkeypatch, order):
    monkeypatch.setattr(definitions, "MADE", order)
    suite = REGISTRY.suite("quickstart")
    check(suite)
    with pytest.raises(RegistryError, match="unknown measure 'critical-band-bandwith@shapes'"):
        check(replace(suite, biases={**suite.biases, "low": ("critical-band-bandwith@shapes",)}))


def test_no_suite_is_checked_with_fits_or_tests_of_scipy():
    """They take longer to import than all else that a plan needs."""
    code = (
        "import sys; from harness.workflows.options import open_house\n"
        "from harness.planning.request import RunRequest, select\n"
        "registry = open_house((), ()).registry\n"
        "for name in registry.suites: select(RunRequest(suite=name), registry)\n"
        "sys.exit('scipy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
