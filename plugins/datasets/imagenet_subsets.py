"""Datasets `imagenet-a` and `imagenet-r`: images of 200 classes each; a decision is among these 200.

Hendrycks, Zhao, Basart, Steinhardt, Song: "Natural Adversarial Examples" (CVPR 2021), photographs that a ResNet-50
misclassifies (torchvision's first weights: 2 of 7,500 are right). Hendrycks et al.: "The Many Faces of Robustness"
(ICCV 2021), renditions. As in the authors' scripts, the other 800 logits are dropped before the decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import Dataset, Download, LabelSpace, Release, Sample, hookimpl

from ._imagenet_classes import class_names, subset, wnids
from ._wnid_trees import completeness, wnid_samples


@dataclass(frozen=True, kw_only=True)
class ImageNetA(Dataset):
    """``<wnid>/*.jpg`` and a README.txt. Resized to 256, cropped to 224."""

    name: str = "imagenet-a"
    path: str = "imagenet-a"

    def label_space(self) -> LabelSpace:
        """200 of the 1,000 classes, sorted by wnid."""
        return _label_space("imagenet-a", subset("a"))

    def release(self) -> Release:
        """7,500 images."""
        archive = Download(
            uri="https://people.eecs.berkeley.edu/~hendrycks/imagenet-a.tar",
            bytes=687_552_512,
            digest="sha256:3bb3632277e6ba6392ea64c02ddbf4dd2266c9caffd6bc09c9656d28f012589e",
        )
        return _release(7_500, archive, "https://github.com/hendrycks/natural-adv-examples")

    def samples(self, root: Path) -> Iterator[Sample]:
        """All images below `root`. Raises DatasetError if a class folder is none of the 200, or is empty."""
        return _samples(root, self.name, subset("a"))

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """What is missing from the 7,500 images of 200 classes."""
        return completeness(samples, self.release().images, 200, None, "are files there twice?")


@dataclass(frozen=True, kw_only=True)
class ImageNetR(Dataset):
    """``<wnid>/*.jpg`` and a README.txt. Resized to 256, cropped to 224."""

    name: str = "imagenet-r"
    path: str = "imagenet-r"

    def label_space(self) -> LabelSpace:
        """200 of the 1,000 classes, sorted by wnid."""
        return _label_space("imagenet-r", subset("r"))

    def release(self) -> Release:
        """30,000 images."""
        archive = Download(
            uri="https://people.eecs.berkeley.edu/~hendrycks/imagenet-r.tar",
            bytes=2_191_079_936,
            digest="sha256:18c6bf493b39a0d975d48e587437f562caab9c52ae6327dcfa9dd8eb54aa1b52",
        )
        return _release(30_000, archive, "https://github.com/hendrycks/imagenet-r")

    def samples(self, root: Path) -> Iterator[Sample]:
        """All images below `root`. Raises DatasetError if a class folder is none of the 200, or is empty."""
        return _samples(root, self.name, subset("r"))

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """What is missing from the 30,000 images of 200 classes."""
        return completeness(samples, self.release().images, 200, None, "are files there twice?")


def _label_space(name: str, columns: tuple[int, ...]) -> LabelSpace:
    return LabelSpace(name=name, classes=tuple(class_names()[column] for column in columns), columns=columns)


def _samples(root: Path, dataset: str, columns: tuple[int, ...]) -> Iterator[Sample]:
    return wnid_samples(root, dataset, {wnids()[column]: target for target, column in enumerate(columns)})


def _release(images: int, archive: Download, page: str) -> Release:
    return Release(images=images, bytes=archive.bytes, license="code MIT", page=page, downloads=(archive,))


@hookimpl
def harness_datasets() -> list[Dataset]:
    """ImageNet-A and ImageNet-R."""
    return [ImageNetA(), ImageNetR()]
