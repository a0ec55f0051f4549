"""Single decisions of several runs, read on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.records import Trials


class StoredTrials:
    """The complete cells of some runs. Implements `harness.TrialReader`.

    Args:
        paths: run folders. Imported tables, which hold no trials, are skipped, and so are cells of a network that has
            changed since.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)

    @cached_property
    def _places(self) -> dict[str, dict[str, Path]]:
        from harness.store import RunReader, cells_of, is_complete
        from harness.study.superseded import superseded

        places: dict[str, dict[str, Path]] = {}
        for path in self._paths:
            run = RunReader.open(path)
            cells = cells_of(run).sound if run.kind == "trials" else {}
            old = superseded(cells)
            for (task, model), cell in cells.items():
                if is_complete(run, (task, model), cell) and (task, model) not in old:
                    places.setdefault(task, {})[model] = path
        return places

    def cells(self) -> Mapping[str, Sequence[str]]:
        """Task -> names of the models whose trials are complete."""
        return {task: tuple(models) for task, models in self._places.items()}

    def read(self, task: str, model: str) -> Trials:
        """All trials of one cell. Raises StoreError if they are damaged, KeyError for a cell that is not in `cells`."""
        from harness.store import RunReader

        return RunReader.open(self._places[task][model]).read(task, model)

    def digest(self, task: str, model: str) -> str:
        """The digest of the trials of one cell, from the headers of its shards. Raises as `read`."""
        from harness.store import RunReader, trials_digest

        return trials_digest(RunReader.open(self._places[task][model]), task, model)
