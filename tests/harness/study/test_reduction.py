"""What measures are divided by, as installed probes declare it."""

from types import SimpleNamespace

from harness.discovery.loader import load_plugins
from harness.study.reduction import denominators_of


def declaring(**names):
    return SimpleNamespace(denominators=names)


def test_what_is_divided_by_accuracy_or_error():
    assert denominators_of(load_plugins().probes.values()) == {
        **dict.fromkeys(("relative-top1", "low-frequency-bias", "high-frequency-bias"), "top1"),
        **dict.fromkeys(("error-ratio", "error-ratio-multi", "worst-factor"), "error"),
        **dict.fromkeys(("accepted-mistakes", "accepted-mistakes-or-maybe"), "error/*"),
        **dict.fromkeys(("major-mistakes", "mistakes-in-real"), "error/*"),
    }


def test_a_measure_of_which_two_probes_say_different_things_has_none():
    probes = [declaring(ratio="top1", other="top1"), declaring(ratio="top5", other="top1")]
    assert denominators_of(probes) == {"other": "top1"}
