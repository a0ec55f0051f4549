"""The BCa interval, against scipy's and the law school of Efron & Tibshirani."""

import numpy as np
import pytest
from scipy import stats

from harness.inference import bca_interval
from harness.statistics import spearman

LSAT = [576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594]
GPA = [3.39, 3.30, 2.81, 3.03, 3.44, 3.07, 3.00, 3.43, 3.36, 3.13, 3.12, 2.74, 2.76, 2.88, 2.96]


@pytest.mark.parametrize(("level", "ends"), [(0.95, (0.331, 0.942)), (0.90, (0.419, 0.927))])
def test_the_law_school(level, ends):
    result = bca_interval(LSAT, GPA, level=level, draws=20_000, ranks=False)
    assert (result.n, round(result.value, 4)) == (15, 0.7764)
    assert (result.low, result.high) == pytest.approx(ends, abs=0.02)  # the lower end of 20,000 draws moves by 0.01
    assert (result.draws, result.seed, result.level) == (20_000, 0, level)


def test_against_scipy():
    def coefficient(x, y, axis):
        x, y = (values - values.mean(axis=axis, keepdims=True) for values in (x, y))
        return (x * y).sum(axis=axis) / np.sqrt((x * x).sum(axis=axis) * (y * y).sum(axis=axis))

    for seed in range(2):  # scipy draws the same models from the same generator
        rng = np.random.default_rng(seed)
        options = {"paired": True, "vectorized": True, "n_resamples": 3000, "method": "BCa", "random_state": rng}
        expected = stats.bootstrap((LSAT, GPA), coefficient, **options).confidence_interval
        result = bca_interval(LSAT, GPA, draws=3000, seed=seed, ranks=False)
        assert (result.low, result.high) == pytest.approx(tuple(expected), abs=1e-12)


def test_ranks_are_made_anew_in_each_resample():
    x = np.random.default_rng(0).normal(size=30)
    y = x + np.random.default_rng(1).normal(size=30)
    result = bca_interval(x, y)
    assert result.value == pytest.approx(spearman(x, y).value)
    assert result.low < result.value < result.high
    moved = bca_interval(np.exp(5 * x), y)
    assert (moved.low, moved.high) == (result.low, result.high)
    assert bca_interval(x, y, seed=1).low != result.low


def test_undefined_and_refused():
    assert bca_interval([1, 2, 3], [1, 2, 3]).reason == "undefined (n = 3)"
    for x in ([1] * 8, range(8)):  # a constant, and a perfect order
        result = bca_interval(x, range(8))
        assert (result.low, result.reason) == (None, "undefined (constant, or no spread between resamples)")
    for wrong in ({"level": 1}, {"draws": 0}):
        with pytest.raises(ValueError, match="expected"):
            bca_interval(range(8), range(8), **wrong)
    with pytest.raises(ValueError, match="one length"):
        bca_interval([1, 2], [1])
