"""The frozen description of a cell: everything that could change its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.data.manifest import dataset_identity
from harness.identity import ENGINE, digest_of, job_of, library_versions
from harness.records import Identity, Job, ProbeIdentity

if TYPE_CHECKING:
    from harness.planning.plan import PlannedTask, Settings
    from harness.records import ModelSpec, Preprocessing


def make_job(
    task: PlannedTask,
    model: ModelSpec,
    digests: Sequence[str],
    settings: Settings,
    source_version: int = 1,
    native: Preprocessing | None = None,
) -> Job:
    """The frozen description of one cell, with its key.

    Args:
        digests: SHA-256 of each file that holds weights.
        source_version: `ModelSource.version` of the model's source.
        native: resize and crop of this model, where the dataset leaves them to it.
    """
    # `sha256` and `head_sha256` are not part of it: `digests` identify the files, whether or not they are pinned.
    network = {
        "name": model.name,
        "source": model.source,
        "source_version": source_version,
        "arch": model.arch,
        "recipe": _recipe(model),
        "mean": model.mean,
        "std": model.std,
        "options": dict(model.options),
        "label_space": model.label_space,
        "outputs": model.outputs,
        "checkpoint": list(digests),
        **({"preprocessing": native.document()} if native else {}),
    }
    identity = Identity.of(
        model=network,
        probe=ProbeIdentity(name=task.probe.name, version=task.probe.version, params=asdict(task.probe)),
        dataset=dataset_identity(task.dataset, task.manifest),
        layout={
            "conditions": task.conditions,
            "span": task.layout.span,
            "label_space": digest_of(asdict(task.space)),
            **({"side": task.layout.side} if task.layout.side else {}),
        },
        settings=asdict(settings),
        arrays=task.arrays,
        needs_logits=task.needs_logits,
        engine=ENGINE,
        versions=library_versions(),
    )
    return job_of(task.name, model.name, identity)


def _recipe(model: ModelSpec) -> dict[str, Any]:
    """The recipe as it enters an identity: a field that older versions do not know counts only where it is set."""
    recipe = asdict(model.recipe)
    return {name: value for name, value in recipe.items() if name != "head_sha256" and (name != "rows" or value)}
