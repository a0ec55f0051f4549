"""What a plugin implements. One class per noun, each with the few methods that it cannot do without.

Plugins import these names from `harness`, never from inside it. Heavy imports (torch, timm) belong inside methods,
so that `harness list` stays quick. Probes and datasets are frozen dataclasses: their fields are the parameters that a
registry entry or a suite may set, and they enter the identity of every stored number.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.records import (
    Batch,
    DecisionTable,
    Download,
    Figure,
    ImportedTable,
    LabelSpace,
    Measure,
    ModelSpec,
    Preprocessing,
    Release,
    Sample,
    Study,
    Table,
    Trials,
)

if TYPE_CHECKING:
    import torch
    from PIL import Image

    Classifier = Callable[[torch.Tensor], torch.Tensor]


class ModelSource(ABC):
    """Turns a registry entry into a network.

    The network maps images (N, 3, H, W) float32 in [0, 1] to logits (N, K) and owns its normalization, nothing else.
    Bump `version` whenever the same entry and file would give other logits.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1

    def options(self, spec: ModelSpec) -> None:
        """Check `spec.options`. Raises ValueError that says which are known. Default: none are."""
        if spec.options:
            raise ValueError(f"source {self.name!r} takes no options, got {sorted(spec.options)}")

    @abstractmethod
    def files(self, spec: ModelSpec) -> Sequence[Path]:
        """The local files whose bytes decide the weights, without opening them; empty if there are none.

        Raises CheckpointError, saying where they were looked for, if they are not there. Never uses the network.
        """

    def downloads(self, spec: ModelSpec) -> Sequence[Sequence[Download]]:
        """What `harness fetch` gets, one item for each file of `files`: its alternatives in order of preference.

        Default: the ``https:``, ``hf:`` and ``gdrive:`` URIs of `spec.weights`, then those of the head. A source with
        schemes of its own (``timm:``) says here what they are on the net. Each is put at ``locate(spec, uri)``.
        """
        from harness.checkpoints.locations import remote_files

        return remote_files(spec)

    @abstractmethod
    def load(self, spec: ModelSpec) -> torch.nn.Module:
        """The network in eval mode on the CPU. Raises CheckpointError if a file does not fit; runs no code in it."""


@dataclass(frozen=True, kw_only=True)
class Dataset(ABC):
    """Images, targets, stable sample ids and a label space; owns resize and crop.

    Images are files, or made by code: samples without a `path`, for which `image` is overridden and `root` names a
    folder that is always there (that of the plugin). A made image depends on the parameters, `Sample.id` and
    `Sample.view` alone, and is the same in every thread and process. What the code makes is part of a run's identity
    (`Manifest.digest`), as far as a few images of it tell: bump `version` whenever it makes others.

    Attributes:
        name: the name users type.
        path: where it lies below the data root (``HARNESS_DATA`` or ``--data``).
        preprocessing: resize and crop.
    """

    name: str
    path: str = ""
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    version: ClassVar[int] = 1
    attributes: ClassVar[tuple[str, ...]] = ()
    """Names of further facts about each sample (``texture``), stored as columns beside the targets."""

    def root(self) -> Path | None:
        """Where the data lies if it needs no folder from the user (it is made, or part of a package); else None."""
        return None

    @abstractmethod
    def label_space(self) -> LabelSpace:
        """What a decision on this dataset is."""

    def release(self) -> Release | None:
        """What a complete copy is and where it comes from; None where that makes no sense (data that is made)."""
        return None

    def views(self) -> tuple[str, ...]:
        """Names of the versions in which every image exists (``gaussian_noise-3``); empty: there is one.

        On a dataset with V views a probe with C conditions stores V * C trials of each sample, in columns called after
        the view (C = 1) or ``view/condition``. Probes never see views: the harness has them measure each, and all.
        """
        return ()

    def folder(self, root: Path, view: str) -> Path | None:
        """Where the images of `view` lie: the file of a sample is ``folder(root, view) / sample.id``.

        None: they are made; `image` looks at `Sample.view`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has views and must say in which folders they lie, or None where images are made"
        )

    @abstractmethod
    def samples(self, root: Path) -> Iterable[Sample]:
        """All samples below `root`, in any order. Opens no image. Raises DatasetError."""

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """Warnings about these samples that must travel with the results, such as "250 of 50,000 images"."""
        return ()

    def image(self, sample: Sample) -> Image.Image:
        """The image before resize and crop, in the view `sample.view` where the dataset has views.

        Default: open the file with PIL. Called from several threads.
        """
        from PIL import Image

        if sample.path is None:
            raise TypeError(f"{type(self).__name__}.image must be overridden: sample {sample.id!r} has no file")
        return Image.open(sample.path)


@dataclass(frozen=True, kw_only=True)
class Probe(ABC):
    """Yields stimuli under named conditions, and reduces stored trials to named measures.

    Bump `version` whenever a change would alter a stimulus or a stored number.

    Attributes:
        requires: names of probes whose trials on the same dataset `measures` needs (``("accuracy",)``).
        attributes: names that the dataset must offer in `Dataset.attributes`.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ()
    attributes: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def conditions(self, size: int) -> tuple[str, ...]:
        """Names of the C conditions for images of `size` x `size` pixels. ValueError if that size cannot serve."""

    @abstractmethod
    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """(condition, (B, 3, S, S) float32 in [0, 1]) for every condition, in the order of `conditions`.

        One at a time: the engine forwards each before it asks for the next, so memory stays constant. Must depend on
        each sample alone (no batch statistics), and be bit-identical for any batch size.
        """

    def effort(self) -> int:
        """Forwards that one stimulus costs, for estimates and progress: 1, or for attacks what the gradients cost."""
        return 1

    @abstractmethod
    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Numbers of one model, from stored trials alone: recomputable at any time without the model.

        Trials have the conditions of `conditions`, whatever the dataset. Where it shows every image in several views,
        these are the trials of all views, pooled: `Trials.repeats` rows of each image.
        """

    def measures_of_view(self, trials: Trials) -> Iterable[Measure]:
        """Numbers of one model in one view of several, or in those that are levels of one kind, pooled.

        Default: those of `measures`. A probe that says much of a dataset leaves out here what says nothing of one of
        its many views.
        """
        return self.measures(trials)


@dataclass(frozen=True, kw_only=True)
class WhiteBoxProbe(Probe):
    """A probe whose stimuli depend on the network: attacks. It sees outputs and gradients, never the weights."""

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """Not for these probes: see `attacks`."""
        raise TypeError(f"probe {self.name!r} needs a network: call attacks(batch, classifier)")

    @abstractmethod
    def attacks(self, batch: Batch, classifier: Classifier) -> Iterator[tuple[str, torch.Tensor]]:
        """As `Probe.stimuli`, against one network. Called with gradients enabled.

        Args:
            classifier: images (B, 3, S, S) float32 in [0, 1] -> natural log-probabilities (B, K) float32 of the
                dataset's classes, differentiable in the images; the weights are frozen.
        """


class Report(ABC):
    """Turns a study into a JSON object, tables and figures."""

    name: ClassVar[str]

    @abstractmethod
    def data(self, study: Study) -> Mapping[str, Any]:
        """The whole report as one JSON-ready object; an undefined number is None with a reason."""

    @abstractmethod
    def tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        """The same as tables for the terminal, CSV and Markdown."""

    def figures(self, data: Mapping[str, Any]) -> Sequence[Figure]:
        """The same as pictures. Default: none."""
        return ()


class Importer(ABC):
    """Reads a published table of results."""

    name: ClassVar[str]
    url: ClassVar[str] = ""
    """Where the table can be read or downloaded; for messages."""

    @abstractmethod
    def read(self, path: Path) -> ImportedTable | DecisionTable:
        """What is in `path`, a file or a folder. RequestError that names what it lacks if it is something else."""
