"""Logits become decisions as each benchmark defines them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from harness import LabelSpace
from harness.engine.decisions import decide, log_probabilities, padded_targets
from harness.proportions import target_ranks
from harness.records import NO_RANK


def logits(seed, n=7, outputs=50, scale=5.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, scale, (n, outputs)).astype(np.float32))


ALL = LabelSpace(name="all", classes=tuple(map(str, range(50))), outputs=50)
SUBSET = LabelSpace(name="subset", classes=tuple("abcdefg"), outputs=50, columns=(3, 9, 11, 20, 31, 40, 49))
GROUPS = LabelSpace(name="groups", classes=("x", "y", "z"), outputs=50, members=((0, 5, 9), (1,), tuple(range(20, 50))))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(0.01, 60))
def test_log_probabilities_against_scipy_in_float64(seed, scale):
    given_ = logits(seed, scale=scale)
    exact = given_.double().numpy()
    np.testing.assert_allclose(log_probabilities(given_, ALL), log_softmax(exact, axis=1), rtol=1e-5, atol=1e-5)
    subset = log_softmax(exact[:, SUBSET.columns], axis=1)
    np.testing.assert_allclose(log_probabilities(given_, SUBSET), subset, rtol=1e-5, atol=1e-5)
    with np.errstate(divide="ignore"):
        groups = np.log(np.stack([softmax(exact, axis=1)[:, list(m)].mean(axis=1) for m in GROUPS.members], axis=1))
    np.testing.assert_allclose(log_probabilities(given_, GROUPS), groups, rtol=1e-4, atol=1e-4)


def test_a_category_is_judged_by_the_mean_and_not_the_sum_or_the_best_member():
    # one strong member among three loses against a single class of medium strength
    given_ = torch.full((1, 50), -20.0)
    given_[0, 0], given_[0, 1] = 2.0, 1.5
    assert decide(given_, GROUPS).top5[0, 0] == 1  # mean of (e^2, ~0, ~0) < e^1.5


def test_top5_is_sorted_and_padded():
    made = decide(logits(0), ALL)
    assert made.top5.dtype == torch.int16 and made.logp.dtype == torch.float16
    order = logits(0).numpy().argsort(axis=1)[:, ::-1][:, :5]
    assert np.array_equal(made.top5.numpy(), order)
    few = decide(logits(0), GROUPS)
    assert few.top5[:, 3:].eq(-1).all() and few.logp[:, 3:].isnan().all() and few.top5[:, :3].ge(0).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_one_bad_logit_is_noticed(bad):
    given_ = logits(1)
    assert decide(given_, ALL).finite
    given_[3, 7] = bad
    assert not decide(given_, ALL).finite


def test_logits_are_kept_only_on_request():
    assert decide(logits(2), ALL).logits is None
    kept = decide(logits(2), ALL, keep_logits=True).logits
    assert kept.dtype == torch.float16 and kept.shape == (7, 50)


def targets_of(rows):
    return padded_targets(rows, torch.device("cpu"))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 12), st.sampled_from([0.3, 1.0, 40.0]), st.integers(1, 3))
def test_ranks_of_the_target_against_a_sort_with_ties(seed, outputs, scale, most):
    """Rounded logits tie often. The order is that of the top-5, and behind it that of the classes."""
    rng = np.random.default_rng(seed)
    given_ = torch.from_numpy(np.round(rng.normal(0, scale, (9, outputs))).astype(np.float32))
    space = LabelSpace(name="some", classes=tuple(map(str, range(outputs))), outputs=outputs)
    rows = [tuple(rng.permutation(outputs)[: rng.integers(0, most + 1)].tolist()) for _ in range(9)]
    made = decide(given_, space, targets=targets_of(rows))
    padded = np.array([[*row, *[-1] * (most - len(row))] for row in rows], np.int16)
    ranks = target_ranks(made.top5.numpy()[:, None], padded, made.ahead.numpy()[:, None])[:, 0]
    for row, top5, values, rank in zip(rows, made.top5.tolist(), log_probabilities(given_, space), ranks, strict=True):
        first = [place for place in top5 if place >= 0]
        behind = [place for place in np.argsort(-values.numpy(), kind="stable").tolist() if place not in first]
        order = [*first, *behind]
        assert rank == min((order.index(target) for target in row), default=NO_RANK)


def test_a_dead_network_has_no_good_ranks():
    """All classes tie: the mean rank is that of guessing, not the sixth of a thousand."""
    space = LabelSpace(name="many", classes=tuple(map(str, range(1000))), outputs=1000)
    targets = [(number,) for number in range(1000)]
    made = decide(torch.zeros(1000, 1000), space, targets=targets_of(targets))
    ranks = target_ranks(made.top5.numpy()[:, None], np.array(targets, np.int16), made.ahead.numpy()[:, None])
    assert ranks.mean() == pytest.approx(499.5, abs=2.5)


def test_ranks_are_those_of_the_label_space():
    """Among the columns of a subset, and of categories by their mean probability; without targets there are none."""
    for space, accepted in ((SUBSET, (6,)), (GROUPS, (2, 0))):
        values = log_probabilities(logits(4), space).numpy()
        made = decide(logits(4), space, targets=targets_of([accepted] * 7))
        padded = np.array([accepted] * 7, np.int16)
        ranks = target_ranks(made.top5.numpy()[:, None], padded, made.ahead.numpy()[:, None])[:, 0]
        best = values[:, list(accepted)].max(axis=1, keepdims=True)
        assert ranks.tolist() == (values > best).sum(axis=1).tolist()
    assert decide(logits(4), SUBSET).ahead is None
