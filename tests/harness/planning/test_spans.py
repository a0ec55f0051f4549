"""Spans: small enough that an interrupted run keeps most of its work, and as before where cells are stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.planning.planner import make_job, plan
from harness.planning.spans import LEAST_SPAN, earlier_spans, span_length, whole_batches
from tests.harness.planning.test_planner import SETTINGS, Made, Two, manifest, model, plan_task
from tests.helpers.engine import stored_cell

SIZES = {"n": st.integers(1, 200_000), "batch": st.integers(1, 512)}


@given(**SIZES)
def test_a_cell_has_at_most_128_shards_of_whole_batches_or_of_one_batch_each(n, batch):
    span, whole = span_length(n, batch), whole_batches(n, batch)
    assert whole % batch == 0
    assert span == whole or span <= batch or n <= 2 * whole
    assert LEAST_SPAN <= span <= whole
    assert -(-n // span) <= 128


@given(**SIZES)
def test_a_span_is_less_than_half_of_the_samples_or_a_third_and_a_few(n, batch):
    assert span_length(n, batch) < max(n / 2, n / 3 + 8, LEAST_SPAN + 1)


@given(**SIZES)
def test_three_shards_of_whole_batches_or_more_are_cut_as_ever(n, batch):
    whole = whole_batches(n, batch)
    if n > 2 * whole:
        assert span_length(n, batch) == whole


@pytest.mark.parametrize(
    ("n", "batch", "span"),
    [
        (160, 128, 56),
        (320, 128, 128),
        (50_000, 256, 512),
        (50_000, 32, 416),
        (64, 128, 24),
        (250, 32, 32),
        (10, 128, 16),
    ],
)
def test_the_span_of_common_sizes(n, batch, span):
    assert span_length(n, batch) == span


def task(n, batch_size, span=None):
    return plan_task("two@made", Two(), Made(), manifest(n), batch_size, span)


@given(n=st.integers(1, 400), batch=st.integers(1, 128))
def test_stored_cells_of_whole_batches_are_resumed_and_not_run_again(n, batch):
    settings = SETTINGS.__class__(batch_size=batch)
    former = task(n, batch, whole_batches(n, batch))
    job = make_job(former, model(), ["c"], settings)
    spans = former.layout.spans()
    stored = {("two@made", "m"): stored_cell(job, spans[:-1])}
    now = task(n, batch, earlier_spans(stored, {"two@made": n}, batch).get("two@made"))
    (cell,) = plan([now], [model()], {"m": ["c"]}, settings, stored).cells
    assert cell.job.key == job.key
    assert cell.pending == spans[-1:]


def test_stored_cells_of_other_samples_batches_or_spans_do_not_set_the_span():
    former = task(160, 128, 128)
    job = make_job(former, model(), ["c"], SETTINGS.__class__(batch_size=128))
    stored = {("two@made", "m"): stored_cell(job, ())}
    assert earlier_spans(stored, {"two@made": 160}, 128) == {"two@made": 128}
    assert earlier_spans(stored, {"two@made": 161}, 128) == {}
    assert earlier_spans(stored, {"two@made": 160}, 64) == {}
    assert earlier_spans(stored, {"other@made": 160}, 128) == {}
    odd = make_job(task(160, 128, 5), model(), ["c"], SETTINGS.__class__(batch_size=128))
    assert earlier_spans({("two@made", "m"): stored_cell(odd, ())}, {"two@made": 160}, 128) == {}
