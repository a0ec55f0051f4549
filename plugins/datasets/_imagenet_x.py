"""The annotations of ImageNet-X, from the files of the installed package imagenet-x, which is never imported.

The package (0.0.7) is CC BY-NC 4.0, whatever its metadata says, so none of it is part of the harness. Its files must be
the published ones, byte for byte: an annotation that is changed would change numbers without a trace.
"""

from __future__ import annotations

import csv
import json
import re
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from harness import DatasetError

from ._validation_images import number_of

FACTORS: Final = (
    *("pose", "background", "pattern", "color", "smaller", "shape", "partial_view", "subcategory", "texture", "larger"),
    *("darker", "object_blocking", "person_blocking", "style", "brighter", "multiple_objects"),
)
"""What may be unusual about an image, in the order of the published tables."""
METACLASSES: Final = (
    *("device", "dog", "commodity", "bird", "structure", "covering", "wheeled_vehicle", "food", "equipment", "insect"),
    *("vehicle", "furniture", "primate", "vessel", "snake", "natural_object", "other"),
)
"""Groups of the 1,000 classes; ``other`` are those of the smaller groups in the package."""
ANNOTATED: Final = 48_868
PIP: Final = "pip install 'bias-harness[imagenet-x]'"
_AGAIN: Final = "pip install --force-reinstall --no-deps imagenet-x==0.0.7"
_TOP, _MULTI = "imagenet_x_val_top_factor.jsonl", "imagenet_x_val_multi_factor.jsonl"
_PROTOTYPES, _GROUPS = "prototypical_paths.csv", "imagenet_1k_classes_to_100_metaclasses.csv"
_LABELS = "filename_label.csv"
_PUBLISHED: Final = {
    _TOP: (17_270_139, "083253dfe7c3491c76c4745d00d2c1c6eb19615f3935cfc80c6b914dcd4bd177"),
    _MULTI: (17_270_139, "85b5a1fd60e627dd26b963530e31eea5906f25465e66e77f7295d726b23281e7"),
    _PROTOTYPES: (87_010, "3f693c9e056560d9d7bd2242909ae549325e78b763aedb59e5f0c9afdb8a9ea3"),
    _GROUPS: (21_032, "a973495d1cbe6c73f994fa7083e454602d6d0dc831ff0257598a02a23aa633c4"),
    _LABELS: (1_644_516, "e279a4972518474b373b02b06a35ad21c3572626715eea574d5f7d55302a92bf"),
}
"""File of the package -> its bytes and SHA-256."""
_LINE = re.compile(rb'"ILSVRC2012_val_(\d{8})\.JPEG","class":(\d{1,3}),(.{218}),"justification"')
"""Number, class, and ``"name":0`` or ``1`` of the 16 factors, always in one order."""


class Annotation(NamedTuple):
    """Of one image: its class, and the attributes of `imagenet-x` as texts."""

    target: int
    factor: str
    factors: str
    metaclass: str
    prototype: str


def annotated_images() -> dict[int, Annotation]:
    """Number of the image, 1 to 50,000 -> its annotation, of 48,868 images. Do not change the returned dict.

    Raises:
        DatasetError: the package is not installed, or a file of it is not the published one.
    """
    if folder := _folder():
        return _annotations(folder)
    raise DatasetError(
        "the annotations of ImageNet-X are part of the package imagenet-x, which is not installed (CC BY-NC 4.0)",
        remedy=PIP,
    )


def is_installed() -> bool:
    """Whether the package is there."""
    return _folder() is not None


def validation_labels() -> dict[int, int]:
    """Number of the image -> its class, of all 50,000, as the package lists them; empty if it is not installed.

    Raises DatasetError: the list is not the published one.
    """
    if not (folder := _folder()):
        return {}
    rows = _rows(_published(folder, _LABELS))[1:]
    return {int(name[len("ILSVRC2012_val_") : -len(".JPEG")]): int(label) for name, label in rows}


def _folder() -> Path | None:
    """The package's folder of annotations."""
    spec = find_spec("imagenet_x")
    places = (spec.submodule_search_locations or ()) if spec else ()
    return next((folder for place in places if (folder := Path(place, "annotations")).is_dir()), None)


@lru_cache(maxsize=1)
def _annotations(folder: Path) -> dict[int, Annotation]:
    files = {name: _published(folder, name) for name in (_TOP, _MULTI, _PROTOTYPES, _GROUPS)}
    top, multi = _factors(files[_TOP]), _factors(files[_MULTI])
    prototypes = {number_of(row[0]) for row in _rows(files[_PROTOTYPES]) if row}
    groups = [row[1] for row in _rows(files[_GROUPS])][1:]
    return {
        number: Annotation(
            target=target,
            factor=factor,
            factors=multi[number][1],
            metaclass=groups[target] if groups[target] in METACLASSES else METACLASSES[-1],
            prototype="1" if number in prototypes else "",
        )
        for number, (target, factor) in top.items()
    }


def _factors(content: bytes) -> dict[int, tuple[int, str]]:
    """Number of the image -> its class, and the names of its factors with spaces between."""
    lines = _LINE.findall(content)
    texts = {marks: _named(marks) for marks in {marks for _, _, marks in lines}}
    return {int(number): (int(target), texts[marks]) for number, target, marks in lines}


def _named(marks: bytes) -> str:
    marked = json.loads(b"{%b}" % marks)
    return " ".join(factor for factor in FACTORS if marked[factor])


def _rows(content: bytes) -> list[list[str]]:
    return [*csv.reader(content.decode().splitlines())]


def _published(folder: Path, name: str) -> bytes:
    """The bytes of a file of the package. Raises DatasetError unless they are the published ones."""
    path, (size, digest) = folder / name, _PUBLISHED[name]
    try:
        content = _beginning(path, size + 1)
    except OSError as error:
        raise DatasetError(f"cannot read {path} ({error.strerror})", remedy=_AGAIN) from error
    actual = sha256(content).hexdigest()
    if actual != digest:
        raise DatasetError(
            f"{path} is not that of imagenet-x 0.0.7: SHA-256 {actual[:8]}…, expected {digest[:8]}…", remedy=_AGAIN
        )
    return content


def _beginning(path: Path, most: int) -> bytes:
    """At most so many bytes of a regular file; none of anything else, which may have no end."""
    if not path.is_file():
        raise FileNotFoundError(2, "no such file")
    with path.open("rb") as file:
        return file.read(most)
