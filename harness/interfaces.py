"""What a plugin implements: one class for each kind of plugin, with as few required methods as possible.

Plugins import these names from `harness`, never from its modules. Heavy imports (torch, timm) belong inside methods,
so that `harness list` stays fast. Probes and datasets are frozen dataclasses: their fields are the parameters that a
registry entry or a suite may set, and they enter the identity of every stored number.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.records import (
    ArraySpec,
    Batch,
    Download,
    Figure,
    LabelSpace,
    Measure,
    ModelSpec,
    Page,
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
    Stimulus = tuple[str, torch.Tensor] | tuple[str, torch.Tensor, Mapping[str, torch.Tensor]]


class ModelSource(ABC):
    """Turns a registry entry into a network.

    The network maps images (N, 3, H, W) float32 in [0, 1] to logits (N, K) and owns its normalization, nothing else.
    The logits of an image must not depend on the other images, on its place among them, or on chance: this is checked.
    Raise `version` whenever the same entry and file give different logits. `state_dicts`: whether `load` takes nothing
    of `files` but what `harness.read_state_dict` returns with the recipe's wrapper keys; then the same tensors in
    another file are the same network, and nothing is measured again.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    state_dicts: ClassVar[bool] = False

    def options(self, spec: ModelSpec) -> None:
        """Check `spec.options`. Raises ValueError that lists the valid options. Default: there are none."""
        if spec.options:
            raise ValueError(f"source {self.name!r} takes no options, got {sorted(spec.options)}")

    @abstractmethod
    def files(self, spec: ModelSpec) -> Sequence[Path]:
        """The local files whose bytes determine the weights, without opening them; empty if there are none.

        Raises CheckpointError, with the paths that were tried, if they are missing. Never uses the network.
        """

    def downloads(self, spec: ModelSpec) -> Sequence[Sequence[Download]]:
        """The downloads of `harness fetch`, one item for each file of `files`: its alternatives by preference.

        Default: the ``https:``, ``hf:`` and ``gdrive:`` URIs of `spec.weights`, then those of the head. A source with
        its own schemes (``timm:``) resolves them here. Each download is stored at ``locate(spec, uri)``.
        """
        from harness.checkpoints.locations import remote_files

        return remote_files(spec)

    def image_size(self, spec: ModelSpec) -> int | None:
        """Side in pixels of the only images that the network takes, as far as it is known without loading it.

        Default: None, not known. The plan then sets no cell aside, and the network is tried when it is loaded.
        """
        return None

    def native(self, spec: ModelSpec) -> Preprocessing | None:
        """How its authors resize, crop and interpolate, for ``size: native``; reads no weights. None: not stated."""
        return None

    @abstractmethod
    def load(self, spec: ModelSpec) -> torch.nn.Module:
        """The network in eval mode on the CPU. Raises CheckpointError if a file does not fit; runs no code in it.

        Its attribute `remarks`, a tuple of sentences, is stored with the results, if it has one.
        """


@dataclass(frozen=True, kw_only=True)
class Dataset(ABC):
    """Images, targets, stable sample ids and a label space; owns resize and crop.

    Images are files or generated: a dataset of generated images has samples without a `path`, overrides `image`, and
    its `root` is a folder that always exists (the plugin's own). A generated image depends only on the parameters,
    `Sample.id` and `Sample.view`, and is the same in every thread and process. A few generated images enter a run's
    identity (`Manifest.digest`); raise `version` whenever the code generates different ones.

    Attributes:
        name: the name users type.
        path: its folder below the data root (``HARNESS_DATA`` or ``--data``).
        preprocessing: resize and crop.
    """

    name: str
    path: str = ""
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    version: ClassVar[int] = 1
    attributes: ClassVar[tuple[str, ...]] = ()
    """Names of the further attributes of each sample (``texture``), stored as columns beside the targets."""

    def root(self) -> Path | None:
        """The folder of the data if the user need not give one (generated, or part of a package); else None."""
        return None

    @abstractmethod
    def label_space(self) -> LabelSpace:
        """What a decision on this dataset is."""

    def release(self) -> Release | None:
        """The complete dataset and its source; None if there is nothing to download (generated data)."""
        return None

    def views(self) -> tuple[str, ...]:
        """Names of the versions in which every image exists (``gaussian_noise-3``); empty: there is only one.

        On a dataset with V views a probe with C conditions stores V * C trials of each sample, in columns named after
        the view (C = 1) or ``view/condition``. Probes never see views: the harness applies them to each and to all.
        """
        return ()

    def attribute_values(self) -> Mapping[str, tuple[str, ...]]:
        """Attribute -> its texts, or the names in them, if few are possible: suites may name measures of each."""
        return {}

    def folder(self, root: Path, view: str) -> Path | None:
        """The folder of the images of `view`: the file of a sample is ``folder(root, view) / sample.id``.

        None: the images are generated, by `image` from `Sample.view`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has views and must return the folder of each, or None if images are generated"
        )

    @abstractmethod
    def samples(self, root: Path) -> Iterable[Sample]:
        """All samples below `root`, in any order. Opens no image. Raises DatasetError."""

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """Warnings about these samples that are stored with the results, such as "250 of 50,000 images"."""
        return ()

    def image(self, sample: Sample) -> Image.Image:
        """The image before resize and crop, in the view `sample.view`, by PIL; called from several threads."""
        from PIL import Image

        if sample.path is None:
            raise TypeError(f"{type(self).__name__}.image must be overridden: sample {sample.id!r} has no file")
        return Image.open(sample.path)


@dataclass(frozen=True, kw_only=True)
class Probe(ABC):
    """Yields stimuli under named conditions, and reduces stored trials to named measures.

    Raise `version` whenever a change alters a stimulus or a stored number.

    Attributes:
        requires: names of probes whose trials on the same dataset `measures` needs (``("accuracy",)``).
        attributes: names that the dataset must have in `Dataset.attributes`.
        needs_labels: whether stimuli or all measures rest on `Sample.targets`; a dataset without any is then refused.
        needs_logits: whether `measures` needs `Trials.logits`: they are then stored whatever ``--store`` says.
        denominators: names of measures that are divided by another one of the same dataset -> that one
            (``{"low-frequency-bias": "top1"}``), or ``top1/*``: by that one under the same condition, if there is any.
            A report can then tell which coefficient the denominator makes alone.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ()
    attributes: ClassVar[tuple[str, ...]] = ()
    needs_labels: ClassVar[bool] = False
    needs_logits: ClassVar[bool] = False
    denominators: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def conditions(self, size: int) -> tuple[str, ...]:
        """Names of the C conditions for images of `size` x `size` pixels. Raises ValueError for an unsuitable size."""

    def side(self, size: int) -> int:
        """Side of the images that are needed to make stimuli of `size` x `size` pixels: `size`, unless overridden.

        The dataset then crops so many pixels after its resize, such as 256 for crops of 224. One that cannot, since it
        is not resized, resizes to less or leaves the size to each network, is refused when the run is planned.
        """
        return size

    @abstractmethod
    def stimuli(self, batch: Batch) -> Iterator[Stimulus]:
        """(condition, (B, 3, S, S) float32 in [0, 1]), S = `batch.size`, for every condition, in their order.

        The engine forwards each before it requests the next, so memory stays constant. A stimulus must depend on its
        sample alone (no batch statistics), and be bit-identical for any batch size. A probe with `arrays` yields
        (condition, stimulus, {name: (B, …)}), with every array that it declares.
        """

    def arrays(self, size: int) -> Mapping[str, ArraySpec]:
        """The arrays that are stored beside the decisions, by name, for images of `size` x `size` pixels.

        Default: none. `measures` reads them with `Trials.array`. An array that is added later needs no new `version`:
        stored trials stay as they are, without it (``"name" in trials.arrays``).
        """
        return {}

    def effort(self) -> int:
        """Cost of one stimulus in forwards, for estimates and progress: 1, or the cost of an attack's gradients."""
        return 1

    @abstractmethod
    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Measures of one model, from stored trials alone: recomputable at any time without the model.

        Trials have the conditions of `conditions`, whatever the dataset. If the dataset has several views, these are
        the trials of all views, pooled: `Trials.repeats` rows of each image.
        """

    def measures_of_view(self, trials: Trials) -> Iterable[Measure]:
        """Measures of one model in one of several views, or pooled over the views that are levels of one kind.

        Default: those of `measures`. A probe with many measures leaves out those that mean nothing for a single view.
        """
        return self.measures(trials)

    def measures_of_levels(self, levels: Mapping[str, Trials]) -> Iterable[Measure]:
        """Measures of one model over kinds of views that have levels, such as corruptions and their severities.

        Args:
            levels: kind -> the trials of all its levels, pooled: `Trials.repeats` rows of each image. They are copied
                each time a kind is looked up, so take one kind after another.
        """
        return ()

    def measures_over_views(self, views: Mapping[str, Trials]) -> Iterable[Measure]:
        """Measures of one model that compare views with each other, found by their names.

        Args:
            views: view -> its trials. They have the same images in the same order.
        """
        return ()


@dataclass(frozen=True, kw_only=True)
class WhiteBoxProbe(Probe):
    """A probe whose stimuli depend on the network: attacks. It sees outputs and gradients, never the weights."""

    def stimuli(self, batch: Batch) -> Iterator[Stimulus]:
        """Raises TypeError: white-box probes implement `attacks`."""
        raise TypeError(f"probe {self.name!r} needs a network: call attacks(batch, classifier)")

    @abstractmethod
    def attacks(self, batch: Batch, classifier: Classifier) -> Iterator[Stimulus]:
        """As `Probe.stimuli`, against one network; called with gradients enabled.

        Args:
            classifier: images (B, 3, S, S) float32 in [0, 1] -> natural log-probabilities (B, K) float32 of the
                dataset's classes, differentiable in the images; the weights are frozen.
        """


class Report(ABC):
    """Turns a study into a JSON object, tables and figures."""

    name: ClassVar[str]

    @abstractmethod
    def data(self, study: Study) -> Mapping[str, Any]:
        """The report as one JSON-ready object; an undefined number is None with a reason."""

    @abstractmethod
    def tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        """The report as tables, for the terminal, Markdown and LaTeX; they may show a part, and then say so."""

    def full_tables(self, data: Mapping[str, Any]) -> Sequence[Table]:
        """The report as tables with every row that `data` has, for CSV. Default: `tables`."""
        return self.tables(data)

    def figures(self, data: Mapping[str, Any]) -> Sequence[Figure]:
        """The report as figures. Default: none."""
        return ()

    def pages(self, data: Mapping[str, Any]) -> Sequence[Page]:
        """The parts of the report's HTML file. Default: one, with every figure and every table of `full_tables`."""
        return (Page(title=self.name, figures=tuple(self.figures(data)), tables=tuple(self.full_tables(data))),)
