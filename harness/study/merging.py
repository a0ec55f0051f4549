"""Rows of one model in several runs -> one row, if they belong to one network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.errors import RequestError
from harness.identity import difference
from harness.study.rows import Row


def merged(rows: Iterable[Row]) -> list[Row]:
    """One row for each model name, in the order of first appearance."""
    by_name: dict[str, Row] = {}
    for row in rows:
        by_name[row.name] = _merge(by_name[row.name], row) if row.name in by_name else row
    return list(by_name.values())


def _merge(first: Row, second: Row) -> Row:
    where = f"model {first.name!r} is in {first.run} and in {second.run}"
    shared = sorted(set(first.measures) & set(second.measures))
    if shared:
        raise RequestError(
            f"{where}, both with {shared[0]} ({len(shared)} shared measures); expected each measure of a model once. "
            f"Give one of the two runs"
        )
    if first.group and second.group and first.group != second.group:
        raise RequestError(
            f"{where}, in groups {first.group!r} and {second.group!r}; give it one group in registry.yaml"
        )
    changed = _changed(first.network, second.network)
    if changed:
        raise RequestError(f"{where}, measured with different networks ({changed}); give one run, or rename a model")
    measures, tasks = {**first.measures, **second.measures}, first.tasks | second.tasks
    missing = {(reason.kind, reason.subject): reason for reason in (*first.missing, *second.missing)}
    return Row(
        name=first.name,
        group=first.group or second.group,
        run=f"{first.run} + {second.run}",
        measures=measures,
        missing=tuple(
            reason
            for reason in missing.values()
            if reason.subject not in (tasks if reason.kind == "task" else measures)
        ),
        tasks=tasks,
        origins={**first.origins, **second.origins},
        network=first.network or second.network,
    )


def _changed(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> str:
    """How two stored identities differ, in words; empty if they agree or one is unknown."""
    return difference(first, second) if first is not None and second is not None else ""
