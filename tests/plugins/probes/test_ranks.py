"""The ranks of the accuracy probe: mean, median and top-k of the true class, and where they are undefined."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from harness.plugins.probes.accuracy import Accuracy
from harness.testing import make_trials
from harness.views import Views, measures_by_view

NAMES = ("mean-rank", "median-rank", "top10", "top50")


def ranked(ranks, classes=100, **changes):
    made = make_trials(("clean",), n=len(ranks), classes=tuple(f"c{number}" for number in range(classes)))
    return replace(made, rank=np.array(ranks, np.uint16)[:, None], **changes)


def measured(trials):
    return {one.name: one for one in Accuracy().measures(trials) if one.name in NAMES}


def test_by_hand():
    found = measured(ranked([0, 0, 3, 9, 10, 49, 50, 99]))
    assert {name: one.value for name, one in found.items()} == {
        "mean-rank": 220 / 8 + 1, "median-rank": (9 + 10) / 2 + 1, "top10": 4 / 8, "top50": 6 / 8,
    }  # fmt: skip
    assert {one.n for one in found.values()} == {8}
    assert [found[name].direction for name in NAMES] == ["lower", "lower", "higher", "higher"]
    assert found["top10"].low < 0.5 < found["top10"].high


def test_every_class_first_is_rank_one():
    found = measured(ranked([0] * 6))
    assert [found[name].value for name in NAMES] == [1, 1, 1, 1]


def test_a_top_k_of_all_classes_says_nothing():
    assert measured(ranked([3, 1], classes=50)).keys() == {"mean-rank", "median-rank", "top10"}
    assert measured(ranked([3, 1], classes=10)).keys() == {"mean-rank", "median-rank"}


def test_top_k_against_scikit_learn():
    rng = np.random.default_rng(0)
    scores, targets = rng.normal(size=(200, 80)), rng.integers(0, 80, 200)
    ranks = (scores > scores[np.arange(200), targets][:, None]).sum(axis=1)
    found = measured(ranked(ranks, classes=80))
    for k in (10, 50):
        expected = top_k_accuracy_score(targets, scores, k=k, labels=range(80))
        assert found[f"top{k}"].value == pytest.approx(expected, abs=1e-12)


def test_views_are_pooled_and_none_is_judged_alone():
    made = make_trials(("fog-1", "fog-2"), n=12)
    found = [one for one in measures_by_view(Accuracy(), Views.of(made, ("clean",))) if one.name in NAMES]
    assert [one.full_name("d") for one in found] == ["mean-rank@d", "median-rank@d"]
    assert found[0].value == pytest.approx(made.rank.mean() + 1) and found[0].n == 24


@pytest.mark.parametrize("case", ["stored before ranks were", "only first choices are known", "no labels", "no trials"])
def test_undefined(case):
    made = ranked([0, 5, 7])
    first = np.where(np.arange(5) == 0, made.top5, -1).astype(np.int16)
    bare = replace(made.layout, targets=np.full((3, 1), -1, np.int16))
    none = replace(made.layout, sample_ids=(), targets=made.layout.targets[:0])
    changed = {
        "stored before ranks were": {"rank": None},
        "only first choices are known": {"rank": None, "top5": first, "logp": np.full(first.shape, np.nan, np.float16)},
        "no labels": {"layout": bare},
        "no trials": {name: getattr(made, name)[:0] for name in ("top5", "logp", "correct", "rank")} | {"layout": none},
    }[case]
    found = measured(replace(made, **changed))
    assert {name: (one.value, one.reason) for name, one in found.items()} == dict.fromkeys(NAMES, (None, case))
