"""The files that hold the weights of a request's models: their digests, and why some cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.checkpoints import pins
from harness.checkpoints.reading import digests_of
from harness.errors import AbsentCheckpointError, CheckpointError, PluginError, blamed
from harness.records import Reason

if TYPE_CHECKING:
    from harness.planning.plan import Plan
    from harness.planning.request import Selection
    from harness.records import ModelSpec


def digests_of_models(selection: Selection) -> tuple[dict[str, tuple[str, ...]], dict[str, Reason]]:
    """Model -> digests of its files, and model -> why they are missing or cannot be used.

    Raises:
        AbsentCheckpointError: a model requested by name has no file on this machine.
    """
    digests: dict[str, tuple[str, ...]] = {}
    absent: dict[str, Reason] = {}
    demanded: list[AbsentCheckpointError] = []
    for spec in selection.models:
        try:
            files = files_of(selection, spec)
            digests[spec.name] = tuple(digests_of(files))
            pins.check(spec, files, digests[spec.name], recording=False)
        except (CheckpointError, PluginError) as error:
            absent[spec.name] = Reason.of_error("task", "", error)
            if isinstance(error, AbsentCheckpointError) and spec.name in selection.demanded:
                demanded.append(error)
    if demanded:
        raise demanded[0] if len(demanded) == 1 else AbsentCheckpointError("; ".join(map(str, demanded)))
    return digests, absent


def files_of(selection: Selection, spec: ModelSpec) -> Sequence[Path]:
    """The files of a model. Raises CheckpointError if they are missing, PluginError if its source fails."""
    with blamed(f"model {spec.name!r}: its source {spec.source!r}"):
        files = tuple(Path(path) for path in selection.sources[spec.source].files(spec))
    for path in (path for path in files if not path.is_file()):
        raise PluginError(f"model {spec.name!r}: its source {spec.source!r} names {path}, which is not a file")
    return files


def record_checkpoints(plan: Plan, selection: Selection) -> None:
    """Record the downloads that `plan` uses for the first time, once they have been loaded.

    Recording earlier could pin an incomplete download, and later refuse the complete one.

    Raises:
        CheckpointError: a file differs from its record.
    """
    planned = {cell.model: cell.job for planned_pass in plan.passes for cell in planned_pass.cells if cell.job}
    for spec in selection.models:
        if spec.name in planned:
            files = files_of(selection, spec)
            pins.check(spec, files, planned[spec.name].weight_files)
