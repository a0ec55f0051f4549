"""Changes between conditions are refused where a network guesses, and flagged where that cannot be told."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from harness import NO_LABELS, paired_change
from harness.plugins.probes._changes import UNLABELLED, changes, consistency
from harness.testing import make_trials
from tests.helpers.observed import by_name

PAIR = ("a", "b")


def trials(right, n=250, classes=16, changed=0.2, labelled=True):
    """`right` of `n` decisions under a name the target, class 0; some change under b."""
    made = make_trials(("a", "b"), n=n, classes=tuple(f"class-{number}" for number in range(classes)), seed=3)
    top5 = made.top5.copy()
    top5[:, 0] = np.arange(5) + 1
    top5[:right, 0] = np.arange(5)
    top5[:, 1] = top5[:, 0]
    top5[:: int(1 / changed), 1] = np.arange(5) + 2
    targets = np.full((n, 1), 0 if labelled else -1, dtype=np.int16)
    return replace(
        made,
        layout=replace(made.layout, targets=targets),
        top5=top5,
        correct=(top5[:, :, 0] == targets) & labelled,
    )


@pytest.mark.parametrize("classes", [6, 16, 1000])
@pytest.mark.parametrize("n", [20, 250])
def test_refused_up_to_the_border_of_the_binomial_test(classes, n):
    p = [binomtest(hits, n, 1 / classes, alternative="greater").pvalue for hits in range(n + 1)]
    least = next(hits for hits, value in enumerate(p) if value < 0.001)
    refused = by_name(changes(trials(least - 1, n, classes), [PAIR], "x"))
    for name in ("top1-change/x", "top1-change-correct/x", "mac/x"):
        assert refused[name].value is None and refused[name].reason, name
    assert refused["top1/x"].value == (least - 1) / n
    assert f"{least - 1} of {n} decisions are correct" in refused["top1-change/x"].reason
    accepted = list(changes(trials(least, n, classes), [PAIR], "x"))
    assert accepted == list(paired_change(trials(least, n, classes), [PAIR], "x"))
    assert all(measure.value is not None for measure in accepted)


def test_refused_without_bounds():
    names = [measure.name for measure in changes(trials(0), [PAIR], "x")]
    assert names == ["top1-change", "top1-change-correct", "mac", "top1"]


def test_several_conditions_and_repeats_count_as_one_trial():
    """Else many looks at one image would make a guess of it significant."""
    few = trials(8, 20, 6)
    pooled = replace(few, repeats=2)
    assert by_name(changes(few, [PAIR], "x"))["top1-change/x"].value is None
    assert by_name(changes(pooled, [PAIR], "x"))["top1-change/x"].value is None
    assert "4 of 10 decisions" in by_name(changes(pooled, [PAIR], "x"))["top1-change/x"].reason
    both = by_name(changes(few, [PAIR, ("b", "a")], "x"))["top1-change/x"]
    assert "of 20 decisions" in both.reason


def test_consistency_is_what_does_not_change():
    made = trials(200)
    named = by_name(consistency("roll-consistency", made, [PAIR], "roll"))
    change, stays = named["top1-change/roll"], named["roll-consistency"]
    assert stays.value == 1 - change.value == 0.8
    assert (stays.low, stays.high) == (1 - change.high, 1 - change.low)
    assert (stays.direction, change.direction) == ("higher", "lower")
    refused = by_name(consistency("roll-consistency", trials(0), [PAIR], "roll"))["roll-consistency"]
    assert refused.value is None and refused.direction == "higher"


def test_without_labels_nothing_is_refused_but_flagged():
    named = by_name(changes(trials(10, labelled=False), [PAIR], "x"))
    assert named["top1-change/x"].value == 0.2
    assert named["top1-change/x"].flags[0] == UNLABELLED
    assert "one class, class-1, is 240 of 250 decisions" in named["mac/x"].flags
    assert named["top1-change-correct/x"].reason == named["top1/x"].reason == NO_LABELS
    mixed = by_name(changes(trials(125, labelled=False), [PAIR], "x"))
    assert mixed["top1-change/x"].flags == (UNLABELLED,)


def test_no_trials():
    empty = trials(0, 0)
    assert all(measure.value is None for measure in changes(empty, [PAIR], "x"))
