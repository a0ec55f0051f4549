"""The frozen records that travel between the rooms. No logic beyond construction and naming.

Shapes: N samples, C conditions, K classes of the dataset's label space, B batch, S image side in pixels.
This module imports neither torch nor h5py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch

Direction = Literal["higher", "lower", "neither"]
NOT_MEASURED = 255
"""Fill value of `correct`: this trial is not stored. `top5` is then -1 and `logp` NaN."""
TOP = 5
"""How many classes a trial keeps."""


# --- what the registry says ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingRecipe:
    """How a state-dict file becomes the state dict of its architecture, step by step.

    Attributes:
        wrapper_keys: keys to unwrap, outermost first; empty: the well-known ones are tried, then the file itself.
        select_prefix: keep only the keys that start with it (before stripping).
        strip_prefixes: prefixes removed once from the start of each key, where present.
        drop: glob patterns of keys to leave out, after stripping.
        rename: ordered (regular expression, replacement) pairs applied to each key.
        head: URI of a second file that holds the classifier.
        head_sha256: digest (or its first hex digits) that the head file must have; None: recorded on first use.
        head_wrapper_keys, head_rename: as `wrapper_keys` and `rename`, for the head file.
        match: ``"name"``, or ``"position"`` (same order, equal shapes *and* equal leaf names).
        safe_globals: importable names allowed in the pickle beside torch's own list.
    """

    wrapper_keys: tuple[str, ...] = ()
    select_prefix: str | None = None
    strip_prefixes: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    head: str | None = None
    head_sha256: str | None = None
    head_wrapper_keys: tuple[str, ...] = ()
    head_rename: tuple[tuple[str, str], ...] = ()
    match: Literal["name", "position"] = "name"
    safe_globals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One registered checkpoint.

    Attributes:
        name: published name; part of every measure, so never reused.
        source: name of the model source that loads it.
        arch: architecture, in the source's words (``timm:resnet50``, ``torchvision:resnet50``).
        weights: URIs in order of preference: ``package:NAME/path``, ``file:PATH``, ``https://…``, ``timm:…``.
        mean, std: the normalization that the *model* applies to images in [0, 1]; None: none.
        label_space, outputs: what its logits mean, and how many there are.
        sha256: digest (or its first hex digits) that the checkpoint file must have; None: recorded on first use.
        bytes: size of the download, where it is known.
        options: further settings that the source itself declares and validates.
        base: folder against which relative ``file:`` URIs are resolved (where the registry file lies).
    """

    name: str
    source: str
    group: str | None = None
    arch: str | None = None
    weights: tuple[str, ...] = ()
    recipe: LoadingRecipe = field(default_factory=LoadingRecipe)
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    label_space: str = "imagenet-1k"
    outputs: int = 1000
    sha256: str | None = None
    bytes: int | None = None
    aliases: tuple[str, ...] = ()
    title: str = ""
    citation: str = ""
    license: str = ""
    notes: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    base: Path = field(default_factory=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """``probe@dataset`` as a suite or the user asks for it, with the parameters that differ from the probe's own."""

    probe: str
    dataset: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The string users type: ``probe@dataset``."""
        return f"{self.probe}@{self.dataset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named set of models, tasks and definitions of biases and axes.

    Attributes:
        biases, axes: name -> measures whose mean it is (``shape-bias: [shape-bias@cue-conflict]``).
        preprocessing: dataset name -> resize and crop that replace the dataset's own.
    """

    name: str
    title: str = ""
    models: tuple[str, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
    biases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    preprocessing: Mapping[str, Preprocessing] = field(default_factory=dict)


# --- data ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """PIL-exact path from a file to pixels: RGB, resize of the shorter side, centre crop.

    Attributes:
        resize: length of the shorter side after a bilinear, antialiased resize; None: no resize and no
            crop, the file must already be `size` x `size`.
        size: side S of the square that is cut out, in pixels.
    """

    resize: int | None = 256
    size: int = 224


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSpace:
    """What a decision on a dataset is, and how logits become one.

    Attributes:
        name: ``imagenet-1k``, ``entry-level-16``, …
        classes: the K class names; targets and stored top-5 are indices into it.
        model_label_space, outputs: which models can be judged here, and how many logits they have.
        columns: K logit columns to keep before the softmax (200-class subsets); None: all.
        members: for each class the logit columns whose *mean probability* (softmax over all outputs) is its score
            (Geirhos' 16 categories); None: one logit a class. At most one of `columns`, `members` is given.
    """

    name: str
    classes: tuple[str, ...]
    model_label_space: str = "imagenet-1k"
    outputs: int = 1000
    columns: tuple[int, ...] | None = None
    members: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One file on the net.

    Attributes:
        uri: ``https://…``, ``hf:OWNER/REPO:FILE`` or ``gdrive:ID``.
        bytes: its size, None where it is not known.
        digest: ``sha256:HEX`` (or the first 8 digits or more of it) or ``md5:HEX``; None: none is published.
        into: for archives: folder below the data root into which it is unpacked; empty: the data root itself.
        rename: for archives: (folder, folder) below the data root: what it unpacks to, what it is to be called.
    """

    uri: str
    bytes: int | None = None
    digest: str | None = None
    into: str = ""
    rename: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a complete copy of a dataset is, and where it comes from. Known without any file.

    Attributes:
        images: samples of the complete set (each in all of its views).
        bytes: size on disk when unpacked, where it is known.
        license: of the images; ``page``: where a person reads more or asks for access.
        downloads: archives that `harness fetch` gets; empty: only a person can get them, from `page`.
    """

    images: int
    bytes: int | None = None
    license: str = ""
    page: str = ""
    downloads: tuple[Download, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One image of a dataset.

    Attributes:
        id: stable name, unique in the dataset, independent of where the data lies (relative POSIX path).
        targets: indices of all classes that count as correct (one, except for multi-label sets).
        path: the file, or None for images that are made.
        attributes: values of the dataset's `attributes`, in their order.
        view: in which of the dataset's views the image is to be shown; set by the engine, empty where there is one.
    """

    id: str
    targets: tuple[int, ...]
    path: Path | None = None
    attributes: tuple[str, ...] = ()
    view: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a probe gets to make stimuli from.

    Attributes:
        images: (B, 3, S, S) float32 in [0, 1] on the run's device; values are k/255. Do not modify in place.
        sample_ids: B ids; `targets`: B tuples of accepted classes.
        seed: the run's seed. Use `noise`, not a generator of your own.
    """

    images: torch.Tensor
    sample_ids: tuple[str, ...]
    targets: tuple[tuple[int, ...], ...]
    seed: int

    def noise(self, purpose: str) -> torch.Tensor:
        """Standard normal noise, one field per sample, (B, S, S) float32 on the images' device.

        Each field depends on (seed, sample id, purpose) alone: the same for any batch size, order, worker
        count and device, so that a stimulus is the same wherever it is made.
        """
        from harness.randomness import normal_fields

        return normal_fields(self.seed, self.sample_ids, purpose, self.images.shape[-2:], self.images.device)

    def uniform(self, purpose: str) -> torch.Tensor:
        """Uniform numbers in [0, 1), one for every value of `images`, (B, 3, S, S) float32; else as `noise`."""
        from harness.randomness import uniform_fields

        return uniform_fields(self.seed, self.sample_ids, purpose, self.images.shape[1:], self.images.device)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLayout:
    """The sample and condition axes that all models of one task share; stored once per task.

    Attributes:
        task: ``probe@dataset``.
        sample_ids: N ids, sorted. targets: (N, T) int16, padded with -1. conditions: C names.
        attributes: name -> N strings. classes: K names. size: image side S in pixels.
        span: samples per shard.
        columns: the logit columns of the K classes where these are a part of all outputs (as `LabelSpace.columns`).
    """

    task: str
    sample_ids: tuple[str, ...]
    targets: np.ndarray
    conditions: tuple[str, ...]
    classes: tuple[str, ...]
    size: int
    span: int
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: tuple[int, ...] | None = None

    def spans(self) -> tuple[tuple[int, int], ...]:
        """All (low, high) sample ranges of this task's shards, in order."""
        n = len(self.sample_ids)
        return tuple((low, min(low + self.span, n)) for low in range(0, n, self.span))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """All stored trials of one model on one task.

    Attributes:
        layout: the sample and condition axes.
        top5: (N, C, 5) int16, most probable first; -1 where K < 5.
        logp: (N, C, 5) float16 natural log-probabilities of those classes.
        correct: (N, C) bool.
        required: trials of the probes named in `Probe.requires`, same model and dataset, by probe name.
        logits: reads the logits of samples ``low`` to ``high`` - 1, (high - low, C, outputs) float16; None where the
            run does not keep them.
    """

    model: str
    layout: TaskLayout
    top5: np.ndarray
    logp: np.ndarray
    correct: np.ndarray
    required: Mapping[str, Trials] = field(default_factory=dict)
    logits: Callable[[int, int], np.ndarray] | None = None

    def column(self, condition: str) -> int:
        """Index of `condition` on the C axis. Raises KeyError with the conditions that exist."""
        try:
            return self.layout.conditions.index(condition)
        except ValueError:
            raise KeyError(f"{self.layout.task} has no condition {condition!r}: {self.layout.conditions}") from None

    def accuracy(self, condition: str) -> float:
        """Top-1 accuracy under `condition`, a fraction."""
        return float(self.correct[:, self.column(condition)].mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Frozen description of one cell: one model on one task.

    Attributes:
        key: 64 hex digits, the SHA-256 of `identity`.
        identity: everything that could change the cell's numbers, JSON-ready.
    """

    task: str
    model: str
    key: str
    identity: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBlock:
    """Trials of one cell for one span of n samples, as they go to the store.

    Attributes:
        top5: (n, C, 5) int16. logp: (n, C, 5) float16. correct: (n, C) uint8, 0 or 1.
        logits: (n, C, outputs) float16 with ``--store logits``, else None.
    """

    top5: np.ndarray
    logp: np.ndarray
    correct: np.ndarray
    logits: np.ndarray | None = None


# --- numbers ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number per model.

    Attributes:
        name: as the probe says it (``top1``); the harness appends ``@dataset`` and ``/condition``.
        value: None where it is undefined; `reason` then says why.
        unit: ``fraction``, ``count``, ``octaves``, ``cycles/image``, ``1``.
        direction: which way is better, or ``neither``.
        low, high: 95 % interval, where one is known.
        n: trials it rests on.
        flags: remarks that belong to the value (``censored``).
    """

    name: str
    value: float | None
    unit: str = "fraction"
    direction: Direction = "neither"
    condition: str = ""
    low: float | None = None
    high: float | None = None
    n: int | None = None
    reason: str | None = None
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.value is None and not self.reason:
            raise ValueError(f"measure {self.name!r} has no value and no reason")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"measure {self.name!r} is {self.value}; an undefined number is None with a reason")

    def full_name(self, dataset: str) -> str:
        """``name@dataset`` or ``name@dataset/condition``."""
        return f"{self.name}@{dataset}" + (f"/{self.condition}" if self.condition else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyModel:
    """One model with everything known of it: a row of a report.

    Attributes:
        measures: full name -> measure. biases, axes: name -> value, None where a part is missing.
        missing: bias, axis, measure or task -> reason.
        run: the run folder (or imported table) it comes from.
    """

    name: str
    group: str | None
    run: str
    measures: Mapping[str, Measure]
    biases: Mapping[str, float | None]
    axes: Mapping[str, float | None]
    missing: Mapping[str, str]


class TrialReader(Protocol):
    """Stored trials of all runs of a study, read when they are asked for: reports that compare single decisions."""

    def cells(self) -> Mapping[str, Sequence[str]]:
        """Task -> names of the models whose trials are complete."""

    def read(self, task: str, model: str) -> Trials:
        """All trials of one cell. Raises StoreError if they are damaged, KeyError for a cell that `cells` lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What a report gets: all models of one or more runs, and what their biases and axes are made of.

    Attributes:
        biases, axes: name -> full names of the measures whose mean it is.
        ungrouped: whether models without a group take part in statistics over models.
        warnings: remarks stored with the results (partial data, chance-level accuracy, …).
        provenance: one mapping per run.
        trials: single decisions of the runs (imported tables have none).
        errata: known errors of imported tables, as far as they concern these models.
        mended: whether the errata have been mended (`harness report --mend`).
    """

    models: tuple[StudyModel, ...]
    biases: Mapping[str, tuple[str, ...]]
    axes: Mapping[str, tuple[str, ...]]
    ungrouped: bool = False
    warnings: tuple[str, ...] = ()
    provenance: tuple[Mapping[str, Any], ...] = ()
    trials: TrialReader | None = None
    errata: tuple[Erratum, ...] = ()
    mended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Erratum:
    """A known error of a published measure, as data: what is wrong, and how it is mended.

    Attributes:
        measure: full name of the measure as published (``top1@imagenet-real``).
        title: what is wrong, in a clause. proof: the arithmetic that shows it.
        scale, offset: the right value is ``scale * published + offset``; None: it cannot be computed from the table,
            and mending leaves the measure out of every bias and axis.
    """

    measure: str
    title: str
    proof: str = ""
    scale: float | None = None
    offset: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """By how much a correct re-measurement may differ from a published value, and why.

    Attributes:
        measures: glob over full names (``top1@imagenet*``). within: absolute difference. reason: what makes it.
    """

    measures: str
    within: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """One row of a published table: `measures` by full name (``top1@imagenet``), accuracies as fractions."""

    name: str
    group: str | None
    measures: Mapping[str, Measure]
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTable:
    """A published table of results: read-only measures that any report accepts beside one's own runs.

    Attributes:
        errata: what is known to be wrong in it. tolerances: for comparisons; the first that fits a measure counts.
    """

    title: str
    source: str
    license: str
    models: tuple[ImportedModel, ...]
    biases: Mapping[str, tuple[str, ...]]
    axes: Mapping[str, tuple[str, ...]]
    errata: tuple[Erratum, ...] = ()
    tolerances: tuple[Tolerance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedDecisions:
    """Single decisions of one observer (a person, or a network of another toolbox) on one task.

    Attributes:
        observer: name in the run (``subject-01``). group: ``humans``, … or None.
        layout: samples and conditions, with the ids that the dataset plugin gives.
        top5: (N, C, 5) int16; column 0 is the decision, -1 where there was none; the others -1.
    """

    observer: str
    group: str | None
    layout: TaskLayout
    top5: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionTable:
    """Published decisions, which become trials of a run like any other. `probe` names the probe that reduces them."""

    title: str
    source: str
    license: str
    probe: str
    decisions: tuple[ImportedDecisions, ...]


# --- reports ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cell:
    """One table cell: `text` as shown, `value` as written to CSV (default: the text), `style` a rich style."""

    text: str
    value: float | int | str | None = None
    style: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points of one colour in a figure: a group of models, or one model's curve.

    Attributes:
        label: for the legend. x, y: one number a point. names: one a point, or empty. line: whether they are joined.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    names: tuple[str, ...] = ()
    line: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture as data; the core draws it in the terminal, as SVG or as PNG.

    Attributes:
        name: for ``--figure NAME`` and file names. note: stands below. log_x: logarithmic x axis.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    note: str = ""
    log_x: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that fits 80 columns; `note` stands below it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
