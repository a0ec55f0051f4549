"""What a reader would refuse is refused when it is planned: a run that can be written can be read."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness import ArraySpec, StoreError
from harness.records import checked_arrays
from harness.store import check_layout
from harness.store.layout import read_layout, write_layout
from tests.helpers.store_writer import make_layout

RUN = ("run", "--task", "accuracy@shapes-64", "--models", "zoo-baseline", "--limit", "40", "--device", "cpu")
LIMITS = {
    "trials": ("harness.store.layout.MOST_TRIALS", 39, "40 trials for each model, more than 39"),
    "spans": ("harness.store.layout.MOST_SPANS", 0, "spans, more than 0"),
    "pixels": ("harness.store.layout.MOST_PIXELS", 63, "images are of 64 pixels, expected 0 to 63"),
    "classes": ("harness.store.layout.MOST_CLASSES", 15, "16 classes, expected 1 to 15"),
    "cells": ("harness.planning.request.MOST_CELLS", 0, "1 models on 1 tasks are 1 cells, expected at most 0"),
    "names": ("harness.planning.request.LONGEST", 11, "zoo-baseline has 12 letters, expected at most 11"),
}


@pytest.mark.parametrize("more", [(), ("--dry-run",)], ids=["run", "dry-run"])
@pytest.mark.parametrize(("limit", "value", "words"), LIMITS.values(), ids=LIMITS)
def test_more_than_can_be_read_is_refused_before_anything_is_written(
    command_line, monkeypatch, limit, value, words, more
):
    monkeypatch.setattr(limit, value)
    code, out, err = command_line(*RUN, "--out", "run", *more)
    assert (code, out) == (2, "") and err.startswith("error: ") and err.count("\n") == 1
    assert words in err and not Path("run").exists()


@pytest.mark.parametrize(
    ("limit", "value"), [("MOST_TRIALS", 80), ("MOST_SPANS", 5), ("MOST_PIXELS", 32), ("MOST_CLASSES", 10)]
)
def test_what_is_written_at_a_limit_is_read_and_nothing_above_it(tmp_path, monkeypatch, limit, value):
    layout, file = make_layout(n=40, span=8, conditions=2, classes=10), tmp_path / "accuracy@made" / "layout.h5"
    file.parent.mkdir()
    write_layout(file, layout)
    monkeypatch.setattr(f"harness.store.layout.{limit}", value)
    check_layout(layout)
    assert read_layout(file).conditions == layout.conditions
    monkeypatch.setattr(f"harness.store.layout.{limit}", value - 1)
    with pytest.raises(ValueError, match="layout of accuracy@made: it"):
        check_layout(layout)
    file.rename(file.with_name("other.h5"))  # read anew
    with pytest.raises(StoreError, match="it"):
        read_layout(file.with_name("other.h5"))


def test_a_task_of_the_largest_size_is_no_larger():
    layout = make_layout(n=40)
    check_layout(replace(layout, size=1 << 16))
    with pytest.raises(ValueError, match="65,537 pixels"):
        check_layout(replace(layout, size=(1 << 16) + 1))


def test_too_many_arrays_are_refused():
    arrays = {f"a{number}": ArraySpec() for number in range(1000)}
    assert len(checked_arrays(arrays)) == 1000
    with pytest.raises(ValueError, match="1,001 arrays, more than 1,000"):
        checked_arrays({**arrays, "one-more": ArraySpec()})
