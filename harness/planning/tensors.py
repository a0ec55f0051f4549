"""The same tensors in another file: the stored cells of a network stay, whatever file it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.checkpoints.shards import shards_of
from harness.checkpoints.tensors import digests_of_tensors, recalled, same_tensors
from harness.errors import CheckpointError
from harness.local.digests import path_of
from harness.planning.plan import Pass, Plan, PlannedCell
from harness.planning.weight_files import files_of

if TYPE_CHECKING:
    from harness.planning.request import Selection
    from harness.records import Job, ModelSpec
    from harness.store import StoredCell


def files_of_stored(
    selection: Selection, digests: Mapping[str, Sequence[str]], stored: Mapping[tuple[str, str], StoredCell]
) -> dict[str, tuple[str, ...]]:
    """Model -> digests of the files that its stored cells name, where its present files hold the same tensors.

    Cells of an older version, without a digest of their tensors, count if the old file is still on this machine.

    Args:
        digests: model -> SHA-256 of each of its present files. stored: (task, model) -> the cell in the run folder.
    """
    earlier: dict[str, dict[tuple[str, ...], Job]] = {}
    for (_, model), cell in stored.items():
        earlier.setdefault(model, {})[cell.job.identity.checkpoint] = cell.job
    same = {}
    for spec in selection.models:
        now = tuple(digests.get(spec.name, ()))
        others = {files: job for files, job in earlier.get(spec.name, {}).items() if files and files != now}
        if not now or not others or now in earlier[spec.name] or not selection.sources[spec.source].state_dicts:
            continue
        equal = [files for files, job in others.items() if _equal(spec, selection, job, now)]
        if equal:
            same[spec.name] = equal[-1]
    return same


def _equal(spec: ModelSpec, selection: Selection, job: Job, now: Sequence[str]) -> bool:
    """Whether the present files of a model hold the tensors of a stored cell."""
    before = job.tensors or recalled(spec, job.identity.checkpoint) or _tensors_before(spec, job)
    return bool(before) and same_tensors(before, digests_of_tensors(spec, files_of(selection, spec), now), spec)


def _tensors_before(spec: ModelSpec, job: Job) -> tuple[str, ...]:
    """Digests of the tensors in the files of a stored cell, as far as they are still on this machine."""
    paths = [path for digest in job.identity.checkpoint if (path := path_of(digest))]
    if len(paths) != len(job.identity.checkpoint):
        return ()
    try:
        shards = [shard.resolve() for path in paths for shard in shards_of(path)]
    except CheckpointError:
        return ()
    # An index is read with the files beside it, which may have been replaced since.
    beside = all(shard in paths for shard in shards)
    return digests_of_tensors(spec, paths, job.identity.checkpoint) if beside else ()


def with_tensors(plan: Plan, selection: Selection) -> Plan:
    """`plan` with the digests of the tensors of every network that it computes. Reads each file once on a machine."""
    specs = {spec.name: spec for spec in selection.models}
    tensors: dict[str, tuple[str, ...]] = {}
    for cell in (cell for planned in plan.passes for cell in planned.cells if cell.job and cell.job.weight_files):
        spec = specs[cell.model]
        if selection.sources[spec.source].state_dicts and cell.model not in tensors and cell.job:
            tensors[cell.model] = digests_of_tensors(spec, files_of(selection, spec), cell.job.weight_files)

    def of_cell(cell: PlannedCell) -> PlannedCell:
        made = tensors.get(cell.model)
        return replace(cell, job=replace(cell.job, tensors=made)) if cell.job and cell.pending and made else cell

    def of_pass(planned: Pass) -> Pass:
        return replace(planned, cells=tuple(map(of_cell, planned.cells)))

    return replace(plan, cells=tuple(map(of_cell, plan.cells)), passes=tuple(map(of_pass, plan.passes)))
