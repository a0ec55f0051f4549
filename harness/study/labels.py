"""Runs with labels: two runs of one model stand side by side, as ``NAME (LABEL)``, and statistics count it once.

A model is what its name says. Of several runs the one that was given first takes part; where the others' networks are
not known to be the same, a remark says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.errors import listed
from harness.records import Remark, labelled_name
from harness.study.rows import Definitions, Row, short_list
from harness.study.superseded import network_change

MOST_NAMED = 12
"""Most models that a remark names; the JSON has ``duplicate_of`` of each."""


def with_label(row: Row, labels: Mapping[str, str]) -> Row:
    """`row` as a model of its labelled run; unchanged where its run has no label.

    Args:
        labels: run folder, as `Row.run` has it -> label.
    """
    label = labels.get(row.run)
    return row if label is None else replace(row, name=labelled_name(row.name, label), label=label)


def with_labels(provenance: Iterable[Mapping[str, Any]], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """One mapping for each run, with its ``label`` if it has one."""
    return [{**run, "label": labels[run["run"]]} if run["run"] in labels else {**run} for run in provenance]


def counted_once(rows: Sequence[Row]) -> list[Row]:
    """The rows of a study, of which each model takes part in statistics once: in the first that has measures."""
    first: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: not row.measures):
        first.setdefault(row.plain_name, row.name)
    return [row if (own := first[row.plain_name]) == row.name else replace(row, duplicate_of=own) for row in rows]


def duplicate_remarks(rows: Sequence[Row], definitions: Definitions | None = None) -> Iterator[Remark]:
    """Which models take no part in statistics; which of them have more, or may be another network, than those that do.

    Args:
        definitions: biases and axes -> full names of the measures whose mean it is.
    """
    by_name = {row.name: row for row in rows}
    duplicates = [row for row in rows if row.duplicate_of is not None]
    if not duplicates:
        return
    count = "1 model takes" if len(duplicates) == 1 else f"{len(duplicates)} models take"
    names = listed((row.name for row in duplicates), most=MOST_NAMED)
    text = f"{count} no part in statistics, which count a model once, as the run given first has it: {names}"
    yield Remark("duplicate", names, text, line=text)
    yield from _lacking(by_name, duplicates, definitions or {})
    differences: dict[str, list[str]] = {}
    for row in duplicates:
        if difference := _other_network(by_name[row.duplicate_of or row.name], row):
            differences.setdefault(difference, []).append(row.name)
    for difference, concerned in differences.items():
        yield Remark("comparability", short_list(concerned, {row.name: row.label for row in rows}), difference)


def _lacking(by_name: Mapping[str, Row], duplicates: Sequence[Row], definitions: Definitions) -> Iterator[Remark]:
    """Which biases and axes a duplicate has, and the model that takes part has not: statistics are without them."""
    models: dict[tuple[str, ...], dict[str, None]] = {}
    for row in duplicates:
        own = by_name[row.duplicate_of or row.name]
        names = tuple(name for name, of in definitions.items() if _has(row, of) and not _has(own, of))
        if names:
            models.setdefault(names, {}).setdefault(own.name)
    for names, concerned in models.items():
        subject = listed(concerned, most=MOST_NAMED)
        text = (
            f"statistics are without {listed(names, most=MOST_NAMED)} of {subject}, which a run given later has; the "
            "run that is given first counts"
        )
        yield Remark("duplicate", subject, text, line=text)


def _has(row: Row, parts: Sequence[str]) -> bool:
    return all(part in row.measures and row.measures[part].value is not None for part in parts)


def _other_network(first: Row, second: Row) -> str:
    """Why two rows of one name may be of two networks; empty if they are of one, or one is without measures."""
    if not (first.measures and second.measures):
        return ""
    if first.network is None or second.network is None:
        return f"published numbers name no checkpoint, so it is that of label {first.label or 'none'} by name alone"
    changed = network_change(first.network, second.network)
    return f"another network than that of the same name beside it ({changed})" if changed else ""
