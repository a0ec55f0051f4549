"""Dataset `imagenet-sketch`: black and white sketches of the 1,000 classes.

Wang, Ge, Lipton, Xing: "Learning Robust Global Representations by Penalizing Local Predictive Power" (NeurIPS 2019).
Its page promises 50 images of each class; the release has 50,889 images, not the same number of each class.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import Dataset, Download, LabelSpace, Release, Sample, hookimpl

from ._imagenet_classes import class_names, indices
from ._wnid_trees import completeness, wnid_samples

_IMAGES = 50_889


@dataclass(frozen=True, kw_only=True)
class ImageNetSketch(Dataset):
    """``<wnid>/sketch_N.JPEG``. Resized to 256, cropped to 224."""

    name: str = "imagenet-sketch"
    path: str = "sketch"

    def label_space(self) -> LabelSpace:
        """The 1,000 classes, sorted by wnid."""
        return LabelSpace(name="imagenet-1k", classes=class_names())

    def release(self) -> Release:
        """The authors' mirror of the archive; the copy on Google Drive has a quota."""
        archive = Download(
            uri="https://huggingface.co/datasets/songweig/imagenet_sketch/resolve/main/data/ImageNet-Sketch.zip",
            bytes=7_593_573_012,
            digest="sha256:4d3ce6b82a7c48aabf14aeac105eb533e75707f152cc858f55bfc022031a72ed",
        )
        return Release(
            images=_IMAGES,
            bytes=8_400_000_000,
            license="code MIT; images as found on the web",
            page="https://github.com/HaohanWang/ImageNet-Sketch",
            downloads=(archive,),
        )

    def samples(self, root: Path) -> Iterator[Sample]:
        """All images below `root`. Raises DatasetError if a class folder is empty or not an ImageNet wnid."""
        return wnid_samples(root, self.name, indices())

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """What is missing from the 50,889 images."""
        return completeness(samples, _IMAGES, 1000, None, "are files there twice?")


@hookimpl
def harness_datasets() -> list[Dataset]:
    """ImageNet-Sketch."""
    return [ImageNetSketch()]
