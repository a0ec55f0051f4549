"""Ranks of many rows at once, against those of one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.inference.rows import cosines, ranks_of_rows
from harness.ranks import centred_ranks
from harness.statistics import spearman


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 12), st.sampled_from([1.0, 1e-7, 1e-13]))
def test_each_row_has_the_ranks_of_its_own(seed, rows, n, step):
    """Steps of 1e-7 and 1e-13 are ties, as they are in one row."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, (rows, n)) + step * rng.integers(0, 3, (rows, n))
    assert ranks_of_rows(values).tolist() == [centred_ranks(row).tolist() for row in values]


def test_coefficients_of_rows():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 6, (4, 15)), rng.normal(size=15)
    x[2] = 3
    values = cosines(ranks_of_rows(x), ranks_of_rows(y[None])[0])
    assert np.isnan(values[2])
    assert np.delete(values, 2) == pytest.approx([spearman(row, y).value for row in np.delete(x, 2, axis=0)])
