"""Files of a dataset with many views, compared with those from which a run was made.

The key of a cell covers the sizes of all files of a view and the bytes of a few. The run records digests of more of
them, which earlier keys could not contain; they are compared whenever the run is continued.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import RunError, listed

if TYPE_CHECKING:
    from harness.planning.plan import Plan

_KEPT: Final = frozenset({"stored", "resume", "retry"})
"""States of cells whose key is the stored one."""


def contents_of(plan: Plan) -> dict[str, dict[str, str]]:
    """Dataset -> view -> SHA-256 over some of its files, of the datasets with several views."""
    return {task.dataset.name: dict(task.manifest.contents) for task in plan.tasks if task.manifest.contents}


def refuse_changed_files(plan: Plan, recorded: Mapping[str, Mapping[str, str]], out: Path) -> None:
    """Raise RunError if files of a view have changed under the same names and sizes since cells were stored.

    Args:
        recorded: `contents_of` the run as recorded; a dataset that is not in it is not compared.
    """
    kept = {cell.task for cell in plan.cells if cell.status in _KEPT}
    for task in plan.tasks:
        before = recorded.get(task.dataset.name, {})
        now = task.manifest.contents
        changed = [view for view in now if before.get(view, now[view]) != now[view]]
        if changed and task.name in kept:
            raise RunError(
                f"{out} holds trials of dataset {task.dataset.name!r} whose files have changed since, under the same "
                f"names and sizes: {listed(changed)}. Put the files back, or choose another --out"
            )
