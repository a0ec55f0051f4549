"""Logits become decisions as each benchmark defines them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from harness import LabelSpace
from harness.engine.decisions import decide, log_probabilities


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
