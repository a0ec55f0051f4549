"""Intervals, correlations, corrections: against analytic values and independent definitions."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.statistics import (
    benjamini_hochberg,
    error_consistency,
    error_consistency_interval,
    holm,
    spearman,
    spearman_interval,
    wilson_interval,
)

numbers = st.integers(-20, 20).map(float)
pairs = st.lists(st.tuples(numbers, numbers), min_size=5, max_size=30)
p_values = st.lists(st.none() | st.floats(0, 1), max_size=20)


def by_definition(x, y):
    """Pearson's coefficient of mean ranks, counted one by one."""

    def ranks(values):
        return [sum(v < one for v in values) + (sum(v == one for v in values) + 1) / 2 for one in values]

    a, b = np.array(ranks(x)), np.array(ranks(y))
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / math.sqrt((a @ a) * (b @ b)))


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(5, 10, 0.236593, 0.763407), (0, 10, 0.0, 0.277533), (10, 10, 0.722467, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_interval_known_values(successes, n, low, high):
    # 81 of 263 is Newcombe's (1998) example, there given to four digits.
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_solves_the_score_equation(case):
    successes, n = case
    for bound in wilson_interval(successes, n):
        distance = abs(bound - successes / n)
        if 0 < bound < 1:
            assert distance == pytest.approx(1.959963984540054 * math.sqrt(bound * (1 - bound) / n), abs=1e-9)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_wilson_interval_refuses(successes, n):
    with pytest.raises(ValueError, match="expected 0 <= successes <= n"):
        wilson_interval(successes, n)


@given(pairs)
def test_spearman_is_pearson_of_mean_ranks(points):
    x, y = zip(*points, strict=True)
    found = spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert found.value is None
    else:
        assert found.value == pytest.approx(by_definition(x, y), abs=1e-12)


def test_spearman_p_is_the_t_approximation():
    x, y = np.arange(48.0), np.random.default_rng(3).normal(size=48) + np.arange(48) / 20
    found = spearman(x, y)
    t = abs(found.value) * math.sqrt(46 / (1 - found.value**2))
    assert found.p == pytest.approx(2 * stats.t.sf(t, 46), rel=1e-9)
    assert found.n == 48


@given(pairs)
def test_spearman_depends_on_order_alone(points):
    x, y = map(np.array, zip(*points, strict=True))
    plain, bent = spearman(x, y), spearman(np.exp(x / 7), -(y**3))
    assert (plain.value is None) == (bent.value is None)
    if plain.value is not None:
        assert bent.value == pytest.approx(-plain.value, abs=1e-12)
        assert bent.p == pytest.approx(plain.p, abs=1e-12)


@pytest.mark.parametrize("n", range(5))
def test_spearman_of_too_few_pairs_is_undefined(n):
    found = spearman(range(n), range(n))
    assert (found.value, found.p, found.low, found.high) == (None, None, None, None)
    assert (found.n, found.reason) == (n, f"undefined (n = {n})")


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        ([1] * 6, range(6), "undefined (shape-bias constant)"),
        (range(6), [2] * 6, "undefined (ID constant)"),
        ([1] * 6, [2] * 6, "undefined (shape-bias and ID constant)"),
    ],
)
def test_spearman_names_the_constant(x, y, reason):
    found = spearman(x, y, ("shape-bias", "ID"))
    assert found.value is None
    assert found.reason == reason


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_spearman_refuses_what_is_not_finite(bad):
    with pytest.raises(ValueError, match="y has values that are not finite"):
        spearman(range(6), [1, 2, bad, 4, 5, 6])


@pytest.mark.parametrize(("x", "y"), [([1, 2], [1, 2, 3]), ([[1, 2]], [[1, 2]])])
def test_spearman_refuses_shapes(x, y):
    with pytest.raises(ValueError, match="expected two lists of one length"):
        spearman(x, y)


def test_spearman_perfect_order_has_no_interval():
    found = spearman(range(10), range(0, -10, -1))
    assert (found.value, found.low, found.high) == (-1.0, None, None)


def test_spearman_interval_by_hand():
    # z = atanh(0.5) = 0.5493061, half = 1.9599640 * sqrt(1.125 / 45) = 0.3098975
    assert spearman_interval(0.5, 48) == pytest.approx((math.tanh(0.2394086), math.tanh(0.8592036)), abs=1e-6)
    low, high = spearman_interval(0.0, 48)
    assert (low, high) == pytest.approx((-0.2841, 0.2841), abs=1e-4)
    assert spearman_interval(1.0, 48) == (None, None)
    assert spearman_interval(0.5, 3) == (None, None)


def test_spearman_interval_covers():
    generator = np.random.default_rng(0)
    truth = 6 / math.pi * math.asin(0.6 / 2)  # of a normal pair with Pearson 0.6
    draws = generator.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=(600, 48))
    ranks = draws.argsort(axis=1).argsort(axis=1)
    inside = [low <= truth <= high for low, high in (_interval(one) for one in ranks)]
    assert 0.93 <= np.mean(inside) <= 0.97


def _interval(ranks):
    return spearman_interval(float(np.corrcoef(ranks.T)[0, 1]), len(ranks))


def test_holm_known_values():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([None, 0.01, None, 0.04]) == [None, pytest.approx(0.02), None, pytest.approx(0.04)]
    assert holm([]) == []


def test_the_fifteen_p_values_of_benjamini_and_hochberg():
    """Their example of 1995: thrombolysis, 15 hypotheses at 0.05."""
    ps = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    ps += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    rejected = [sum(p <= 0.05 for p in adjusted) for adjusted in (benjamini_hochberg(ps), holm(ps))]
    assert (*rejected, sum(p * 15 <= 0.05 for p in ps)) == (4, 3, 3)


@given(p_values)
def test_holm_lies_between_p_and_bonferroni(ps):
    adjusted = holm(ps)
    m = sum(p is not None for p in ps)
    for p, new in zip(ps, adjusted, strict=True):
        assert (p is None) == (new is None)
        if p is not None:
            assert p <= new <= min(1.0, m * p) + 1e-12
    order = sorted((p, new) for p, new in zip(ps, adjusted, strict=True) if p is not None)
    assert [new for _, new in order] == sorted(new for _, new in order)


@given(p_values)
def test_benjamini_hochberg_as_in_scipy(ps):
    defined = [p for p in ps if p is not None]
    found = [p for p in benjamini_hochberg(ps) if p is not None]
    assert found == pytest.approx(list(stats.false_discovery_control(defined)) if defined else [])


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan])
def test_corrections_refuse_what_is_no_p_value(correct, bad):
    with pytest.raises(ValueError, match="expected p-values in"):
        correct([0.5, bad])


def test_import_is_quick():
    code = "import sys, harness.statistics; print(sorted({'scipy', 'torch', 'pandas', 'h5py'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


truths = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


def kappa_of_a_table(rows):
    """Cohen's kappa of a 2 x 2 table as 2 (ad - bc) / ((a + b)(b + d) + (a + c)(c + d))."""
    a, b, c, d = (sum(row == kind for row in rows) for kind in ((1, 1), (1, 0), (0, 1), (0, 0)))
    return 2 * (a * d - b * c) / ((a + b) * (b + d) + (a + c) * (c + d))


@given(truths)
def test_error_consistency_is_kappa_of_the_table(rows):
    first, second = zip(*rows, strict=True)
    found = error_consistency(first, second)
    expected = 1.0 if first == second else kappa_of_a_table(rows)
    assert found.kappa == pytest.approx(expected, abs=1e-12)
    assert found.observed == pytest.approx(sum(a == b for a, b in rows) / len(rows))
    assert found.accuracies == (sum(first) / len(rows), sum(second) / len(rows))
    assert -1 <= found.kappa <= 1 and found.n == len(rows)


@given(truths, st.randoms())
def test_error_consistency_is_symmetric_and_does_not_depend_on_order(rows, random):
    shuffled = random.sample(rows, len(rows))
    found = error_consistency(*zip(*rows, strict=True))
    assert error_consistency(*zip(*shuffled, strict=True)) == found
    turned = error_consistency([b for _, b in shuffled], [a for a, _ in shuffled])
    assert (turned.kappa, turned.observed) == pytest.approx((found.kappa, found.observed), abs=1e-12)


@pytest.mark.parametrize(
    ("first", "second", "expected", "kappa"),
    [
        ([1, 1, 0, 0], [1, 1, 0, 0], 0.5, 1),
        ([1, 1, 0, 0], [0, 0, 1, 1], 0.5, -1),
        ([1, 1, 0, 0], [1, 0, 1, 0], 0.5, 0),
        ([1, 1, 1, 1], [1, 1, 1, 1], 1, 1),
        ([0, 0], [0, 0], 1, 1),
        ([1, 1, 1, 1], [1, 1, 0, 0], 0.5, 0),
        ([1, 1], [0, 0], 0, 0),
    ],
)
def test_error_consistency_known_values(first, second, expected, kappa):
    found = error_consistency(first, second)
    assert (found.expected, found.kappa) == (expected, kappa)


def test_error_consistency_without_images_is_undefined():
    found = error_consistency([], [])
    assert (found.n, found.kappa, found.observed, found.reason) == (0, None, None, "undefined (no shared images)")
    assert error_consistency_interval([]) == (None, None)
    assert error_consistency_interval([([1, 0], [1, 0]), ([], [])]) == (None, None)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [([1], [1, 0], "one length"), ([[1]], [[1]], "one length"), ([2], [1], "truth values")],
)
def test_error_consistency_refuses(first, second, words):
    with pytest.raises(ValueError, match=words):
        error_consistency(first, second)


def test_error_consistency_interval_is_that_of_resampled_images():
    rng = np.random.default_rng(5)
    first = rng.random(300) < 0.7
    second = np.where(rng.random(300) < 0.5, first, rng.random(300) < 0.6)
    low, high = error_consistency_interval([(first, second)])
    rows = rng.integers(0, 300, (2000, 300))
    plain = [error_consistency(first[one], second[one]).kappa for one in rows]
    assert (low, high) == pytest.approx(np.quantile(plain, (0.025, 0.975)), abs=0.015)
    assert low < error_consistency(first, second).kappa < high
    assert error_consistency_interval([(first, second)]) == (low, high)
    both = error_consistency_interval([(first, second)] * 4)
    assert both[1] - both[0] == pytest.approx((high - low) / 2, rel=0.15)  # the mean of four independent sets
