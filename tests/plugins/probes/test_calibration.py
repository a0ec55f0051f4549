"""Calibration of the accuracy probe: analytic cases, scikit-learn as oracle, and where a number is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from harness import TaskLayout, Trials
from harness.plugins.probes._calibration import BINS, calibrated_ece, ece
from harness.plugins.probes.accuracy import Accuracy
from harness.testing import make_trials
from harness.views import Views, measures_by_view

NAMES = ("ece", "ece-calibrated", "brier-top1", "nll", "brier")


def of_logits(n=300, classes=10, seed=0, scale=2.0, **changes):
    """Trials with the decisions of random logits, whose targets they know a little."""
    rng = np.random.default_rng(seed)
    logits = (scale * rng.normal(size=(n, 1, classes))).astype(np.float16)
    trials = make_trials(("clean",), n=n, classes=tuple(f"c{number}" for number in range(classes)), logits=logits)
    targets = np.where(rng.random(n) < 0.6, trials.top5[:, 0, 0], rng.integers(0, classes, n)).astype(np.int16)
    layout = replace(trials.layout, targets=targets[:, None], **changes)
    return replace(trials, layout=layout, correct=trials.top5[:, :, 0] == targets[:, None]), logits[:, 0]


def measured(trials):
    return {one.name: one for one in Accuracy().measures(trials) if one.name in NAMES}


def softmax(logits):
    exact = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return exact / exact.sum(axis=1, keepdims=True)


# --- expected calibration error --------------------------------------------------------------


def test_errors_of_two_bins_by_hand():
    """Ten decisions of .8, seven right; thirty of .5, all wrong: (10 * .1 + 30 * .5) / 40."""
    logp = np.log([0.8] * 10 + [0.5] * 30)
    correct = np.array([True] * 7 + [False] * 33)
    assert ece(logp, correct) == pytest.approx((10 * 0.1 + 30 * 0.5) / 40, abs=1e-12)


def test_errors_of_opposite_sign_cancel_within_a_bin_only():
    assert ece(np.log([0.75, 0.75]), np.array([True, False])) == pytest.approx(0.25)
    assert ece(np.log([0.74, 0.76]), np.array([True, False])) == pytest.approx(0.25)
    assert ece(np.log([0.7, 0.9]), np.array([True, False])) == pytest.approx((0.3 + 0.9) / 2)


def test_a_bin_holds_its_upper_edge():
    """As Guo et al. define it: 1/15 and 2/15 lie in two bins, and so do 14/15 and 1."""
    edges = np.arange(1, BINS + 1) / BINS
    correct = np.arange(BINS) % 2 == 0
    assert ece(np.log(edges), correct) == pytest.approx(np.abs(correct - edges).mean(), abs=1e-12)


def test_certain_and_right_is_calibrated_and_certain_and_wrong_is_not():
    assert ece(np.zeros(5), np.ones(5, bool)) == 0 == calibrated_ece(np.zeros(5))
    assert ece(np.zeros(5), np.zeros(5, bool)) == 1


def exactly(logp):
    """The mean error of calibrated outcomes, from the whole distribution of the hits in each bin."""
    stated, total = np.exp(logp), 0.0
    places = np.maximum(np.ceil(stated * BINS) - 1, 0)
    for place in set(places.tolist()):
        inside, distribution = stated[places == place], np.ones(1)
        for p in inside:
            distribution = np.convolve(distribution, [1 - p, p])
        total += (distribution * np.abs(np.arange(len(distribution)) - inside.sum())).sum()
    return total / len(stated)


@given(st.lists(st.one_of(st.floats(0.001, 1), st.floats(0.93, 1), st.just(1.0)), min_size=1, max_size=40))
@settings(max_examples=100, deadline=None)
def test_the_calibrated_error_against_the_exact_distribution(stated):
    logp = np.log(stated)
    assert calibrated_ece(logp) == pytest.approx(exactly(logp), rel=1e-3, abs=1e-12)


def test_the_calibrated_error_against_drawn_outcomes():
    """A calibrated network of 320 trials is on average 3 % off: an error of 0 is not what to expect."""
    rng = np.random.default_rng(0)
    logp = np.log(rng.beta(4, 1, 320) * 0.9 + 0.1)
    drawn = [ece(logp, rng.random(320) < np.exp(logp)) for _ in range(2000)]
    assert calibrated_ece(logp) == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / 2000**0.5)
    assert calibrated_ece(logp) > 0.02


# --- measures --------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [None, (2, 3, 5, 7, 8, 9)], ids=["all outputs", "a subset"])
def test_scores_are_those_of_scikit_learn(columns):
    made, logits = of_logits()
    if columns:
        made, _ = of_logits(classes=6, columns=columns)
        made = replace(make_of(logits[:, columns], made.layout), logits=lambda low, high: logits[low:high, None])
    targets, likely = made.layout.targets[:, 0], softmax(logits if columns is None else logits[:, columns])
    found, labels = measured(made), range(likely.shape[1])
    assert found["nll"].value == pytest.approx(log_loss(targets, likely, labels=labels), abs=1e-9)
    exact = brier_score_loss(targets, likely, labels=labels, scale_by_half=False)
    assert found["brier"].value == pytest.approx(exact, abs=1e-9)
    first, correct = likely.max(axis=1), made.correct[:, 0]
    assert found["brier-top1"].value == pytest.approx(brier_score_loss(correct, first), abs=4e-4)  # float16 logarithms
    assert {one.n for one in found.values()} == {300}
    assert [found[name].unit for name in NAMES] == ["1", "1", "1", "nats", "1"]


def make_of(logits, layout):
    decided = make_trials(("clean",), n=len(logits), classes=layout.classes, logits=logits[:, None])
    return replace(decided, layout=layout, correct=decided.top5[:, :, 0] == layout.targets)


def test_rounding_to_float16_moves_a_probability_by_two_in_ten_thousand():
    """|p log p| is at most 1/e, and a float16 has 11 digits."""
    exact = np.linspace(1e-4, 1, 100_001)
    stored = np.exp(np.log(exact).astype(np.float16).astype(np.float64))
    assert np.abs(stored - exact).max() < 2e-4


def test_more_trials_than_are_read_at_once():
    made, logits = of_logits(n=9_000, classes=4)
    assert measured(made)["nll"].value == pytest.approx(log_loss(made.layout.targets[:, 0], softmax(logits)), abs=1e-9)


def test_views_are_one_set_of_trials_and_none_of_them_is_judged_alone():
    made, _ = of_logits(n=60)
    views = ("fog-1", "fog-2", "fog-3")
    wide = replace(
        made,
        layout=replace(made.layout, conditions=views, sample_ids=made.layout.sample_ids[:20],
                       targets=made.layout.targets[::3]),
        top5=made.top5.reshape(20, 3, 5), logp=made.logp.reshape(20, 3, 5), correct=made.correct.reshape(20, 3),
        logits=None, rank=None,
    )  # fmt: skip
    found = [one for one in measures_by_view(Accuracy(), Views.of(wide, ("clean",))) if one.name in NAMES]
    assert [one.full_name("d") for one in found] == [f"{name}@d" for name in NAMES]
    together = measured(made)
    assert [one.value for one in found[:3]] == [together[name].value for name in NAMES[:3]]
    assert found[0].n == 60


# --- undefined -------------------------------------------------------------------------------


def reasons(trials):
    return {name: one.reason for name, one in measured(trials).items() if one.value is None}


def test_without_logits_only_the_first_choice_is_judged():
    made, _ = of_logits()
    assert reasons(replace(made, logits=None)) == dict.fromkeys(("nll", "brier"), "needs --store logits")


def test_several_targets_have_no_loss_over_classes():
    made, _ = of_logits()
    targets = np.concatenate([made.layout.targets, np.full((300, 1), -1, np.int16)], axis=1)
    assert not reasons(replace(made, layout=replace(made.layout, targets=targets)))
    targets[7, 1] = (targets[7, 0] + 1) % 10
    several = reasons(replace(made, layout=replace(made.layout, targets=targets)))
    assert several == dict.fromkeys(("nll", "brier"), "some samples have several targets")


def test_probabilities_of_categories_are_not_judged():
    """The mean over the members of a category is no probability: it does not add up to 1, and looks unsure."""
    made, logits = of_logits(classes=100, scale=4.0)
    means = np.log(softmax(logits).reshape(300, 10, 10).mean(axis=2))
    order = np.argsort(-means, axis=1)[:, :5]
    layout = replace(made.layout, classes=made.layout.classes[:10], targets=made.layout.targets % 10)
    logp = np.take_along_axis(means, order, 1).astype(np.float16)
    categories = replace(made, layout=layout, top5=order[:, None].astype(np.int16), logp=logp[:, None])
    found = reasons(categories)
    assert set(found) == set(NAMES)
    assert all("do not add up to 1" in text or "does not add up to 1" in text for text in found.values())


@pytest.mark.parametrize("classes", [2, 4, 5, 6, 1000])
def test_true_probabilities_of_any_number_of_classes_are_judged(classes):
    for scale in (0.01, 1.0, 8.0):
        made, _ = of_logits(n=40, classes=classes, scale=scale) if classes > 4 else few(classes, scale)
        assert not reasons(made)


def few(classes, scale):
    """Decisions among fewer than five classes, padded as they are stored."""
    rng = np.random.default_rng(1)
    likely = softmax(scale * rng.normal(size=(40, classes)))
    order = np.argsort(-likely, axis=1)
    top5, logp = np.full((40, 1, 5), -1, np.int16), np.full((40, 1, 5), np.nan, np.float16)
    top5[:, 0, :classes], logp[:, 0, :classes] = order, np.log(np.take_along_axis(likely, order, 1))
    layout = TaskLayout(
        task="accuracy@few", sample_ids=tuple(map(str, range(40))), targets=np.zeros((40, 1), np.int16),
        conditions=("clean",), classes=tuple("abcde"[:classes]), size=8, span=16,
    )  # fmt: skip
    made = Trials(model="m", layout=layout, top5=top5, logp=logp, correct=top5[:, :, 0] == 0)
    return replace(made, logits=lambda low, high: np.log(likely)[low:high, None].astype(np.float16)), likely


def test_imported_decisions_and_samples_without_labels_or_trials():
    made, _ = of_logits()
    imported = replace(made, logp=np.full(made.logp.shape, np.nan, np.float16), logits=None)
    assert reasons(imported) == dict.fromkeys(NAMES, "only first choices are known")
    unlabelled = replace(made, layout=replace(made.layout, targets=np.full((300, 1), -1, np.int16)))
    assert reasons(unlabelled) == dict.fromkeys(NAMES, "no labels")
    nothing = replace(
        made, layout=replace(made.layout, sample_ids=(), targets=made.layout.targets[:0]),
        top5=made.top5[:0], logp=made.logp[:0], correct=made.correct[:0],
    )  # fmt: skip
    assert reasons(nothing) == dict.fromkeys(NAMES, "no trials")
