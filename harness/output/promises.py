"""What a report plugin must give, checked before it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from harness.errors import PluginError
from harness.records import Figure, Page, Picture, Table, TableCell

Item = TypeVar("Item")


def checked_data(report: str, data: Any) -> Any:
    """The data of a report. Raises PluginError unless it is a dict."""
    if not isinstance(data, dict):
        raise PluginError(f"report {report!r}: data() is {_kind(data)}, expected a dict")
    return data


@contextmanager
def strict_json(report: str) -> Iterator[None]:
    """Turns what `json.dumps` raises into a PluginError: NaN, infinity, and objects that JSON does not have."""
    try:
        yield
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"report {report!r}: data() is no strict JSON ({error})"
        raise PluginError(f"{problem}; an undefined number is None, with a reason beside it") from error


def checked_tables(tables: Any) -> Sequence[Table]:
    """The tables of a report. Raises PluginError for anything else, a table without columns, or other cells."""
    shown = _all_of(Table, "tables()", tables)
    for table in shown:
        if not table.columns:
            raise PluginError(f"table {table.title!r} has no columns")
        for cell in (cell for row in table.rows for cell in row):
            if not isinstance(cell, TableCell):
                raise PluginError(f"table {table.title!r} has {_kind(cell)} as a cell, expected harness.TableCell")
    return shown


def checked_figures(figures: Any) -> Sequence[Figure]:
    """The figures of a report. Raises PluginError for anything else."""
    return _all_of(Figure, "figures()", figures)


def checked_pages(pages: Any) -> Sequence[Page]:
    """The pages of a report. Raises PluginError for anything else, and for what `checked_tables` refuses in them."""
    shown = _all_of(Page, "pages()", pages)
    for page in shown:
        checked_tables(page.tables)
        checked_figures(page.figures)
        _all_of(Picture, f"pictures of page {page.title!r}", page.pictures)
    return shown


def _all_of(kind: type[Item], what: str, given: Any) -> list[Item]:
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise PluginError(f"{what} of the report is {_kind(given)}, expected harness.{kind.__name__} objects")
    items = list(given)
    for item in items:
        if not isinstance(item, kind):
            raise PluginError(f"{what} of the report has {_kind(item)}, expected harness.{kind.__name__}")
    return items


def _kind(value: object) -> str:
    return "None" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
