"""Effective robustness, against scipy's regression, points on a line, and the published table."""

import numpy as np
import pytest
from scipy import special, stats

from harness.inference import effective_robustness
from tests.helpers.published import read_published

RECIPES = {"training_recipes", "baseline"}


@pytest.mark.parametrize(
    ("shifted", "slope", "r2", "most", "who"),
    [
        ("top1@imagenet-v2", 0.94, 0.99, 0.015, "resnet50_trained_on_SIN"),
        ("top1@imagenet-c", 0.78, 0.62, 0.136, "resnet50_deepaugment_augmix"),
        ("top1@imagenet-sketch", 0.46, 0.43, None, None),
        ("top1@imagenet-r", 0.21, 0.15, None, None),
    ],
)
def test_the_published_48_as_baseline(real, shifted, slope, r2, most, who):
    table = read_published(real)
    result = effective_robustness(table.measures["top1@imagenet"], table.measures[shifted], [True] * 48)
    assert (result.n, round(result.slope, 2), round(result.r2, 2), result.left_out) == (48, slope, r2, ())
    if who:
        at = int(np.argmax(result.values))
        assert (round(result.values[at], 3), table.names[at]) == (most, who)


@pytest.mark.parametrize(
    ("baseline", "n", "slope"),
    [
        (lambda group: True, 48, 1.03),
        (lambda group: group not in {"adversarial_training", "stylized"}, 30, 2.50),
        (lambda group: group in RECIPES, 11, 13.75),
    ],
    ids=["all", "without AT and SIN", "recipes"],
)
def test_the_baseline_decides(real, baseline, n, slope):
    table = read_published(real)
    x, y = table.measures["top1@imagenet"], table.measures["top1@imagenet-a"]
    result = effective_robustness(x, y, [baseline(group) for group in table.groups])
    assert (result.n, round(result.slope, 2), len(result.values)) == (n, slope, 48)


def test_against_scipy():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(0.2, 0.9, 30), rng.uniform(0.05, 0.8, 30)
    baseline = (rng.random(30) < 0.7) & (x > 0.3) & (x < 0.8)
    result = effective_robustness(x, y, baseline)
    line = stats.linregress(stats.norm.ppf(x[baseline]), stats.norm.ppf(y[baseline]))
    assert (result.slope, result.intercept) == pytest.approx((line.slope, line.intercept))
    assert result.r2 == pytest.approx(line.rvalue**2)
    expected = y - stats.norm.cdf(line.intercept + line.slope * stats.norm.ppf(x))
    assert result.values == pytest.approx(expected.tolist())
    low, high = x[baseline].min(), x[baseline].max()
    assert [x[at] for at in result.outside] == [value for value in x if not low <= value <= high] != []


def test_models_on_the_line_have_none():
    x = np.linspace(0.3, 0.9, 9)
    y = special.ndtr(0.7 * special.ndtri(x) - 0.5)
    y[8] += 0.1
    result = effective_robustness(x, y, [True] * 8 + [False])
    assert (result.slope, result.intercept, result.r2) == pytest.approx((0.7, -0.5, 1.0))
    assert result.values == pytest.approx([0.0] * 8 + [0.1], abs=1e-12)


def test_nothing_and_everything_right():
    x, y = [0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.0]
    known = effective_robustness(x, y, [True] * 7, counts=(200, 100))
    moved = effective_robustness([*x[:5], 200.5 / 201, 0.5], [*y[:6], 0.5 / 101], [True] * 7)
    assert (known.n, known.slope) == (7, pytest.approx(moved.slope))
    assert known.values[:6] == pytest.approx(moved.values[:6])
    assert known.values[6] == pytest.approx(moved.values[6] - 0.5 / 101)  # the accuracy itself stays 0
    unknown = effective_robustness(x, y, [True] * 7)
    assert (unknown.n, unknown.left_out, unknown.values[5]) == (5, (5, 6), None)
    assert unknown.values[6] < 0


@pytest.mark.parametrize(
    ("x", "baseline", "reason"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [True] * 4 + [False] * 2, "undefined (baseline of 4 models)"),
        ([0.5] * 6, [True] * 6, "undefined (baseline models are equal in x)"),
    ],
)
def test_undefined_has_its_reason(x, baseline, reason):
    result = effective_robustness(x, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], baseline)
    assert (result.reason, result.slope, result.values) == (reason, None, ())


def test_a_flat_baseline_explains_nothing_of_nothing():
    result = effective_robustness([0.1, 0.2, 0.3, 0.4, 0.5], [0.5] * 5, [True] * 5)
    assert (result.slope, result.r2) == (0.0, None)


def test_a_model_without_a_place_on_a_flat_line_has_none():
    """0 · infinity is no number, and no warning of numpy."""
    result = effective_robustness([0.1, 0.2, 0.3, 0.4, 0.5, 0.0, 1.0], [0.5] * 7, [True] * 5 + [False] * 2)
    assert result.slope == 0.0 and result.values == (0.0,) * 5 + (None, None)


@pytest.mark.parametrize(
    ("x", "counts", "expected"),
    [
        ([0.5, 60.0], (None, None), "from 0 to 1"),
        ([0.5], (None, None), "one length"),
        ([0.5, 0.6], (0, None), "counts"),
    ],
)
def test_refuses(x, counts, expected):
    with pytest.raises(ValueError, match=expected):
        effective_robustness(x, [0.1, 0.2], [True, True], counts=counts)


def test_places_are_the_values_and_those_of_nought_and_one_where_their_number_is_known():
    x, y = [0.0, 0.25, 0.5, 1.0, 0.6, 0.7], [0.1, 0.0, 0.3, 0.4, 0.5, 0.6]
    assert effective_robustness(x, y, [True] * 6).placed == (None, None, (0.5, 0.3), None, (0.6, 0.5), (0.7, 0.6))
    line = effective_robustness(x, y, [True] * 6, counts=(9, 4))
    placed = line.placed
    assert placed == ((0.05, 0.1), (0.25, 0.1), (0.5, 0.3), (0.95, 0.4), (0.6, 0.5), (0.7, 0.6))
    expected = stats.linregress(stats.norm.ppf([x for x, _ in placed]), stats.norm.ppf([y for _, y in placed]))
    assert (line.slope, line.intercept) == pytest.approx((expected.slope, expected.intercept))
