"""Dataset `imagenet-real`: the ImageNet validation set with the ReaL labels.

Beyer, Hénaff, Kolesnikov, Zhai, van den Oord: "Are we done with ImageNet?" (2020, arXiv 2006.07159). A decision is
correct if it is any of an image's labels; the 3,163 images without a label are left out. Labels are looked up by the
number in the file name, never by the order of files or folders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import Dataset, DatasetError, LabelSpace, Release, Sample, hookimpl

from ._flat_validation import validation_samples
from ._imagenet_classes import class_names, real_labels
from ._validation_images import LABELLED, misplaced, number_of


@dataclass(frozen=True, kw_only=True)
class ImageNetReaL(Dataset):
    """``<wnid>/ILSVRC2012_val_########.JPEG``, the folder of `imagenet`. Resized to 256, cropped to 224."""

    name: str = "imagenet-real"
    path: str = "imagenet/val"

    def label_space(self) -> LabelSpace:
        """The 1,000 classes, sorted by wnid."""
        return LabelSpace(name="imagenet-1k", classes=class_names())

    def release(self) -> Release:
        """The images are those of `imagenet`; the labels come with timm, which the harness requires."""
        return Release(
            images=LABELLED,
            license="images: ImageNet terms of access; labels: Apache-2.0",
            page="https://image-net.org/download-images.php",
        )

    def samples(self, root: Path) -> list[Sample]:
        """The images below `root` that have ReaL labels, with all of these labels as targets.

        Raises:
            DatasetError: `root` has neither wnid folders nor the images in one folder with a list of their labels, a
                file is not named as a validation image, an image occurs twice, or most images are in wrong folders.
        """
        return relabelled(validation_samples(root, self.name), self.name)

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """Remarks unless all 46,837 labelled images are present, each in the folder of its class."""
        if len(samples) != LABELLED:
            yield f"{len(samples):,} of {LABELLED:,} images with ReaL labels (partial tree)"
        yield from misplaced(samples)


def relabelled(images: Iterable[Sample], dataset: str) -> list[Sample]:
    """The images that have ReaL labels, with all of these as targets. Raises DatasetError for another name."""
    samples = (replace(image, targets=_labels(image, dataset)) for image in images)
    return [sample for sample in samples if sample.targets]


def _labels(image: Sample, dataset: str) -> tuple[int, ...]:
    number = number_of(image.id.rpartition("/")[2])
    if number is None:
        raise DatasetError(
            f"dataset {dataset!r}: {image.path} is not named as a validation image, ILSVRC2012_val_00000001.JPEG to "
            "…50000.JPEG, so its ReaL labels are unknown",
            remedy=f"--data {dataset}=DIR with the original names, or measure dataset 'imagenet'",
        )
    return real_labels()[number - 1]


@hookimpl
def harness_datasets() -> list[Dataset]:
    """The ImageNet validation set with ReaL labels."""
    return [ImageNetReaL()]
