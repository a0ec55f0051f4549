"""Stimuli and forwards beside forwards alone, by made durations; nothing is timed."""

import pytest

from benchmarks.shifts import INPAINTED, PROBES, SIZE, STIMULI, round_of
from harness.discovery.loader import load_plugins

SECONDS = {
    (False, STIMULI): 0.3,
    (False, 0): 6.0,
    (False, 1): 4.0,
    (True, STIMULI): 2.0,
    (True, 0): 0.5,
    (True, 1): 1.5,
}


def test_a_round_without_and_with_the_inpainted_conditions():
    plain, every = round_of(SECONDS, (False,)), round_of(SECONDS, (False, True))
    assert plain.first / plain.second == pytest.approx(1.03) and plain.halves == (6.0, 4.0)
    assert every.first - every.second == pytest.approx(2.3) and every.second == 12.0 and every.halves == (6.5, 5.5)


def test_all_fourteen_conditions_are_those_of_the_probes():
    plugins = load_plugins(entry_points=False)
    conditions = [condition for name in PROBES for condition in plugins.probe(name).conditions(SIZE)]
    assert len(conditions) == 14 and set(INPAINTED) < set(conditions)
