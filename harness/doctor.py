"""What a suite needs and what is there, before any GPU second. Loads no network and imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.checkpoints import digests_of
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.interfaces import Dataset
    from harness.manifest import DataRoots
    from harness.records import ModelSpec, TaskSpec
    from harness.registry import Registry

State = Literal["present", "partial", "missing", "wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a suite needs.

    Attributes:
        kind: ``dataset``, ``model`` or ``task``.
        state: ``present``; ``partial``: usable, with a remark; ``missing``: not there; ``wrong``: there, but not what
            is expected (another layout, an HTML page, another digest, a broken plugin).
        detail: where it is, what is remarkable, or what mends it.
    """

    kind: str
    name: str
    state: State
    detail: str

    @property
    def stops(self) -> bool:
        """Whether the suite cannot run because of it."""
        return self.state in {"missing", "wrong"}


def examine(name: str, registry: Registry, data: DataRoots) -> list[Finding]:
    """Look at every dataset, task and checkpoint of suite `name`. Raises UnknownNameError for the suite itself."""
    suite = registry.suite(name, check=False)
    return [
        *(_dataset(dataset, registry, data) for dataset in dict.fromkeys(task.dataset for task in suite.tasks)),
        *(_task(task, registry) for task in suite.tasks),
        *(finding for pattern in suite.models for finding in _models(pattern, registry)),
    ]


def _dataset(name: str, registry: Registry, data: DataRoots) -> Finding:
    try:
        dataset: Dataset = registry.dataset(name)
    except HarnessError as error:
        return Finding(kind="dataset", name=name, state="wrong", detail=str(error))
    try:
        root = data.find(dataset)
    except HarnessError as error:
        return Finding(kind="dataset", name=name, state="missing", detail=str(error))
    try:
        samples = list(dataset.samples(root))
        remarks = list(dataset.remarks(samples))
    except HarnessError as error:
        return Finding(kind="dataset", name=name, state="wrong", detail=str(error))
    detail = "; ".join(remarks) or f"{len(samples):,} images in {root}"
    return Finding(kind="dataset", name=name, state="partial" if remarks else "present", detail=detail)


def _task(task: TaskSpec, registry: Registry) -> Finding:
    try:
        probe = registry.probe_for(task)
    except HarnessError as error:
        return Finding(kind="task", name=task.name, state="wrong", detail=str(error))
    return Finding(kind="task", name=task.name, state="present", detail=f"{probe.name} version {probe.version}")


def _models(pattern: str, registry: Registry) -> Iterator[Finding]:
    try:
        models = registry.models_matching([pattern])
    except HarnessError as error:
        yield Finding(kind="model", name=pattern, state="missing", detail=str(error))
        return
    for spec in models:
        yield _model(spec, registry)


def _model(spec: ModelSpec, registry: Registry) -> Finding:
    try:
        source = registry.source_for(spec)
    except HarnessError as error:
        return Finding(kind="model", name=spec.name, state="wrong", detail=str(error))
    try:
        files = source.files(spec)
    except HarnessError as error:
        return Finding(kind="model", name=spec.name, state="missing", detail=str(error))
    try:
        digests = digests_of(files)
    except HarnessError as error:
        return Finding(kind="model", name=spec.name, state="wrong", detail=str(error))
    if spec.sha256 and digests and not digests[0].startswith(spec.sha256):
        detail = f"{files[0]} has SHA-256 {digests[0][:16]}…, the registry pins {spec.sha256[:16]}…; fetch it anew"
        return Finding(kind="model", name=spec.name, state="wrong", detail=detail)
    detail = ", ".join(f"sha256 {digest[:12]}" for digest in digests) or "needs no file"
    return Finding(kind="model", name=spec.name, state="present", detail=detail)
