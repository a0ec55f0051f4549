"""The null under a shared denominator, against the published table and cases whose answer is known."""

import numpy as np
import pytest

from harness.inference import coupling_null
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
    assert {axis: result.null for axis, result in results.items()} == pytest.approx(NULL[bias], abs=0.015)
    for axis, result in results.items():
        assert result.value == spearman(table.biases[bias], table.axes[axis]).value
        assert (result.n, result.draws, result.seed) == (48, 4000, 0)


def test_the_coefficient_of_low_frequency_and_id_lies_above_its_null(real):
    table = read_published(real)
    clean = table.measures["top1@imagenet"]
    result = coupling_null(table.biases["low-frequency-bias"] * clean, clean, table.axes["ID"])
    assert (round(result.value, 2), round(result.absolute, 2), round(result.sd, 2)) == (-0.28, 0.29, 0.11)
    assert result.null < result.value
    assert 0.05 < result.p < 0.15  # 1.7 deviations above


def test_without_a_shared_denominator_the_null_is_zero():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 20))
    result = coupling_null(x, np.ones(20), y)
    assert (result.null, result.sd) == (pytest.approx(0, abs=0.015), pytest.approx(1 / np.sqrt(19), abs=0.01))
    assert result.p == pytest.approx(spearman(x, y).p, abs=0.03)
    assert result.absolute == result.value


def test_unrelated_numerators_over_the_axis_itself():
    """x/z and z fall against each other although x and z have nothing in common."""
    rng = np.random.default_rng(3)
    shared = rng.uniform(0.2, 0.8, 60)
    result = coupling_null(rng.uniform(0.5, 0.6, 60), shared, shared)
    assert result.value < -0.9
    assert result.null < -0.9
    assert result.p > 0.05


def test_the_same_seed_draws_the_same(monkeypatch):
    rng = np.random.default_rng(4)
    arrays = rng.uniform(0.1, 1, (3, 12))
    once = coupling_null(*arrays, draws=50, seed=1)
    assert coupling_null(*arrays, draws=50, seed=1) == once
    monkeypatch.setattr("harness.inference.coupling._BLOCK", 30)  # two draws at a time
    assert coupling_null(*arrays, draws=50, seed=1) == once
    assert coupling_null(*arrays, draws=50, seed=1).null != coupling_null(*arrays, draws=50, seed=2).null


def test_undefined_and_refused():
    assert coupling_null([1, 2, 3], [1, 1, 1], [1, 2, 3]).reason == "undefined (n = 3)"
    assert coupling_null([1] * 6, [1] * 6, range(6), names=("LF", "ID")).reason == "undefined (LF constant)"
    for denominator in ([1, 0], [1, -1], [1], [1, np.nan]):
        with pytest.raises(ValueError, match="expected"):
            coupling_null([1, 2], denominator, [1, 2])
