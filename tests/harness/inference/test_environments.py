"""Sign errors under single interventions: golden weights, pairs counted one by one, measures of known error."""

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.inference import hoeffding_weight, robust_sign_error, sign_error

N = 10_000
GOLDEN = {0.01: 0.0, 0.015: 0.12298703, 0.017: 0.27932054, 0.02: 0.53192142, 0.03: 0.95605765, 0.05: 0.99998509}
USED = {0.02: 0.03192142, 0.03: 0.45605765}


def test_weights_of_the_published_code():
    assert hoeffding_weight(list(GOLDEN), N) == pytest.approx(list(GOLDEN.values()), abs=5e-9)
    assert hoeffding_weight(-np.array(list(GOLDEN)), N) == pytest.approx(list(GOLDEN.values()), abs=5e-9)


@pytest.mark.parametrize(("values", "error"), [((1, 2, 3, 4), 0), ((1, 2, 4, 3), 1), ((1, 1, 3, 4), 0.5)])
def test_the_error_of_one_pair(values, error):
    assert sign_error(*values) == error


def grid(seeds=4, **factors):
    """Hyperparameters of `seeds` networks for each combination of the values of the factors."""
    combinations = itertools.product(*factors.values())
    return [dict(zip(factors, values, strict=True)) for values in combinations for _ in range(seeds)]


GRID = grid(width=[16, 32, 64], rate=[0.1, 0.01])


def published(c, g, hyperparameters, n):
    """The published procedure, pair by pair: loss and effective sample size of each ordered environment."""
    sums = defaultdict(lambda: np.zeros(3))
    for (c1, g1, h1), (c2, g2, h2) in itertools.product(zip(c, g, hyperparameters, strict=True), repeat=2):
        varied = [key for key in h1 if h1[key] != h2[key]]
        if len(varied) == 1:
            weight = max(0, max(0, 1 - 2 * np.exp(-2 * n * (abs(g1 - g2) / 2) ** 2)) ** 2 - 0.5)
            fixed = tuple((key, h1[key]) for key in h1 if key not in varied)
            sums[varied[0], h1[varied[0]], h2[varied[0]], fixed] += [
                weight * sign_error(c1, c2, g1, g2), weight, weight**2,
            ]  # fmt: skip
    return {key: (error / weight, weight**2 / square) for key, (error, weight, square) in sums.items() if weight > 0}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([GRID, grid(5, a=["x", "y"], b=[1, 2], c=[True, False])]))
def test_environments_are_those_of_the_published_procedure(seed, hyperparameters):
    c, g = np.random.default_rng(seed).integers(0, 9, (2, len(hyperparameters))) / 10
    found = robust_sign_error(c, g, hyperparameters, N)
    expected = published(c, g, hyperparameters, N)
    weighted = [environment for environment in found.environments if environment.error is not None]
    assert len(expected) == 2 * len(weighted)
    for environment in weighted:
        values, fixed = [environment.before, environment.after], tuple(environment.fixed.items())
        for before, after in (values, values[::-1]):
            error, size = expected[environment.factor, before, after, fixed]
            assert (environment.error, environment.size) == (pytest.approx(error), pytest.approx(size))
    kept = [(key[0], error) for key, (error, size) in expected.items() if size >= 12 - 1e-9]
    for factor, of_factor in {**found.factors, None: found.overall}.items():
        errors = [error for varied, error in kept if factor in (varied, None)]
        if of_factor is None:
            assert not errors
            continue
        assert (2 * of_factor.environments, of_factor.worst) == (len(errors), pytest.approx(max(errors)))
        assert of_factor.mean == pytest.approx(np.mean(errors))
        assert np.mean(np.array(errors) <= of_factor.high + 1e-12) >= 0.9
        assert np.mean(np.array(errors) < of_factor.high - 1e-12) < 0.9


SPREAD = np.random.default_rng(1).permutation(len(GRID)) / len(GRID)


def errors_of(c, g=SPREAD, hyperparameters=GRID, n=N):
    found = robust_sign_error(c, g, hyperparameters, n)
    return [environment.error for environment in found.environments], found.overall


@pytest.mark.parametrize("n", [N, None])
@pytest.mark.parametrize(("c", "error"), [(SPREAD, 0), (-SPREAD, 1), (np.ones(len(GRID)), 0.5)])
def test_measures_of_known_error(c, error, n):
    errors, overall = errors_of(c, n=n)
    assert set(errors) == {error}
    assert (overall.mean, overall.high, overall.worst, overall.environments) == (error, error, error, 9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_monotone_map_of_the_measure_changes_nothing_and_a_falling_one_mirrors(seed):
    c = np.random.default_rng(seed).integers(-20, 20, len(GRID)) / 10
    errors, overall = errors_of(c)
    assert errors_of(np.exp(c)) == (errors, overall)
    assert errors_of(-c)[0] == pytest.approx([1 - error for error in errors])


def test_one_network_a_recipe_is_refused_although_its_worst_error_would_be_1():
    single = grid(1, width=[16, 32, 64], rate=[0.1, 0.01])
    g = np.arange(6) / 10
    found = robust_sign_error([1, 0, 2, 3, 4, 5], g, single, N)
    assert (found.overall, found.factors, found.environments, found.size) == (None, {}, (), 1.0)
    assert found.reason == "undefined (one network a recipe: effective sample size 1, expected at least 12)"
    assert max(error for error, _ in published([1, 0, 2, 3, 4, 5], g, single, N).values()) == 1


def test_three_seeds_are_too_few_and_four_are_enough():
    def sizes(seeds):
        spread = np.arange(2 * seeds) // seeds
        found = robust_sign_error(spread, spread, grid(seeds, width=[16, 32]), N)
        return found.size, found.reason

    assert sizes(3) == (9.0, "undefined (effective sample size at most 9.0, expected at least 12)")
    assert sizes(4) == (16.0, None)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.02, 1))
def test_twelve_pairs_of_one_weight_are_twelve(difference):
    single = [{"width": 16}] * 3 + [{"width": 32}] * 4
    g = [0.0] * 3 + [difference] * 4
    assert robust_sign_error(g, g, single, N).overall.worst == 0


def test_differences_within_the_noise_of_the_images_have_no_weight():
    g = np.arange(len(GRID)) / 1e4
    found = robust_sign_error(g, g, GRID, N)
    assert (found.overall, found.size) == (None, 0.0)
    assert found.reason == "undefined (no difference is beyond the noise of 10,000 images)"
    assert robust_sign_error(g, g, GRID, None).overall.worst == 0
    # Of n images a difference counts from the square root of 3.842 / n on.
    for n, least in ((320, 0.11), (3_200, 0.035), (10_000, 0.0196)):
        assert (hoeffding_weight([least * 0.98, least * 1.02], n) > 0.5).tolist() == [False, True]


def test_recipes_that_differ_in_two_hyperparameters_are_no_environment():
    pair = [{"width": 16, "rate": 0.1}, {"width": 32, "rate": 0.01}]
    found = robust_sign_error([1, 2], [0.1, 0.9], pair, N)
    assert (found.environments, found.reason) == ((), "undefined (no two recipes differ in one hyperparameter alone)")
    assert robust_sign_error([], [], [], N).overall is None


def test_a_factor_that_fails_is_seen_by_factor_and_hidden_in_the_mean():
    rates = [of["rate"] for of in GRID]
    widths = np.array([of["width"] for of in GRID])
    c = widths + np.array(rates)
    g = widths / 100 - np.array(rates) * 1.5
    found = robust_sign_error(c, g, GRID, N)
    assert {factor: of.worst for factor, of in found.factors.items()} == {"width": 0.0, "rate": 1.0}
    assert (found.overall.worst, found.overall.mean) == (1.0, pytest.approx(3 / 9))
    assert [(e.before, e.after) for e in found.environments if e.factor == "rate"] == [(0.01, 0.1)] * 3


@pytest.mark.parametrize(
    ("c", "g", "hyperparameters", "words"),
    [
        ([1.0], [1.0, 2.0], [{}, {}], "one length"),
        ([1.0], [1.0], [{}, {}], "one length"),
        ([np.nan, 1.0], [1.0, 2.0], [{}, {}], "finite"),
        ([1.0, 2.0], [1.0, 2.0], [{"a": 1}, {"b": 1}], "the same of each model"),
    ],
)
def test_other_inputs_are_refused(c, g, hyperparameters, words):
    with pytest.raises(ValueError, match=words):
        robust_sign_error(c, g, hyperparameters, N)
