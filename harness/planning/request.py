"""From a user's request to a plan: everything that can be checked before the first forward is checked here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data import manifest as manifests
from harness.data.promises import check_dataset
from harness.data.roots import DataRoots
from harness.errors import (
    AbsentDatasetError,
    RequestError,
    UnknownNameError,
    blamed,
    clipped,
)
from harness.names import LONGEST, is_pattern
from harness.planning import planner
from harness.planning.code import CodeInUse, Maker, makers_of
from harness.planning.definitions import check_definitions
from harness.planning.plan import MissingTask, PlannedTask, Settings
from harness.planning.preprocessing import natives_of, remarks_on, with_preprocessing
from harness.planning.requirements import with_requirements
from harness.planning.sizes import of_other_sizes
from harness.planning.spans import earlier_spans
from harness.planning.tensors import files_of_stored
from harness.planning.weight_files import digests_of_models
from harness.records import Reason, Remark

if TYPE_CHECKING:
    from harness.interfaces import Dataset, ModelSource, Probe
    from harness.planning.plan import Plan
    from harness.records import ModelSpec, Suite, TaskSpec
    from harness.registry import Registry
    from harness.store import RunReader, StoredCell

DEFAULT_BATCH = {"cpu": 32, "cuda": 256}
"""``--batch-size auto``: on the CPU, larger batches only waste cache; on a GPU, smaller ones leave it idle."""
MOST_CELLS = 400_000
"""Models × tasks of one run: what ``run.json`` says of more would be too large to be read."""
SMALL_IMAGE, SMALL_IMAGE_BATCH = 112, 128
"""Side of the largest small image in pixels, and the CPU batch of small images: with 32, call overhead dominates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """The request of ``harness run``; None means: as stored in the run, else the default.

    Attributes:
        same_numbers: whether the code of plugins that has changed since gives the same numbers, as the user says.
    """

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
    same_numbers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The names of a request, resolved.

    Attributes:
        demanded: datasets and models requested by name. If one of these is missing, the request fails; if one that
            a suite or pattern selects is missing, the others run without it.
        crops: dataset -> remarks on its resize and crop.
        makers: (kind, name) -> code of each plugin that is not built in.
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
    makers: Mapping[tuple[str, str], Maker] = field(default_factory=dict)

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
    tasks = with_requirements([*(suite.tasks if suite else ()), *map(registry.parse_task, request.tasks)], registry)
    if not tasks:
        raise RequestError("no tasks: give --suite NAME or --task probe@dataset. See: harness list suites")
    _refuse_unstorable([spec.name for spec in models], [task.name for task in tasks])
    datasets, crops = {}, {}
    for task in tasks:
        dataset = registry.dataset(task.dataset)
        preprocessing = suite.preprocessing.get(task.dataset) if suite else None
        datasets[task.dataset] = with_preprocessing(dataset, preprocessing)
        crops[task.dataset] = remarks_on(dataset, preprocessing)
    probes = {task.name: registry.probe_for(task) for task in tasks}
    if suite:
        planned = [(probes[task.name], datasets[task.dataset]) for task in tasks]
        check_definitions(suite, planned, registry.plugins.probes, registry)
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
        makers=makers_of(probes.values(), datasets, sources, registry),
    )


def _refuse_unstorable(models: Sequence[str], tasks: Sequence[str]) -> None:
    """Raise RequestError for what a run folder cannot hold: names that no folder can have, too many cells."""
    if long := [name for name in (*models, *tasks) if len(name) > LONGEST]:
        problem = f"{clipped(long[0])} has {len(long[0])} letters, expected at most {LONGEST}"
        raise RequestError(f"{problem}; give it a shorter name in the registry")
    if (cells := len(models) * len(tasks)) > MOST_CELLS:
        raise RequestError(
            f"{len(models):,} models on {len(tasks):,} tasks are {cells:,} cells, expected at most {MOST_CELLS:,} in "
            "one run. Divide the models among several runs, which `harness report RUN RUN` reads together"
        )


def settle(request: RunRequest, stored: Mapping[str, Any] | None, size: int) -> Settings:
    """The run's settings: as requested, else as stored in the run, else the defaults.

    Args:
        size: side of the largest requested images, in pixels; the default batch size depends on it.

    A difference between requested and stored settings is kept, so that the store can refuse it by name.
    """
    device = request.device_type or (stored or {}).get("device_type") or "cpu"
    batch = SMALL_IMAGE_BATCH if device == "cpu" and size <= SMALL_IMAGE else DEFAULT_BATCH.get(device, 32)
    default = asdict(Settings(device_type=device, batch_size=batch))
    fallback = {name: (stored or {}).get(name, value) for name, value in default.items()}
    requested = {name: getattr(request, name) for name in default if getattr(request, name) is not None}
    settings = Settings(**{**fallback, **requested})
    if settings.precision == "tf32" and settings.device_type != "cuda":
        raise RequestError("--precision tf32 exists on CUDA devices only; on this device type fp32 or bf16")
    return settings


def resolve(
    selection: Selection,
    settings: Settings,
    data: DataRoots,
    stored: Mapping[tuple[str, str], StoredCell],
    progress: Callable[[str, int, int], None] | None = None,
    code: CodeInUse | None = None,
) -> Plan:
    """Find data and checkpoints, digest them, and plan.

    Reads no weights and imports no torch, unless a network that has stored cells now comes from another file.

    Whatever a suite or pattern selects and this machine does not have is planned as missing.

    Args:
        progress: called with (name, done, total) while files are digested.
        code: the code of the plugins in use.

    Raises:
        DatasetError, CheckpointError: a dataset or model requested by name is missing, or a dataset is not as expected.
        RequestError: a probe cannot serve a dataset.
    """
    for name in data.named:
        if name not in selection.known_datasets:
            raise UnknownNameError("dataset", name, selection.known_datasets, f"Given as --data {name}=…")
    manifest_of, missing = _manifests(selection, data, settings.limit, progress)
    digests, absent = digests_of_models(selection)
    samples = {
        task.name: len(manifest_of[task.dataset].samples) for task in selection.tasks if task.dataset in manifest_of
    }
    spans = earlier_spans(stored, samples, settings.batch_size)
    tasks = [
        plan_task(selection, task, manifest_of[task.dataset], settings, spans.get(task.name))
        for task in selection.tasks
        if task.name in samples
    ]
    missing_tasks = [
        missing_task(selection, task, Reason.of_error("task", task.name, missing[task.dataset]))
        for task in selection.tasks
        if task.dataset in missing
    ]
    versions, natives = {name: source.version for name, source in selection.sources.items()}, natives_of(selection)
    earlier = files_of_stored(selection, digests, stored)
    made = planner.plan(
        tasks, selection.models, digests, settings, stored, versions, missing_tasks, absent, code, earlier, natives
    )
    return made.set_aside(of_other_sizes(made.tasks, selection.models, selection.sources))


def _manifests(
    selection: Selection, data: DataRoots, limit: int | None, progress: Callable[[str, int, int], None] | None
) -> tuple[dict[str, manifests.Manifest], dict[str, AbsentDatasetError]]:
    """Dataset -> manifest, and dataset -> why it is missing."""
    present: dict[str, manifests.Manifest] = {}
    missing: dict[str, AbsentDatasetError] = {}
    for name, dataset in selection.datasets.items():
        watch = (lambda done, total, name=name: progress(name, done, total)) if progress else None
        try:
            with blamed(f"dataset {name!r}"):
                check_dataset(dataset)
                manifest = manifests.build(dataset, data.find(dataset), limit, watch)
            present[name] = replace(manifest, remarks=(*manifest.remarks, *selection.crops.get(name, ())))
        except AbsentDatasetError as error:
            if name in selection.demanded:
                raise
            missing[name] = error
    return present, missing


def missing_task(selection: Selection, task: TaskSpec, because: Reason) -> MissingTask:
    """One task without data. Raises RequestError if its probe could not serve the data in any case."""
    probe, dataset = selection.probes[task.name], selection.datasets[task.dataset]
    with _fitting(task):
        conditions = planner.columns_for(probe, dataset)
    return MissingTask(name=task.name, probe=probe, dataset=dataset, conditions=conditions, because=because)


def plan_task(
    selection: Selection, task: TaskSpec, manifest: manifests.Manifest, settings: Settings, span: int | None = None
) -> PlannedTask:
    """One task with its layout. Raises RequestError if the probe cannot serve the dataset's image size or its views.

    Args:
        span: as in `planner.plan_task`.
    """
    from harness.store.layout import RESERVED, check_layout

    probe, dataset = selection.probes[task.name], selection.datasets[task.dataset]
    with _fitting(task):
        planned = planner.plan_task(task.name, probe, dataset, manifest, settings.batch_size, span)
        check_layout(planned.layout)
        clashes = {*RESERVED, *planned.layout.attributes} & {spec.name for spec in selection.models}
        if clashes:
            raise ValueError(f"a model cannot be called {', '.join(clashes)}: the index has an axis of that name")
    return planned


@contextmanager
def _fitting(task: TaskSpec) -> Iterator[None]:
    """A ValueError says that probe and dataset do not fit: RequestError. All else is a plugin's mistake."""
    with blamed(f"task {task.name}"):
        try:
            yield
        except ValueError as error:
            raise RequestError(f"task {task.name}: {error}") from error


def existing_run(path: Path) -> RunReader | None:
    """The run at `path`, opened for reading, or None where there is none yet. Raises RunError if it is damaged."""
    from harness.store import RunReader

    return RunReader.resumable(path)
