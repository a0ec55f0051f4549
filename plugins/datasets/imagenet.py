"""Dataset `imagenet`: the ImageNet validation set (Russakovsky et al. 2015, IJCV 115), whole or in part.

Any tree ``<wnid>/<image>`` serves; labels come from the wnid, never from the order of the folders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import Dataset, DatasetError, LabelSpace, Sample, hookimpl

from ._imagenet_classes import WNID, class_names, indices
from ._trees import class_folders, image_names, no_folders

_IMAGES, _CLASSES = 50_000, 1000


@dataclass(frozen=True, kw_only=True)
class ImageNet(Dataset):
    """Resized to 256, cropped to 224. Sample ids are ``<wnid>/<file name>``."""

    name: str = "imagenet"
    path: str = "imagenet/val"

    def label_space(self) -> LabelSpace:
        """The 1,000 classes, sorted by wnid."""
        return LabelSpace(name="imagenet-1k", classes=class_names())

    def samples(self, root: Path) -> Iterator[Sample]:
        """All images below `root`.

        Raises:
            DatasetError: there is no class folder, one is empty or no ImageNet wnid, or it holds something else.
        """
        folders = class_folders(root, self.name)
        if not folders:
            raise no_folders(root, self.name, "one folder per class, such as n01440764")
        for folder in folders:
            if folder.name not in indices():
                raise _no_class(folder, self.name)
        for folder in folders:
            targets = (indices()[folder.name],)
            for name in image_names(folder, self.name):
                yield Sample(id=f"{folder.name}/{name}", targets=targets, path=folder / name)

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """What is missing from, or too much for, the 50,000 images with 50 of each class."""
        counts = Counter(sample.targets for sample in samples)
        of_all = f"{len(samples):,} of {_IMAGES:,} images, {len(counts):,} of {_CLASSES:,} classes"
        if len(samples) > _IMAGES:
            yield f"{len(samples):,} images, but the validation set has {_IMAGES:,}: is this the training set?"
        elif len(samples) < _IMAGES or len(counts) < _CLASSES:
            yield f"{of_all} (partial tree)"
        elif set(counts.values()) != {_IMAGES // _CLASSES}:
            yield f"{of_all}, but not {_IMAGES // _CLASSES} of each class: some images lie in a wrong folder"


def _no_class(folder: Path, dataset: str) -> DatasetError:
    hint = "Move it elsewhere"
    inside = next((path for path in (folder.parent / "val", folder) if _holds_classes(path)), None)
    if inside is not None:
        hint = f"The classes seem to lie one level below. Type: --data {dataset}={inside}"
    elif folder.name.isdecimal():
        hint = "Numbered folders are the layout of ImageNet-V2, a dataset of its own"
    elif WNID.fullmatch(folder.name):
        hint = "Such a class exists in ImageNet-21k only; leave out all but the 1,000 classes"
    return DatasetError(f"dataset {dataset!r}: folder {folder} is none of the 1,000 ImageNet classes. {hint}")


def _holds_classes(folder: Path) -> bool:
    try:
        return any(path.name in indices() for path in folder.iterdir())
    except OSError:
        return False  # not a folder, or not ours to read: only a hint is lost


@hookimpl
def harness_datasets() -> list[Dataset]:
    """The ImageNet validation set."""
    return [ImageNet()]
