"""Single decisions of several runs, read on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records import labelled_name

if TYPE_CHECKING:
    from harness.records import Trials


class StoredTrials:
    """The complete cells of some runs. Implements `harness.TrialReader`.

    Args:
        paths: run folders. Imported tables, which hold no trials, are skipped, and so are cells of a network that has
            changed since.
        labels: path -> label of that run, for models that are named ``NAME (LABEL)`` here.
    """

    def __init__(self, paths: Sequence[Path], labels: Mapping[Path, str] | None = None) -> None:
        self._paths, self._labels = tuple(paths), labels or {}

    @cached_property
    def _places(self) -> dict[str, dict[str, tuple[Path, str]]]:
        """Task -> model as it is named here -> its run, and its name there."""
        from harness.store import RunReader, cells_of, is_complete
        from harness.study.superseded import superseded

        places: dict[str, dict[str, tuple[Path, str]]] = {}
        for path in self._paths:
            run = RunReader.open(path)
            cells = cells_of(run).sound if run.kind == "trials" else {}
            old = superseded(cells)
            for (task, model), cell in cells.items():
                if is_complete(run, (task, model), cell) and (task, model) not in old:
                    name = labelled_name(model, self._labels.get(path))
                    places.setdefault(task, {})[name] = path, model
        return places

    def cells(self) -> Mapping[str, Sequence[str]]:
        """Task -> names of the models whose trials are complete."""
        return {task: tuple(models) for task, models in self._places.items()}

    def read(self, task: str, model: str) -> Trials:
        """All trials of one cell. Raises StoreError if they are damaged, KeyError for a cell that is not in `cells`."""
        from harness.store import RunReader

        path, name = self._places[task][model]
        trials = RunReader.open(path).read(task, name)
        return trials if name == model else replace(trials, model=model)

    def digest(self, task: str, model: str) -> str:
        """The digest of the trials of one cell, from the headers of its shards. Raises as `read`."""
        from harness.store import RunReader, trials_digest

        path, name = self._places[task][model]
        return trials_digest(RunReader.open(path), task, name)
