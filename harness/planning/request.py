"""From what a user asks for to a plan: everything that can be known before the first forward is checked here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.checkpoints import pins
from harness.checkpoints.reading import digests_of
from harness.data import manifest as manifests
from harness.data.roots import DataRoots
from harness.errors import AbsentCheckpointError, AbsentDatasetError, RequestError, UnknownNameError
from harness.names import is_pattern
from harness.planning import planner
from harness.planning.plan import MissingTask, PlannedTask, Settings
from harness.records import Reason, Remark

if TYPE_CHECKING:
    from harness.interfaces import Dataset, ModelSource, Probe
    from harness.planning.plan import Plan
    from harness.records import ModelSpec, Preprocessing, Suite, TaskSpec
    from harness.registry import Registry
    from harness.store import RunReader, StoredCell

DEFAULT_BATCH = {"cpu": 32, "cuda": 256}
"""``--batch-size auto``: on the CPU larger batches only cost cache, on a GPU smaller ones leave it idle."""
SMALL_IMAGE, MANY = 112, 128
"""Images of at most so many pixels a side, and their batch on the CPU: with 32, calls would cost more than sums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What ``harness run`` was asked for; None means: as stored in the run, else the default."""

    suite: str | None = None
    tasks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    data: DataRoots = field(default_factory=DataRoots)
    seed: int | None = None
    limit: int | None = None
    precision: str | None = None
    device_type: str | None = None
    batch_size: int | None = None
    store: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The names of a request, resolved.

    Attributes:
        demanded: datasets and models that were asked for by name. One that is not here is a mistake; of what a suite or
            a pattern brought along, the rest runs without it.
        crops: dataset -> remark, where the suite's resize and crop are not the dataset's own.
    """

    suite: Suite | None
    models: tuple[ModelSpec, ...]
    tasks: tuple[TaskSpec, ...]
    probes: Mapping[str, Probe]
    datasets: Mapping[str, Dataset]
    sources: Mapping[str, ModelSource]
    known_datasets: frozenset[str]
    demanded: frozenset[str] = frozenset()
    crops: Mapping[str, tuple[Remark, ...]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Side of the largest images, in pixels."""
        return max(dataset.preprocessing.size for dataset in self.datasets.values())


def select(request: RunRequest, registry: Registry) -> Selection:
    """Resolve every name. Raises UnknownNameError, PluginError or RegistryError."""
    suite = registry.suite(request.suite) if request.suite else None
    patterns = request.models or (suite.models if suite else ())
    if not patterns:
        raise RequestError("no models: give --models PATTERN, or a --suite that names some. See: harness list models")
    models = tuple(registry.models_matching(patterns))
    tasks = _with_requirements([*_suite_tasks(suite), *map(registry.parse_task, request.tasks)], registry)
    if not tasks:
        raise RequestError("no tasks: give --suite NAME or --task probe@dataset. See: harness list suites")
    datasets, crops = {}, {}
    for task in tasks:
        dataset = registry.dataset(task.dataset)
        how = suite.preprocessing.get(task.dataset) if suite else None
        datasets[task.dataset] = replace(dataset, preprocessing=how) if how else dataset
        if how and how != dataset.preprocessing:
            usual = described(dataset.preprocessing)
            text = f"{described(how)} as the suite says; its own is {usual}"
            crops[task.dataset] = (Remark("data", task.dataset, text),)
    probes = {task.name: registry.probe_for(task) for task in tasks}
    sources = {spec.source: registry.source_for(spec) for spec in models}
    return Selection(
        suite=suite,
        models=models,
        tasks=tuple(tasks),
        probes=probes,
        datasets=datasets,
        sources=sources,
        known_datasets=frozenset(registry.datasets),
        demanded=frozenset(
            [registry.parse_task(task).dataset for task in request.tasks]
            + [registry.model(name).name for name in request.models if not is_pattern(name)]
        ),
        crops=crops,
    )


def described(how: Preprocessing) -> str:
    """``resized to 256, cropped to 224``."""
    return f"resized to {how.resize}, cropped to {how.size}" if how.resize is not None else f"{how.size} px as stored"


def _suite_tasks(suite: Suite | None) -> Sequence[TaskSpec]:
    return suite.tasks if suite else ()


def _with_requirements(tasks: Sequence[TaskSpec], registry: Registry) -> list[TaskSpec]:
    """`tasks` without repetition, each preceded by the tasks whose trials its measures need."""
    given = {task.name: task for task in reversed(tasks)}  # of two with one name the first counts: the suite's
    chosen: dict[str, TaskSpec] = {}

    def add(task: TaskSpec) -> None:
        if task.name in chosen:
            return
        for required in registry.probe_for(task).requires:
            needed = registry.parse_task(f"{required}@{task.dataset}")
            add(given.get(needed.name, needed))
        chosen[task.name] = task

    for task in tasks:
        add(given[task.name])
    return list(chosen.values())


def settle(request: RunRequest, stored: Mapping[str, Any] | None, size: int) -> Settings:
    """The run's settings: as asked for, else as stored in the run, else the defaults.

    Args:
        size: side of the largest images that are asked for, in pixels; the default batch depends on it.

    A difference between what is asked for and what is stored is left in, for the store to refuse by name.
    """
    device = request.device_type or (stored or {}).get("device_type") or "cpu"
    batch = MANY if device == "cpu" and size <= SMALL_IMAGE else DEFAULT_BATCH.get(device, 32)
    default = asdict(Settings(device_type=device, batch_size=batch))
    chosen = {**default, **(stored or {})}
    asked = {name: getattr(request, name) for name in default if getattr(request, name) is not None}
    settings = Settings(**{**chosen, **asked})
    if settings.precision == "tf32" and settings.device_type != "cuda":
        raise RequestError("--precision tf32 exists on CUDA devices only; on this device type fp32 or bf16")
    return settings


def resolve(
    selection: Selection,
    settings: Settings,
    data: DataRoots,
    stored: Mapping[tuple[str, str], StoredCell],
    progress: Callable[[str, int, int], None] | None = None,
) -> Plan:
    """Find data and checkpoints, digest them, and plan. Reads no weights and imports no torch.

    What a suite or a pattern asks for and this machine lacks is planned as missing.

    Args:
        progress: called with (what, done, all) while files are digested.

    Raises:
        DatasetError, CheckpointError: something asked for by name is not there, or something is not what it should be.
        RequestError: a probe cannot serve a dataset.
    """
    for name in data.named:
        if name not in selection.known_datasets:
            raise UnknownNameError("dataset", name, selection.known_datasets, f"Given as --data {name}=…")
    found, missing = _manifests(selection, data, settings.limit, progress)
    digests, absent = _digests(selection)
    tasks = [
        plan_task(selection, task, found[task.dataset], settings) for task in selection.tasks if task.dataset in found
    ]
    without = [
        missing_task(selection, task, Reason.of_error("task", task.name, missing[task.dataset]))
        for task in selection.tasks
        if task.dataset in missing
    ]
    versions = {name: source.version for name, source in selection.sources.items()}
    return planner.plan(tasks, selection.models, digests, settings, stored, versions, without, absent)


def _manifests(
    selection: Selection, data: DataRoots, limit: int | None, progress: Callable[[str, int, int], None] | None
) -> tuple[dict[str, manifests.Manifest], dict[str, AbsentDatasetError]]:
    """Dataset -> manifest, and dataset -> why it is not here."""
    found: dict[str, manifests.Manifest] = {}
    missing: dict[str, AbsentDatasetError] = {}
    for name, dataset in selection.datasets.items():
        watch = (lambda done, total, name=name: progress(name, done, total)) if progress else None
        try:
            manifest = manifests.build(dataset, data.find(dataset), limit, watch)
            found[name] = replace(manifest, remarks=(*manifest.remarks, *selection.crops.get(name, ())))
        except AbsentDatasetError as error:
            if name in selection.demanded:
                raise
            missing[name] = error
    return found, missing


def _digests(selection: Selection) -> tuple[dict[str, tuple[str, ...]], dict[str, Reason]]:
    """Model -> digests of its files, and model -> why they are not here. CheckpointError if a download has changed."""
    digests: dict[str, tuple[str, ...]] = {}
    absent: dict[str, Reason] = {}
    for spec in selection.models:
        try:
            files = selection.sources[spec.source].files(spec)
        except AbsentCheckpointError as error:
            if spec.name in selection.demanded:
                raise
            absent[spec.name] = Reason.of_error("task", "", error)
        else:
            digests[spec.name] = tuple(digests_of(files))
            pins.check(spec, files, digests[spec.name], recording=False)
    return digests, absent


def record_checkpoints(plan: Plan, selection: Selection) -> None:
    """Record the downloads that `plan` uses for the first time, once they are known to load.

    Not earlier: a download that broke off would be recorded, and the whole one refused ever after.

    Raises:
        CheckpointError: a file is not what was recorded.
    """
    planned = {cell.model: cell.job for one in plan.passes for cell in one.cells if cell.job}
    for spec in selection.models:
        if spec.name in planned:
            files = selection.sources[spec.source].files(spec)
            pins.check(spec, files, planned[spec.name].identity.checkpoint)


def missing_task(selection: Selection, task: TaskSpec, because: Reason) -> MissingTask:
    """One task whose data is not here. Raises RequestError if its probe could not serve the data in any case."""
    probe, dataset = selection.probes[task.name], selection.datasets[task.dataset]
    try:
        conditions = planner.columns_for(probe, dataset)
    except ValueError as error:
        raise RequestError(f"task {task.name}: {error}") from error
    return MissingTask(name=task.name, probe=probe, dataset=dataset, conditions=conditions, because=because)


def plan_task(selection: Selection, task: TaskSpec, manifest: manifests.Manifest, settings: Settings) -> PlannedTask:
    """One task with its layout. Raises RequestError if the probe cannot serve the dataset's image size or its views."""
    from harness.store.layout import RESERVED, check_layout

    try:
        planned = planner.plan_task(
            task.name, selection.probes[task.name], selection.datasets[task.dataset], manifest, settings.batch_size
        )
        check_layout(planned.layout)
        taken = {*RESERVED, *planned.layout.attributes} & {spec.name for spec in selection.models}
        if taken:
            raise ValueError(f"a model cannot be called {', '.join(taken)}: the index has an axis of that name")
        return planned
    except ValueError as error:
        raise RequestError(f"task {task.name}: {error}") from error


def existing_run(path: Path) -> RunReader | None:
    """The run at `path`, opened for reading, or None where there is none yet."""
    from harness.store import RunReader

    return RunReader.open(path) if (path / "run.json").exists() else None
