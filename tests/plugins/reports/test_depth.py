"""The figures of measures of stages: one for each model, and one for all of them."""

import pytest

from harness import Measure
from harness.output.plain_drawing import to_text
from harness.plugins.reports.correlation import Correlation
from harness.study.compose import compose
from harness.study.rows import Row


def row(name, values, group="g"):
    """Measures by their full name."""
    measures = {
        full_name: Measure(name=full_name.partition("@")[0], value=value, reason=None if value is not None else "why")
        for full_name, value in values.items()
    }
    return Row(name=name, group=group, run="r", measures=measures)


def staged(name, dataset="d", group="g", **of_stages):
    """`of_stages`: the values of ``gap-variation`` and ``layer-alias`` by stage, as in s2=(0.1, 0.2)."""
    values = {}
    for stage, both in of_stages.items():
        for measure, value in zip(("gap-variation", "layer-alias"), both, strict=True):
            values[f"{measure}@{dataset}/stage-{stage[1:]}"] = value
    return row(name, {"gap-variation@d": 0.5, "gap-variation@d/head": 0.5, **values}, group)


def figures(*rows):
    return {figure.name: figure for figure in Correlation().figures(Correlation().data(compose(rows, {}, {})))}


def curves(figure):
    return {one.label: (one.x, one.y) for one in figure.series}


def test_a_figure_for_each_model_and_one_for_all():
    first = staged("one", s10=(0.3, 0.6), s2=(0.2, 0.5), s1=(0.1, 0.4))
    drawn = figures(first, staged("two", s2=(0.7, None), s5=(0.8, 0.9)), row("none", {"top1@d": 0.5}))
    assert list(drawn) == ["gap-variation-d", "layer-alias-d", "depth-d-one", "depth-d-two"]
    assert curves(drawn["depth-d-one"]) == {
        "gap-variation": ((1, 2, 10), (0.1, 0.2, 0.3)),
        "layer-alias": ((1, 2, 10), (0.4, 0.5, 0.6)),
    }
    assert curves(drawn["depth-d-two"]) == {"gap-variation": ((2, 5), (0.7, 0.8)), "layer-alias": ((5,), (0.9,))}
    assert curves(drawn["gap-variation-d"]) == {"one": ((1, 2, 10), (0.1, 0.2, 0.3)), "two": ((2, 5), (0.7, 0.8))}
    assert all(one.line for figure in drawn.values() for one in figure.series)
    for figure in drawn.values():
        assert "stage (how often the sides are halved)" in to_text(figure)


def test_many_models_are_means_of_groups_and_datasets_are_apart():
    rows = [staged(f"m{i}", group="gh"[i % 2], s1=(i / 10, 0.5)) for i in range(10)]
    drawn = figures(*rows, staged("other", dataset="e", s3=(0.3, 0.3)))
    of_groups = drawn["gap-variation-d"]
    assert of_groups.note == "Means of groups."
    assert [one.y for one in of_groups.series] == [pytest.approx((0.4,)), pytest.approx((0.5,))]
    assert len([name for name in drawn if name.startswith("depth-d-")]) == 10
    assert curves(drawn["depth-e-other"])["gap-variation"] == ((3,), (0.3,))
