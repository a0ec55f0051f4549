"""The columns of a task: the dataset's views × the probe's conditions, view-major."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import listed


def columns_of(views: Sequence[str], conditions: Sequence[str]) -> tuple[str, ...]:
    """Names of the V * C columns of a task, with the conditions of the first view first.

    Args:
        views: V names; empty: every image has one version, and the columns are the conditions.
        conditions: C names, at least one. With one condition, columns have the names of the views (``fog-3``); with
            several, the names of both (``fog-3/low-pass-0.1``).

    Raises:
        ValueError: there is no condition, a name is empty or occurs twice, or a view and a condition share a name.
    """
    if not conditions:
        raise ValueError("there are no conditions; expected at least one")
    _refuse_duplicates("view", views)
    _refuse_duplicates("condition", conditions)
    shared = sorted(set(views) & set(conditions))
    if shared:
        raise ValueError(f"{shared[0]!r} is the name of a view and of a condition; rename one of them")
    if not views:
        return tuple(conditions)
    if len(conditions) == 1:
        return tuple(views)
    columns = tuple(f"{view}/{condition}" for view in views for condition in conditions)
    _refuse_duplicates("column", columns)
    return columns


def views_of(columns: Sequence[str], conditions: Sequence[str]) -> tuple[str, ...]:
    """The inverse of `columns_of`: the views of a task with these columns; empty if it has none.

    Raises:
        ValueError: no views combine with these conditions to such columns.
    """
    if tuple(columns) == tuple(conditions):
        return ()
    first_columns = columns[:: max(1, len(conditions))]
    views = [name.removesuffix(f"/{conditions[0]}") if len(conditions) > 1 else name for name in first_columns]
    if not views or columns_of(views, conditions) != tuple(columns):
        raise ValueError(f"columns {listed(columns)} are not those of the conditions {listed(conditions)}")
    return tuple(views)


def _refuse_duplicates(kind: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two {kind}s are called {name!r}; expected different names")
        seen.add(name)
    if "" in seen:
        raise ValueError(f"a {kind} has an empty name")
