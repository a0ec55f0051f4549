"""Severities of one corruption that are not what their names say: nearly the same images twice, or other images.

Their files differ, so only their pixels tell. A few images of each view are decoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.data.modes import as_rgb
from harness.errors import listed, plugin_faults

if TYPE_CHECKING:
    from harness.interfaces import Dataset
    from harness.records import Sample

COMPARED: Final = 6
"""Images of each view that are decoded and compared."""
LEAST: Final = 3
"""Fewer images prove nothing: a corruption may leave one as it is."""
SMALLEST: Final = 64
"""Pixels of the shorter side below which saving an image again changes about as much as a corruption does."""
MEAN, MOST = 1.0, 2.0
"""Grey levels of 255 by which images differ at most, on average over the images and of each image: a JPEG saved again
at its own quality differs by 0 to 1, neighbouring severities of ImageNet-C by 3 to 25 (all images of a set)."""


COARSE: Final = 8
"""Cells a side in which the brightness of an image is compared: corruptions leave it recognizable."""
FEWEST: Final = 4
"""With fewer views, nobody knows which of them is the strange one."""
STRANGE, FAMILIAR = 1 / 3, 0.9
"""Share of images of a view that are most like the same image in other severities: of strange images at most so many
are (by chance 1/6), while of the other severities at least so many are among themselves."""


def unlike_names(
    dataset: Dataset, shown: Mapping[str, Sequence[Sample]], contents: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """Remarks on severities ``<kind>-<level>`` of one kind that show nearly the same images, or other images.

    Args:
        shown: view -> the same images in it, `COMPARED` of them.
        contents: view -> id -> digest of the file; views with equal files are told elsewhere.
    """
    kinds: dict[str, list[str]] = {}
    for view in shown:
        kinds.setdefault(view.rpartition("-")[0], []).append(view)
    with ThreadPoolExecutor(thread_name_prefix="compare") as pool:
        for views in (views for views in kinds.values() if len(views) > 1):
            pixels = {view: list(pool.map(lambda sample: _pixels(dataset, sample), shown[view])) for view in views}
            alike = [pair for pair in combinations(views, 2) if _are_alike(*(pixels[view] for view in pair))]
            resaved = {view for pair in alike if not _are_equal(*(contents[view] for view in pair)) for view in pair}
            if resaved:
                names = listed(view for view in views if view in resaved)
                yield (
                    f"{names} show nearly the same images, as if one was saved again: those compared differ by at most "
                    f"{MOST:g} of 255 grey levels on average"
                )
            for view in _strangers(pixels):
                others = listed(other for other in views if other != view)
                yield f"{view} seems to show other images under the names of the images in {others}"


def _pixels(dataset: Dataset, sample: Sample) -> np.ndarray | None:
    """Every second pixel of an image, (H, W, 3) uint8; None if it cannot be decoded or is too small."""
    try:
        with dataset.image(sample) as image:
            return np.asarray(as_rgb(image))[::2, ::2] if min(image.size) >= SMALLEST else None
    except plugin_faults():  # plugins and decoders raise anything; this image is decoded, and named, later
        return None


def _are_alike(first: Sequence[np.ndarray | None], second: Sequence[np.ndarray | None]) -> bool:
    pairs = [(left, right) for left, right in zip(first, second, strict=True) if left is not None and right is not None]
    if len(pairs) < LEAST or any(left.shape != right.shape for left, right in pairs):
        return False
    differences = [float(np.abs(left.astype(np.int16) - right).mean()) for left, right in pairs]
    return max(differences) <= MOST and sum(differences) <= MEAN * len(differences)


def _strangers(pixels: Mapping[str, Sequence[np.ndarray | None]]) -> Iterator[str]:
    """The views whose images are not those of the same names in all other views, which recognize each other."""
    views, decoded = list(pixels), [image for images in pixels.values() for image in images if image is not None]
    if len(views) < FEWEST or len(decoded) < COMPARED * len(views):
        return
    looks = np.array([[_look(image) for image in pixels[view] if image is not None] for view in views])  # (V, N, C²)
    alike = np.einsum("vnc,wmc->vwnm", looks, looks)
    recognized = (alike.argmax(axis=3) == np.arange(COMPARED)).mean(axis=2)  # (V, V) share of images
    for place, view in enumerate(views):
        others = [other for other in range(len(views)) if other != place]
        among = [recognized[first, second] for first in others for second in others if first != second]
        share = max(recognized[place, others].max(), recognized[others, place].max())
        if share <= STRANGE and min(among) >= FAMILIAR:
            yield view


def _look(image: np.ndarray) -> np.ndarray:
    """The brightness of an image in COARSE x COARSE cells, less its mean and scaled to unit length."""
    height, width = (side // COARSE * COARSE for side in image.shape[:2])
    cells = image[:height, :width].reshape(COARSE, height // COARSE, COARSE, width // COARSE, 3).mean(axis=(1, 3, 4))
    centred = cells.ravel() - cells.mean()
    length = float(np.linalg.norm(centred))
    look: np.ndarray = centred / length if length > 0 else centred
    return look


def _are_equal(first: Mapping[str, str], second: Mapping[str, str]) -> bool:
    """Whether at least two files are equal byte for byte, which `harness.data.inspection.equal_files` tells."""
    return sum(digest == second[id] for id, digest in first.items()) > 1
