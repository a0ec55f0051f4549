"""Dataset `imagenet`: the ImageNet validation set (Russakovsky et al. 2015, IJCV 115), whole or in part.

Any tree ``<wnid>/<image>`` works; labels come from the wnid, never from the order of the folders. If the files have
their official names, a tree with images in wrong folders is refused, and they may lie in one folder as the archive
unpacks them: their labels then come from Kaggle's ``LOC_val_solution.csv`` or the devkit's ground truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import Dataset, LabelSpace, Release, Sample, hookimpl

from ._flat_validation import validation_samples
from ._imagenet_classes import VALIDATION_IMAGES, class_names
from ._validation_images import misplaced
from ._wnid_trees import completeness


@dataclass(frozen=True, kw_only=True)
class ImageNet(Dataset):
    """Resized to 256, cropped to 224. Sample ids are ``<wnid>/<file name>``."""

    name: str = "imagenet"
    path: str = "imagenet/val"

    def label_space(self) -> LabelSpace:
        """The 1,000 classes, sorted by wnid."""
        return LabelSpace(name="imagenet-1k", classes=class_names())

    def release(self) -> Release:
        """ILSVRC2012_img_val.tar, for registered users; it has one folder, and the labels are in the devkit."""
        return Release(
            images=VALIDATION_IMAGES,
            bytes=6_744_924_160,
            license="ImageNet terms of access: non-commercial research and education",
            page="https://image-net.org/download-images.php",
        )

    def samples(self, root: Path) -> list[Sample]:
        """All images below `root`.

        Raises:
            DatasetError: there is no class folder, one is empty or not an ImageNet wnid, or contains other files; or
                a validation image is in two folders, or most are in wrong ones; or the images are in one folder, and
                the list of their labels is missing or incomplete.
        """
        return validation_samples(root, self.name)

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """Missing or excess images, compared with 50,000 images and 50 of each class; images in wrong folders."""
        yield from completeness(samples, VALIDATION_IMAGES, 1000, 50, "is this the training set?")
        yield from misplaced(samples)


@hookimpl
def harness_datasets() -> list[Dataset]:
    """The ImageNet validation set."""
    return [ImageNet()]
