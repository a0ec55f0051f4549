"""The null under a shared denominator, against the published table and cases whose answer is known."""

import itertools

import numpy as np
import pytest

from harness.inference import coupling, coupling_null
from harness.statistics import spearman
from tests.helpers.published import read_published

NULL = {
    "low-frequency-bias": {"ID": -0.47, "Robustness": -0.42, "Concepts": -0.16, "Adversarial": 0.15},
    "high-frequency-bias": {"ID": -0.07, "Robustness": -0.06, "Concepts": -0.03, "Adversarial": 0.02},
}


@pytest.mark.parametrize("bias", NULL)
def test_the_published_ratios(real, bias):
    table = read_published(real)
    clean = table.measures["top1@imagenet"]
    results = {axis: coupling_null(table.biases[bias] * clean, clean, y) for axis, y in table.axes.items()}
    # 1,000 draws with a deviation of 0.11 to 0.15 stand behind the expected means
    assert {axis: result.free.null for axis, result in results.items()} == pytest.approx(NULL[bias], abs=0.015)
    for axis, result in results.items():
        assert result.value == spearman(table.biases[bias], table.axes[axis]).value
        assert (result.n, result.free.draws, result.seed) == (48, 4000, 0)


def test_the_coefficient_of_low_frequency_and_id_lies_above_its_null(real):
    table = read_published(real)
    clean = table.measures["top1@imagenet"]
    result = coupling_null(table.biases["low-frequency-bias"] * clean, clean, table.axes["ID"])
    assert (round(result.value, 2), round(result.absolute, 2), round(result.free.sd, 2)) == (-0.28, 0.29, 0.11)
    assert result.free.null < result.value
    assert 0.05 < result.free.p < 0.15  # 1.7 deviations above


def test_without_a_shared_denominator_the_null_is_zero():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 20))
    result = coupling_null(x, np.ones(20), y)
    assert (result.free.null, result.free.sd) == (pytest.approx(0, abs=0.015), pytest.approx(1 / np.sqrt(19), abs=0.01))
    assert result.free.p == pytest.approx(spearman(x, y).p, abs=0.03)
    assert result.absolute == result.value


def test_unrelated_numerators_over_the_axis_itself():
    """x/z and z fall against each other although x and z have nothing in common."""
    rng = np.random.default_rng(3)
    shared = rng.uniform(0.2, 0.8, 60)
    result = coupling_null(rng.uniform(0.5, 0.6, 60), shared, shared)
    assert result.value < -0.9
    assert result.free.null < -0.9
    assert result.free.p > 0.05


def test_the_same_seed_draws_the_same(monkeypatch):
    rng = np.random.default_rng(4)
    arrays = rng.uniform(0.1, 1, (3, 12))
    once = coupling_null(*arrays, draws=50, seed=1)
    assert coupling_null(*arrays, draws=50, seed=1) == once
    monkeypatch.setattr("harness.inference.coupling._BLOCK", 30)  # two draws at a time
    assert coupling_null(*arrays, draws=50, seed=1) == once
    assert coupling_null(*arrays, draws=50, seed=1).free != coupling_null(*arrays, draws=50, seed=2).free


def test_within_families_against_all_exchanges():
    """Two families of three: the 36 exchanges within them, one by one."""
    rng = np.random.default_rng(5)
    above, below, y = rng.uniform(0.2, 1, (3, 6))
    threes = [list(order) for order in itertools.permutations(range(3))]
    orders = [[*first, *(3 + at for at in second)] for first in threes for second in threes]
    every = np.array([spearman(above[order] / below, y).value for order in orders])
    result = coupling_null(above, below, y, ["a"] * 3 + ["b"] * 3, draws=20_000).within
    assert result.null == pytest.approx(every.mean(), abs=0.01)
    assert result.sd == pytest.approx(every.std(), abs=0.01)
    far = abs(spearman(above / below, y).value - every.mean())
    assert result.p == pytest.approx((abs(every - every.mean()) >= far - 1e-9).mean(), abs=0.02)


def test_within_families_the_null_keeps_what_families_share():
    """Numerators and axis differ between families alone: a free exchange makes 0 of it, one within families all."""
    level = np.repeat([1.0, 2.0, 3.0, 4.0], 6)
    rng = np.random.default_rng(6)
    noise = rng.uniform(0, 0.1, (2, 24))
    result = coupling_null(level + noise[0], np.ones(24), level + noise[1], list("aaaaaabbbbbbccccccdddddd"))
    assert result.value > 0.9
    assert (result.free.null, result.within.null) == (pytest.approx(0, abs=0.02), pytest.approx(0.93, abs=0.03))
    assert result.free.p < 0.001 < 0.05 < result.within.p


def test_the_published_ratio_within_families(real):
    """HF bias × Adversarial is far from the free null, and not from that within families."""
    table = read_published(real)
    clean, bias = table.measures["top1@imagenet"], table.biases["high-frequency-bias"]
    result = coupling_null(bias * clean, clean, table.axes["Adversarial"], table.groups)
    assert result.free.p < 0.01
    assert result.within.p > 0.2
    assert result.free.null > -0.05
    assert result.within.null < -0.4


def test_without_families_of_two_there_is_no_null_within_them():
    arrays = np.random.default_rng(7).uniform(0.1, 1, (3, 8))
    assert coupling_null(*arrays).within is None
    assert coupling_null(*arrays, [None] * 8).within is None
    assert coupling_null(*arrays, list("abcdefgh")).within is None
    with pytest.raises(ValueError, match="one family a model"):
        coupling_null(*arrays, ["a"])


def test_the_order_of_models_changes_nothing():
    rng = np.random.default_rng(8)
    arrays, families = rng.uniform(0.1, 1, (3, 12)), np.array(list("aaaabbbbcccd"))
    order = rng.permutation(12)
    assert coupling_null(*arrays[:, order], families[order], draws=40) == coupling_null(*arrays, families, draws=40)


def test_draws_that_are_kept_for_the_next_axis_are_those_that_are_not(monkeypatch):
    rng = np.random.default_rng(9)
    ratios, axes, families = rng.uniform(0.1, 1, (2, 2, 12)), rng.uniform(size=(3, 12)), list("aaaabbbbcccd")
    places = [(ratio, axis, seed) for ratio in ratios for axis in axes for seed in (0, 1)]

    def nulls():
        return [coupling_null(*ratio, axis, families, draws=40, seed=seed) for ratio, axis, seed in places]

    kept = nulls()
    monkeypatch.setattr(coupling, "_MOST_KEPT", 0)
    assert nulls() == kept
    assert len({result.free.null for result in kept}) == len(places)


def test_undefined_and_refused():
    assert coupling_null([1, 2, 3], [1, 1, 1], [1, 2, 3]).reason == "undefined (n = 3)"
    assert coupling_null([1] * 6, [1] * 6, range(6), names=("LF", "ID")).reason == "undefined (LF constant)"
    for denominator in ([1, 0], [1, -1], [1], [1, np.nan]):
        with pytest.raises(ValueError, match="expected"):
            coupling_null([1, 2], denominator, [1, 2])
