"""Intervals over clusters, against resampling written out, and their limit for many clusters."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clusters import MOST_KINDS, cluster_interval
from harness.statistics import Z95


def test_against_resampled_clusters():
    rng = np.random.default_rng(1)
    totals, weights = rng.binomial(8, 0.1, 120), np.full(120, 8)
    drawn = rng.integers(0, 120, (20_000, 120))
    expected = np.quantile(totals[drawn].sum(axis=1) / weights[drawn].sum(axis=1), (0.025, 0.975))
    assert cluster_interval(totals, weights) == pytest.approx(expected.tolist(), abs=0.004)


def test_the_limit_for_many_clusters_is_the_mean_with_its_standard_error():
    values = np.random.default_rng(2).random(MOST_KINDS + 1)
    half = Z95 * values.std(ddof=1) / math.sqrt(len(values))
    assert cluster_interval(values) == pytest.approx((values.mean() - half, values.mean() + half), rel=1e-9)
    resampled = cluster_interval(values[:-1])
    assert np.subtract(resampled, values[:-1].mean()) == pytest.approx((-half, half), rel=0.06)


def test_rows_of_one_cluster_count_once():
    values = np.random.default_rng(3).integers(0, 2, 100).astype(float)
    low, high = cluster_interval(values * 8, np.full(100, 8))
    assert (low, high) == pytest.approx(cluster_interval(values))  # eight equal rows say no more than one
    assert high - low > 2.5 * np.subtract(*cluster_interval(np.repeat(values, 8))[::-1])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=2, max_size=30), st.randoms())
def test_it_contains_the_ratio_in_any_order(clusters, random):
    totals, weights = np.minimum(*np.transpose(clusters)), np.transpose(clusters)[1]
    low, high = cluster_interval(totals, weights)
    shuffled = random.sample(range(len(clusters)), len(clusters))
    assert (low, high) == cluster_interval(totals[shuffled], weights[shuffled])
    if low is not None:
        assert 0 <= low <= totals.sum() / weights.sum() <= high <= 1


@pytest.mark.parametrize("totals", [[], [3.0], [1.0, 1.0, 1.0], [0, 0]])
def test_nothing_without_spread(totals):
    assert cluster_interval(totals) == (None, None)
    assert cluster_interval(totals, np.zeros(len(totals))) == (None, None)


@pytest.mark.parametrize(
    ("totals", "weights"), [([1, 2], [1]), ([[1], [2]], None), ([1, math.nan], None), ([1, 2], [1, -1])]
)
def test_refuses(totals, weights):
    with pytest.raises(ValueError, match="expected"):
        cluster_interval(totals, weights)
