"""Dataset `imagenet-v2`: the matched-frequency test set of ImageNet-V2.

Recht, Roelofs, Schmidt, Shankar: "Do ImageNet Classifiers Generalize to ImageNet?" (ICML 2019). The folders are named
by class index, 0 to 999; sorting them as text (0, 1, 10, 100, …) would give wrong labels. Some copies have wnids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import Dataset, DatasetError, Download, LabelSpace, Release, Sample, hookimpl

from ._imagenet_classes import class_names, indices
from ._trees import class_folders, image_names, nearby, no_folders
from ._wnid_trees import completeness

_IMAGES, _CLASSES, _EACH = 10_000, 1000, 10
_INDEX = re.compile(r"\d{1,4}")
_OF_IMAGENET = re.compile(r"ILSVRC2012_val_|n\d{8}_")


@dataclass(frozen=True, kw_only=True)
class ImageNetV2(Dataset):
    """``<class index>/<hash>.jpeg``. Resized to 256, cropped to 224.

    Zero-padded folder names (``0007``) and wnids work too; sample ids have the index as published (``7/….jpeg``).
    """

    name: str = "imagenet-v2"
    path: str = "imagenetv2-matched-frequency-format-val"

    def label_space(self) -> LabelSpace:
        """The 1,000 classes, sorted by wnid."""
        return LabelSpace(name="imagenet-1k", classes=class_names())

    def release(self) -> Release:
        """The matched-frequency archive."""
        archive = Download(
            uri="https://huggingface.co/datasets/vaishaal/ImageNetV2/resolve/main/imagenetv2-matched-frequency.tar.gz",
            bytes=1_264_079_360,
            digest="sha256:f0c37fdf925916b19ea1323cd9a2208cdb6959ba2c32eef2a7fc393835c9ca7c",
        )
        return Release(
            images=_IMAGES,
            bytes=archive.bytes,
            license="code MIT; images as on Flickr",
            page="https://github.com/modestyachts/ImageNetV2",
            downloads=(archive,),
        )

    def samples(self, root: Path) -> Iterator[Sample]:
        """All images below `root`.

        Raises:
            DatasetError: a folder is not a class index, is empty, contains other files, or repeats a class.
        """
        folders = class_folders(root, self.name)
        if not folders:
            above = root.absolute().parent if _INDEX.fullmatch(root.absolute().name) else None
            raise no_folders(root, self.name, "folders named 0 … 999", above)
        by_index: dict[int, Path] = {}
        for folder in folders:
            index = self._index(folder)
            if index in by_index:
                raise DatasetError(
                    f"dataset {self.name!r}: {by_index[index]} and {folder.name} are the same class; delete one of them"
                )
            by_index[index] = folder
        for index, folder in sorted(by_index.items()):
            for name in image_names(folder, self.name):
                yield Sample(id=f"{index}/{name}", targets=(index,), path=folder / name)

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """Missing or excess images, compared with 10,000 images and 10 of each class."""
        return completeness(samples, _IMAGES, _CLASSES, _EACH, "is this more than matched-frequency?")

    def _index(self, folder: Path) -> int:
        """The class of a folder named by index or wnid. Raises DatasetError for other names, and other images."""
        index = int(folder.name) if _INDEX.fullmatch(folder.name) else indices().get(folder.name, _CLASSES)
        if index >= _CLASSES:
            raise _no_index(folder, self.name)
        if folder.name in indices() and (other := next(filter(_OF_IMAGENET.match, image_names(folder, self.name)), "")):
            raise DatasetError(
                f"dataset {self.name!r}: {folder / other} is named as an image of ImageNet itself, not of ImageNet-V2",
                remedy=f"--data imagenet={folder.parent}, or --data {self.name}=DIR with the folder of ImageNet-V2",
            )
        return index


def _no_index(folder: Path, dataset: str) -> DatasetError:
    problem = f"dataset {dataset!r}: folder {folder} is neither a class index from 0 to 999 nor one of the 1,000 wnids"
    first = ("0", "0000", next(iter(indices())))
    near = nearby(folder.parent, lambda path: any((path / name).is_dir() for name in first))
    if near:
        return DatasetError(problem, remedy=f"--data {dataset}={near[0]}")
    return DatasetError(f"{problem}. Move it elsewhere")


@hookimpl
def harness_datasets() -> list[Dataset]:
    """ImageNet-V2, matched-frequency."""
    return [ImageNetV2()]
