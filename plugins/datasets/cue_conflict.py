"""Dataset `cue-conflict`: the shape of one object with the texture of another.

Geirhos, Rubisch, Michaelis, Bethge, Wichmann, Brendel: "ImageNet-trained CNNs are biased towards texture" (ICLR 2019).
The target is the shape; the texture is an attribute. Stimuli are used as stored, 224 x 224, without a resize.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from harness import Dataset, DatasetError, LabelSpace, Preprocessing, Release, Sample, hookimpl

from ._entry_level import CATEGORIES, category_folders, entry_level_16
from ._model_vs_human import toolbox_release
from ._trees import image_names

_FILE = re.compile(r"(?P<shape>[a-z]+)\d+-(?P<texture>[a-z]+)\d+\.png")
_IMAGES, _EACH = 1280, 80


@dataclass(frozen=True, kw_only=True)
class CueConflict(Dataset):
    """``<shape>/<shape>N-<texture>M.png``, for example ``cat/cat7-elephant1.png``. Sample ids are these paths."""

    name: str = "cue-conflict"
    path: str = "cue-conflict"
    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(resize=None, size=224))
    attributes: ClassVar[tuple[str, ...]] = ("texture",)

    def label_space(self) -> LabelSpace:
        """The 16 entry-level categories."""
        return entry_level_16()

    def release(self) -> Release:
        """The archive of the model-vs-human toolbox."""
        return toolbox_release("cue-conflict", _IMAGES, "CC BY 4.0")

    def samples(self, root: Path) -> Iterator[Sample]:
        """All stimuli below `root`.

        Raises:
            DatasetError: a folder or file name does not match, or a file is in the folder of another shape.
        """
        for folder in category_folders(root, self.name):
            target = (CATEGORIES.index(folder.name),)
            for name in image_names(folder, self.name, (".png",)):
                texture = _texture(folder, name, self.name)
                yield Sample(id=f"{folder.name}/{name}", targets=target, path=folder / name, attributes=(texture,))

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """A remark unless there are 1,280 stimuli, 80 of each shape."""
        counts = [sum(sample.targets == (shape,) for sample in samples) for shape in range(len(CATEGORIES))]
        if set(counts) != {_EACH}:
            present = sum(count > 0 for count in counts)
            each = f"{min(counts)}" if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
            spread = f"{each} of {_EACH} stimuli for each shape"
            yield f"{len(samples):,} of {_IMAGES:,} stimuli, {present} of {len(CATEGORIES)} shapes, {spread} (partial)"


def _texture(folder: Path, name: str, dataset: str) -> str:
    match = _FILE.fullmatch(name)
    if match is None or match["texture"] not in CATEGORIES:
        raise DatasetError(
            f"dataset {dataset!r}: {folder / name} is not named SHAPEn-TEXTUREm.png (cat7-elephant1.png) after "
            f"two of the 16 categories {', '.join(CATEGORIES)}"
        )
    if match["shape"] != folder.name:
        raise DatasetError(f"dataset {dataset!r}: {folder / name} has the shape {match['shape']!r}, unlike its folder")
    return match["texture"]


@hookimpl
def harness_datasets() -> list[Dataset]:
    """The cue-conflict stimuli."""
    return [CueConflict()]
