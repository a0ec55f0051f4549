"""``python -m tools.contact_sheets docs/images``: contact sheets of the synthetic sets, for people to look at."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.plugins.datasets.shapes.corrupted import CorruptedShapes
from harness.plugins.datasets.shapes.scene import SIZE

if TYPE_CHECKING:
    from PIL import Image

    from harness.plugins.datasets.shapes.base import ShapesSet

MOST_BYTES = 145_000
_GAP, _LABEL = 2, 14
_ROWS = 4
_CLASSES, _LEVELS = 16, 5


def draw(folder: Path) -> Iterator[Path]:
    """Draw a sheet of each set into `folder`, and name each file when it is there."""
    from harness.plugins.datasets.shapes import sets

    folder.mkdir(parents=True, exist_ok=True)
    for dataset in sets():
        file = folder / f"{dataset.name}.png"
        file.write_bytes(_png(_drawn(dataset)))
        yield file


def _drawn(dataset: ShapesSet) -> Image.Image:
    if not dataset.views():
        return _factors(dataset) if "factor" in dataset.attributes else _samples(dataset)
    return _corruptions(dataset) if isinstance(dataset, CorruptedShapes) else _views(dataset)


def _samples(dataset: ShapesSet) -> Image.Image:
    """One column a class, four rows."""
    samples = dataset.samples(dataset.root())[: _CLASSES * _ROWS]
    rows = [samples[row * _CLASSES : (row + 1) * _CLASSES] for row in range(_ROWS)]
    return _sheet([[dataset.pixels(sample) for sample in row] for row in rows], ())


def _views(dataset: ShapesSet) -> Image.Image:
    """One column a class, one row a view."""
    samples, views = dataset.samples(dataset.root())[:_CLASSES], dataset.views()
    return _sheet([[dataset.pixels(replace(sample, view=view)) for sample in samples] for view in views], ())


def _corruptions(dataset: ShapesSet) -> Image.Image:
    """Two corruptions a row, each at its five severities on an image of its own."""
    samples, views = dataset.samples(dataset.root()), dataset.views()
    shown = [dataset.pixels(replace(samples[place // _LEVELS], view=view)) for place, view in enumerate(views)]
    names = [view.rpartition("-")[0].replace("_", " ") for view in views[::_LEVELS]]
    return _sheet([shown[start : start + 2 * _LEVELS] for start in range(0, len(shown), 2 * _LEVELS)], names)


def _factors(dataset: ShapesSet) -> Image.Image:
    """Two factors a row, each on the first images that have it alone."""
    samples, names = dataset.samples(dataset.root()), dataset.attribute_values()["factor"]
    alone = [[sample for sample in samples if sample.attributes == (name, name)][:_LEVELS] for name in names]
    shown = [dataset.pixels(sample) for chosen in alone for sample in chosen]
    return _sheet([shown[start : start + 2 * _LEVELS] for start in range(0, len(shown), 2 * _LEVELS)], names)


def _sheet(rows: Sequence[Sequence[np.ndarray]], names: Sequence[str]) -> Image.Image:
    """The pictures with gaps between them, two names above each row."""
    from PIL import Image, ImageDraw

    step, label = SIZE + _GAP, _LABEL if names else 0
    sheet = Image.new("RGB", (len(rows[0]) * step + _GAP, len(rows) * (step + label) + _GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for down, row in enumerate(rows):
        top = _GAP + down * (step + label)
        for right, name in enumerate(names[down * 2 : down * 2 + 2]):
            pen.text((_GAP + right * _LEVELS * step, top), name, fill="black")
        for right, picture in enumerate(row):
            sheet.paste(Image.fromarray(picture), (_GAP + right * step, top + label))
    return sheet


def _png(sheet: Image.Image) -> bytes:
    """With as many colours as fit in `MOST_BYTES`."""
    from PIL import Image

    for colours in (256, 192, 128, 96, 64, 48, 32, 16):
        stored = BytesIO()
        sheet.quantize(colours, dither=Image.Dither.NONE).save(stored, "png", optimize=True)
        if len(stored.getvalue()) <= MOST_BYTES:
            break
    return stored.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw all sheets into the folder that is given."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.contact_sheets", description="Draw contact sheets of all sets."
    )
    parser.add_argument("folder", type=Path, help="where the PNG files go (docs/images)")
    for file in draw(parser.parse_args(arguments).folder):
        sys.stdout.write(f"{file}: {file.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
