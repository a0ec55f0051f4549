"""Trees ``<corruption>/<severity>/<wnid>/<image>``: many views of the ImageNet validation images."""

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
"""Folders listed in parallel: on a network disk, latency dominates."""


@dataclass(frozen=True, kw_only=True)
class CorruptedImageNet(Dataset):
    """One view for each corruption and severity, ``<corruption>-<1 to 5>``; sample ids are ``<wnid>/<file name>``.

    Images are used as stored, 224 x 224, without a resize.

    Attributes:
        corruptions: the corruptions to measure, in the order of the views.
    """

    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(resize=None, size=224))
    corruptions: tuple[str, ...] = ()
    available: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Raise ValueError if `corruptions` is empty, or has an unknown name or a duplicate."""
        unknown = [name for name in self.corruptions if name not in self.available]
        if unknown or not self.corruptions:
            raise ValueError(f"corruptions {unknown} are none of {', '.join(self.available)}")
        if len(set(self.corruptions)) < len(self.corruptions):
            raise ValueError(f"a corruption is named twice: {', '.join(self.corruptions)}")

    def label_space(self) -> LabelSpace:
        """The 1,000 classes, sorted by wnid."""
        return LabelSpace(name="imagenet-1k", classes=class_names())

    def views(self) -> tuple[str, ...]:
        """``<corruption>-<severity>``, the mildest severity of each corruption first."""
        return tuple(f"{corruption}-{severity}" for corruption in self.corruptions for severity in SEVERITIES)

    def folder(self, root: Path, view: str) -> Path:
        """The parent of the wnid folders of `view`."""
        corruption, _, severity = view.rpartition("-")
        return root / corruption / self._levels(root / corruption)[int(severity) - 1]

    def samples(self, root: Path) -> list[Sample]:
        """The images, with the path of each in the first view.

        Raises:
            DatasetError: a corruption or severity is missing, a view has a missing or an extra image, a class folder
                is not an ImageNet wnid, or validation images are in wrong class folders.
        """
        for corruption in self.corruptions:
            self._check_corruption(root, corruption)
        folders = {view: self.folder(root, view) for view in self.views()}
        first, *later_views = folders
        samples = list(wnid_samples(folders[first], self.name, indices()))
        check_labels(samples, self.name)
        names = _names_by_class(samples)
        with ThreadPoolExecutor(_READERS, thread_name_prefix="list") as pool:
            for view in later_views:
                self._check_view(view, folders[view], folders[first], names, pool)
        return samples

    def remarks(self, samples: Sequence[Sample]) -> Iterator[str]:
        """What is missing from the 50,000 images, 50 of each class, of every view."""
        for remark in completeness(samples, VALIDATION_IMAGES, 1000, 50, "are files there twice?"):
            yield f"in each of {len(self.views())} views: {remark}"

    @abstractmethod
    def _levels(self, folder: Path) -> Sequence[str]:
        """The names of the five severity folders in a corruption's folder, mildest first."""

    @abstractmethod
    def _remedy(self, corruption: str) -> str:
        """The end of an error message: the archive that contains a corruption, and an alternative."""

    def _check_corruption(self, root: Path, corruption: str) -> None:
        folder = root / corruption
        if not folder.is_dir():
            raise self._absent(root, corruption)
        levels, expected = {path.name for path in class_folders(folder, self.name)}, self._levels(folder)
        if indices().keys() & levels:
            raise DatasetError(
                f"dataset {self.name!r}: {folder} has class folders, expected the severities {', '.join(expected)} "
                f"with the classes in them. {self._remedy(corruption)}"
            )
        if unexpected := sorted(levels - set(expected)):
            raise DatasetError(
                f"dataset {self.name!r}: {folder / unexpected[0]} is none of the severities {', '.join(expected)}. "
                "Move it elsewhere"
            )
        if missing := sorted(set(expected) - levels):
            raise DatasetError(
                f"dataset {self.name!r}: {folder} has no severity {missing[0]}, expected {', '.join(expected)}. "
                f"{self._remedy(corruption)}"
            )

    def _absent(self, root: Path, corruption: str) -> DatasetError:
        """The error for a corruption that is not in `root`, which may be the wrong folder."""
        problem = f"dataset {self.name!r}: {root} has no folder {corruption!r}"
        near = [] if self._holds_corruptions(root) else nearby(root, self._holds_corruptions)
        if len(near) == 1:
            return DatasetError(f"{problem}; the corruptions are in {near[0]}", remedy=f"--data {self.name}={near[0]}")
        if near:
            return DatasetError(
                f"{problem}; the corruptions are one level below, in {', '.join(path.name for path in near)}",
                remedy=f"mv {root}/*/* {root}",
            )
        return DatasetError(f"{problem}. {self._remedy(corruption)}")

    def _holds_corruptions(self, folder: Path) -> bool:
        return any((folder / corruption).is_dir() for corruption in self.available)

    def _check_view(
        self, view: str, folder: Path, first: Path, names: Mapping[str, set[str]], pool: ThreadPoolExecutor
    ) -> None:
        """DatasetError unless the view has exactly the images `names`, by class."""
        corruption = view.rpartition("-")[0]
        wnids = {path.name for path in class_folders(folder, self.name)}
        lists: Iterable[set[str]] = pool.map(lambda wnid: visible_names(folder / wnid, self.name), names.keys() & wnids)
        names_here = dict(zip(names.keys() & wnids, lists, strict=True)) | {wnid: {""} for wnid in wnids - names.keys()}
        for wnid in sorted(names.keys() | names_here.keys()):
            present, expected = names_here.get(wnid, set()), names.get(wnid, set())
            if present == expected:
                continue
            missing, extra = sorted(expected - present), sorted(present - expected)
            difference = f"has no {wnid}/{missing[0]}, which is in {first}" if missing else ""
            difference = difference or f"has {wnid}/{extra[0]}, which is not in {first}"
            raise DatasetError(
                f"dataset {self.name!r}: {folder} {difference}; "
                f"all {len(self.views())} views must have the same images. {self._remedy(corruption)}"
            )


def _names_by_class(samples: Sequence[Sample]) -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for sample in samples:
        wnid, _, name = sample.id.partition("/")
        names.setdefault(wnid, set()).add(name)
    return names
