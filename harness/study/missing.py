"""Why measures, biases and axes are missing: the reason of a part follows from the reasons of its tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.names import dataset_in
from harness.records import Measure, Reason, ReasonKind, reason_for
from harness.study.comparability import why_apart
from harness.study.rows import Row


def reasons_of_published(missing: Mapping[str, str]) -> tuple[Reason, ...]:
    """Reasons of the measures missing in a published table: full name -> reason."""
    return tuple(Reason(kind="measure", subject=name, text=text) for name, text in missing.items())


def reasons_of_parts(
    parts: Iterable[str], produced_by: Mapping[str, str], missing: Sequence[Reason]
) -> Iterator[Reason]:
    """Reasons of the `parts` whose task is missing.

    Args:
        produced_by: measure -> the task that yields it, as seen with other models.
        missing: why tasks are missing.
    """
    for part in parts:
        task = reason_for(missing, "task", produced_by.get(part, ""))
        if task is not None and reason_for(missing, "measure", part) is None:
            yield _reason_from_tasks(part, [task])


def reasons_of_measures(measures: Mapping[str, Measure]) -> Iterator[Reason]:
    """Reasons of the measures that are undefined."""
    for name, measure in measures.items():
        if measure.reason is not None:
            yield Reason(kind="measure", subject=name, text=measure.reason)


def reason_of_part(row: Row, part: str) -> Reason | None:
    """Why `row` has no value for a part of a bias or axis; None if it has one."""
    measure = row.measures.get(part)
    if measure is not None and (text := why_apart(measure)):
        return Reason(kind="measure", subject=part, text=text)
    if measure is not None:
        return next(reasons_of_measures({part: measure}), None)
    known_reason = reason_for(row.missing, "measure", part)
    if known_reason is not None:
        return known_reason
    tasks = [
        reason for reason in row.missing if reason.kind == "task" and dataset_in(reason.subject) == dataset_in(part)
    ]
    return _reason_from_tasks(part, tasks) if tasks else _unmeasured(row, part)


def reason_of_definition(kind: ReasonKind, name: str, parts: Sequence[Reason]) -> Reason:
    """Why a bias or axis has no value: one clause for each missing part."""
    return Reason(
        kind=kind,
        subject=name,
        text="; ".join(f"no {part.subject} ({_cause(part)})" for part in parts),
        causes=tuple(parts),
    )


def _cause(part: Reason) -> str:
    """The reason of a part, with the tasks that cause it."""
    tasks = [task.line if task.subject == part.subject else f"{task.subject}: {task.line}" for task in part.causes]
    return "; ".join(tasks) or part.line


def _reason_from_tasks(part: str, tasks: Sequence[Reason]) -> Reason:
    """The reason of a measure whose tasks are missing, made of their reasons."""
    text = "; ".join(dict.fromkeys(task.text for task in tasks))
    remedies = dict.fromkeys(task.remedy for task in tasks if task.remedy)
    return Reason(kind="measure", subject=part, text=text, remedy=" or: ".join(remedies), causes=tuple(tasks))


def _unmeasured(row: Row, part: str) -> Reason:
    return Reason(kind="measure", subject=part, text=f"no task of {row.run} measures it")
