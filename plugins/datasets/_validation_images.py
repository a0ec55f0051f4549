"""The numbers of the ImageNet validation images, and a check of a tree's labels that uses them.

The official names (``ILSVRC2012_val_00000293.JPEG``) identify the image, so the ReaL labels expose a tree whose class
folders were filled wrongly (by the devkit's ids, by a list in another order): they include the original label of 42,164
of the 46,837 images that have any. In a tree of whole classes with 200 such images or more, at least 38 % of the
folders agree with a ReaL label; in a scrambled tree hardly any do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from harness import DatasetError, Sample

from ._imagenet_classes import VALIDATION_IMAGES, indices, real_labels

LABELLED, AGREEING = 46_837, 42_164
"""Validation images with ReaL labels, and how many of these have the original label among them."""
_NAME = re.compile(r"ILSVRC2012_val_(\d{8})\.\w+")
_ENOUGH = 200
_TRAINING_NAME = re.compile(r"(n\d{8})_.+")
_NAMED_ENOUGH = 3
"""Names with a wnid, as training images have, of which most must be in the folder of that wnid."""


def number_of(name: str) -> int | None:
    """The number (1 to 50,000) in the name of a validation image; None for other names."""
    match = _NAME.fullmatch(name)
    number = int(match[1]) if match else 0
    return number if 1 <= number <= VALIDATION_IMAGES else None


def check_labels(samples: Sequence[Sample], dataset: str) -> None:
    """Raise DatasetError if an image is in two class folders, or if most images are in wrong ones.

    Args:
        samples: with ids ``<wnid>/<file name>``; those not named as images of ImageNet are ignored.
    """
    named, strangers = _named_by_wnid(samples)
    if named >= _NAMED_ENOUGH and 2 * len(strangers) > named:
        raise DatasetError(
            f"dataset {dataset!r}: the tree is scrambled: {len(strangers):,} of {named:,} images named after a wnid "
            f"are in the folder of another, as {strangers[0].id}. Sort the images into the folders of their wnids"
        )
    count, (doubled, times) = _numbers(samples)
    if times > 1:
        raise DatasetError(
            f"dataset {dataset!r}: ILSVRC2012_val_{doubled:08} occurs {times} times; delete all but the one in the "
            "folder of its class"
        )
    agreeing, labelled = _agreement(samples) if count >= _ENOUGH else (0, 0)
    if labelled >= _ENOUGH and 3 * agreeing < labelled:
        raise DatasetError(
            f"dataset {dataset!r}: the tree is scrambled: only {agreeing:,} of {labelled:,} images are in the folder "
            "of one of their ReaL labels, expected about 90 %. Sort the images into the wnid folders again "
            "(not by the ids of the ILSVRC devkit)"
        )


def misplaced(samples: Sequence[Sample]) -> Iterator[str]:
    """Remarks on images in a wrong folder: named after another wnid, or, of all validation images, by their labels."""
    named, strangers = _named_by_wnid(samples)
    if strangers:
        text = f"{len(strangers):,} of {named:,} images named after a wnid are in the folder of another"
        yield f"{text}, as {strangers[0].id}"
    agreeing, labelled = _agreement(samples)
    if labelled == LABELLED and agreeing != AGREEING:
        yield (
            f"{agreeing:,} of {LABELLED:,} original labels are among the ReaL labels, expected {AGREEING:,}: "
            "some images are in a wrong folder"
        )


def _named_by_wnid(samples: Sequence[Sample]) -> tuple[int, list[Sample]]:
    """The number of samples whose file name begins with a wnid, and those of them in the folder of another."""
    matches = [(sample, _TRAINING_NAME.fullmatch(sample.id.rpartition("/")[2])) for sample in samples]
    named = [(sample, match[1]) for sample, match in matches if match]
    return len(named), [sample for sample, wnid in named if not sample.id.startswith(f"{wnid}/")]


def _numbers(samples: Sequence[Sample]) -> tuple[int, tuple[int, int]]:
    """The number of samples that are validation images, and (number, times) of the most frequent one."""
    counts = Counter(number for sample in samples if (number := number_of(sample.id.rpartition("/")[2])) is not None)
    return counts.total(), counts.most_common(1)[0] if counts else (0, 0)


def _agreement(samples: Sequence[Sample]) -> tuple[int, int]:
    """The number of images whose folder is one of their ReaL labels, and of images with any ReaL label."""
    agreeing = labelled = 0
    for sample in samples:
        wnid, _, name = sample.id.rpartition("/")
        number = number_of(name)
        labels = real_labels()[number - 1] if number is not None else ()
        labelled += bool(labels)
        agreeing += indices().get(wnid) in labels
    return agreeing, labelled
