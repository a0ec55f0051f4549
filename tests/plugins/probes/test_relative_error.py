"""The interval of an error ratio: statsmodels as oracle, counts at their ends, and exact coverage."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.proportion import confint_proportions_2indep

from harness.plugins.probes._relative_error import relative_error_interval


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_against_the_score_interval_of_two_samples_without_a_common_image(data):
    """statsmodels has the interval of the ratio of two rates; the ratio to all images is a function of it."""
    n, other_n = data.draw(st.integers(2, 400)), data.draw(st.integers(2, 5000))
    errors, other = data.draw(st.integers(1, n - 1)), data.draw(st.integers(1, other_n - 1))
    risks = confint_proportions_2indep(errors, n, other, other_n, method="score", compare="ratio", correction=False)
    share = n / (n + other_n)
    expected = [risk / (share * risk + 1 - share) for risk in risks]
    assert relative_error_interval(errors, n, errors + other, n + other_n) == pytest.approx(expected, rel=1e-4), (
        "their roots of a cubic"
    )


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_ends_are_around_the_ratio_and_within_what_it_can_be(data):
    n, other_n = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 2000))
    errors, other = data.draw(st.integers(0, n)), data.draw(st.integers(0, other_n))
    assume(errors + other)
    low, high = relative_error_interval(errors, n, errors + other, n + other_n)
    ratio = errors * (n + other_n) / (n * (errors + other))
    assert 0 <= low <= ratio + 1e-9 and ratio - 1e-9 <= high <= (n + other_n) / n + 1e-9 and low < high
    assert (low == 0) == (errors == 0) and (high == (n + other_n) / n) == (other == 0)


def test_all_images_of_a_factor_wrong_and_few_others():
    """Three of three: by the delta method on logarithms the interval would be 3.88 to 4.01, as if three were many."""
    low, high = relative_error_interval(3, 3, 11_680, 46_110)
    assert low < 2 < 3.94 < high < 4.02


@pytest.mark.parametrize(("rate", "other"), [(0.1, 0.05), (0.2, 0.2), (0.5, 0.2), (0.9, 0.3), (0.95, 0.9), (0.04, 0.3)])
def test_exact_coverage_of_small_samples(rate, other):
    """Over all outcomes of 20 and 60 images, weighted by how likely each is."""
    n, other_n = 20, 60
    truth = rate * (n + other_n) / (n * rate + other_n * other)
    covered = 0.0
    for errors in range(n + 1):
        for rest in range(other_n + 1):
            chance = binom._pmf(errors, n, rate) * binom._pmf(rest, other_n, other)
            if chance > 1e-6 and errors + rest:
                low, high = relative_error_interval(errors, n, errors + rest, n + other_n)
                covered += chance * (low <= truth <= high)
    assert 0.93 < covered < 0.98


@pytest.mark.parametrize(
    "counts",
    [(0, 0, 5, 10), (3, 2, 5, 10), (1, 4, 0, 10), (0, 4, 0, 10), (2, 4, 3, 4), (1, 2, 10, 10), (-1, 2, 3, 10)],
)
def test_counts_that_cannot_be(counts):
    with pytest.raises(ValueError, match="no part with a ratio"):
        relative_error_interval(*counts)
