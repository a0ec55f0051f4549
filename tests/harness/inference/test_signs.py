"""Signs by family and their errors: against pairs counted one by one, textbook reversals and the published table."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.inference import family_signs, within_families
from tests.helpers.published_families import published_families

values = st.integers(-5, 5).map(float)
models = st.lists(st.tuples(values, values, st.sampled_from("abc")), min_size=3, max_size=15)


@given(models)
def test_signs_are_those_of_covariances_of_ranks_and_errors_count_pairs(case):
    x, y, families = (list(column) for column in zip(*case, strict=True))
    found = family_signs(x, y, families)
    assert [one.family for one in found.families] == sorted(f for f in set(families) if families.count(f) >= 3)
    for one in found.families:
        inside = [(a, b) for a, b, family in case if family == one.family]
        pairs = [np.sign(a - c) * np.sign(b - d) for (a, b), (c, d) in itertools.combinations(inside, 2)]
        assert one.error == pytest.approx(np.mean([(1 - found.overall * pair) / 2 for pair in pairs]))
        ranks = [stats.rankdata(column) for column in zip(*inside, strict=True)]
        assert one.sign == np.sign(round(np.cov(*ranks)[0, 1], 9))
        assert one.n == len(inside)
    assert found.worst is None or found.worst.error == max(one.error for one in found.families)


def test_penguins_turn_round():
    pingouin = pytest.importorskip("pingouin")
    frame = pingouin.read_dataset("penguins").dropna(subset=["bill_length_mm", "bill_depth_mm"])
    columns = frame["bill_length_mm"].to_numpy(), frame["bill_depth_mm"].to_numpy(), frame["species"].tolist()
    found = family_signs(*columns)
    assert (found.overall, found.reversed) == (-1, ("Adelie", "Chinstrap", "Gentoo"))
    assert found.simpson(within_families(*columns).value) and found.simpson(None)


def test_a_reversal_needs_five_models_or_the_pooled_coefficient():
    x, y = [1, 2, 3, 4, 5, 6, 21, 22, 23, 24], [1, 2, 3, 4, 5, 6, 24, 23, 22, 21]
    found = family_signs(x, y, ["up"] * 6 + ["down"] * 4)
    assert (found.overall, [one.sign for one in found.families], found.reversed) == (1, [-1, 1], ())
    assert (found.worst.family, found.worst.error) == ("down", 1.0)
    assert not found.simpson(0.3) and not found.simpson(0.0) and found.simpson(-0.1)
    five = family_signs([*x, 25], [*y, 20], ["up"] * 6 + ["down"] * 5)
    assert five.reversed == ("down",) and five.simpson(0.3)


def test_families_of_one_or_two_have_no_sign():
    found = family_signs([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], ["a", "a", "b", None, None])
    assert (found.families, found.worst, found.simpson(None)) == ((), None, False)


def test_reversals_of_the_published_table(real):
    families, biases, axes = published_families(real)

    def inside(bias, axis, family):
        members = [at for at, name in enumerate(families) if name == family]
        return stats.spearmanr(biases[bias][members], axes[axis][members]).statistic

    high = family_signs(biases["high-frequency-bias"], axes["Adversarial"], families)
    assert high.overall == -1 and set(high.reversed) == {"augmentation", "training_recipes", "contrastive"}
    expected = {"adversarial_training": -0.59, "augmentation": 0.43, "training_recipes": 0.56, "contrastive": 0.60}
    for family, value in expected.items():
        assert inside("high-frequency-bias", "Adversarial", family) == pytest.approx(value, abs=5e-3)
        (one,) = [one for one in high.families if one.family == family]
        assert one.sign == np.sign(value)
    robust = family_signs(biases["high-frequency-bias"], axes["Robustness"], families)
    assert (robust.overall, robust.reversed) == (1, ("contrastive",))
    assert inside("high-frequency-bias", "Robustness", "contrastive") == pytest.approx(-0.71, abs=5e-3)


def test_worst_sign_errors_of_the_published_table(real):
    """Only two of 24 pairs stay below one half in every family of three or more."""
    families, biases, axes = published_families(real)
    worst = {
        (bias, axis): family_signs(biases[bias], axes[axis], families).worst.error for bias in biases for axis in axes
    }
    below = {pair: round(error, 2) for pair, error in worst.items() if error < 0.5}
    assert below == {("low-frequency-bias", "Adversarial"): 0.34, ("shape-bias", "Concepts"): 0.47}
