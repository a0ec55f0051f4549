"""Models predicted by models that do not include them: fits fold by fold, and Q² made of their predictions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.inference import predictions

VALUES = st.integers(-1000, 1000).map(lambda value: value / 1000)


def by_fits(columns, response, folds):
    """(n,) predictions of each fold by a least-squares fit to the others, and the mean of the others."""
    predicted, mean = np.empty(len(response)), np.empty(len(response))
    for rows in folds:
        others = np.setdiff1d(np.arange(len(response)), rows)
        coefficients = np.linalg.lstsq(columns[others], response[others], rcond=None)[0]
        predicted[rows], mean[rows] = columns[rows] @ coefficients, response[others].mean()
    return predicted, mean


def entry_of(biases, response, families, order=None, **more):
    order = range(len(response)) if order is None else order
    (entry, *_) = predictions(
        {f"b{at}": [column[row] for row in order] for at, column in enumerate(biases.T.tolist())},
        {"axis": [response[row] for row in order]},
        [families[row] for row in order],
        [f"m{row}" for row in order],
        draws=2,
        **more,
    )
    return entry


@settings(max_examples=15)
@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=9, max_size=14), st.randoms())
def test_they_are_those_of_a_fit_to_each_fold(rows, random):
    table = np.array(rows)
    biases, response = table[:, :2], table[:, 2]
    families = [random.choice(["a", "b", "c", None]) for _ in rows]
    entry = entry_of(biases, response, families)
    columns = np.column_stack([np.ones(len(rows)), biases])
    singles = [[at] for at in range(len(rows))]
    groups = [[at for at, family in enumerate(families) if family == name] for name in "abc"]
    folds = {"loo": singles, "lofo": [*filter(None, groups), *([at] for at in singles if families[at[0]] is None)]}
    if entry.r2 is None:
        assert entry.predicted == ()
        return
    assert [(of.model, of.family, of.measured) for of in entry.predicted] == [
        (f"m{at}", family, value) for at, (family, value) in enumerate(zip(families, response, strict=True))
    ]
    for key, of_key in folds.items():
        values, q2 = [getattr(of, key) for of in entry.predicted], getattr(entry, f"q2_{key}")
        assert (None in values) == (q2 is None)
        if q2 is not None:
            expected, mean = by_fits(columns, response, [np.ravel(rows) for rows in of_key])
            size = 1e-6 * max(1, np.abs(expected).max())
            assert values == pytest.approx(expected.tolist(), abs=size)
            made = 1 - ((response - values) ** 2).sum() / ((response - mean) ** 2).sum()
            assert made == pytest.approx(q2, rel=1e-6, abs=1e-6)


RNG = np.random.default_rng(5)
BIASES, RESPONSE, FAMILIES = RNG.random((12, 2)), RNG.random(12).tolist(), list("aaabbbcccddd")


def test_they_come_in_the_order_of_the_models_and_in_the_units_of_the_axis():
    first = {of.model: of for of in entry_of(BIASES, RESPONSE, FAMILIES).predicted}
    order = RNG.permutation(12)
    mixed = entry_of(BIASES, [1e200 * value for value in RESPONSE], FAMILIES, order.tolist()).predicted
    assert [of.model for of in mixed] == [f"m{at}" for at in order]
    for of in mixed:
        same = first[of.model]
        assert (of.loo, of.lofo) == pytest.approx((1e200 * same.loo, 1e200 * same.lofo), rel=1e-9)
        assert of.measured == 1e200 * same.measured


def test_models_with_gaps_are_not_among_them_and_too_large_is_nothing():
    entry = entry_of(BIASES, [*RESPONSE[:11], None], FAMILIES)
    assert [of.model for of in entry.predicted] == [f"m{at}" for at in range(11)]
    far = BIASES.copy()
    far[:3] *= 1e6
    huge = entry_of(far, [1.7e308 * value for value in RESPONSE], FAMILIES).predicted
    assert [of.lofo is None for of in huge[:3]] == [True] * 3 and all(of.loo is not None for of in huge[3:])


def test_without_a_fit_there_are_none_and_without_groups_none_of_them_left_out():
    assert entry_of(BIASES, [0.5] * 12, FAMILIES).predicted == ()
    alone = entry_of(BIASES, RESPONSE, [None] * 12).predicted
    assert {of.lofo for of in alone} == {None} and None not in {of.loo for of in alone}
