"""Dataset `sample-photos`: the 20 labelled ImageNet photographs inside the foolbox package.

Rauber, Zimmermann, Bethge, Brendel: "Foolbox Native" (JOSS 2020). For a first run without ImageNet: real photographs
that need no folder. The package is located without importing it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from harness import Dataset, DatasetError, LabelSpace, Release, Sample, hookimpl, proportion

from ._imagenet_classes import class_names

_FILE = re.compile(r"imagenet_(?P<number>\d\d)_(?P<target>\d{1,3})\.jpg")
_PIP = "pip install 'bias-harness[demo]'"


@dataclass(frozen=True, kw_only=True)
class SamplePhotos(Dataset):
    """``imagenet_NN_LABEL.jpg``, where LABEL is the class index. Resized to 256, cropped to 224."""

    name: str = "sample-photos"

    def root(self) -> Path:
        """The folder in the installed foolbox. Raises DatasetError with the command that installs it."""
        spec = find_spec("foolbox")
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            if (data := Path(folder, "data")).is_dir():
                return data
        raise DatasetError(f"dataset {self.name!r} is part of the package foolbox, which is not installed", remedy=_PIP)

    def label_space(self) -> LabelSpace:
        """The 1,000 ImageNet classes."""
        return LabelSpace(name="imagenet-1k", classes=class_names())

    def release(self) -> Release:
        """Part of the package foolbox, which `pip` installs."""
        return Release(
            images=20,
            license="photographs from ImageNet: its terms of access",
            page="https://github.com/bethgelab/foolbox",
        )

    def samples(self, root: Path) -> Iterator[Sample]:
        """The photographs in `root`. Raises DatasetError if there are none."""
        if not root.is_dir():
            raise DatasetError(f"dataset {self.name!r}: there is no folder {root}", remedy=_PIP)
        matches = [(path, match) for path in sorted(root.iterdir()) if (match := _FILE.fullmatch(path.name))]
        if not matches:
            raise DatasetError(f"dataset {self.name!r}: no imagenet_NN_LABEL.jpg in {root}", remedy=_PIP)
        for path, match in matches:
            yield Sample(id=path.name, targets=(int(match["target"]),), path=path)

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """The width of an accuracy's interval on this few images."""
        n = len(samples)
        half = proportion("top1", n // 2, n)
        if half.low is not None and half.high is not None:
            width = round(100 * (half.high - half.low))
            yield f"only {n} photographs: the 95 % interval of an accuracy is up to {width} points wide"


@hookimpl
def harness_datasets() -> list[Dataset]:
    """The photographs that come with foolbox."""
    return [SamplePhotos()]
