"""Partial rank correlation, against pingouin, the inverse of the matrix of correlations, and the published table."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.inference import partial_spearman
from harness.ranks import centred_ranks
from harness.statistics import spearman
from tests.helpers.published import read_published

SETTINGS = settings(max_examples=30, deadline=None)
RANDOM = np.random.default_rng(7)
TABLE = dict(zip("xyab", RANDOM.normal(size=(4, 20)), strict=True))


@pytest.mark.parametrize(
    ("bias", "axis", "alone", "held"),
    [
        ("shape-bias", "Robustness", -0.53, 0.41),
        ("shape-bias", "Concepts", 0.14, 0.72),
        ("high-frequency-bias", "Robustness", 0.79, 0.59),
        ("low-frequency-bias", "Concepts", 0.29, 0.45),
    ],
)
def test_the_published_coefficients_at_equal_accuracy(real, bias, axis, alone, held):
    table = read_published(real)
    x, y = table.biases[bias], table.axes[axis]
    assert round(partial_spearman(x, y, {}).value, 2) == alone == round(spearman(x, y).value, 2)
    result = partial_spearman(x, y, {"ID": table.axes["ID"]})
    assert (round(result.value, 2), result.n, result.dof, result.controls) == (held, 48, 45, ("ID",))


def test_against_pingouin():
    pingouin = pytest.importorskip("pingouin")
    frame = pingouin.read_dataset("partial_corr")
    for held, value in ((["cv1"], 0.578485), (["cv1", "cv2", "cv3"], 0.520921)):
        expected = pingouin.partial_corr(frame, "x", "y", held, method="spearman").iloc[0]
        result = partial_spearman(frame.x, frame.y, {name: frame[name] for name in held})
        assert result.value == pytest.approx(value, abs=5e-7)
        assert (result.n, result.value, result.p) == (30, pytest.approx(expected.r), pytest.approx(expected.p_val))


@SETTINGS
@given(st.integers(0, 2**32 - 1), st.integers(8, 25), st.integers(1, 3))
def test_it_is_an_entry_of_the_inverse_of_the_rank_correlations(seed, n, k):
    values = np.random.default_rng(seed).integers(0, 30, size=(n, k + 2)) + 1e-3 * np.arange(k + 2)
    matrix = stats.spearmanr(values).statistic
    inverse = np.linalg.pinv(matrix)
    result = partial_spearman(values[:, 0], values[:, 1], dict(enumerate(values[:, 2:].T)))
    if result.value is not None and np.linalg.cond(matrix) < 1e8:
        assert result.value == pytest.approx(-inverse[0, 1] / math.sqrt(inverse[0, 0] * inverse[1, 1]), abs=1e-8)
        assert result.low is None or result.low < result.value < result.high


@SETTINGS
@given(st.permutations(range(20)))
def test_neither_the_order_of_models_nor_a_rising_scale_matters(order):
    order = list(order)
    moved = [np.exp(3 * TABLE[name])[order] for name in "xya"]
    result = partial_spearman(moved[0], moved[1], {"a": moved[2]})
    assert result.value == pytest.approx(partial_spearman(TABLE["x"], TABLE["y"], {"a": TABLE["a"]}).value, abs=1e-12)


def test_a_control_that_follows_from_another_counts_once():
    once = partial_spearman(TABLE["x"], TABLE["y"], {"a": TABLE["a"], "b": TABLE["b"]})
    again = {"a": TABLE["a"], "b": TABLE["b"], "same": np.exp(TABLE["a"]), "constant": np.ones(20)}
    result = partial_spearman(TABLE["x"], TABLE["y"], again)
    assert (result.value, result.p, result.dof) == (pytest.approx(once.value), pytest.approx(once.p), 16)
    assert result.controls == ("a", "b", "same", "constant")


def test_fork_and_chain():
    """A common cause explains a coefficient away; a perfect order beside unrelated controls stays perfect."""
    cause = np.arange(400.0)
    x, y = (cause + RANDOM.normal(scale=100, size=400) for _ in range(2))
    assert spearman(x, y).value > 0.4 > 0.12 > abs(partial_spearman(x, y, {"cause": cause}).value)
    perfect = partial_spearman(TABLE["x"], TABLE["x"] ** 3, {"a": TABLE["a"]})
    assert (perfect.value, perfect.p, perfect.low, perfect.high) == (1.0, 2 / math.factorial(20), None, None)


@pytest.mark.parametrize("n", [6, 7, 9, 12])
def test_no_p_is_below_that_of_a_perfect_order_of_so_many_models(n):
    """By the t distribution it is 0; over all orders of the models it is 2/n!, as without controls."""
    x = np.arange(float(n))
    result = partial_spearman(x, np.exp(x), {"a": RANDOM.permutation(n)})
    assert (result.value, result.p) == (1.0, 2 / math.factorial(n))
    if n < 10:
        assert result.p == spearman(x, np.exp(x)).p


def test_many_models_have_a_p_above_zero():
    assert 0 < partial_spearman(np.arange(400.0), np.arange(400.0), {"a": RANDOM.permutation(400)}).p < 1e-200


@pytest.mark.parametrize(
    ("x", "controls", "reason"),
    [
        (TABLE["x"], {"ID": np.exp(TABLE["x"])}, "undefined (shape follows from ID)"),
        (np.ones(20), {"ID": TABLE["a"]}, "undefined (shape constant)"),
        (centred_ranks(TABLE["a"]) + 2 * centred_ranks(TABLE["b"]), {"ID": TABLE["a"]}, None),
    ],
)
def test_undefined_has_its_reason(x, controls, reason):
    result = partial_spearman(x, TABLE["y"], controls, ("shape", "axis"))
    assert result.reason == reason
    assert (result.value is None) == (result.p is None) == (reason is not None)


def test_too_few_models_for_the_controls():
    few = {name: values[:6] for name, values in TABLE.items()}
    assert partial_spearman(few["x"], few["y"], {"a": few["a"]}).value is not None
    two = partial_spearman(few["x"], few["y"], {"a": few["a"], "b": few["b"]})
    assert (two.value, two.reason) == (None, "undefined (n = 6, 2 controls)")


@pytest.mark.parametrize(
    ("x", "expected"), [([1, 2], "one length"), ([math.nan] * 20, "finite"), ([[1]], "one length")]
)
def test_refuses(x, expected):
    with pytest.raises(ValueError, match=expected):
        partial_spearman(x, TABLE["y"], {})
