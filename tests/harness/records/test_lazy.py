"""Trials whose arrays are read when somebody asks for them look like any other trials."""

import copy
import pickle
from dataclasses import fields, replace

import numpy as np
import pytest

from harness import StoreError, Trials
from harness.records import DECISION_FIELDS, LazyTrials, derived_trials, is_read
from harness.testing import make_trials

WHOLE = make_trials(["clean", "noise"])


def lazy(**given):
    """Trials as `WHOLE`, of which nothing is read, and the names of what was read, in order."""
    read = []

    def reader(name):
        return lambda: (read.append(name), getattr(WHOLE, name))[1]

    others = {field.name: getattr(WHOLE, field.name) for field in fields(Trials) if field.name not in DECISION_FIELDS}
    readers = {name: reader(name) for name in DECISION_FIELDS if name not in given}
    return LazyTrials.of(readers, **{**others, **given}), read


def test_an_array_is_read_once_and_only_if_asked_for():
    trials, read = lazy(correct=WHOLE.correct)
    assert trials.accuracy("noise") == WHOLE.accuracy("noise") and read == []
    assert trials.logp is trials.logp and read == ["logp"]
    assert [is_read(trials, name) for name in DECISION_FIELDS] == [False, True, True, False]


@pytest.mark.parametrize("of", [copy.copy, lambda trials: replace(trials, model=trials.model)])
def test_copies_have_everything(of):
    trials, _ = lazy()
    assert all(np.array_equal(getattr(of(trials), name), getattr(WHOLE, name)) for name in DECISION_FIELDS)


def test_no_ranks_stay_none_without_reading():
    trials, read = lazy(rank=None)
    assert derived_trials(trials, {"rank": np.flip}).rank is None and read == []


def test_what_is_derived_reads_as_late_and_leaves_the_original():
    trials, read = lazy()
    first = derived_trials(trials, dict.fromkeys(DECISION_FIELDS, lambda stored: stored[:, :1]), repeats=1)
    assert read == [] and first.top5.shape[1] == 1 and read == ["top5"]
    assert trials.top5.shape[1] == 2 and read == ["top5"] and first.model == WHOLE.model


def test_damage_is_told_when_it_is_met_and_other_names_are_unknown():
    def damaged():
        raise StoreError("damaged")

    trials = LazyTrials.of({"top5": damaged}, model="m", layout=WHOLE.layout, correct=WHOLE.correct)
    with pytest.raises(StoreError, match="damaged"):
        trials.top5  # noqa: B018
    for name in ("logp", "unknown"):
        with pytest.raises(AttributeError):
            getattr(trials, name)
    assert trials.rank is None and trials.required == {} and trials.repeats == 1


def test_plain_trials_are_pickled_as_ever():
    assert pickle.loads(pickle.dumps(WHOLE)).model == WHOLE.model
