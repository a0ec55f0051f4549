"""Datasets `imagenet-c` and `imagenet-c-15`: the ImageNet validation set under common corruptions, in 5 severities.

Hendrycks and Dietterich: "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (ICLR 2019).
The study averages all 19 corruptions (`imagenet-c`); most other work averages the 15 without those of extra.tar
(`imagenet-c-15`), which differs: by 1.7 points for torchvision's first ResNet-50. The published JPEG files are used
unchanged; corrupting in memory, or resizing, changes the numbers too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness import Dataset, Download, Release, hookimpl

from ._corruptions import SEVERITIES, CorruptedImageNet
from ._imagenet_classes import VALIDATION_IMAGES

ARCHIVES = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    "extra": ("speckle_noise", "gaussian_blur", "spatter", "saturate"),
}
_PAGE = "https://zenodo.org/records/2235448"
_FILES = {
    "noise": (22_565_673_785, "e80562d7f6c3f8834afb1ecf27252745"),
    "blur": (7_112_704_951, "2d8e81fdd8e07fef67b9334fa635e45c"),
    "weather": (12_797_438_995, "33ffea4db4d93fe4a428c40a6ce0c25d"),
    "digital": (7_757_510_705, "89157860d7b10d5797849337ca2e5c03"),
    "extra": (15_789_490_144, "d492dfba5fc162d8ec2c3cd8ee672984"),
}
ALL = tuple(corruption for corruptions in ARCHIVES.values() for corruption in corruptions)
USUAL = tuple(corruption for corruption in ALL if corruption not in ARCHIVES["extra"])


@dataclass(frozen=True, kw_only=True)
class ImageNetC(CorruptedImageNet):
    """``<corruption>/<1 to 5>/<wnid>/ILSVRC2012_val_*.JPEG``: 19 corruptions in 5 severities, or some of them.

    With the usual 15, probe ``accuracy`` gives ``mce``, the mean corruption error normalised by AlexNet (mCE), beside
    ``mean-error``, the unnormalised mean.
    """

    name: str = "imagenet-c"
    path: str = "imagenet-c"
    corruptions: tuple[str, ...] = ALL
    available: ClassVar[tuple[str, ...]] = ALL

    def release(self) -> Release:
        """The archives of these corruptions; they are about as large unpacked."""
        needed = dict.fromkeys(_archive(corruption) for corruption in self.corruptions)
        downloads = tuple(
            Download(
                uri=f"{_PAGE}/files/{name}.tar",
                bytes=_FILES[name][0],
                digest=f"md5:{_FILES[name][1]}",
                into="imagenet-c",
            )
            for name in needed
        )
        return Release(
            images=VALIDATION_IMAGES,
            bytes=sum(_FILES[name][0] for name in needed),
            license="CC BY 4.0; made from ImageNet: its terms of access",
            page=_PAGE,
            downloads=downloads,
        )

    def _levels(self, folder: Path) -> Sequence[str]:
        return SEVERITIES

    def _remedy(self, corruption: str) -> str:
        archive = _archive(corruption)
        instead = "; dataset 'imagenet-c-15' does not need extra.tar" if archive == "extra" else ""
        return f"It is in {archive}.tar of {_PAGE}: unpack it again{instead}"


def _archive(corruption: str) -> str:
    return next(name for name, corruptions in ARCHIVES.items() if corruption in corruptions)


@hookimpl
def harness_datasets() -> list[Dataset]:
    """All 19 corruptions, and the usual 15."""
    return [ImageNetC(), ImageNetC(name="imagenet-c-15", corruptions=USUAL)]
