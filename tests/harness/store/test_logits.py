"""Logits and logit columns: read piece by piece, whole or not at all."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import StoreError, read_trials
from harness.store import RunReader, verify_run
from tests.helpers.store_writer import TASK, create, fill, make_block, make_job, make_layout

N, OUTPUTS = 40, 12


@pytest.fixture(scope="module", params=["spans", "consolidated"])
def stored(request, tmp_path_factory):
    path, layout, job = tmp_path_factory.mktemp("logits") / "run", make_layout(n=N), make_job()
    layout = replace(layout, columns=(11, 3, 5, 7, 0, 1, 2, 4, 6, 8))
    with create(path) as run:
        fill(run, layout, job, outputs=OUTPUTS)
        if request.param == "consolidated":
            run.finish([job])
        run.publish()
    return path, layout, job


@settings(max_examples=30, deadline=None)
@given(ends=st.tuples(st.integers(0, N - 1), st.integers(1, N)).filter(lambda pair: pair[0] < pair[1]))
def test_any_piece_is_that_piece_of_the_whole(stored, ends):
    path, layout, job = stored
    whole = make_block(layout, job, (0, N), OUTPUTS).logits
    assert np.array_equal(read_trials(path, TASK, job.model).logits(*ends), whole[slice(*ends)])


def test_columns_come_back(stored):
    path, layout, job = stored
    assert read_trials(path, TASK, job.model).layout.columns == layout.columns
    assert verify_run(RunReader.open(path)) == []


@pytest.mark.parametrize("ends", [(-1, 3), (3, 3), (5, 2), (0, N + 1)])
def test_samples_that_are_not_there(stored, ends):
    path, _, job = stored
    with pytest.raises(ValueError, match="which has 40"):
        read_trials(path, TASK, job.model).logits(*ends)


def test_a_run_without_logits(tmp_path):
    layout, job = make_layout(), make_job()
    with create(tmp_path / "run") as run:
        fill(run, layout, job)
    assert read_trials(tmp_path / "run", TASK, job.model).logits is None
    with pytest.raises(StoreError, match=r"keeps no logits\. Type: harness run … --store logits"):
        RunReader.open(tmp_path / "run").read_logits(TASK, job.model, 0, 3)


def test_columns_must_fit_the_classes(tmp_path):
    layout = replace(make_layout(), columns=(1, 2))
    with create(tmp_path / "run") as run, pytest.raises(ValueError, match="2 columns, expected one for each class"):
        run.put_layout(layout)
