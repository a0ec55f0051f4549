"""Predictions of networks on the ImageNet validation set, one class and perhaps its probability for each image.

They become trials of ``accuracy`` on every dataset that consists of validation images and whose facts are at hand:
`imagenet`, `imagenet-real`, `imagenet-votes` (its folder has the votes) and `imagenet-x` (its package is installed), so
that all measures of first choices are computed as for networks that ran here, on samples of the same ids. The columns
are those of facebookresearch/imagenetx, ``model_predictions`` (Idrissi et al. 2022), and their plain names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

import numpy as np

from harness import (
    DatasetError,
    DecisionTable,
    ImportedDecisions,
    Importer,
    RequestError,
    Sample,
    TaskLayout,
    hookimpl,
)

from ..datasets._flat_validation import validation_samples
from ..datasets._imagenet_classes import VALIDATION_IMAGES, class_names, wnids
from ..datasets._imagenet_x import PIP, is_installed, validation_labels
from ..datasets._validation_images import check_labels, misplaced, number_of
from ..datasets.imagenet_real import relabelled
from ..datasets.imagenet_votes import ImageNetVotes
from ..datasets.imagenet_x import ImageNetX
from ._prediction_files import NetworkPredictions, read_networks

SPAN: Final = 4096
_Chosen = tuple[Sequence[Sample], tuple[str, ...]]
"""Samples of a dataset, and the names of their attributes."""


class Predictions(Importer):
    """``harness import predictions FILE_OR_FOLDER --out RUN``."""

    name = "predictions"
    datasets: ClassVar[tuple[str, ...]] = ("imagenet", "imagenet-votes")

    def read(self, path: Path) -> DecisionTable:
        """As `read_beside`, without the folder of any dataset."""
        return self.read_beside(path, {})

    def read_beside(self, path: Path, folders: Mapping[str, Path]) -> DecisionTable:
        """The predictions in one CSV file, or in all below a folder; a network is named by a column, or by its file.

        Args:
            folders: that of `imagenet` gives labels where the file has none, that of `imagenet-votes` the votes.

        Raises:
            RequestError: no columns of images and classes, an image or a class that ImageNet does not have, an image
                twice, a probability out of range, networks with other images, labels that are missing or not those
                of ImageNet, or facts of a dataset that are damaged.
        """
        networks = read_networks(path)
        numbers = _numbers(path, networks)
        try:
            samples = _samples(numbers, _targets(path, networks, numbers, folders))
            sets, remarks = _sets(samples, folders)
            remarks = [*_label_remarks(path, samples), *remarks]
        except DatasetError as error:
            raise RequestError(f"{path}: {error.reason}", remedy=error.remedy) from error
        if len(numbers) < VALIDATION_IMAGES:
            remarks = [f"predictions of {len(numbers):,} of {VALIDATION_IMAGES:,} validation images", *remarks]
        return DecisionTable(
            title="Predictions on the ImageNet validation set",
            source=path.name,
            license="none stated",
            probe="accuracy",
            decisions=tuple(
                _imported(name, predictions, dataset, chosen, attributes)
                for dataset, (chosen, attributes) in sets.items()
                for name, predictions in networks.items()
            ),
            remarks=tuple(remarks),
        )


# --- samples ----------------------------------------------------------------------------------


def _numbers(path: Path, networks: Mapping[str, NetworkPredictions]) -> list[int]:
    """The images, which must be the same for all networks: a run stores one list for each task."""
    reference, *others = networks
    images = networks[reference].classes.keys()
    for name in others:
        differing = sorted(images ^ networks[name].classes.keys())
        if differing:
            viewer = name if differing[0] in networks[name].classes else reference
            raise RequestError(
                f"{path}: {name} has {len(networks[name].classes):,} images and {reference} {len(images):,}: image "
                f"{differing[0]} is only in {viewer}. Networks in one run must have seen the same images; import "
                f"{name} into a separate run"
            )
    return sorted(images)


def _targets(
    path: Path, networks: Mapping[str, NetworkPredictions], numbers: Sequence[int], folders: Mapping[str, Path]
) -> dict[int, int]:
    """Image number -> label: of the files, of the images of `imagenet`, or of the package `imagenet-x`."""
    labels: dict[int, int] = {}
    for name, predictions in networks.items():
        for image, target in predictions.targets.items():
            if target >= 0 and labels.setdefault(image, target) != target:
                raise RequestError(f"{path}: image {image} has the label {labels[image]}, but {target} in {name}")
    if not labels and "imagenet" in folders:
        samples = validation_samples(folders["imagenet"], "imagenet")
        numbered = ((number_of(sample.id.rpartition("/")[2]), sample.targets[0]) for sample in samples)
        labels = {number: target for number, target in numbered if number is not None}
    if any(image not in labels for image in numbers):  # the folder may hold some of the images
        labels = {**validation_labels(), **labels}
    lacking = next((image for image in numbers if image not in labels), None)
    if lacking is not None:
        raise RequestError(
            f"{path}: no label of image {lacking}: there is no column target, and neither the images of dataset "
            "'imagenet' nor the package imagenet-x has it",
            remedy="--data imagenet=DIR, or pip install imagenet-x",
        )
    return labels


def _label_remarks(path: Path, samples: Sequence[Sample]) -> Iterator[str]:
    """Labels that are not those of the validation set, as far as they are known. Raises RequestError for a third."""
    published = validation_labels()
    labels = {number_of(sample.id.rpartition("/")[2]) or 0: sample.targets[0] for sample in samples}
    wrong = [image for image, label in sorted(labels.items()) if published.get(image, label) != label]
    if wrong:
        text = (
            f"the labels of {len(wrong):,} of {len(labels):,} images are not those of the ImageNet validation set, as "
            f"{labels[wrong[0]]} of image {wrong[0]}, which is {published[wrong[0]]}"
        )
        if 3 * len(wrong) > len(labels):
            raise RequestError(f"{path}: {text}; correct the column of labels, or leave it out")
        yield text
    elif not published:
        yield from misplaced(samples)


def _samples(numbers: Sequence[int], targets: Mapping[int, int]) -> list[Sample]:
    """Samples without files, with the ids and in the order of the dataset `imagenet`. Raises DatasetError."""
    named = sorted((f"{wnids()[targets[image]]}/ILSVRC2012_val_{image:08}.JPEG", targets[image]) for image in numbers)
    samples = [Sample(id=name, targets=(target,)) for name, target in named]
    check_labels(samples, "imagenet")
    return samples


def _sets(samples: Sequence[Sample], folders: Mapping[str, Path]) -> tuple[dict[str, _Chosen], list[str]]:
    """Each dataset of validation images whose facts are at hand, with its samples and attributes; and remarks."""
    sets: dict[str, _Chosen] = {
        "imagenet": (samples, ()),
        "imagenet-real": (relabelled(samples, "imagenet-real"), ()),
    }
    remarks: list[str] = []
    if "imagenet-votes" in folders:
        dataset = ImageNetVotes()
        voted = dataset.with_votes(samples, folders[dataset.name])
        sets[dataset.name] = voted, dataset.attributes
        remarks += dataset.remarks_on_votes(voted)
    else:
        remarks.append("without people's votes: harness fetch --datasets imagenet-votes --data ROOT, then --data ROOT")
    if is_installed():
        sets["imagenet-x"] = ImageNetX().with_factors(samples), ImageNetX.attributes
    else:
        remarks.append(f"without the factors of ImageNet-X: {PIP}")
    return {name: chosen for name, chosen in sets.items() if chosen[0]}, remarks


def _imported(
    name: str, predictions: NetworkPredictions, dataset: str, samples: Sequence[Sample], attributes: Sequence[str]
) -> ImportedDecisions:
    images = [number_of(sample.id.rpartition("/")[2]) or 0 for sample in samples]
    most = max(len(sample.targets) for sample in samples)
    top5 = np.full((len(samples), 1, 5), -1, dtype=np.int16)
    top5[:, 0, 0] = [predictions.classes[image] for image in images]
    probability = np.array([[predictions.probabilities[image]] for image in images])
    columns = zip(*(sample.attributes for sample in samples), strict=True)
    layout = TaskLayout(
        task=f"accuracy@{dataset}",
        sample_ids=tuple(sample.id for sample in samples),
        targets=np.array([[*s.targets, *(-1,) * (most - len(s.targets))] for s in samples], dtype=np.int16),
        conditions=("clean",),
        classes=class_names(),
        size=224,
        span=SPAN,
        attributes=dict(zip(attributes, columns, strict=True)),
    )
    known = None if np.isnan(probability).all() else probability
    return ImportedDecisions(observer=name, group=None, layout=layout, top5=top5, probability=known)


@hookimpl
def harness_importers() -> list[Importer]:
    """The importer ``predictions``."""
    return [Predictions()]
