"""Trees ``<corruption>/<severity>/<wnid>/<image>``: the ImageNet validation set in many views of the same images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from harness import Dataset, DatasetError, LabelSpace, Preprocessing, Sample

from ._imagenet_classes import VALIDATION_IMAGES, class_names, indices
from ._trees import class_folders, nearby, visible_names
from ._validation_images import check_labels
from ._wnid_trees import completeness, wnid_samples

SEVERITIES = ("1", "2", "3", "4", "5")
_READERS = 16
"""Folders listed at once: on a network disk each waits for an answer."""


@dataclass(frozen=True, kw_only=True)
class CorruptedImageNet(Dataset):
    """One view for each corruption and severity, ``<corruption>-<1 to 5>``; sample ids are ``<wnid>/<file name>``.

    Images are used as stored, 224 x 224, without a resize.

    Attributes:
        corruptions: those to measure, in the order of the views.
    """

    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(resize=None, size=224))
    corruptions: tuple[str, ...] = ()
    known: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """ValueError for corruptions that are unknown, named twice, or none."""
        unknown = [name for name in self.corruptions if name not in self.known]
        if unknown or not self.corruptions:
            raise ValueError(f"corruptions {unknown} are none of {', '.join(self.known)}")
        if len(set(self.corruptions)) < len(self.corruptions):
            raise ValueError(f"a corruption is named twice: {', '.join(self.corruptions)}")

    def label_space(self) -> LabelSpace:
        """The 1,000 classes, sorted by wnid."""
        return LabelSpace(name="imagenet-1k", classes=class_names())

    def views(self) -> tuple[str, ...]:
        """``<corruption>-<severity>``, the mildest severity of each corruption first."""
        return tuple(f"{corruption}-{severity}" for corruption in self.corruptions for severity in SEVERITIES)

    def folder(self, root: Path, view: str) -> Path:
        """Where the wnid folders of `view` lie."""
        corruption, _, severity = view.rpartition("-")
        return root / corruption / self._levels(root / corruption)[int(severity) - 1]

    def samples(self, root: Path) -> list[Sample]:
        """The images, with the path of each in the first view.

        Raises:
            DatasetError: a corruption or severity is not there, a view lacks an image or has one more than the first,
                a class folder is no ImageNet wnid, or validation images lie in wrong class folders.
        """
        for corruption in self.corruptions:
            self._check_corruption(root, corruption)
        folders = {view: self.folder(root, view) for view in self.views()}
        first, *others = folders
        samples = list(wnid_samples(folders[first], self.name, indices()))
        check_labels(samples, self.name)
        names = _names_by_class(samples)
        with ThreadPoolExecutor(_READERS, thread_name_prefix="list") as pool:
            for view in others:
                self._check_view(view, folders[view], folders[first], names, pool)
        return samples

    def remarks(self, samples: Sequence[Sample]) -> Iterator[str]:
        """What is missing from the 50,000 images, 50 of each class, that every view has."""
        for remark in completeness(samples, VALIDATION_IMAGES, 1000, 50, "are files there twice?"):
            yield f"in each of {len(self.views())} views: {remark}"

    @abstractmethod
    def _levels(self, folder: Path) -> Sequence[str]:
        """The names of the five severity folders in a corruption's folder, mildest first."""

    @abstractmethod
    def _remedy(self, corruption: str) -> str:
        """Which archive holds a corruption, and what to do without it; the end of a message."""

    def _check_corruption(self, root: Path, corruption: str) -> None:
        folder = root / corruption
        if not folder.is_dir():
            raise self._absent(root, corruption)
        found, expected = {path.name for path in class_folders(folder, self.name)}, self._levels(folder)
        if indices().keys() & found:
            raise DatasetError(
                f"dataset {self.name!r}: {folder} has class folders, expected the severities {', '.join(expected)} "
                f"with the classes in them. {self._remedy(corruption)}"
            )
        if strange := sorted(found - set(expected)):
            raise DatasetError(
                f"dataset {self.name!r}: {folder / strange[0]} is none of the severities {', '.join(expected)}. "
                "Move it elsewhere"
            )
        if missing := sorted(set(expected) - found):
            raise DatasetError(
                f"dataset {self.name!r}: {folder} lacks severity {missing[0]}, expected {', '.join(expected)}. "
                f"{self._remedy(corruption)}"
            )

    def _absent(self, root: Path, corruption: str) -> DatasetError:
        """The error for a corruption that is not in `root`, which may be the wrong folder altogether."""
        what = f"dataset {self.name!r}: {root} has no folder {corruption!r}"
        near = [] if self._holds_corruptions(root) else nearby(root, self._holds_corruptions)
        if len(near) == 1:
            return DatasetError(f"{what}; the corruptions lie in {near[0]}", remedy=f"--data {self.name}={near[0]}")
        if near:
            return DatasetError(
                f"{what}; the corruptions lie one level below, in {', '.join(path.name for path in near)}",
                remedy=f"mv {root}/*/* {root}",
            )
        return DatasetError(f"{what}. {self._remedy(corruption)}")

    def _holds_corruptions(self, folder: Path) -> bool:
        return any((folder / corruption).is_dir() for corruption in self.known)

    def _check_view(
        self, view: str, folder: Path, first: Path, names: Mapping[str, set[str]], pool: ThreadPoolExecutor
    ) -> None:
        """DatasetError unless the view has exactly the images `names`, by class."""
        corruption = view.rpartition("-")[0]
        there = {path.name for path in class_folders(folder, self.name)}
        lists: Iterable[set[str]] = pool.map(lambda wnid: visible_names(folder / wnid, self.name), names.keys() & there)
        found = dict(zip(names.keys() & there, lists, strict=True)) | {wnid: {""} for wnid in there - names.keys()}
        for wnid in sorted(names.keys() | found.keys()):
            here, expected = found.get(wnid, set()), names.get(wnid, set())
            if here == expected:
                continue
            missing, extra = sorted(expected - here), sorted(here - expected)
            what = f"lacks {wnid}/{missing[0]}, which is in {first}" if missing else ""
            what = what or f"has {wnid}/{extra[0]}, which is not in {first}"
            raise DatasetError(
                f"dataset {self.name!r}: {folder} {what}; all {len(self.views())} views must have the same images. "
                f"{self._remedy(corruption)}"
            )


def _names_by_class(samples: Sequence[Sample]) -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for sample in samples:
        wnid, _, name = sample.id.partition("/")
        names.setdefault(wnid, set()).add(name)
    return names
