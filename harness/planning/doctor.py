"""What a suite needs and what is present, before any GPU second. Loads no network, reads no image, imports no torch.

Folders are listed, but images are not hashed. Digests of checkpoints are verified, and cached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from harness.checkpoints import pins
from harness.checkpoints.expected import check_digest, expected_digest
from harness.checkpoints.reading import digests_of
from harness.errors import AbsentCheckpointError, HarnessError, UnknownNameError, listed
from harness.local.addresses import without_secrets
from harness.planning.definitions import check_suite
from harness.planning.estimate import TaskShape, shape_of
from harness.planning.preprocessing import with_preprocessing
from harness.records import Download

if TYPE_CHECKING:
    from harness.data.roots import DataRoots
    from harness.interfaces import Dataset, ModelSource
    from harness.records import ModelSpec, Suite, TaskSpec
    from harness.registry import Registry

State = Literal["present", "partial", "missing", "wrong"]
ON_FIRST_USE = "recorded on first use"
"""Trust in a checkpoint without a published digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a suite needs.

    Attributes:
        kind: ``dataset``, ``model`` or ``task``.
        state: ``present``; ``partial``: usable, with a remark; ``missing``; ``wrong``: present, but not as expected
            (another layout, an HTML page, another digest, a broken plugin).
        detail: its location, a remark, or the locations that were searched.
        mend: what to type, or where to get it by hand; empty if there is nothing to do.
        general: `detail` without names, so that similar findings can share a line; empty: as `detail`.
        group: group of a model.
        images: samples of a dataset in the folder, else in the complete release; None: unknown.
        fetchable: whether `harness fetch` can get all of it.
        uris: sources of `harness fetch`, alternatives in order of preference.
        bytes: size of the remaining download, by `harness fetch` or by hand; None: unknown.
        disk_bytes: size on disk when unpacked; None: unknown.
        place: identifies the copy on disk, which several findings may share: a dataset's path, a model's name.
        page: web page with more information, or to ask for access.
        license: as published; empty: none is stated.
        trust: for a model: the digest against which its file is checked.
    """

    kind: Literal["dataset", "model", "task"]
    name: str
    state: State
    detail: str
    mend: str = ""
    general: str = ""
    group: str | None = None
    images: int | None = None
    fetchable: bool = False
    uris: tuple[str, ...] = ()
    bytes: int | None = None
    disk_bytes: int | None = None
    place: str = ""
    page: str = ""
    license: str = ""
    trust: str = ""

    @property
    def stops(self) -> bool:
        """Whether the suite cannot run in full because of it."""
        return self.state in {"missing", "wrong"}

    @property
    def by_fetch(self) -> bool:
        """Whether `harness fetch` gets it: missing files, and checkpoints that differ from what is expected."""
        return self.fetchable and (self.state == "missing" or (self.state == "wrong" and self.kind == "model"))

    @property
    def by_hand(self) -> bool:
        """Whether a person must get it."""
        return self.state == "missing" and not self.fetchable


def examine(name: str, registry: Registry, data: DataRoots) -> list[Finding]:
    """Look at every dataset, task and checkpoint of suite `name`.

    Raises:
        UnknownNameError: there is no such suite, or `data` names a dataset that does not exist.
    """
    suite = registry.suite(name, check=False)
    for unknown in [dataset for dataset in data.named if dataset not in registry.datasets]:
        raise UnknownNameError("dataset", unknown, registry.datasets, f"Given as --data {unknown}=…")
    models = {finding.name: finding for pattern in suite.models for finding in _models(pattern, registry)}
    findings = [
        *(_dataset(dataset, registry, data) for dataset in dict.fromkeys(task.dataset for task in suite.tasks)),
        *(_task(task, registry) for task in suite.tasks),
        *models.values(),
    ]
    wrong = any(finding.state == "wrong" for finding in findings)
    return findings if wrong else [*findings, *_definitions(name, registry)]


def task_costs(name: str, registry: Registry, findings: Sequence[Finding]) -> list[TaskShape]:
    """What the cost of a whole run of suite `name` depends on, by task; tasks that cannot run are left out."""
    suite = registry.suite(name, check=False)
    images = {finding.name: finding.images for finding in findings if finding.kind == "dataset"}
    costs: dict[str, TaskShape] = {}
    for task in suite.tasks:
        costs.update(_costs(task, suite, registry, images.get(task.dataset)))
    return list(costs.values())


def _costs(task: TaskSpec, suite: Suite, registry: Registry, images: int | None) -> dict[str, TaskShape]:
    """The task, preceded by the tasks whose trials its measures require."""
    try:
        probe, dataset = registry.probe_for(task), registry.dataset(task.dataset)
        dataset = with_preprocessing(dataset, suite.preprocessing.get(task.dataset))
        probes = {f"{name}@{task.dataset}": registry.plugins.probe(name) for name in probe.requires}
        return {name: shape_of(name, probe, dataset, images) for name, probe in {**probes, task.name: probe}.items()}
    except (HarnessError, ValueError):
        return {}  # the finding of this task explains the problem


# --- datasets --------------------------------------------------------------------------------


def _dataset(name: str, registry: Registry, data: DataRoots) -> Finding:
    try:
        dataset = registry.dataset(name)
    except HarnessError as error:
        return Finding(kind="dataset", name=name, state="wrong", **_error_fields(error))
    facts = _facts(dataset)
    try:
        root = data.find(dataset)
    except HarnessError as error:
        return replace(facts, **_error_fields(error, _by_fetch_or_page(facts, data)))
    try:
        samples = list(dataset.samples(root))
        remarks = list(dataset.remarks(samples))
        folders = {view: dataset.folder(root, view) for view in dataset.views()}
        absent = [view for view, folder in folders.items() if folder is not None and not folder.is_dir()]
    except HarnessError as error:
        return replace(facts, state="wrong", **_error_fields(error))
    if not samples or absent:
        text = (
            f"{len(absent)} of {len(dataset.views())} views are missing: {listed(absent)}" if samples else "no images"
        )
        return replace(facts, state="wrong", detail=f"{text}, in {root}", mend=_by_fetch_or_page(facts, data))
    if not remarks and facts.images is not None and len(samples) != facts.images:
        remarks = [f"{len(samples):,} images, the release has {facts.images:,}"]
    generated = not any(sample.path for sample in samples) and not any(folders.values())
    state: State = "partial" if remarks and not generated else "present"  # generated images are always complete
    detail = "; ".join(remarks) or f"{len(samples):,} images {'made by code' if generated else f'in {root}'}"
    mend = _by_fetch_or_page(facts, data) if remarks else ""
    return replace(facts, state=state, detail=detail, mend=mend, images=len(samples), bytes=0)


def _facts(dataset: Dataset) -> Finding:
    """What is known of a dataset without its files."""
    blank = Finding(kind="dataset", name=dataset.name, state="missing", detail="", place=dataset.path or dataset.name)
    release = dataset.release()
    if release is None:
        return blank
    download = _total([file.bytes for file in release.downloads]) if release.downloads else release.bytes
    return replace(
        blank,
        images=release.images,
        fetchable=bool(release.downloads),
        uris=tuple(without_secrets(file.uri) for file in release.downloads),
        bytes=download,
        disk_bytes=release.bytes,
        page=release.page,
        license=release.license,
    )


def _by_fetch_or_page(facts: Finding, data: DataRoots) -> str:
    if facts.fetchable:
        return f"harness fetch --datasets {facts.name}"
    folder = (data.default or Path("ROOT")) / facts.place
    return f"get it from {facts.page} and put it at {folder}" if facts.page else ""


# --- tasks -----------------------------------------------------------------------------------


def _task(task: TaskSpec, registry: Registry) -> Finding:
    try:
        probe = registry.probe_for(task)
        shape_of(task.name, probe, registry.dataset(task.dataset))
    except HarnessError as error:
        return Finding(kind="task", name=task.name, state="wrong", **_error_fields(error))
    except ValueError as error:
        return Finding(kind="task", name=task.name, state="wrong", detail=str(error))
    return Finding(kind="task", name=task.name, state="present", detail=f"{probe.name} version {probe.version}")


def _definitions(suite: str, registry: Registry) -> list[Finding]:
    """What is wrong with the suite as a whole: measures of its biases and axes that nothing yields."""
    try:
        check_suite(suite, registry)
    except HarnessError as error:
        return [Finding(kind="task", name=f"measures of {suite}", state="wrong", **_error_fields(error))]
    return []


# --- checkpoints -----------------------------------------------------------------------------


def _models(pattern: str, registry: Registry) -> Iterator[Finding]:
    try:
        models = registry.models_matching([pattern])
    except HarnessError as error:
        yield Finding(kind="model", name=pattern, state="missing", **_error_fields(error))
        return
    for spec in models:
        yield _model(spec, registry)


def _model(spec: ModelSpec, registry: Registry) -> Finding:
    facts = Finding(
        kind="model", name=spec.name, state="wrong", detail="", group=spec.group, place=spec.name, license=spec.license
    )
    try:
        source = registry.source_for(spec)
        downloads = tuple(tuple(alternatives) for alternatives in source.downloads(spec))
    except HarnessError as error:
        return replace(facts, **_error_fields(error))
    fetchable = bool(downloads) and all(downloads)
    sizes = [next((file.bytes for file in alternatives if file.bytes), None) for alternatives in downloads]
    size = _total(sizes) if fetchable else spec.bytes
    facts = replace(
        facts,
        fetchable=fetchable,
        uris=tuple(without_secrets(file.uri) for alternatives in downloads for file in alternatives),
        bytes=size,
        disk_bytes=size,
        trust=_trust(spec, downloads) if fetchable or spec.sha256 else "",
    )
    fetch = f"harness fetch --models {spec.name}" if fetchable else ""
    try:
        files = source.files(spec)
        digests = digests_of(files)
        _check_digests(spec, source, files, digests)
        recorded = _check_pins(spec, files, digests)
    except AbsentCheckpointError as error:
        return replace(facts, state="missing", **_error_fields(error, fetch))
    except HarnessError as error:
        return replace(facts, **_error_fields(error, fetch))
    on_disk = sum(path.stat().st_size for path in files)
    detail = ", ".join(f"sha256 {digest[:12]}" for digest in digests) or "needs no file"
    trust = (recorded or facts.trust) if files else ""
    return replace(facts, state="present", detail=detail, trust=trust, bytes=0, disk_bytes=on_disk)


def _check_digests(spec: ModelSpec, source: ModelSource, files: Sequence[Path], digests: Sequence[str]) -> None:
    """Check each file against the registry, else against the digest in its published name. Raises CheckpointError."""
    downloads = source.downloads(spec)
    for position, (path, digest) in enumerate(zip(files, digests, strict=True)):
        check_digest(spec, path, digest, expected_digest(spec, position, path, downloads))


def _check_pins(spec: ModelSpec, files: Sequence[Path], digests: Sequence[str]) -> str:
    """The date on which the files were recorded; records none. Raises CheckpointError if one has changed since."""
    recorded = pins.recorded().get(spec.name, {})
    for path, digest in zip(files, digests, strict=True):
        if path.name in recorded and pins.is_download(path):
            pins.compare(spec, path.name, digest, recorded)
    dates = sorted(pin.recorded for pin in recorded.values())
    return f"recorded on first use, {dates[0][:10]}" if dates else ""


def _trust(spec: ModelSpec, downloads: Sequence[Sequence[Download]]) -> str:
    """The digest against which the checkpoint is checked when it comes from its preferred source."""
    first = next((file for alternatives in downloads[:1] for file in alternatives), Download(uri=""))
    if spec.sha256:
        first = replace(first, digest=f"sha256:{spec.sha256}")
    if not first.digits:
        return ON_FIRST_USE
    return "published digest" if first.has_whole_digest else f"first {first.digits} digits of the published digest"


def _total(sizes: Sequence[int | None]) -> int | None:
    return sum(filter(None, sizes)) if sizes and None not in sizes else None


class _ErrorFields(TypedDict):
    detail: str
    mend: str
    general: str


def _error_fields(error: HarnessError, mend: str = "") -> _ErrorFields:
    """An error as fields of a finding; `mend` takes precedence over the remedy of the error."""
    return {"detail": error.reason, "mend": mend or error.remedy, "general": error.general}
