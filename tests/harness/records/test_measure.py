"""A measure under another condition is the same in all else."""

from dataclasses import fields, replace

from harness import Measure

MEASURE = Measure(
    name="m",
    value=0.25,
    unit="octaves",
    direction="lower",
    condition="fog-3",
    low=0.125,
    high=0.5,
    n=7,
    reason="few",
    flags=("censored",),
    by_image=True,
)


def test_nothing_but_the_condition_changes():
    assert all(getattr(MEASURE, field.name) not in (None, field.default) for field in fields(Measure))
    assert MEASURE.under("fog-4/low") == replace(MEASURE, condition="fog-4/low") != MEASURE
