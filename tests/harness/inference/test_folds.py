"""Residuals of models and families that were left out: textbook tables, scikit-learn, statsmodels, and refitting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.inference.folds import design_of, explained, members_of, predicted, squares

STACKLOSS = np.array(
    [
        [80, 27, 89, 42], [80, 27, 88, 37], [75, 25, 90, 37], [62, 24, 87, 28], [62, 22, 87, 18], [62, 23, 87, 18],
        [62, 24, 93, 19], [62, 24, 93, 20], [58, 23, 87, 15], [58, 18, 80, 14], [58, 18, 89, 14], [58, 17, 88, 13],
        [58, 18, 82, 11], [58, 19, 93, 12], [50, 18, 89, 8], [50, 18, 86, 7], [50, 19, 72, 8], [50, 19, 79, 8],
        [50, 20, 80, 9], [56, 20, 82, 15], [70, 20, 91, 15],
    ],
    dtype=float,
)  # fmt: skip
"""Brownlee's plant: air flow, temperature, acid, loss."""


def fitted(predictors, response, families=None):
    names = [f"x{at}" for at in range(predictors.shape[1])]
    families = families or [None] * len(response)
    return design_of(predictors, names, families), design_of(np.empty((len(response), 0)), (), families)


def numbers(predictors, responses, families=None):
    """R² and Q² of responses (n, d), each first freed of its mean."""
    design, mean = fitted(predictors, responses, families)
    centred = responses - responses.mean(axis=0)
    return explained(design, centred, squares(mean, centred))


def press(predictors, response):
    """PRESS, and R² and Q² with the mean of all models in the denominator, as textbooks have it."""
    design, _ = fitted(predictors, response)
    centred, n = (response - response.mean())[:, None], len(response)
    total, result = float((centred**2).sum()), float(squares(design, centred).loo[0])
    found = numbers(predictors, response[:, None])
    assert found.q2_loo[0] == pytest.approx(1 - (1 - 1 / n) ** 2 * result / total)  # the mean of the others
    return float(found.r2[0]), result, 1 - result / total


def test_stackloss():
    r2, squares, q2 = press(STACKLOSS[:, :3], STACKLOSS[:, 3])
    assert (round(r2, 4), round(squares, 3), round(q2, 4)) == (0.9136, 291.869, 0.8589)


def test_longley_whose_predictors_are_nearly_dependent():
    data = pytest.importorskip("statsmodels.datasets").longley.load_pandas()
    _, squares, q2 = press(data.exog.to_numpy(), data.endog.to_numpy())
    assert (round(squares, 2), round(q2, 5)) == (2886892.54, 0.98440)


def test_residuals_of_press_are_those_of_statsmodels():
    model = pytest.importorskip("statsmodels.regression.linear_model")
    fit = model.OLS(STACKLOSS[:, 3], np.column_stack([np.ones(21), STACKLOSS[:, :3]])).fit()
    alone = [f"family of model {at}" for at in range(21)]
    design, _ = fitted(STACKLOSS[:, :3], STACKLOSS[:, 3], alone)
    residuals = STACKLOSS[:, 3] - predicted(design, STACKLOSS[:, 3])
    assert residuals == pytest.approx(fit.get_influence().resid_press)
    assert design.leverage == pytest.approx(fit.get_influence().hat_matrix_diag)
    assert numbers(STACKLOSS[:, :3], STACKLOSS[:, 3:]).r2[0] == pytest.approx(fit.rsquared)


@st.composite
def studies(draw):
    """Predictors, response and families; each family has one to four models."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(1, 4), min_size=5, max_size=7))
    families = [f"f{at}" for at, size in enumerate(sizes) for _ in range(size)]
    n, p = len(families), draw(st.integers(1, 3))
    if n - max(sizes) < p + 1:
        p = 1
    scales = 10.0 ** rng.integers(-6, 7, p)
    return rng.normal(size=(n, p)) * scales + rng.normal(size=p) * scales, rng.normal(size=n), families


def refitted(predictors, response, left_out):
    """Response of `left_out`, minus what is predicted by a fit to the others, standardised by the others alone."""
    others = ~left_out
    mean, deviation = predictors[others].mean(axis=0), predictors[others].std(axis=0)
    scaled = np.column_stack([np.ones(len(response)), (predictors - mean) / deviation])
    coefficients = np.linalg.lstsq(scaled[others], response[others], rcond=None)[0]
    return response[left_out] - scaled[left_out] @ coefficients


def refitted_q2(predictors, response, folds):
    """Q² by a fit for each fold."""
    rest = total = 0.0
    for fold in folds:
        rest += (refitted(predictors, response, fold) ** 2).sum()
        total += ((response[fold] - response[~fold].mean()) ** 2).sum()
    return 1 - rest / total


@settings(max_examples=40)
@given(studies())
def test_the_closed_form_is_refitting_with_predictors_standardised_inside_the_fold(study):
    predictors, response, families = study
    names, n = np.array(families), len(families)
    by_family = [names == family for family in dict.fromkeys(families)]
    found, design = numbers(predictors, response[:, None], families), fitted(predictors, response, families)[0]
    alone = [np.arange(n) == at for at in range(n)]
    assert found.q2_loo[0] == pytest.approx(refitted_q2(predictors, response, alone), rel=1e-5, abs=1e-6)
    assert found.q2_lofo[0] == pytest.approx(refitted_q2(predictors, response, by_family), rel=1e-5, abs=1e-6)
    for fold in by_family:
        expected = response[fold] - refitted(predictors, response, fold)
        assert predicted(design, response)[fold] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_scikit_learn_predicts_the_same_with_a_scaler_in_its_pipeline():
    linear = pytest.importorskip("sklearn.linear_model")
    from sklearn.model_selection import LeaveOneGroupOut, LeaveOneOut, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    predictors, response = STACKLOSS[:, :3], STACKLOSS[:, 3]
    families = ["a"] * 6 + ["b"] * 7 + ["c"] + ["d"] * 7
    alone = [str(at) for at in range(21)]
    pipeline = make_pipeline(StandardScaler(), linear.LinearRegression())
    for splitter, groups, own in ((LeaveOneOut(), None, alone), (LeaveOneGroupOut(), families, families)):
        expected = cross_val_predict(pipeline, predictors, response, groups=groups, cv=splitter)
        assert predicted(fitted(predictors, response, own)[0], response) == pytest.approx(expected)


@settings(max_examples=40)
@given(studies())
def test_many_responses_at_once_are_each_on_its_own(study):
    predictors, response, families = study
    both = numbers(predictors, np.column_stack([response, response[::-1]]), families)
    for at, one in enumerate((response, response[::-1])):
        alone = numbers(predictors, one[:, None], families)
        for key in ("r2", "q2_loo", "q2_lofo"):
            assert getattr(both, key)[at] == pytest.approx(getattr(alone, key)[0], rel=1e-9)


def test_families_in_any_order_are_the_same_families():
    predictors, response = STACKLOSS[:, :3], STACKLOSS[:, 3:]
    families, mixed = ["a"] * 6 + ["b"] * 8 + ["c"] * 7, np.random.default_rng(3).permutation(21)
    expected = numbers(predictors, response, families).q2_lofo
    assert numbers(predictors[mixed], response[mixed], [families[at] for at in mixed]).q2_lofo == pytest.approx(
        expected
    )


def reason(columns, families=("a", "a", "a", "b", "b", "b", "b", "c")):
    names = [f"x{at}" for at in range(len(columns))]
    design = design_of(np.array(columns, float).T.reshape(len(families), -1), names, families)
    return design.reason, design.loo_reason, design.lofo_reason


UP, ODD = [1, 2, 3, 4, 5, 6, 7, 8], [3, 1, 4, 1, 5, 9, 2, 6]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([UP, [2] * 8], "undefined (x1 constant)"),
        ([UP, [0.1 + 1e-9 * (at % 2) for at in range(8)]], "undefined (x1 constant)"),
        ([UP, ODD, [a + b for a, b in zip(UP, ODD, strict=True)]], "undefined (x0 and x1 and x2 linearly dependent)"),
        ([UP, ODD, [1 - a for a in ODD]], "undefined (x1 and x2 linearly dependent)"),
        ([UP] * 7, "undefined (n = 8; 8 coefficients need at least 9 models)"),
    ],
)  # fmt: skip
def test_predictors_that_determine_no_fit_are_named(columns, expected):
    assert reason(columns)[0] == expected


def test_folds_that_determine_nothing_are_named():
    assert reason([UP, ODD]) == (None, None, None)
    assert reason([UP, [0] * 7 + [1]]) == (None, *["without one model x1 is constant"] * 2)  # `c` has one model
    assert reason([UP, [0, 1, 2, *[0] * 5]]) == (None, None, "without the group a x1 is constant")
    same = [1, 2, 3, 4, 5, 6, 7, 0]
    assert reason([UP, same])[1:] == ("without one model the others do not determine the 3 coefficients",) * 2
    large = "without the group b the other models do not determine the 5 coefficients"
    assert reason([UP, ODD, [a * a for a in UP], [a * b for a, b in zip(UP, ODD, strict=True)]])[2] == large


def test_families_that_cannot_be_left_out():
    assert reason([UP], [None] * 8)[1:] == (None, "no model has a group, so no family can be left out")
    assert reason([UP], ["a"] * 8)[1:] == (None, "all models are of one family, so none predicts another")
    assert members_of(["a", None, "b", "a", None]) == [("a", [0, 3]), (None, [1]), ("b", [2]), (None, [4])]
