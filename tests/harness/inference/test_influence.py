"""Leave-one-model-out, against deletion written out, and the published table."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.inference import influence_of
from harness.statistics import spearman
from tests.helpers.published import read_published

FLIPS = {  # of 48 deletions; every other pair has none
    ("low-frequency-bias", "ID"): 16,
    ("low-frequency-bias", "Concepts"): 17,
    ("critical-band-peak-noise-sensitivity", "ID"): 8,
    ("critical-band-bandwidth", "Concepts"): 3,
}


def test_the_published_stars_that_rest_on_one_model(real):
    table = read_published(real)
    pairs = {(b, a): influence_of(x, y) for b, x in table.biases.items() for a, y in table.axes.items()}
    assert {pair: len(result.flips) for pair, result in pairs.items() if result.flips} == FLIPS
    movers = [table.names[result.most] for result in pairs.values()]
    assert (len(movers), movers.count("resnet50_trained_on_SIN")) == (24, 7)
    assert max(movers, key=movers.count) == "resnet50_trained_on_SIN"


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(6, 14))
def test_against_deletion(data, n):
    numbers = st.lists(st.integers(0, 9), min_size=n, max_size=n)
    x, y = (np.array(data.draw(numbers), dtype=float) for _ in range(2))
    result, whole = influence_of(x, y), spearman(x, y)
    assert result.value == whole.value
    if result.reason:
        return
    without = [spearman(np.delete(x, at), np.delete(y, at)) for at in range(n)]
    expected = [None if one.value is None else pytest.approx(one.value, abs=1e-12) for one in without]
    assert list(result.coefficients) == expected
    moved = [-1 if one.value is None else abs(one.value - whole.value) for one in without]
    assert moved[result.most] == pytest.approx(max(moved))
    assert result.without == result.coefficients[result.most]
    clear = [at for at, one in enumerate(without) if one.p is not None and abs(one.p - 0.05) > 1e-9]
    assert [at for at in result.flips if at in clear] == [
        at for at in clear if (without[at].p < 0.05) != (whole.p < 0.05)
    ]


def test_an_outlier_is_named():
    x = np.append(np.tile([1.0, 2, 3, 4], 5), 100)
    y = np.append(np.repeat([1.0, 2, 3, 4, 5], 4), 100)
    result = influence_of(x, y)
    assert (result.most, result.without) == (20, 0.0)
    assert np.abs(np.array(result.coefficients[:20]) - result.value).max() < result.value


def test_a_perfect_order_stays_one():
    result = influence_of(range(12), range(12))
    assert (result.value, set(result.coefficients), result.flips, result.most) == (1.0, {1.0}, (), 0)


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], "undefined (n = 4)"),
        ([1, 2, 3, 4, 5], [1, 2, 3, 5, 4], "undefined (n = 4 without a model)"),
        ([1] * 8, range(8), "undefined (bias constant)"),
    ],
)
def test_undefined_has_its_reason(x, y, reason):
    result = influence_of(x, y, ("bias", "axis"))
    assert (result.reason, result.most, result.coefficients, result.flips) == (reason, None, (), ())


def test_a_deletion_that_leaves_a_constant():
    result = influence_of([0] * 9 + [1], range(10))
    assert (result.coefficients[-1], result.coefficients.count(None)) == (None, 1)
    assert result.most != 9
    assert result.flips == ()


def test_blocks_of_deletions_are_all_at_once(monkeypatch):
    x, y = np.random.default_rng(5).integers(0, 20, (2, 30))
    whole = influence_of(x, y)
    monkeypatch.setattr("harness.inference.influence._BLOCK", 100)
    assert influence_of(x, y) == whole
