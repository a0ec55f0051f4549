"""Dataset `vid-robust`: ImageNet-Vid-Robust, frames of videos around 1,109 anchors, with labels of 30 classes.

Shankar, Dave, Roelofs, Ramanan, Recht, Schmidt: "Do Image Classifiers Generalize Across Time?" (ICCV 2021). Labels,
anchors and neighbours are those of modestyachts/imagenet-testbed (MIT), in ``labels.json`` and ``pmsets.json``.

The score of a class is the largest logit of its ImageNet classes. The 30 classes share none, so the largest of these
scores belongs to the class of the largest among the 288 logits: a decision is one of 288, right if it is of a labelled
class, and nothing but the decision has to be stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from harness import Dataset, DatasetError, LabelSpace, Release, Sample, hookimpl

from ._imagenet_classes import class_names

FRAMES, ANCHORS = 22_179, 1_109
MOST_BYTES: Final = 32 << 20
"""Of a list; all frames, with 100 bytes each, take 2 MB."""


def _columns(ranges: str) -> tuple[int, ...]:
    bounds = [part.split("-") for part in ranges.split(",")]
    return tuple(column for part in bounds for column in range(int(part[0]), int(part[-1]) + 1))


MEMBERS: Final = tuple(
    map(
        _columns,
        (
            "404", "351-353", "294-297", "444,671", "7-24,80-100,127-146", "654,779,874",
            "407,436,468,511,609,627,656,661,751,817", "345", "151-268", "281-285", "385-386", "277-280", "388", "333",
            "339", "291", "38-48", "370-382", "665", "330,332", "387", "348", "52-68", "335", "292", "466", "33-37",
            "403,472,484,510,554,576,625,628,724,780,814,833,871,913-914", "147-148", "340",
        ),
    )
)  # fmt: skip
"""The ImageNet classes of each of the 30 classes, as in imagenet-testbed's ``rev_class_idx_map.json``."""
COLUMNS: Final = tuple(sorted(column for members in MEMBERS for column in members))


@dataclass(frozen=True, kw_only=True)
class VidRobust(Dataset):
    """``val/<video>/<frame>.JPEG``, with ``labels.json`` and ``pmsets.json`` beside ``val`` or in ``metadata``.

    Resized to 256, cropped to 224. Attributes: ``clip``, the video; ``frame``, its number; ``cut``, always 0;
    ``anchor``, the id of the anchor whose neighbour a frame is, or of the anchor itself.
    """

    name: str = "vid-robust"
    path: str = "imagenet-vid-robust"
    attributes: ClassVar[tuple[str, ...]] = ("clip", "frame", "cut", "anchor")

    def label_space(self) -> LabelSpace:
        """The 288 ImageNet classes that belong to one of the 30."""
        return LabelSpace(
            name="vid-robust", classes=tuple(class_names()[column] for column in COLUMNS), columns=COLUMNS
        )

    def release(self) -> Release:
        """22,179 frames."""
        return Release(
            images=FRAMES,
            license="images: ImageNet terms of access; labels: MIT",
            page="https://github.com/modestyachts/imagenet-vid-robust-example",
        )

    def samples(self, root: Path) -> Iterator[Sample]:
        """Anchors and their neighbours, as far as they are below `root`.

        Raises:
            DatasetError: a list is missing or not as described, a frame has no label, or none of the frames is there.
        """
        if not root.is_dir():
            raise DatasetError(f"dataset {self.name!r}: there is no folder {root}")
        labels, sets = _read(root, "labels.json", self.name), _read(root, "pmsets.json", self.name)
        number_of = {column: number for number, column in enumerate(COLUMNS)}
        found = False
        for anchor, neighbours in sets.items():
            for id in dict.fromkeys([anchor, *_texts(neighbours, anchor, self.name)]):
                path = root / _relative(id, self.name)
                if not path.is_file():
                    continue
                found = True
                targets = tuple(
                    number_of[column] for label in _labels(labels, id, self.name) for column in MEMBERS[label]
                )
                clip = path.parent.name
                yield Sample(id=id, targets=targets, path=path, attributes=(clip, str(int(path.stem)), "0", anchor))
        if not found:
            raise DatasetError(f"dataset {self.name!r}: none of the frames in pmsets.json is below {root}")

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """What is missing of the 22,179 frames and 1,109 anchors."""
        anchors = sum(sample.id == sample.attributes[3] for sample in samples)
        if (len(samples), anchors) != (FRAMES, ANCHORS):
            yield f"{len(samples):,} of {FRAMES:,} frames, {anchors:,} of {ANCHORS:,} anchors (partial tree)"


def _read(root: Path, name: str, dataset: str) -> Mapping[str, Any]:
    """The list `name` in `root` or its folder ``metadata``. Raises DatasetError."""
    places = [root / name, root / "metadata" / name]
    path = next((place for place in places if place.is_file()), None)
    where = "github.com/modestyachts/imagenet-testbed, src/eval_settings/imagenet-vid-robust_metadata"
    if path is None:
        raise DatasetError(f"dataset {dataset!r}: there is no {places[0]}; it is in {where}")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(
            f"dataset {dataset!r}: {path} is damaged ({type(error).__name__}); copy it from {where}"
        ) from error
    if not isinstance(content, dict) or not content:
        raise DatasetError(f"dataset {dataset!r}: {path} is not a list of frames; copy it from {where}")
    return content


def _relative(id: str, dataset: str) -> Path:
    """``val/<video>/<frame>.JPEG``. Raises DatasetError for any other path."""
    parts = Path(id).parts
    if len(parts) != 3 or parts[0] != "val" or ".." in parts or not Path(id).stem.isdecimal():
        raise DatasetError(f"dataset {dataset!r}: {id!r} in pmsets.json is not val/<video>/<number>.JPEG")
    return Path(id)


def _texts(value: object, anchor: str, dataset: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DatasetError(f"dataset {dataset!r}: the neighbours of {anchor} in pmsets.json are not a list of frames")
    return value


def _labels(labels: Mapping[str, Any], id: str, dataset: str) -> list[int]:
    value = labels.get(id)
    if not isinstance(value, list) or not value or not all(type(item) is int and 0 <= item < 30 for item in value):
        raise DatasetError(f"dataset {dataset!r}: labels.json has {value!r} for {id}, expected class numbers 0 to 29")
    return value


@hookimpl
def harness_datasets() -> list[Dataset]:
    """ImageNet-Vid-Robust."""
    return [VidRobust()]
