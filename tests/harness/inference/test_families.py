"""Association within families: against repeated-measures correlation, and Spearman's where there is one family."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.inference import within_families
from harness.statistics import spearman
from tests.helpers.published_families import published_families

values = st.integers(-9, 9).map(float)
models = st.lists(st.tuples(values, values, st.sampled_from("abc")), min_size=5, max_size=20)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # pingouin's own
def test_raw_values_are_the_repeated_measures_of_bland_and_altman():
    pingouin = pytest.importorskip("pingouin")
    frame = pingouin.read_dataset("rm_corr")
    found = within_families(frame["pH"], frame["PacO2"], frame["Subject"].astype(str).tolist(), ranked=False)
    assert (found.n, found.families, found.freedom) == (47, 8, 38)
    assert (found.value, found.p) == (pytest.approx(-0.50677, abs=5e-6), pytest.approx(0.000847, abs=5e-7))
    assert (found.low, found.high) == (pytest.approx(-0.71, abs=5e-3), pytest.approx(-0.23, abs=5e-3))
    assert stats.pearsonr(frame["pH"], frame["PacO2"]).statistic == pytest.approx(-0.065, abs=1e-3)
    oracle = pingouin.rm_corr(data=frame, x="pH", y="PacO2", subject="Subject").iloc[0]
    assert (found.value, found.p) == pytest.approx((oracle["r"], oracle["pval"]), rel=1e-6)


def test_penguins_turn_round_between_all_and_each_species():
    """Simpson's paradox in a textbook: bills get deeper with length in every species, and shallower over all."""
    pingouin = pytest.importorskip("pingouin")
    frame = pingouin.read_dataset("penguins").dropna(subset=["bill_length_mm", "bill_depth_mm"])
    found = within_families(frame["bill_length_mm"], frame["bill_depth_mm"], frame["species"].tolist(), ranked=False)
    assert (found.value, found.freedom) == (pytest.approx(0.528, abs=5e-4), 338)
    overall = stats.pearsonr(frame["bill_length_mm"], frame["bill_depth_mm"]).statistic
    assert overall == pytest.approx(-0.235, abs=5e-4)


@given(models)
def test_ranks_are_pearson_of_ranks_less_family_means(case):
    x, y, families = (list(column) for column in zip(*case, strict=True))
    found = within_families(x, y, families)
    sizes = {name: families.count(name) for name in families}
    kept = [at for at, name in enumerate(families) if sizes[name] > 1]
    residuals = []
    for column in (stats.rankdata(x), stats.rankdata(y)):
        means = {name: np.mean([v for v, f in zip(column, families, strict=True) if f == name]) for name in sizes}
        residuals.append(np.array([column[at] - means[families[at]] for at in kept]))
    assert found.n == len(kept)
    assert found.families == len({families[at] for at in kept})
    if found.value is None:
        assert found.freedom < 3 or any(np.allclose(left, 0) for left in residuals)
    else:
        assert found.value == pytest.approx(np.corrcoef(*residuals)[0, 1], abs=1e-9)
        assert found.low is None or found.low < found.value < found.high


@given(models, st.randoms(use_true_random=False))
def test_order_of_models_and_names_of_families_change_nothing(case, random):
    shuffled = random.sample(case, len(case))
    renamed = [(x, y, {"a": "z", "b": "y", "c": "x"}[family]) for x, y, family in shuffled]
    found, again = (within_families(*(list(c) for c in zip(*rows, strict=True))) for rows in (case, renamed))
    assert again.value == (None if found.value is None else pytest.approx(found.value, abs=1e-12))
    assert (found.n, found.freedom, found.reason) == (again.n, again.freedom, again.reason)


def test_one_family_is_spearman_with_its_p_by_t():
    x, y = np.arange(14.0), np.random.default_rng(1).normal(size=14) + np.arange(14) / 9
    found, whole = within_families(x, y, ["g"] * 14), spearman(x, y)
    assert (found.value, found.p) == pytest.approx((whole.value, whole.p), abs=1e-9)
    assert (found.low, found.high) == pytest.approx((whole.low, whole.high), abs=1e-9)


def test_models_without_a_family_are_families_of_one_and_carry_nothing():
    x, y, families = [1.0, 2.0, 3.0, 5.0, 4.0, 6.0], [2.0, 1.0, 4.0, 3.0, 6.0, 5.0], ["g"] * 6
    alone = within_families(x, y, families)
    more = within_families([*x, 90.0, -90.0], [*y, -70.0, 70.0], [*families, None, None])
    assert (more.n, more.families) == (6, 1)
    assert more.value == pytest.approx(alone.value)


@pytest.mark.parametrize(
    ("x", "y", "families", "reason"),
    [
        ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], list("abcdef"), "undefined (no family has two models)"),
        ([1, 2, 3, 4], [1, 2, 3, 4], list("aabb"), "undefined (n = 4 in 2 families)"),
        ([1, 1, 1, 2, 2, 2], [1, 2, 3, 4, 5, 6], list("aaabbb"), "undefined (x constant within families)"),
    ],
    ids=["families of one", "too few", "constant inside"],
)
def test_undefined_with_its_reason(x, y, families, reason):
    found = within_families(x, y, families)
    assert (found.value, found.p, found.low, found.high, found.reason) == (None, None, None, None, reason)


def test_a_perfect_order_inside_families_is_exactly_one():
    found = within_families([1, 2, 3, 11, 12, 13], [51, 52, 53, 1, 2, 3], list("aaabbb"))
    assert (found.value, found.p, found.low, found.high) == (1.0, 0.0, None, None)


@pytest.mark.parametrize(
    ("x", "y", "families"),
    [([1, 2], [1], "ab"), ([1, 2], [1, 2], "a"), ([[1, 2]], [[1, 2]], "ab"), ([1, float("nan")], [1, 2], "ab")],
    ids=["unpaired", "another number of families", "two dimensions", "not finite"],
)
def test_numbers_that_do_not_fit_are_refused(x, y, families):
    with pytest.raises(ValueError, match="expected"):
        within_families(x, y, list(families))


def test_the_published_table_within_families(real):
    """Shape bias x Concepts: 0.14 over all, 0.34 within; two families of one carry nothing."""
    families, biases, axes = published_families(real)
    found = within_families(biases["shape-bias"], axes["Concepts"], families)
    assert (found.n, found.families, round(found.value, 2)) == (46, 5, 0.34)
    assert round(spearman(biases["shape-bias"], axes["Concepts"]).value, 2) == 0.14
