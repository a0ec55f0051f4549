"""ICC(1) and the design effect: against analysis of variance, simulation, and the published table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.inference import effective_pairs, intraclass
from tests.helpers.published_families import published_families


@given(st.lists(st.lists(st.integers(-9, 9).map(float), min_size=4, max_size=4), min_size=2, max_size=6))
def test_equal_families_have_the_icc_of_the_f_ratio(table):
    """For equal sizes m, ICC(1) = (F - 1) / (F + m - 1), with F of the one-way analysis of variance."""
    values = np.concatenate(table)
    found = intraclass(values, [str(at) for at in range(len(table)) for _ in range(4)])
    if len(set(values)) == 1:
        assert found.reason == "undefined (x constant)"
    elif all(len(set(row)) == 1 for row in table):
        assert (found.icc, found.n_effective) == (pytest.approx(1), pytest.approx(len(table)))
    else:
        f = stats.f_oneway(*table).statistic
        assert found.icc == pytest.approx((f - 1) / (f + 3), abs=1e-9)
        assert found.n_effective == pytest.approx(len(values) / (1 + 3 * max(0, found.icc)))


def test_families_of_unequal_size_have_the_icc_of_their_components_of_variance():
    """MS_between = σ² + n0 σ_b² where sizes differ: with these components, ICC = σ_b² / (σ_b² + σ²)."""
    rows = [[1.0, 2.0, 4.0], [5.0, 6.0], [3.0]]
    f = stats.f_oneway(*rows).statistic
    mean_size = (6 - (9 + 4 + 1) / 6) / 2
    found = intraclass([1, 2, 4, 5, 6, 3], list("aaabbc"))
    ratio = (f - 1) / mean_size  # σ_b² / σ²
    assert found.icc == pytest.approx(ratio / (1 + ratio))
    assert found.n_effective == pytest.approx(6 / (1 + (14 / 6 - 1) * found.icc))
    assert found.families == 3


@pytest.mark.parametrize(
    ("values", "families", "reason"),
    [
        ([1, 2, 3], ["a", "a", "a"], "undefined (all models are of one family)"),
        ([1, 2, 3], ["a", "b", None], "undefined (no family has two models)"),
        ([2, 2, 2], ["a", "a", "b"], "undefined (LF constant)"),
    ],
    ids=["one family", "families of one", "constant"],
)
def test_undefined_with_its_reason(values, families, reason):
    found = intraclass(values, families, "LF")
    assert (found.icc, found.n_effective, found.reason) == (None, None, reason)
    assert effective_pairs(values, values, families) is None


@pytest.mark.parametrize("unit", [1e-200, 1e-3, 1e100, 1e300])
def test_no_number_depends_on_the_unit(unit):
    values, families = np.array([1.0, 2.0, 4.0, 5.0, 6.0, 3.0]), list("aaabbc")
    found, scaled = intraclass(values, families), intraclass(values * unit, families)
    assert (scaled.icc, scaled.n_effective) == pytest.approx((found.icc, found.n_effective))


def test_the_null_of_a_coefficient_is_as_wide_as_that_of_so_many_models():
    """Two quantities with family effects and nothing else in common: the spread of ρ is that of n_effective models."""
    rng, codes = np.random.default_rng(3), np.repeat(np.arange(12), 4)
    families, coefficients, sizes = [str(code) for code in codes], [], []
    for _ in range(300):
        x, y = (2 * rng.normal(size=12)[codes] + rng.normal(size=48) for _ in range(2))
        coefficients.append(stats.spearmanr(x, y).statistic)
        sizes.append(effective_pairs(x, y, families))
    assert 1 / np.var(coefficients) + 1 == pytest.approx(np.median(sizes), rel=0.25)
    assert np.median(sizes) < 24


def test_likeness_in_one_quantity_alone_costs_nothing():
    codes = np.repeat(np.arange(4), 5)
    balanced = np.tile(np.arange(5.0), 4)
    assert effective_pairs(codes * 10 + balanced, balanced, [str(code) for code in codes]) == 20


def test_the_published_table_is_worth_six_to_eleven_models(real):
    families, biases, axes = published_families(real)
    found = {name: intraclass(values, families) for name, values in {**biases, **axes}.items()}
    expected = {
        "Robustness": (0.72, 6.0),
        "low-frequency-bias": (0.68, 6.3),
        "critical-band-bandwidth": (0.74, 5.9),
        "Adversarial": (0.64, 6.6),
        "ID": (0.36, 10.7),
    }
    assert {name: (round(found[name].icc, 2), round(found[name].n_effective, 1)) for name in expected} == expected
    assert all((one.n, one.families) == (48, 7) for one in found.values())
    assert all(one.family_size == (15**2 + 12**2 + 10**2 + 6**2 + 3**2 + 1 + 1) / 48 for one in found.values())
