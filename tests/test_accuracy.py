"""The accuracy probe: identity stimuli, top-1 and top-5, the flag of a network that guesses."""

import numpy as np
import pytest
import torch
from harness.plugins.probes.accuracy import Accuracy, hit_rows, is_chance_level
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Batch, TaskLayout, Trials


def trials(top5, targets, classes=1000):
    top5, targets = np.array(top5, dtype=np.int16), np.array(targets, dtype=np.int16)
    layout = TaskLayout(
        task="accuracy@toy",
        sample_ids=tuple(f"{index:06}" for index in range(len(targets))),
        targets=targets,
        conditions=("clean",),
        classes=tuple(f"class{index}" for index in range(classes)),
        size=8,
        span=16,
    )
    correct = ((top5[:, :1] == targets) & (targets >= 0)).any(axis=1)
    logp = np.zeros(top5.shape, dtype=np.float16)
    return Trials(model="m", layout=layout, top5=top5[:, None], logp=logp[:, None], correct=correct[:, None])


def measured(*args, **kwargs):
    return {measure.name: measure for measure in Accuracy().measures(trials(*args, **kwargs))}


def test_stimuli_are_the_images():
    batch = Batch(images=torch.rand(3, 3, 8, 8), sample_ids=("a", "b", "c"), targets=((0,),) * 3, seed=0)
    (condition, stimulus), *rest = Accuracy().stimuli(batch)
    assert not rest
    assert (condition,) == Accuracy().conditions(8)
    assert stimulus is batch.images


def test_measures():
    found = measured([[3, 1, 2, 4, 5], [9, 8, 7, 6, 5], [1, 2, 3, 4, 5], [5, 4, 3, 2, 1]], [[3], [7], [9], [5]])
    assert {name: measure.value for name, measure in found.items()} == {"top1": 0.5, "correct": 2, "n": 4, "top5": 0.75}
    assert {measure.condition for measure in found.values()} == {""}
    assert found["top1"].low < 0.5 < found["top1"].high
    assert found["top1"].full_name("imagenet") == "top1@imagenet"
    assert found["top1"].flags == ()


def test_any_target_counts_and_padding_never_matches():
    top5 = [[4, 0, 1, -1, -1], [2, 0, 1, -1, -1]]
    found = measured(top5, [[3, 1], [5, -1]], classes=6)
    assert found["top5"].value == 0.5
    assert found["top1"].value == 0


def test_top5_of_five_classes_is_trivial():
    assert measured([[0, 1, 2, 3, 4]], [[4]], classes=5)["top5"].flags == ("trivial",)
    assert measured([[0, 1, 2, 3, 4]], [[4]], classes=6)["top5"].flags == ()


def test_no_samples_are_undefined_with_a_reason():
    found = measured(np.empty((0, 5)), np.empty((0, 1)))
    assert found["top1"].value is None and found["top1"].reason
    assert found["top5"].value is None and found["top5"].reason


@pytest.mark.parametrize(
    ("hits", "n", "classes", "expected"),
    [
        (50, 50_000, 1000, True),  # what guessing gives
        (0, 50_000, 1000, True),  # worse than guessing is no better
        (75, 50_000, 1000, False),  # 3.5 standard deviations above it
        (2, 20, 1000, False),
        (1, 20, 1000, True),
        (24, 160, 16, False),
        (12, 160, 16, True),
        (3, 3, 1, True),  # a single class cannot be missed
    ],
)
def test_chance_level(hits, n, classes, expected):
    assert is_chance_level(hits, n, 1 / classes) is expected


@given(n=st.integers(1, 60), classes=st.integers(2, 20), hits=st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_chance_level_against_the_sum_of_binomial_terms(n, classes, hits):
    from math import comb

    hits = min(hits, n)
    tail = sum(comb(n, k) * (classes - 1) ** (n - k) for k in range(hits, n + 1)) / classes**n
    if abs(tail - 0.001) > 1e-12:
        assert is_chance_level(hits, n, 1 / classes) == (tail >= 0.001)


def test_chance_level_is_flagged_on_top1_alone():
    rng = np.random.default_rng(0)
    top5 = rng.integers(0, 10, size=(200, 5))
    found = measured(top5, rng.integers(0, 10, size=(200, 1)), classes=10)
    assert found["top1"].flags == ("chance-level",)
    assert found["correct"].flags == found["n"].flags == found["top5"].flags == ()


def test_several_targets_raise_the_chance_level():
    # 30 of 100 among 10 classes: far above guessing with one target a sample, exactly guessing with three.
    top5 = np.tile(np.arange(5), (100, 1))
    targets = np.full((100, 3), 9)
    targets[:30, 0] = 0
    single = np.concatenate((targets[:, :1], np.full((100, 2), -1)), axis=1)
    assert measured(top5, single, classes=10)["top1"].flags == ()
    assert measured(top5, targets, classes=10)["top1"].flags == ("chance-level",)


def test_hit_rows():
    assert hit_rows(np.array([[1, -1], [2, 3]]), np.array([[-1, 0], [-1, 3]])).tolist() == [False, True]
