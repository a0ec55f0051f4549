"""Columns are views × conditions, and their names alone say which."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.records import columns_of, views_of

NAMES = st.text("ab-1./", min_size=1, max_size=4)
VIEWS = st.lists(NAMES, unique=True, max_size=5)
CONDITIONS = st.lists(NAMES, unique=True, min_size=1, max_size=5)


def columns_or_nothing(views, conditions):
    try:
        return columns_of(views, conditions)
    except ValueError:
        return None


@given(VIEWS, CONDITIONS)
def test_names_of_columns_give_the_views_back(views, conditions):
    columns = columns_or_nothing(views, conditions)
    assume(columns is not None)
    assert len(columns) == len(set(columns)) == max(1, len(views)) * len(conditions)
    assert views_of(columns, conditions) == tuple(views)


@given(st.lists(NAMES, max_size=12), CONDITIONS)
def test_whatever_is_read_as_views_makes_these_columns(columns, conditions):
    try:
        views = views_of(columns, conditions)
    except ValueError:
        assert not any(columns_or_nothing(views, conditions) == tuple(columns) for views in ([], columns))
    else:
        assert columns_of(views, conditions) == tuple(columns)


@pytest.mark.parametrize(
    ("views", "conditions", "columns"),
    [
        ([], ["clean"], ("clean",)),
        ([], ["low", "high"], ("low", "high")),
        (["fog-1", "fog-2"], ["clean"], ("fog-1", "fog-2")),
        (["fog-1", "fog-2"], ["low", "high"], ("fog-1/low", "fog-1/high", "fog-2/low", "fog-2/high")),
    ],
)
def test_view_major(views, conditions, columns):
    assert columns_of(views, conditions) == columns
    assert views_of(columns, conditions) == tuple(views)


@pytest.mark.parametrize(
    ("views", "conditions", "words"),
    [
        (["a"], [], "no conditions"),
        (["a", "b", "a"], ["c"], "two views are called 'a'"),
        (["a"], ["c", "c"], "two conditions are called 'c'"),
        (["a", "c"], ["c"], "'c' is the name of a view and of a condition"),
        (["a", "a/b"], ["c", "b/c"], "two columns are called 'a/b/c'"),
        (["a", ""], ["c"], "a view has an empty name"),
    ],
)
def test_names_that_do_not_fit_together(views, conditions, words):
    with pytest.raises(ValueError, match=words):
        columns_of(views, conditions)


@pytest.mark.parametrize(
    ("columns", "conditions"),
    [
        (["fog/low", "fog/high"], ["low", "mid"]),
        (["fog/low", "rain/high"], ["low", "high"]),
        (["fog/low", "fog/high", "rain/low"], ["low", "high"]),
        (["low", "fog/low"], ["low"]),
        ([], ["low"]),
    ],
)
def test_columns_of_other_conditions_are_refused(columns, conditions):
    with pytest.raises(ValueError):
        views_of(columns, conditions)
