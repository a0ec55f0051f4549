"""The tasks of a request, with those whose trials their measures require."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.errors import RequestError

if TYPE_CHECKING:
    from harness.records import TaskSpec
    from harness.registry import Registry


def with_requirements(tasks: Sequence[TaskSpec], registry: Registry) -> list[TaskSpec]:
    """`tasks` without repetition, each preceded by the tasks whose trials its measures require.

    Raises:
        RequestError: probes require each other.
    """
    by_name = {task.name: task for task in reversed(tasks)}  # of two with one name, the first wins: the suite's
    resolved: dict[str, TaskSpec] = {}

    def add(task: TaskSpec, above: tuple[str, ...] = ()) -> None:
        if task.name in resolved:
            return
        if task.probe in above:
            raise RequestError(f"task {task.name}: probes require each other: {' -> '.join([*above, task.probe])}")
        for required in registry.probe_for(task).requires:
            required_task = registry.parse_task(f"{required}@{task.dataset}")
            add(by_name.get(required_task.name, required_task), (*above, task.probe))
        resolved[task.name] = task

    for task in tasks:
        add(by_name[task.name])
    return list(resolved.values())
