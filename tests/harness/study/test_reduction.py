"""What measures are divided by, as installed probes declare it."""

from types import SimpleNamespace

from harness.discovery.loader import load_plugins
from harness.study.reduction import denominators_of


def declaring(**names):
    return SimpleNamespace(denominators=names)


def test_the_frequency_biases_are_divided_by_accuracy():
    declared = denominators_of(load_plugins().probes.values())
    assert declared == {"relative-top1": "top1", "low-frequency-bias": "top1", "high-frequency-bias": "top1"}


def test_a_measure_of_which_two_probes_say_different_things_has_none():
    probes = [declaring(ratio="top1", other="top1"), declaring(ratio="top5", other="top1")]
    assert denominators_of(probes) == {"other": "top1"}
