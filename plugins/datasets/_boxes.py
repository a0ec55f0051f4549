"""Boxes of the ILSVRC annotations: one XML file for each image, in the layout of PASCAL VOC.

The files are data from outside: a document type (which may define entities that grow without end), another root, a
number that is none, or a file of more than a megabyte is refused. Boxes may leave the image or be reversed, as some of
the published ones are: they are clipped to it, and what has no area is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn
from xml.etree import ElementTree
from xml.parsers import expat

from harness import Preprocessing

from ._imagenet_classes import WNID

MOST_BYTES = 1 << 20
"""Of one file; a published one with forty boxes has less than twenty thousand."""
_NUMBER = re.compile(r"-?[0-9]{1,6}(\.[0-9]{1,6})?")


class Box(NamedTuple):
    """Edges in any unit, right and down from the top left corner of an image."""

    left: float
    top: float
    right: float
    bottom: float


class Annotation(NamedTuple):
    """What a file says.

    Attributes:
        width, height: of the image, in pixels. boxes: (name of the object, its box in pixels), as given.
    """

    width: float
    height: float
    boxes: tuple[tuple[str, Box], ...]

    def union(self, wnid: str) -> Box | None:
        """The smallest box around all objects of the class, in fractions of the image; None without any.

        Some published files name the class in words: an object counts unless its name is another wnid.
        """
        boxes = [box for name, box in self.boxes if name == wnid or not WNID.fullmatch(name)]
        inside = [box for box in (clipped(Box(*self._fractions(box))) for box in boxes) if box]
        if not inside:
            return None
        lefts, tops, rights, bottoms = zip(*inside, strict=True)
        return Box(min(lefts), min(tops), max(rights), max(bottoms))

    def _fractions(self, box: Box) -> Iterator[float]:
        sides = (self.width, self.height, self.width, self.height)
        return (edge / side for edge, side in zip(box, sides, strict=True))


def clipped(box: Box) -> Box | None:
    """The part of `box` between 0 and 1; None if there is none."""
    inside = Box(*(min(max(edge, 0.0), 1.0) for edge in box))
    return inside if inside.left < inside.right and inside.top < inside.bottom else None


def shown(box: Box, annotation: Annotation, preprocessing: Preprocessing) -> Box | None:
    """`box` after resize and centre crop, in fractions of the side of what networks see; None if nothing is seen.

    Args:
        box: in fractions of the image. preprocessing: with a resize that is known, and as Pillow does it: the longer
            side truncated, the offset of the crop rounded half to even.
    """
    side = preprocessing.size
    width, height = resized(annotation, preprocessing)
    left, top = round((width - side) / 2), round((height - side) / 2)
    edges = (box.left * width - left, box.top * height - top, box.right * width - left, box.bottom * height - top)
    return clipped(Box(*(edge / side for edge in edges)))


def resized(annotation: Annotation, preprocessing: Preprocessing) -> tuple[int, int]:
    """(width, height) of the image after the resize."""
    resize, width, height = preprocessing.resize or preprocessing.size, annotation.width, annotation.height
    if isinstance(resize, tuple):
        return resize[1], resize[0]
    longer = int(resize * max(width, height) / min(width, height))
    return (resize, longer) if width <= height else (longer, resize)


def place(box: Box) -> tuple[str, str, str]:
    """`x` and `y` of its centre and `size`, the root of its area; in the unit of `box`, to six decimals."""
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    size = math.sqrt((box.right - box.left) * (box.bottom - box.top))
    return f"{x:.6f}", f"{y:.6f}", f"{max(size, 1e-6):.6f}"


# --- files ------------------------------------------------------------------------------------


def read_annotation(path: Path) -> Annotation:
    """The annotation in `path`.

    Raises:
        OSError: it cannot be read. ValueError: it is no annotation of an image; says why, on one line.
    """
    if not path.is_file():
        raise ValueError("it is no regular file")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    root = _tree(content)
    if root.tag != "annotation":
        raise ValueError(f"its root is {root.tag[:40]!r}, expected 'annotation'")
    named = root.findtext("filename", "").strip()
    if named not in ("", path.stem, f"{path.stem}.JPEG"):
        raise ValueError(f"it is about {named[:60]!r}")
    width, height = (_number(root, f"size/{side}") for side in ("width", "height"))
    if min(width, height) < 1:
        raise ValueError(f"its image has {width:g} x {height:g} pixels")
    return Annotation(width, height, tuple(_box(entry) for entry in root.findall("object")))


def _box(entry: ElementTree.Element) -> tuple[str, Box]:
    edges = (_number(entry, f"bndbox/{edge}") for edge in ("xmin", "ymin", "xmax", "ymax"))
    return entry.findtext("name", "").strip(), Box(*edges)


def _number(element: ElementTree.Element, path: str) -> float:
    text = element.findtext(path, "").strip()
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{path} is {text[:20]!r}, expected a number of at most six digits")
    return float(text)


def _tree(content: bytes) -> ElementTree.Element:
    """The root of an XML document without a document type, in UTF-8 or marked UTF-16. Raises ValueError."""
    builder, parser = ElementTree.TreeBuilder(), expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ValueError(f"it is no XML: {error}") from error
    return builder.close()


def _refuse_doctype(*declaration: object) -> NoReturn:
    raise ValueError("it declares a document type, which an annotation does not have")
