"""Stored decisions, and their axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from harness.records.identity import Identity

if TYPE_CHECKING:
    import numpy as np


NOT_MEASURED = 255
"""Fill value of `correct`: this trial is not stored. `top5` is then -1 and `logp` NaN."""
TOP = 5
"""Number of classes stored per trial."""
NO_RANK = 65535
"""`rank` of a sample without a target, and fill value of `rank`."""
NO_LABELS = "no labels"
"""Reason of a measure that rests on correct decisions, of samples without targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLayout:
    """The sample and condition axes that all models of one task share; stored once per task.

    Attributes:
        task: ``probe@dataset``.
        sample_ids: N ids, sorted. targets: (N, T) int16, padded with -1; T = 1 and all -1 without labels.
        conditions: names of the C columns: the probe's conditions, or views × conditions (`columns_of`) where the
            dataset shows every image in several views.
        attributes: name -> N strings. classes: K names. size: side S of the stimuli, in pixels.
        span: samples per shard.
        columns: the logit columns of the K classes if these are a subset of all outputs (as `LabelSpace.columns`).
        side: side of the images from which stimuli were made, in pixels, where it is not `size`; else None.
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
    side: int | None = None

    @property
    def labelled(self) -> bool:
        """Whether the samples have targets. Without any, no decision is correct, and an accuracy means nothing."""
        return bool((self.targets >= 0).any()) or not len(self.targets)

    def spans(self) -> tuple[tuple[int, int], ...]:
        """All (low, high) sample ranges of this task's shards, in order."""
        n = len(self.sample_ids)
        return tuple((low, min(low + self.span, n)) for low in range(0, n, self.span))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """All stored trials of one model on one task, which a probe reduces to measures.

    A probe gets the trials of one view at a time, with its own conditions as columns. It also gets pooled trials of
    several views, with `repeats` consecutive rows for each image; sample ids, targets and attributes repeat likewise.
    A mean over rows is the mean over views. Rows of one image are not independent, so intervals are based on the
    spread between images (`share`, `accuracy_measures`).

    Attributes:
        layout: the sample and condition axes.
        top5: (N, C, 5) int16, most probable first; -1 where K < 5. Read-only, as all arrays here.
        logp: (N, C, 5) float16 natural log-probabilities of those classes.
        correct: (N, C) bool. All False without labels (`TaskLayout.labelled`), where it means nothing.
        rank: (N, C) uint16, how many classes are ahead of the target, or of the best of several; `NO_RANK` without
            one. None of imported decisions, and of trials that were stored before ranks were.
        required: trials of the probes named in `Probe.requires`, same model and dataset, by probe name.
        logits: reads the logits of samples ``low`` to ``high`` - 1, (high - low, C, outputs) float16; None if the
            run does not store them.
        arrays: reads the stored arrays likewise, by name: (high - low, C, …) of each. A name is absent if the trials
            were made before the probe declared it. See `array`.
        layers: names of the layers of which the arrays are made (`FeatureProbe`); empty otherwise.
        repeats: rows of each image, 1 or more; the number of images is N / `repeats`.
    """

    model: str
    layout: TaskLayout
    top5: np.ndarray
    logp: np.ndarray
    correct: np.ndarray
    required: Mapping[str, Trials] = field(default_factory=dict)
    logits: Callable[[int, int], np.ndarray] | None = None
    arrays: Mapping[str, Callable[[int, int], np.ndarray]] = field(default_factory=dict)
    repeats: int = 1
    layers: tuple[str, ...] = ()
    rank: np.ndarray | None = None

    def array(self, name: str, low: int = 0, high: int | None = None) -> np.ndarray:
        """Values of the array `name` of samples `low` to `high` - 1 (default: all), (high - low, C, …).

        Raises:
            KeyError: the trials have no such array; it lists those that they have.
            StoreError: a shard is damaged.
        """
        if name not in self.arrays:
            raise KeyError(
                f"{self.layout.task} × {self.model} stores no array {name!r} (available: "
                f"{', '.join(self.arrays) or 'none'}): its trials were made before the probe declared it. "
                "Run the task into another --out to get it"
            )
        return self.arrays[name](low, len(self.layout.sample_ids) if high is None else high)

    def column(self, condition: str) -> int:
        """Index of `condition` on the C axis. Raises KeyError, which lists the available conditions."""
        try:
            return self.layout.conditions.index(condition)
        except ValueError:
            raise KeyError(f"{self.layout.task} has no condition {condition!r}: {self.layout.conditions}") from None

    def accuracy(self, condition: str) -> float:
        """Top-1 accuracy under `condition`, a fraction. Raises ValueError for samples without labels."""
        if not self.layout.labelled:
            raise ValueError(f"{self.layout.task}: {NO_LABELS}, so it has no accuracy")
        return float(self.correct[:, self.column(condition)].mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Frozen description of one cell: one model on one task.

    Attributes:
        key: 64 hex digits, the SHA-256 of `identity`.
        identity: everything that could change the cell's numbers.
        code: kind of plugin (``probe``, ``dataset``, ``model source``) -> digest of its code. Built-in plugins have
            none, and cells of older versions of the harness.
        tensors: digest of the tensors in each file that holds weights; empty where unknown.
        layers: names of the network's layers that the probe sees; empty where it sees none.
        files: SHA-256 of the files that were read, where they are others than `identity` names, with the same tensors.
    """

    task: str
    model: str
    key: str
    identity: Identity
    code: Mapping[str, str] = field(default_factory=dict)
    tensors: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The job as a JSON object; `layers` only where there are any, since earlier versions know none."""
        stored = {**asdict(self), "identity": dict(self.identity.document)}
        return stored if self.layers else {name: value for name, value in stored.items() if name != "layers"}

    @property
    def weight_files(self) -> tuple[str, ...]:
        """SHA-256 of each file that holds the weights on this machine."""
        return self.files or self.identity.checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBlock:
    """Trials of one cell for one span of n samples, as handed to the store.

    Attributes:
        top5: (n, C, 5) int16. logp: (n, C, 5) float16. correct: (n, C) uint8, 0 or 1.
        logits: (n, C, outputs) float16 with ``--store logits``, else None.
        arrays: name -> (n, C, …) of each declared array.
        rank: (n, C) uint16, as in `Trials`; left out of cells whose other spans were stored without it.
    """

    top5: np.ndarray
    logp: np.ndarray
    correct: np.ndarray
    logits: np.ndarray | None = None
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    rank: np.ndarray | None = None
