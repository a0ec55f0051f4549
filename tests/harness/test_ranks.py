"""Ranks of values that agree in all their digits, and exact p-values: against brute force and SciPy."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.ranks import centred_ranks, exact_p, levels
from harness.statistics import holm, spearman

few = st.integers(0, 4).map(float)
pairs = st.lists(st.tuples(few, few), min_size=5, max_size=7)
values = st.lists(st.integers(-300, 300).map(lambda k: k / 7), min_size=5, max_size=12)


def by_brute_force(x, y):
    """Share of all permutations of y whose coefficient is as far from zero as that of the pairs."""
    a, b = (2 * stats.rankdata(numbers) - len(x) - 1 for numbers in (x, y))
    products = [abs(a @ np.array(order)) for order in itertools.permutations(b)]
    return float(np.mean(np.array(products) >= abs(a @ b)))


@given(pairs)
@settings(max_examples=25, deadline=None)
def test_p_below_ten_pairs_is_the_share_of_permutations_ties_too(points):
    x, y = map(list, zip(*points, strict=True))
    result = spearman(x, y)
    if result.value is not None:
        assert (result.p_method, result.p) == ("exact", pytest.approx(by_brute_force(x, y), abs=1e-12))


@pytest.mark.parametrize("n", [5, 8, 9])
@pytest.mark.parametrize("ties", [False, True])
def test_p_is_that_of_scipys_permutation_test(n, ties):
    draw = np.random.default_rng(n)
    x, y = draw.integers(0, 4 if ties else 10**6, (2, n))
    reference = stats.permutation_test(
        (x,),
        lambda drawn, axis: _coefficients(drawn, y, axis),
        permutation_type="pairings",
        alternative="greater",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert spearman(x, y).p == pytest.approx(reference.pvalue, abs=1e-9)


def _coefficients(drawn, y, axis):
    ranks, other = stats.rankdata(drawn, axis=axis), stats.rankdata(y)
    # SciPy rounds nothing, so equal coefficients have to be equal numbers: multiples of a quarter are exact.
    return np.abs(((ranks - ranks.mean(axis=axis, keepdims=True)) * (other - other.mean())).sum(axis=axis))


def test_a_perfect_order_of_five_happens_twice_in_120():
    perfect = [spearman(range(5), order) for order in (range(5), range(0, -5, -1))]
    assert [(one.value, one.p, one.p_method) for one in perfect] == [(1.0, 2 / 120, "exact"), (-1.0, 2 / 120, "exact")]
    assert min(holm([one.p for one in perfect] * 2)) > 0.05


@pytest.mark.parametrize(("n", "method"), [(5, "exact"), (9, "exact"), (10, "t"), (48, "t")])
def test_p_method_is_exact_below_ten_pairs(n, method):
    x = np.random.default_rng(n).normal(size=(2, n))
    assert spearman(*x).p_method == method
    assert spearman(range(3), range(3)).p_method is None


def test_from_ten_pairs_on_value_and_p_are_scipys():
    draw = np.random.default_rng(1)
    for n in (10, 25, 48, 300):
        for x in (draw.normal(size=(2, n)), draw.integers(0, 6, (2, n))):
            reference = stats.spearmanr(*x)
            result = spearman(*x)
            assert (result.value, result.p) == pytest.approx((reference.statistic, reference.pvalue), rel=1e-9)


def test_exact_p_knows_its_limit():
    ranks = centred_ranks(range(10))
    assert exact_p(ranks, ranks) is None


# --- values that agree in all their digits ----------------------------------------------------


def test_two_fits_of_one_centre_are_tied():
    # Least-squares fits to thresholds 0 3 4 3 0 and 1 3 4 3 1 on one machine: the centre is band 2, which is 8 cycles.
    assert levels([8.00000000024, 7.99999999941, 9.5, 3.0]).tolist() == [1, 1, 2, 0]


def test_one_image_of_fifty_thousand_is_a_difference():
    top1 = [38_066 / 50_000, 38_065 / 50_000, 38_067 / 50_000]
    assert levels(top1).tolist() == [1, 0, 2]


def test_a_rounding_error_beside_zero_is_zero():
    assert levels([0.1 + 0.2 - 0.3, 0.0, -1e-17, 1e-9]).tolist() == [0, 0, 0, 1]


@given(values, st.data())
@settings(deadline=None)
def test_noise_in_the_ninth_digit_changes_no_rank(numbers, data):
    noise = data.draw(st.lists(st.floats(-1e-9, 1e-9), min_size=len(numbers), max_size=len(numbers)))
    noisy = [number * (1 + part) for number, part in zip(numbers, noise, strict=True)]
    assert levels(noisy).tolist() == levels(numbers).tolist()
    other = list(range(len(numbers)))
    assert spearman(noisy, other) == spearman(numbers, other)


@given(values, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_a_coefficient_does_not_depend_on_the_order_of_the_models(numbers, random):
    points = [(number, math.sin(at)) for at, number in enumerate(numbers)]
    shuffled = random.sample(points, len(points))
    assert spearman(*zip(*points, strict=True)) == spearman(*zip(*shuffled, strict=True))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_centred_ranks_are_twice_the_mean_ranks(numbers):
    assert centred_ranks(numbers).tolist() == (2 * stats.rankdata(numbers) - len(numbers) - 1).tolist()
    assert centred_ranks(numbers).sum() == 0
