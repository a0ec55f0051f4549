"""The 16 entry-level categories of Geirhos et al. and the 207 ImageNet classes in them.

The lists are those of `human_categories.py` in the authors' model-vs-human toolbox (Geirhos et al. 2021, NeurIPS);
the other 793 classes are in no category. A test checks the SHA-256 of the lists.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from harness import DatasetError, LabelSpace

from ._trees import class_folders, no_folders

_RANGES = {
    "airplane": "404",
    "bear": "294-297",
    "bicycle": "444,671",
    "bird": "8,10-16,18-20,22-24,80-83,87-96,98-100,127-133,135-145",
    "boat": "472,554,625,814,914",
    "bottle": "440,720,737,898-899,901,907",
    "car": "436,511,817",
    "cat": "281-286",
    "chair": "423,559,765,857",
    "clock": "409,530,892",
    "dog": "152-191,193-203,205-226,228-241,243-250,252-257,259,261-263,265-268",
    "elephant": "385-386",
    "keyboard": "508,878",
    "knife": "499",
    "oven": "766",
    "truck": "555,569,656,675,717,734,864,867",
}

CATEGORIES = tuple(_RANGES)
"""The 16 names in alphabetical order, which is the order of targets and scores."""


@lru_cache(maxsize=1)
def entry_level_16() -> LabelSpace:
    """The 16 categories; a category's score is the mean probability of its classes in a softmax over all 1,000."""
    return LabelSpace(
        name="entry-level-16", classes=CATEGORIES, members=tuple(_numbers(ranges) for ranges in _RANGES.values())
    )


def category_folders(root: Path, dataset: str) -> list[Path]:
    """The folders in `root`, sorted, one for each category present.

    Raises:
        DatasetError: there is none, or one has another name.
    """
    folders = class_folders(root, dataset)
    if not folders:
        raise no_folders(root, dataset, f"folders named {CATEGORIES[0]} … {CATEGORIES[-1]}")
    for folder in folders:
        if folder.name not in CATEGORIES:
            raise DatasetError(
                f"dataset {dataset!r}: folder {folder} is none of the 16 categories {', '.join(CATEGORIES)}"
            )
    return folders


def _numbers(ranges: str) -> tuple[int, ...]:
    """``"8,10-12"`` -> 8, 10, 11, 12."""
    ends = [part.partition("-") for part in ranges.split(",")]
    return tuple(number for first, _, last in ends for number in range(int(first), int(last or first) + 1))
