"""Trees ``<wnid>/<image>``: labels come from the wnid, never from the order of the folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness import DatasetError, Sample

from ._imagenet_classes import WNID, indices
from ._trees import class_folders, image_names, no_folders


def wnid_samples(root: Path, dataset: str, targets: Mapping[str, int]) -> Iterator[Sample]:
    """All images below `root`; ids are ``<wnid>/<file name>``.

    Args:
        targets: wnid -> target, for every wnid that may occur.

    Raises:
        DatasetError: there is no class folder, one has another name or is empty, or it contains other files.
    """
    folders = class_folders(root, dataset)
    if not folders:
        above = root.absolute().parent if root.absolute().name in targets else None
        raise no_folders(root, dataset, "one folder per class, such as n01440764", above)
    for folder in folders:
        if folder.name not in targets:
            raise _no_class(folder, dataset, targets)
    for folder in folders:
        target = (targets[folder.name],)
        for name in image_names(folder, dataset):
            yield Sample(id=f"{folder.name}/{name}", targets=target, path=folder / name)


def completeness(samples: Sequence[Sample], images: int, classes: int, each: int | None, excess: str) -> Iterator[str]:
    """Remarks on missing or excess images, compared with a complete tree of `images` images and `classes` classes.

    Args:
        each: images of every class in the complete tree, None where that varies.
        excess: a possible cause of too many images, as a question.
    """
    counts = Counter(sample.targets for sample in samples)
    of_all = f"{len(samples):,} of {images:,} images, {len(counts):,} of {classes:,} classes"
    if len(samples) > images:
        yield f"{len(samples):,} images, but the complete set has {images:,}: {excess}"
    elif len(samples) < images or len(counts) < classes:
        yield f"{of_all} (partial tree)"
    elif each is not None and set(counts.values()) != {each}:
        yield f"{of_all}, but not {each} of each class: some images are in a wrong folder"


def _no_class(folder: Path, dataset: str, targets: Mapping[str, int]) -> DatasetError:
    hint, remedy = "Move it elsewhere", ""
    inside = next((path for path in (folder.parent / "val", folder) if _holds_classes(path, targets)), None)
    if inside is not None:
        hint, remedy = "The classes seem to be one level below", f"--data {dataset}={inside}"
    elif folder.name.isdecimal():
        hint = "Numbered folders are the layout of ImageNet-V2 (dataset 'imagenet-v2')"
    elif folder.name in indices():
        hint = "It is one of the 1,000 ImageNet classes: is this the folder of another dataset? If not, remove it"
    elif WNID.fullmatch(folder.name):
        hint = "Such a class exists in ImageNet-21k only; remove all but the 1,000 classes"
    expected = "1,000 ImageNet classes" if len(targets) == 1000 else f"{len(targets)} classes of {dataset}"
    return DatasetError(f"dataset {dataset!r}: folder {folder} is none of the {expected}. {hint}", remedy=remedy)


def _holds_classes(folder: Path, targets: Mapping[str, int]) -> bool:
    try:
        return any(path.name in targets for path in folder.iterdir())
    except OSError:
        return False  # not a folder, or no permission: only a hint is lost
