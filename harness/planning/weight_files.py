"""The files that hold the weights of a request's models: their digests, and why some cannot be used."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.checkpoints import pins
from harness.checkpoints.reading import digests_of
from harness.errors import AbsentCheckpointError, CheckpointError, PluginError, RequestError, blamed
from harness.records import Reason

if TYPE_CHECKING:
    from harness.planning.plan import Plan
    from harness.planning.request import Selection
    from harness.records import ModelSpec


def digests_of_models(selection: Selection) -> tuple[dict[str, tuple[str, ...]], dict[str, Reason]]:
    """Model -> digests of its files, and model -> why they are missing or cannot be used.

    Raises:
        AbsentCheckpointError: models requested by name have no file on this machine; the message names all of them.
        CheckpointError, PluginError: no model can be used, and not only because files are missing.
    """
    digests: dict[str, tuple[str, ...]] = {}
    errors: dict[str, RequestError] = {}
    for spec in selection.models:
        try:
            files = files_of(selection, spec)
            made = tuple(digests_of(files))
            pins.check(spec, files, made, recording=False)
            digests[spec.name] = made
        except (CheckpointError, PluginError) as error:
            errors[spec.name] = error
    _refuse(selection, digests, errors)
    return digests, {name: Reason.of_error("task", "", error) for name, error in errors.items()}


def _refuse(selection: Selection, usable: Collection[str], errors: Mapping[str, RequestError]) -> None:
    """Raise what stops the whole request, all of it at once."""
    absent = {name: error for name, error in errors.items() if isinstance(error, AbsentCheckpointError)}
    demanded = [error for name, error in absent.items() if name in selection.demanded]
    stops: Sequence[RequestError] = demanded or (list(errors.values()) if not usable and errors != absent else [])
    if len(stops) == 1:
        raise stops[0]
    if stops:
        kind = AbsentCheckpointError if demanded else CheckpointError
        raise kind("; ".join(map(str, stops)))


def files_of(selection: Selection, spec: ModelSpec) -> Sequence[Path]:
    """The files of a model. Raises CheckpointError if they are missing, PluginError if its source fails."""
    with blamed(spec.asked):
        files = tuple(Path(path) for path in selection.sources[spec.source].files(spec))
    for path in (path for path in files if not path.is_file()):
        raise PluginError(f"{spec.asked} names {path}, which is not a file")
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
