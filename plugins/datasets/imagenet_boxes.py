"""Dataset `imagenet-boxes`: the ImageNet validation set, and where the object is in what networks see.

The boxes are those of ILSVRC (Russakovsky et al. 2015, IJCV 115): one XML file for each image, for registered users.
A dataset of its own, so that stored numbers on `imagenet` keep their identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from harness import Dataset, DatasetError, Sample, hookimpl

from ._boxes import Annotation, place, read_annotation, shown
from ._validation_images import number_of
from .imagenet import ImageNet

FOLDERS = ("", "Annotations/CLS-LOC/val", "ILSVRC/Annotations/CLS-LOC/val")
"""Where the XML files may be: with the images, or below one of the folders above them, as the archives unpack."""
LEVELS = 4
"""Folders above the images in which they are looked for."""
LOOKED_AT = 9
"""Images whose size is compared with that of their annotation."""


@dataclass(frozen=True, kw_only=True)
class ImageNetBoxes(ImageNet):
    """`imagenet`, with the attributes `x`, `y` and `size` of the box around all objects of the image's class.

    `x`, `y`: the centre of the part of the box that is in the crop, right and down from its top left corner, as a
    fraction of its side. `size`: root of that part's area, likewise. All are empty where there is no such box.
    """

    name: str = "imagenet-boxes"
    attributes: ClassVar[tuple[str, ...]] = ("x", "y", "size")

    def samples(self, root: Path) -> list[Sample]:
        """All images below `root`.

        Raises:
            DatasetError: as `imagenet`; there are no annotations, one is damaged, or most are of images of other
                proportions; or each network has a crop of its own.
        """
        if self.preprocessing.native:
            raise DatasetError(
                f"dataset {self.name!r}: size: native shows each network another part of an image, but an object has "
                "one place. Give resize and size"
            )
        samples = super().samples(root)
        folder = _folder(root, self.name)
        annotations = [_annotation(folder, sample, self.name) for sample in samples]
        _check_proportions(samples, annotations, self.name)
        return [
            replace(sample, attributes=self._place(sample, annotation))
            for sample, annotation in zip(samples, annotations, strict=True)
        ]

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """Those of `imagenet`, and how many images have no box."""
        yield from super().remarks(samples)
        without = sum(not any(sample.attributes) for sample in samples)
        if without:
            yield f"{without:,} of {len(samples):,} images have no box of their class in the crop"

    def _place(self, sample: Sample, annotation: Annotation | None) -> tuple[str, ...]:
        box = annotation.union(sample.id.partition("/")[0]) if annotation else None
        seen = shown(box, annotation, self.preprocessing) if box and annotation else None
        return place(seen) if seen else ("",) * len(self.attributes)


def _folder(root: Path, dataset: str) -> Path:
    """The nearest folder with annotations. Raises DatasetError."""
    starts = (root.absolute(), root.resolve())  # where the folder is a link, they may be at either end
    for above in dict.fromkeys(folder for start in starts for folder in (start, *start.parents[:LEVELS])):
        for folder in (above / part for part in FOLDERS):
            if _has_annotations(folder):
                return folder
    here = root.absolute().parent / FOLDERS[1]
    raise DatasetError(
        f"dataset {dataset!r}: no boxes: {FOLDERS[1]}/ILSVRC2012_val_00000001.xml … is neither in {root} nor up to "
        f"{LEVELS} levels above. Get ILSVRC2012_bbox_val_v3.tgz from image-net.org, or Kaggle's archive",
        remedy=f"mkdir -p {here} && cp DIR/*.xml {here}",
    )


def _has_annotations(folder: Path) -> bool:
    try:
        return any(path.suffix == ".xml" and number_of(path.name) for path in folder.iterdir())
    except OSError:
        return False  # not a folder, or no permission


def _annotation(folder: Path, sample: Sample, dataset: str) -> Annotation | None:
    """The annotation of one image; None for images without one. Raises DatasetError for a damaged one."""
    number = number_of(sample.id.rpartition("/")[2])
    path = folder / f"ILSVRC2012_val_{number:08}.xml" if number else None
    if path is None or not path.exists():
        return None
    try:
        return read_annotation(path)
    except (OSError, ValueError) as error:
        text = f"dataset {dataset!r}: {path} is not an annotation of ILSVRC: {error}. Get the archive again"
        raise DatasetError(text) from error


def _check_proportions(samples: Sequence[Sample], annotations: Sequence[Annotation | None], dataset: str) -> None:
    """Raise DatasetError if most of a few images have other proportions than their annotations: they were cropped."""
    pairs = [(sample, note) for sample, note in zip(samples, annotations, strict=True) if note]
    compared = [(sample, note, size) for sample, note in _spread(pairs) if (size := _size(sample))]
    other = [(sample, note, size) for sample, note, size in compared if not _alike(size, (note.width, note.height))]
    if 2 * len(other) > len(compared):
        sample, note, (width, height) = other[0]
        raise DatasetError(
            f"dataset {dataset!r}: {sample.path} has {width} x {height} pixels, its annotation is of an image of "
            f"{note.width:g} x {note.height:g}: boxes do not fit cropped images. Give the images as published",
            remedy=f"--data {dataset}=DIR",
        )


def _spread(pairs: Sequence[tuple[Sample, Annotation]]) -> Iterator[tuple[Sample, Annotation]]:
    """At most `LOOKED_AT` of `pairs`, evenly spread."""
    yield from pairs[:: max(1, -(-len(pairs) // LOOKED_AT))]


def _size(sample: Sample) -> tuple[int, int] | None:
    """(width, height) of an image, from its header; None where it has none, which is refused when it is decoded."""
    from PIL import Image

    if sample.path is None or not sample.path.is_file():
        return None
    try:
        with Image.open(sample.path) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _alike(first: tuple[float, float], second: tuple[float, float]) -> bool:
    """Whether two sizes have the same proportions, up to the rounding of a resize; or one lies on its side."""
    ratios = (first[0] / first[1], second[0] / second[1], second[1] / second[0])
    return any(abs(ratios[0] / ratio - 1) < 0.02 for ratio in ratios[1:])


@hookimpl
def harness_datasets() -> list[Dataset]:
    """The ImageNet validation set with boxes."""
    return [ImageNetBoxes()]
