"""Dataset `imagenet-cbar`: the ImageNet validation set under 10 corruptions dissimilar to those of ImageNet-C.

Mintun, Kirillov, Xie: "On Interaction Between Augmentations and Corruptions in Natural Corruption Robustness" (NeurIPS
2021). In the published files the severities are named 1 to 5. The authors' generator names them by the corruption's
parameter (``2.35``), and then names do not sort by severity (``10.00`` before ``2.00``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness import Dataset, DatasetError, Download, Release, Sample, hookimpl

from ._corruptions import SEVERITIES, CorruptedImageNet
from ._imagenet_classes import VALIDATION_IMAGES

PARAMETERS = {
    "blue_noise_sample": (0.8, 1.6, 2.4, 4, 5.6),
    "brownish_noise": (1, 2, 3, 4, 5),
    "caustic_refraction": (2.35, 3.2, 4.9, 6.6, 9.15),
    "checkerboard_cutout": (2, 3, 4, 5, 6),
    "cocentric_sine_waves": (3, 5, 8, 9, 10),
    "inverse_sparkles": (1, 2, 4, 9, 10),
    "perlin_noise": (4.6, 5.2, 5.8, 7.6, 8.8),
    "plasma_noise": (4.75, 7, 8.5, 9.25, 10),
    "single_frequency_greyscale": (1, 1.5, 2, 4.5, 5),
    "sparkles": (1, 2, 3, 5, 6),
}
"""Corruption -> its parameter at severity 1 to 5 (the authors' imagenet_c_bar.csv)."""
_PARAMETER = re.compile(r"\d+\.\d\d")
_FILE = "https://dl.fbaipublicfiles.com/inc_bar/imagenet_c_bar.tar.gz"


@dataclass(frozen=True, kw_only=True)
class ImageNetCBar(CorruptedImageNet):
    """``<corruption>/<severity>/<wnid>/ILSVRC2012_val_*.JPEG``: 10 corruptions in 5 severities, or some of them."""

    name: str = "imagenet-cbar"
    path: str = "imagenet-c-bar"
    corruptions: tuple[str, ...] = tuple(PARAMETERS)
    available: ClassVar[tuple[str, ...]] = tuple(PARAMETERS)

    def release(self) -> Release:
        """The published files; their size and digest are unknown."""
        return Release(
            images=VALIDATION_IMAGES,
            license="code MIT; made from ImageNet: its terms of access",
            page="https://github.com/facebookresearch/augmentation-corruption",
            downloads=(Download(uri=_FILE, rename=("cbar_download", "imagenet-c-bar")),),
        )

    def samples(self, root: Path) -> list[Sample]:
        """As `CorruptedImageNet.samples`; also DatasetError if severities are named by number and by parameter."""
        numbered = [name for name in self.corruptions if (root / name / SEVERITIES[0]).is_dir()]
        generated = [name for name in self.corruptions if _named_by_parameter(root / name)]
        if numbered and generated:
            raise DatasetError(
                f"dataset {self.name!r}: severities are numbered in {root / numbered[0]}, but named by parameters in "
                f"{root / generated[0]}; published and generated files must not be mixed. Keep one kind"
            )
        return super().samples(root)

    def _levels(self, folder: Path) -> Sequence[str]:
        generated = not (folder / SEVERITIES[0]).is_dir() and _named_by_parameter(folder)
        return [f"{value:.2f}" for value in PARAMETERS[folder.name]] if generated else SEVERITIES

    def _remedy(self, corruption: str) -> str:
        return f"It is in {_FILE}: unpack it again"


def _named_by_parameter(folder: Path) -> bool:
    return folder.is_dir() and any(_PARAMETER.fullmatch(path.name) for path in folder.iterdir())


@hookimpl
def harness_datasets() -> list[Dataset]:
    """All 10 corruptions."""
    return [ImageNetCBar()]
