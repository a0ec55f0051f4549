"""Rows of one model in several runs -> one row, if they belong to one network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from harness.errors import RequestError, listed
from harness.records import Remark
from harness.study.rows import Row
from harness.study.superseded import network_change

SIDE_BY_SIDE: Final = "harness report a=RUN b=RUN"
"""What to type where two runs of a model are no row."""
MOST_NAMED = 12
"""Most models that a remark names; each row of the report says which runs it is of."""


def merged(rows: Iterable[Row]) -> list[Row]:
    """One row for each model name, in the order of first appearance."""
    by_name: dict[str, Row] = {}
    for row in rows:
        by_name[row.name] = _merge(by_name[row.name], row) if row.name in by_name else row
    return list(by_name.values())


def mixtures(rows: Sequence[Row]) -> Iterator[Remark]:
    """A remark on models with published numbers beside others: only their names say that they are of one network."""
    of_models: dict[str, list[Row]] = {}
    for row in rows:
        if row.measures:
            of_models.setdefault(row.name, []).append(row)
    names: dict[str, list[str]] = {}
    for name, of_model in of_models.items():
        if len(of_model) > 1 and any(row.network is None for row in of_model):
            text = f"one row of {' and '.join(row.run for row in of_model)}: published numbers name no checkpoint"
            names.setdefault(text, []).append(name)
    for text, concerned in names.items():
        yield Remark("comparability", listed(concerned, most=MOST_NAMED), text)


def _is_imported(row: Row) -> bool:
    """Whether a row is of imported decisions, whose network is a name alone."""
    return row.network is not None and str(row.network.get("source", "")).startswith("import ")


def _merge(first: Row, second: Row) -> Row:
    where = f"model {first.name!r} is in {first.run} and in {second.run}"
    if first.label != second.label:
        raise RequestError(f"model {first.name!r} of one run is named as a labelled one of another; give another label")
    shared = sorted(set(first.measures) & set(second.measures))
    if first.network is None and second.network is None:  # two tables may print one number
        shared = [name for name in shared if first.measures[name] != second.measures[name]]
    if shared:
        raise RequestError(
            f"{where}, both with {shared[0]} ({len(shared)} shared measures); expected each measure of a model once. "
            f"Give one of the two runs, or {'another label to one' if first.label else 'a label to each'}, which shows "
            "them side by side",
            remedy=SIDE_BY_SIDE,
        )
    if first.group and second.group and first.group != second.group:
        raise RequestError(
            f"{where}, in groups {first.group!r} and {second.group!r}; give it one group in registry.yaml, or a label "
            "to each run",
            remedy=SIDE_BY_SIDE,
        )
    changed = network_change(first.network, second.network)
    people = [row.network["experiment"] for row in (first, second) if row.network and "experiment" in row.network]
    if len(set(people)) > 1:
        raise RequestError(
            f"{where}, observers of one name in two experiments ({' and '.join(people)}); import both into one run, "
            "which names them apart"
        )
    if changed and any(_is_imported(row) for row in (first, second)):
        raise RequestError(
            f"{where}; imported decisions name no checkpoint, so these may be two networks. Give one run, a label to "
            "each, or rename the model in what is imported",
            remedy=SIDE_BY_SIDE,
        )
    if changed:
        raise RequestError(
            f"{where}, measured with different networks ({changed}); give one run, a label to each, or rename a model",
            remedy=SIDE_BY_SIDE,
        )
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
        probes={**first.probes, **second.probes},
        network=first.network or second.network,
        label=first.label,
    )
