"""Intervals over families: against a bootstrap written out draw by draw, and the published table."""

import numpy as np
import pytest
from scipy import stats

from harness.inference import family_intervals
from harness.statistics import spearman
from tests.helpers.published_families import published_families


def drawn_out(x, y, families, draws):
    """The same bootstrap with lists: families with replacement, models of each with replacement, Spearman's ρ."""
    rng, members = np.random.default_rng(1), {}
    for at, family in enumerate(families):
        members.setdefault(family, []).append(at)
    coefficients = []
    for _ in range(draws):
        chosen = []
        for family in rng.choice(sorted(members), len(members)):
            chosen.extend(rng.choice(members[family], len(members[family])))
        ranks = [stats.rankdata(values[chosen]) for values in (x, y)]
        coefficients.append(np.corrcoef(*ranks)[0, 1])
    return np.quantile(coefficients, (0.025, 0.975))


def test_ends_are_those_of_the_bootstrap_drawn_out():
    rng, codes = np.random.default_rng(0), np.repeat(np.arange(8), 4)
    families = [str(code) for code in codes]
    x = rng.normal(size=8)[codes] + rng.normal(size=32)
    y = x + rng.normal(size=8)[codes] + rng.normal(size=32)
    found = family_intervals([x], [y], families)
    assert (found.low[0][0], found.high[0][0]) == pytest.approx(drawn_out(x, y, families, 600), abs=0.08)
    assert (found.families, found.draws, found.seed) == (8, 2000, 0)


def test_order_of_models_changes_nothing_and_a_seed_repeats():
    rng = np.random.default_rng(1)
    x, y, families = rng.normal(size=15), rng.normal(size=15), np.array(list("aaaaabbbbbccccc"))
    order = rng.permutation(15)
    found = family_intervals([x], [y], families.tolist(), draws=200)
    again = family_intervals([x[order]], [y[order]], families[order].tolist(), draws=200)
    assert (again.low[0][0], again.high[0][0]) == pytest.approx((found.low[0][0], found.high[0][0]), abs=1e-12)
    assert family_intervals([x], [y], families.tolist(), draws=200, seed=1).low != found.low
    alone = [*"aaaaabbbbb", *[None] * 5]
    found = family_intervals([x], [y], alone, draws=200)
    again = family_intervals([x[order]], [y[order]], [alone[at] for at in order], draws=200)
    assert (again.low[0][0], again.high[0][0]) == pytest.approx((found.low[0][0], found.high[0][0]), abs=1e-12)


def test_models_of_no_family_are_families_of_one():
    """Without families it is the ordinary bootstrap over models: about as wide as Bonett & Wright's interval."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=40)
    y = x + rng.normal(size=40)
    found, plain = family_intervals([x], [y], [None] * 40), spearman(x, y)
    assert (found.low[0][0], found.high[0][0]) == pytest.approx((plain.low, plain.high), abs=0.12)


@pytest.mark.parametrize(
    ("x", "families"),
    [([1, 2, 3, 4, 5, 6], ["a"] * 6), ([1, 1, 1, 1, 1, 2], list("aaabbb")), ([2, 2, 2, 2, 2, 2], list("aaabbb"))],
    ids=["one family", "mostly constant", "constant"],
)
def test_undefined_is_none(x, families):
    found = family_intervals([x], [[1, 2, 3, 4, 5, 6]], families)
    assert (found.low, found.high) == (((None,),), ((None,),))


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="expected finite rows of 3 models"):
        family_intervals([[1, 2]], [[1, 2, 3]], list("aab"))


def test_intervals_of_the_published_table_are_wider_than_those_over_models(real):
    """The reference draws families only: [-0.96, -0.12] and [-0.80, 0.68]. Equal in sign and order of size."""
    families, biases, axes = published_families(real)
    found = family_intervals([biases["shape-bias"], biases["high-frequency-bias"]], list(axes.values()), families)
    names = list(axes)
    shape = found.low[0][names.index("ID")], found.high[0][names.index("ID")]
    assert shape[0] == pytest.approx(-0.96, abs=0.02) and -0.2 < shape[1] < 0
    high = found.low[1][names.index("Adversarial")], found.high[1][names.index("Adversarial")]
    assert high == pytest.approx((-0.80, 0.68), abs=0.12)
    over_models = spearman(biases["shape-bias"], axes["ID"])
    assert shape[0] < over_models.low and over_models.high < shape[1]
