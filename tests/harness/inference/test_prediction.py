"""Joint prediction: the published 48 models to the printed digit, its oracles, what it does not depend on, and gaps."""

import json
from dataclasses import asdict
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.inference import BASELINES, predictions
from tests.helpers.places import ROOT

# --- the published study ----------------------------------------------------------------------

AXES = ("ID", "Robustness", "Concepts", "Adversarial")
LOG = "high-frequency-bias"


@pytest.fixture(scope="module")
def frame(real):
    """The 48 straight from the published table: a column for each bias and axis, and their group."""
    folder = real / "paper"
    table = pd.read_csv(folder / "benchmark.csv").set_index("model")
    groups = json.loads((folder / "r50_categories.json").read_text())
    columns = yaml.safe_load((folder / "poster.yaml").read_text())["columns"]
    values = {name: table[[parts] if isinstance(parts, str) else parts].mean(axis=1) for name, parts in columns.items()}
    group = pd.Series({name: group for group, names in groups.items() for name in names})
    return pd.DataFrame({**values, "group": group}).dropna(subset="group")


def of_frame(frame, **more):
    biases = {name: frame[name].tolist() for name in frame if name not in (*AXES, "group")}
    axes = {name: frame[name].tolist() for name in AXES}
    return {
        (entry.axis, entry.learner): entry
        for entry in predictions(biases, axes, frame["group"].tolist(), frame.index.tolist(), **more)
    }


@pytest.fixture(scope="module")
def published(frame):
    return of_frame(frame, log=[LOG])


TABLE = {
    "ID": (0.896, 0.793, 0.286, 0.0005, 0.212, None),
    "Robustness": (0.798, 0.676, -0.358, 0.135, 0.660, 0.629),
    "Concepts": (0.527, 0.241, -2.079, 0.71, 0.408, -0.328),
    "Adversarial": (0.732, 0.675, -1.847, 0.67, 0.564, -0.284),
}
"""R², Q² LOO, Q² LOFO, its p, family means LOO, ID alone LOFO."""


def monte_carlo(p, draws=4000):
    """Three standard deviations of the difference between two p-values of that many draws."""
    return 3 * np.sqrt(2 * p * (1 - p) / draws) + 1 / draws


@pytest.mark.parametrize("axis", AXES)
def test_the_published_axes_from_all_six_biases(published, axis):
    r2, q2_loo, q2_lofo, p_lofo, family_mean, accuracy = TABLE[axis]
    entry = published[axis, "ols"]
    assert (entry.n, entry.families, entry.pairs, entry.reason) == (48, 7, 234, None)
    assert [round(value, 3) for value in (entry.r2, entry.q2_loo, entry.q2_lofo)] == [r2, q2_loo, q2_lofo]
    assert entry.p_lofo == pytest.approx(p_lofo, abs=monte_carlo(p_lofo))
    assert entry.p_loo == pytest.approx(1 / 4001) or axis == "Concepts"
    assert round(entry.baselines["family-mean"].q2_loo, 3) == family_mean
    assert entry.baselines["family-mean"].n == 46 and entry.baselines["family-mean"].q2_lofo is None
    assert "a family that is left out has no mean" in entry.baselines["family-mean"].reason
    alone = entry.baselines["id"]
    assert alone.reason == "undefined (the axis is ID itself)" if axis == "ID" else round(alone.q2_lofo, 3) == accuracy


@pytest.mark.parametrize("axis", AXES)
def test_the_table_of_the_documentation(published, axis):
    text = (ROOT / "docs" / "statistics.md").read_text("utf-8")
    line = next(line for line in text.splitlines() if line.startswith(f"| {axis} | 0."))
    plain, logged = published[axis, "ols"], published[axis, "ols-log"]
    numbers = [plain.r2, plain.q2_loo, plain.q2_lofo, plain.p_lofo, logged.q2_lofo, logged.p_lofo]
    shown = ["< 0.001" if value < 0.001 and at in (3, 5) else f"{value:.2f}" for at, value in enumerate(numbers)]
    accuracy = plain.baselines["id"].q2_lofo
    shown.append("–" if accuracy is None else f"{accuracy:.2f}")
    assert [cell.strip().replace("−", "-") for cell in line.strip("|").split("|")[1:]] == shown


def test_accuracy_without_its_wrong_part(frame, real):
    """ID as `--apply-errata` leaves it: without the published ReaL accuracy."""
    table = pd.read_csv(real / "paper" / "benchmark.csv").set_index("model")
    both = table[["top1_acc/imagenet", "top1_acc/imagenet-v2"]].mean(axis=1)
    found = of_frame(frame.assign(ID=both.reindex(frame.index)), log=[LOG])
    assert [round(found["ID", learner].q2_lofo, 2) for learner in ("ols", "ols-log")] == [0.00, 0.77]
    assert round(found["ID", "ols"].p_lofo, 3) == 0.016


@pytest.mark.parametrize(
    ("axis", "q2", "p"),
    [("ID", 0.81, 0.0002), ("Robustness", 0.41, 0.0002), ("Concepts", -0.29, 0.16), ("Adversarial", -0.34, 0.19)],
)
def test_with_the_logarithm_of_the_skewed_bias(published, axis, q2, p):
    entry = published[axis, "ols-log"]
    assert round(entry.q2_lofo, 2) == q2
    assert entry.p_lofo == pytest.approx(p, abs=monte_carlo(p))


def test_order_inside_families_and_what_accuracy_adds(published):
    assert [round(published[axis, "ols"].concordance, 3) for axis in AXES] == [0.718, 0.744, 0.504, 0.530]
    beside = [published[axis, "ols"].baselines["id+biases"] for axis in AXES]
    assert [round(score.q2_lofo, 3) for score in beside[1:]] == [0.533, -0.432, -1.098]
    assert beside[0].reason == "undefined (the axis is ID itself)"


@pytest.mark.parametrize("axis", AXES)
def test_what_six_biases_reach_by_chance(published, axis):
    null, logged = published[axis, "ols"].null, published[axis, "ols-log"].null
    assert (null.draws, null.seed) == (4000, 0)
    assert null.r2.mean == pytest.approx(6 / 47, abs=0.003) and 0.235 < null.r2.q95 < 0.295
    assert null.q2_loo.mean == pytest.approx(-0.24, abs=0.01)
    assert null.q2_lofo.mean == pytest.approx(-1.78, abs=0.08) and -0.185 < null.q2_lofo.q95 < -0.125
    assert logged.q2_lofo.mean == pytest.approx(-0.95, abs=0.03) and -0.125 < logged.q2_lofo.q95 < -0.08


def test_scikit_learn_gives_the_published_table(frame, published):
    """With a scaler inside each fold."""
    linear = pytest.importorskip("sklearn.linear_model")
    from sklearn.model_selection import LeaveOneGroupOut
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    predictors, groups = frame.drop(columns=[*AXES, "group"]).to_numpy(), frame["group"].to_numpy()
    pipeline = make_pipeline(StandardScaler(), linear.LinearRegression())

    def q2(response):
        rest = total = 0.0
        for others, left_out in LeaveOneGroupOut().split(predictors, groups=groups):
            predicted = pipeline.fit(predictors[others], response[others]).predict(predictors[left_out])
            rest += ((response[left_out] - predicted) ** 2).sum()
            total += ((response[left_out] - response[others].mean()) ** 2).sum()
        return 1 - rest / total

    for axis in AXES:
        assert published[axis, "ols"].q2_lofo == pytest.approx(q2(frame[axis].to_numpy()), rel=1e-6)


def test_neither_the_order_of_models_nor_the_unit_of_a_bias_matters(frame, published):
    mixed = frame.sample(frac=1, random_state=4)
    mixed["shape-bias"] *= 1e200
    mixed["Robustness"] *= 1e200
    for key, entry in of_frame(mixed, log=[LOG]).items():
        first, second = asdict(published[key]), asdict(entry)
        for name in ("r2", "q2_loo", "q2_lofo", "p_loo", "p_lofo", "concordance", "pairs"):
            assert second[name] == pytest.approx(first[name], rel=1e-9), (key, name)
        assert second["null"]["q2_lofo"] == pytest.approx(first["null"]["q2_lofo"], rel=1e-9)


def test_permutations_in_blocks_are_the_same_permutations(frame, published, monkeypatch):
    monkeypatch.setattr("harness.inference.cohort.MOST_NUMBERS", 48 * 4000)
    entry = of_frame(frame, log=[LOG])["Concepts", "ols"]
    assert entry.p_lofo == published["Concepts", "ols"].p_lofo
    assert entry.null.q2_lofo.mean == pytest.approx(published["Concepts", "ols"].null.q2_lofo.mean, rel=1e-9)


# --- small studies ----------------------------------------------------------------------------

BIASES = {"shape": [0.1, 0.4, 0.2, 0.8, 0.6, 0.9, 0.3, 0.7], "noise": [0.3, 0.1, 0.4, 0.15, 0.9, 0.2, 0.6, 0.5]}
RESPONSE = [0.2, 0.5, 0.1, 0.7, 0.9, 0.8, 0.4, 0.6]
FAMILIES = ["a", "a", "a", "b", "b", "b", "c", "c"]
MODELS = [f"m{at}" for at in range(8)]


def small(biases=BIASES, response=RESPONSE, families=FAMILIES, accuracy=None, **more):
    axes = {"Robust": response, **({"ID": accuracy} if accuracy else {})}
    first, *_ = predictions(biases, axes, families, MODELS[: len(response)], draws=200, **more)
    return first


def test_concordance_is_the_share_of_pairs_in_order():
    entry, right, pairs = small(), 0.0, 0
    columns, response = np.column_stack([np.ones(8), *BIASES.values()]), np.array(RESPONSE)
    for family in "abc":
        inside = np.array(FAMILIES) == family
        predicted = columns[inside] @ np.linalg.lstsq(columns[~inside], response[~inside], rcond=None)[0]
        for (y1, f1), (y2, f2) in combinations(zip(response[inside], predicted, strict=True), 2):
            right, pairs = right + ((y1 > y2) == (f1 > f2)), pairs + 1
    assert (entry.pairs, entry.concordance) == (pairs, pytest.approx(right / pairs)) and pairs == 7
    assert small(response=[*RESPONSE[:6], 0.4, 0.4]).concordance in [at / 14 for at in range(1, 14, 2)]


def test_a_perfect_relation_is_predicted_for_every_family():
    response = [2 * shape - noise for shape, noise in zip(*BIASES.values(), strict=True)]
    entry = small(response=response)
    assert (entry.r2, entry.q2_loo, entry.q2_lofo) == pytest.approx((1, 1, 1))
    assert entry.concordance == 1 and entry.p_lofo == pytest.approx(1 / 201)
    logged = predictions(BIASES, {"Robust": np.log(BIASES["shape"]).tolist()}, FAMILIES, MODELS, log=["shape"], draws=9)
    assert [(one.learner, one.q2_lofo > 1 - 1e-9) for one in logged] == [("ols", False), ("ols-log", True)]


def test_every_permutation_of_few_models_counts_with_its_ties():
    """Six values of which five are alike have six orders: p is near the share of those that predict as well."""
    biases = {"shape": [0.1, 0.2, 0.3, 0.4, 0.5, 0.9]}
    (entry,) = predictions(biases, {"y": [0, 0, 0, 0, 0, 1]}, ["a", "a", "b", "b", "c", "c"], MODELS[:6], draws=3000)
    orders = np.eye(6)
    q2 = [predictions(biases, {"y": one.tolist()}, list("aabbcc"), MODELS[:6], draws=1)[0].q2_lofo for one in orders]
    share = np.mean(np.array(q2) >= entry.q2_lofo - 1e-9)
    assert entry.p_lofo == pytest.approx(share, abs=0.03) and share >= 1 / 6


def test_models_with_gaps_are_left_out_and_counted():
    whole = small(response=RESPONSE[:7], biases={name: v[:7] for name, v in BIASES.items()}, families=FAMILIES[:7])
    for gap in (None, float("nan"), float("inf")):
        lacking = small(response=[*RESPONSE[:7], gap])
        assert (lacking.n, lacking.q2_lofo) == (7, pytest.approx(whole.q2_lofo))
    assert small(biases={**BIASES, "shape": [None, *BIASES["shape"][1:]]}).n == 7


def test_baselines_rest_on_the_models_that_have_accuracy():
    entry = small(accuracy=[0.5, 0.6, 0.7, 0.65, 0.9, 0.8, 0.4, None])
    assert (entry.n, entry.baselines["id"].n, entry.baselines["id+biases"].n) == (8, 7, 7)
    assert entry.baselines["mean"].q2_loo == entry.baselines["mean"].q2_lofo == 0
    assert tuple(entry.baselines) == BASELINES
    assert small().baselines["id"].reason == "undefined (no axis is named ID)"


def undefined(entry):
    return [entry.r2, entry.q2_loo, entry.q2_lofo, entry.p_loo, entry.p_lofo, entry.concordance, entry.null.r2.mean]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"response": [0.5] * 8}, "undefined (Robust constant)"),
        ({"biases": {**BIASES, "noise": [1.0] * 8}}, "undefined (noise constant)"),
        ({"biases": {"a": [0.5] * 7 + [None], "b": [0.5] * 8}}, "undefined (a and b constant)"),
        (
            {"biases": {**BIASES, "band": [0.5, 0.4, 0.7, *[None] * 5]}},
            "undefined (n = 3; 3 biases need at least 5 models with all numbers; 5 of 8 lack band)",
        ),
        (
            {"response": [None] * 8},
            "undefined (n = 0; 2 biases need at least 4 models with all numbers; 8 of 8 lack Robust)",
        ),
        (
            {"biases": {"x": [1.0] * 2}, "response": [1, 2], "families": ["a", "b"]},
            "undefined (n = 2; 1 bias needs at least 3 models with all numbers)",
        ),
    ],
)
def test_undefined_is_nothing_with_a_reason(change, reason):
    entry = small(**change)
    assert entry.reason == reason
    assert undefined(entry) == [None] * 7
    assert {score.reason for score in entry.baselines.values()} == {reason}


def test_a_value_without_logarithm_is_named():
    biases = {**BIASES, "shape": [0.0, *BIASES["shape"][1:]]}
    plain, logged = predictions(biases, {"Robust": RESPONSE}, FAMILIES, MODELS, log=["shape", "gone"], draws=9)
    assert plain.reason is None
    assert logged.reason == "undefined (shape of m0 is 0, which has no logarithm)" and undefined(logged) == [None] * 7
    assert [one.learner for one in predictions(BIASES, {"R": RESPONSE}, FAMILIES, MODELS, log=["gone"])] == ["ols"]


@pytest.mark.parametrize(
    ("families", "count", "reason"),
    [
        (["a"] * 8, 1, "all models are of one family, so none predicts another"),
        ([None] * 8, 0, "no model has a group, so no family can be left out"),
        (["a"] * 6 + ["b"] * 2, 2, "without the group a the other models do not determine the 3 coefficients"),
    ],
)
def test_without_families_only_models_are_left_out(families, count, reason):
    entry = small(families=families)
    assert (entry.families, entry.reason) == (count, f"Q² LOFO undefined ({reason})")
    assert [entry.q2_lofo, entry.p_lofo, entry.concordance] == [None] * 3
    assert entry.q2_loo is not None and entry.p_loo is not None and entry.null.q2_lofo.mean is None


def test_models_without_a_family_among_others_are_left_out_alone():
    entry = small(families=[*FAMILIES[:6], None, None])
    assert (entry.families, entry.pairs) == (4, 6)
    assert entry.q2_lofo == pytest.approx(small(families=[*FAMILIES[:6], "c", "d"]).q2_lofo)


def test_nothing_is_predicted_from_nothing():
    assert predictions({}, {"Robust": RESPONSE}, FAMILIES, MODELS) == []
    assert predictions(BIASES, {}, FAMILIES, MODELS) == []
    with pytest.raises(ValueError, match="as many values and families as models, 8"):
        predictions(BIASES, {"Robust": RESPONSE[:7]}, FAMILIES, MODELS)


HOSTILE = {
    "largest and smallest": [1.7e308, -1.7e308] * 4,
    "subnormal": [5e-324, 1e-320, 3e-320, 0, 5e-324, 1e-310, 2e-310, 7e-320],
    "one is huge": [1e308, 5e-324, 1e-320, 0.5, 0.25, 0.75, 0.1, 0.2],
    "one differs": [1.0] * 7 + [1e300],
    "equal but for rounding": [0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2, 0.3, 0.3, 0.3, 0.1 + 0.2],
    "hardly any": [None, None, float("nan"), float("-inf"), 1.0, 2.0, None, None],
    "integers of any size": [1, 2, 10**300, 3, -(10**300), 5, 8, 6],
}


@pytest.mark.parametrize("values", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("place", ["bias", "axis", "accuracy", "everything"])
def test_hostile_numbers_are_numbers_or_reasons(values, place):
    biases = {**BIASES, "shape": values} if place in ("bias", "everything") else BIASES
    axes = {
        "Robust": values if place in ("axis", "everything") else RESPONSE,
        "ID": values if place != "bias" else RESPONSE,
    }
    for entry in predictions(biases, axes, FAMILIES, MODELS, log=["shape"], draws=20):
        json.dumps(asdict(entry), allow_nan=False)
        assert entry.reason or entry.q2_lofo is not None
        assert all(one.reason or one.q2_lofo is not None for one in entry.baselines.values())


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(*[st.floats() | st.integers(0, 3) | st.none()] * 4, st.sampled_from("abc") | st.none()), max_size=12
    )
)
def test_whatever_the_numbers_every_gap_has_a_reason(models):
    columns = list(zip(*models, strict=True)) or [()] * 5
    names = [f"m{at}" for at in range(len(models))]
    biases, axes = {"a": columns[0], "b": columns[1]}, {"ID": columns[2], "y": columns[3]}
    for entry in predictions(biases, axes, columns[4], names, log=["b"], draws=9):
        json.dumps(asdict(entry), allow_nan=False)
        assert entry.reason or None not in (entry.r2, entry.q2_loo, entry.q2_lofo, entry.p_loo, entry.p_lofo)
