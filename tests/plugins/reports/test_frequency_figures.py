"""The heat maps of added frequencies: each number of the report in its cell, a full map point-symmetric."""

import pytest

from harness import Measure
from harness.plugins.probes.fourier_map import FourierMap
from harness.plugins.reports.correlation import Correlation
from harness.study.compose import compose
from harness.study.rows import Row

REPORT = Correlation()


def figures_of(probe, models, size=64):
    """value of condition number c of model number m: m + c/10000."""
    rows = [
        Row(
            name=name,
            group=group,
            run="r",
            missing=(),
            measures={
                f"error-increase@d/{condition}": Measure(
                    name="error-increase", value=number + at / 10_000, unit="1", condition=condition
                )
                for at, condition in enumerate(probe.conditions(size))
            },
        )
        for number, (name, group) in enumerate(models)
    ]
    figures = REPORT.figures(REPORT.data(compose(rows, {}, {})))
    return {figure.name: figure for figure in figures if figure.name.startswith("fourier")}


def test_directions_are_rows_and_radii_columns():
    probe = FourierMap()
    (figure,) = figures_of(probe, [("a", "g"), ("b", None)]).values()
    assert figure.name == "fourier-d" and [each.title for each in figure.maps] == ["a", "b"]
    first = figure.maps[0]
    assert first.rows == ("135°", "90°", "45°", "0°")
    assert first.columns == ("1", "2", "3", "4", "5", "6", "7", "9", "12", "17", "23", "31")
    order = list(probe.conditions(64))
    for row, angle in zip(first.values, (135, 90, 45, 0), strict=True):
        own = [order.index(name) / 10_000 for name in order if name.endswith(f"-{angle}")]
        assert row == pytest.approx(own)  # from the smallest radius to the largest
    assert figure.maps[1].values[3][0] == 1.0


def test_a_full_map_is_symmetric_around_its_centre():
    probe = FourierMap(full=5)
    (figure,) = figures_of(probe, [("a", None)]).values()
    (each,) = figure.maps
    assert figure.name == "fourier-full-d"
    assert each.rows == each.columns == ("-2", "-1", "0", "1", "2")
    at = {name: number / 10_000 for number, name in enumerate(probe.conditions(64))}
    assert each.values[2][2] == at["fourier-0_0"]
    assert each.values[3][0] == each.values[1][4] == at["fourier-1_-2"]
    assert [row[::-1] for row in each.values[::-1]] == list(each.values)


def test_many_models_are_means_of_groups():
    models = [(f"m{number}", "g" if number < 6 else "h") for number in range(10)]
    (figure,) = figures_of(FourierMap(radii=2), models).values()
    assert [each.title for each in figure.maps] == ["g", "h"]
    assert figure.maps[0].values[3][0] == pytest.approx(2.5)
    assert figure.note == "Means of groups."


def test_without_such_measures_there_is_no_figure():
    row = Row(name="a", group=None, run="r", missing=(), measures={"top1@d": Measure(name="top1", value=0.5)})
    assert not [figure for figure in REPORT.figures(REPORT.data(compose([row], {}, {}))) if "fourier" in figure.name]
