"""The columns of a task: the dataset's views × the probe's conditions, view-major."""

from __future__ import annotations

from collections.abc import Sequence


def columns_of(views: Sequence[str], conditions: Sequence[str]) -> tuple[str, ...]:
    """Names of the V * C columns of a task, the conditions of the first view first.

    Args:
        views: V names; empty: every image exists once, and the columns are the conditions.
        conditions: C names, at least one; of one condition the columns are named after the views alone
            (``fog-3``), of several after both (``fog-3/low-pass-0.1``).

    Raises:
        ValueError: there is no condition, a name is empty or occurs twice, or a view is called as a condition.
    """
    if not conditions:
        raise ValueError("there are no conditions; expected at least one")
    _refuse_doubled("view", views)
    _refuse_doubled("condition", conditions)
    shared = sorted(set(views) & set(conditions))
    if shared:
        raise ValueError(f"{shared[0]!r} is the name of a view and of a condition; rename one of them")
    if not views:
        return tuple(conditions)
    if len(conditions) == 1:
        return tuple(views)
    columns = tuple(f"{view}/{condition}" for view in views for condition in conditions)
    _refuse_doubled("column", columns)
    return columns


def views_of(columns: Sequence[str], conditions: Sequence[str]) -> tuple[str, ...]:
    """The inverse of `columns_of`: the views of a task with these columns; empty where it has none.

    Raises:
        ValueError: no views and these conditions have such columns.
    """
    if tuple(columns) == tuple(conditions):
        return ()
    of_each = columns[:: max(1, len(conditions))]
    views = [name.removesuffix(f"/{conditions[0]}") if len(conditions) > 1 else name for name in of_each]
    if not views or columns_of(views, conditions) != tuple(columns):
        raise ValueError(f"columns {_listed(columns)} are not those of the conditions {_listed(conditions)}")
    return tuple(views)


def _refuse_doubled(kind: str, names: Sequence[str]) -> None:
    met: set[str] = set()
    for name in names:
        if name in met:
            raise ValueError(f"two {kind}s are called {name!r}; expected different names")
        met.add(name)
    if "" in met:
        raise ValueError(f"a {kind} has an empty name")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"
