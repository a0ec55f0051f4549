"""Permutation within families: exact against brute force, seeded draws against the published table."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.inference import blocked_test
from harness.statistics import holm, spearman
from tests.helpers.published_families import published_families

values = st.integers(-5, 5).map(float)
small = st.lists(st.tuples(values, values, st.sampled_from("ab")), min_size=3, max_size=6)


def brute_force(x, y, families):
    """Share of all permutations within families whose residual product is as far from zero, one by one."""
    families = np.array(families)
    residuals = [
        ranks - np.array([ranks[families == name].mean() for name in families])
        for ranks in (stats.rankdata(x), stats.rankdata(y))
    ]
    members = [np.flatnonzero(families == name) for name in sorted(set(families))]
    products = []
    for moved in itertools.product(*(itertools.permutations(places) for places in members)):
        place = np.empty(len(families), dtype=int)
        for origin, target in zip(members, moved, strict=True):
            place[origin] = target
        products.append(residuals[0] @ residuals[1][place])
    return np.mean(np.abs(products) >= abs(residuals[0] @ residuals[1]) - 1e-9)


@settings(max_examples=50)
@given(small)
def test_exact_p_is_that_of_brute_force(case):
    x, y, families = (list(column) for column in zip(*case, strict=True))
    found = blocked_test([x], [y], families)
    assert (found.method, found.seed) == ("exact", None)
    assert found.draws == found.possible == math.prod(math.factorial(families.count(name)) for name in set(families))
    assert found.p[0, 0] == pytest.approx(brute_force(x, y, families), abs=1e-12)


def test_one_family_is_the_exact_p_of_spearman():
    x, y = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [2.0, 1.0, 3.0, 3.0, 7.0, 5.0, 6.0]
    found = blocked_test([x], [y], ["g"] * 7)
    assert (found.method, found.draws) == ("exact", 5040)
    assert found.p[0, 0] == pytest.approx(spearman(x, y).p, abs=1e-12)


@settings(max_examples=30)
@given(st.permutations(range(9)))
def test_order_of_models_changes_nothing_in_seeded_draws(order):
    x, y = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5.0]), np.array([2, 7, 1, 8, 2, 8, 1, 8, 2.0])
    families = np.array(list("aaaaabbbb"))
    expected = blocked_test([x, y], [y], families.tolist(), draws=500)
    found = blocked_test([x[order], y[order]], [y[order]], families[order].tolist(), draws=500)
    assert found.method == "permutation"
    assert found.p.tolist() == expected.p.tolist()


def test_random_draws_come_near_the_exact_value_and_repeat():
    rng = np.random.default_rng(5)
    x, y, families = rng.normal(size=10), rng.normal(size=10), list("aaaaabbbbb")
    exact = blocked_test([x], [y], families)
    drawn, again, other = (blocked_test([x], [y], families, draws=10_000, seed=seed) for seed in (1, 1, 2))
    assert (exact.method, exact.draws, drawn.method, drawn.draws) == ("exact", 14_400, "permutation", 10_000)
    assert drawn.p.tolist() == again.p.tolist() != other.p.tolist()
    error = math.sqrt(exact.p[0, 0] * (1 - exact.p[0, 0]) / 10_000)
    assert abs(drawn.p[0, 0] - exact.p[0, 0]) < 4 * error


def test_raw_values_and_ranks_agree_where_values_are_ranks():
    rng = np.random.default_rng(2)
    x, y, families = rng.permutation(12), rng.permutation(12), list("aaaabbbbcccc")
    ranks, raw = (blocked_test([x], [y], families, draws=2000, ranked=ranked) for ranked in (True, False))
    assert ranks.p == pytest.approx(raw.p, abs=1e-12)
    assert blocked_test([x / 7], [y / 3], families, draws=2000, ranked=False).p == pytest.approx(raw.p, abs=1e-12)


def test_where_only_families_differ_it_fires_as_often_as_it_says():
    """Families differ in both quantities, models inside them do not: a quarter of such tables have p < 0.05 by t."""
    rng, fires, old = np.random.default_rng(0), 0, 0
    families, codes = list("aaabbbcccddd"), np.repeat(np.arange(4), 3)
    for _ in range(200):
        x, y = (9 * rng.normal(size=4)[codes] + rng.normal(size=12) for _ in range(2))
        fires += blocked_test([x], [y], families, draws=1296).p[0, 0] < 0.05
        old += spearman(x, y).p < 0.05
    assert fires / 200 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)
    assert old / 200 > 0.15


def test_a_quantity_that_is_constant_inside_families_has_p_one():
    assert blocked_test([[1, 1, 2, 2]], [[1, 2, 3, 4]], list("aabb")).p[0, 0] == 1


def test_rows_of_another_length_and_numbers_that_are_not_finite_are_refused():
    for rows in ([[1.0, 2.0]], [[1.0, float("inf"), 2.0]]):
        with pytest.raises(ValueError, match="expected finite rows of 3 models"):
            blocked_test(rows, [[1.0, 2.0, 3.0]], list("aab"))


def test_the_published_table(real):
    """Of 24 pairs, 15 have p < 0.05 by t and 10 within families; after Holm's correction 11 and 4."""
    families, biases, axes = published_families(real)
    found = blocked_test(list(biases.values()), list(axes.values()), families)
    assert (found.method, found.draws, found.seed) == ("permutation", 50_000, 0)
    assert found.possible == math.prod(map(math.factorial, (15, 12, 10, 6, 3)))
    p = dict(zip(itertools.product(biases, axes), found.p.ravel().tolist(), strict=True))
    t = [spearman(biases[bias], axes[axis]).p for bias, axis in p]
    adjusted = dict(zip(p, holm(list(p.values())), strict=True))
    assert (sum(value < 0.05 for value in t), sum(value < 0.05 for value in holm(t))) == (15, 11)
    assert (sum(value < 0.05 for value in p.values()), sum(value < 0.05 for value in adjusted.values())) == (10, 4)
    noise = "critical-band-peak-noise-sensitivity"
    best = {("shape-bias", "ID"), (noise, "ID"), ("shape-bias", "Adversarial"), ("low-frequency-bias", "Adversarial")}
    assert {pair for pair, value in adjusted.items() if value < 0.05} == best
    assert all(p[pair] <= 0.0023 for pair in best)
    # The reference draws 4,000 permutations: its standard error is below 0.0075.
    assert p["high-frequency-bias", "Adversarial"] == pytest.approx(0.33, abs=0.022)
    assert p["critical-band-bandwidth", "ID"] == pytest.approx(0.17, abs=0.018)
    assert p["shape-bias", "Concepts"] == pytest.approx(0.020, abs=0.007)


def test_free_permutation_counts_fifteen_and_eleven(real):
    """One family of all 48: what the coefficients look like without families."""
    _, biases, axes = published_families(real)
    p = blocked_test(list(biases.values()), list(axes.values()), ["all"] * 48).p.ravel().tolist()
    assert (sum(value < 0.05 for value in p), sum(value < 0.05 for value in holm(p))) == (15, 11)
