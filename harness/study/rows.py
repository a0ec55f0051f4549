"""One model in one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.names import is_set_of_models
from harness.records import Measure, Reason, Remark, plain_name
from harness.study.protocols import Origin

Definitions = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The measures of one model in one run.

    Attributes:
        name: as it is shown; of a labelled run: ``NAME (LABEL)``.
        run: the run folder, as shown in errors and reports.
        measures: full name (``top1@imagenet``) -> measure.
        missing: why measures or tasks are missing.
        tasks: measured tasks; they no longer count as missing once rows of several runs are merged.
        origins: full name -> the cells that a measure is made of; none for published numbers.
        probes: of published numbers: glob over full names -> the probe that measures it, where the table says so.
        network: checkpoint and loading according to the stored identities; None for imported tables.
        label, duplicate_of: as those of `StudyModel`.
    """

    name: str
    group: str | None
    run: str
    measures: Mapping[str, Measure]
    missing: tuple[Reason, ...] = ()
    tasks: frozenset[str] = frozenset()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    probes: Mapping[str, str] = field(default_factory=dict)
    network: Mapping[str, Any] | None = None
    label: str | None = None
    duplicate_of: str | None = None

    @property
    def plain_name(self) -> str:
        """The model's name without the label."""
        return plain_name(self.name, self.label)


def with_groups(rows: Iterable[Row]) -> tuple[list[Row], list[Remark]]:
    """Rows whose groups cannot be mistaken for other sets of models, and a remark on each renamed group.

    A registry refuses a group called ``all`` or ``not GROUP``; older runs may have one.
    """
    renamed, remarks = [], {}
    for row in rows:
        if row.group is not None and is_set_of_models(row.group):
            group = f"group-{row.group}"
            text = (
                f"the models of group {row.group!r} are shown as {group!r}: {row.group!r} names another set of models"
            )
            remarks[group] = Remark("data", group, text, line=text)
            row = replace(row, group=group)
        renamed.append(row)
    return renamed, list(remarks.values())


def short_list(names: Sequence[str], labels: Mapping[str, str | None] | None = None) -> str:
    """Up to three names, else their number, with the label if all have the same.

    Args:
        labels: name -> label of the model's run.
    """
    if len(names) <= 3:
        return ", ".join(names)
    shared = {(labels or {}).get(name) for name in names}
    label = shared.pop() if len(shared) == 1 else None
    return f"{len(names)} models" if label is None else f"{len(names)} models ({label})"
