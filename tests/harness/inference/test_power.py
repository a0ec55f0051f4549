"""The smallest detectable coefficient, against the printed table, another root finder and simulated models."""

import math

import numpy as np
import pytest
from scipy import optimize, special

from harness.inference import detectable
from harness.statistics import spearman

PRINTED = {48: (0.40, 0.53), 33: (0.48, 0.62), 25: (0.54, 0.69), 15: (0.68, 0.82), 12: (0.75, 0.88), 10: (0.80, 0.91)}


@pytest.mark.parametrize(("n", "values"), [*PRINTED.items(), (6, (0.94, 0.98))])
def test_the_sets_of_the_published_study(n, values):
    assert tuple(round(detectable(n, alpha).value, 2) for alpha in (0.05, 0.05 / 24)) == values


@pytest.mark.parametrize("n", [5, 17, 200, 10**6])
@pytest.mark.parametrize(("alpha", "power"), [(0.05, 0.8), (0.001, 0.95)])
def test_against_another_root_finder(n, alpha, power):
    def excess(r):
        level, found = special.ndtri([1 - alpha / 2, power])
        return math.atanh(r) - (level + found * math.sqrt(1 + r * r / 2)) / math.sqrt(n - 3)

    expected = optimize.brentq(excess, 1e-9, 1 - 1e-12, xtol=1e-14)
    assert detectable(n, alpha, power).value == pytest.approx(expected, abs=1e-9)


def test_models_with_that_coefficient_get_a_star_four_times_in_five():
    n, rng = 48, np.random.default_rng(0)
    pearson = 2 * math.sin(math.pi / 6 * detectable(n).value)  # of a normal population with this rank correlation
    x = rng.normal(size=(1500, n))
    y = pearson * x + math.sqrt(1 - pearson**2) * rng.normal(size=(1500, n))
    stars = sum(spearman(*pair).p < 0.05 for pair in zip(x, y, strict=True))
    assert stars / 1500 == pytest.approx(0.8, abs=0.04)


def test_undefined_and_refused():
    assert (detectable(4).value, detectable(4).reason) == (None, "undefined (n = 4)")
    for alpha, power in ((0, 0.8), (0.05, 1), (0.9, 0.8)):
        with pytest.raises(ValueError, match="alpha < power"):
            detectable(48, alpha, power)
