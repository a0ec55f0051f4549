"""Severities that show nearly the same images, as if one was saved again: their files differ, their pixels do not."""

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


def saved_again(
    dataset: Dataset, shown: Mapping[str, Sequence[Sample]], contents: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """Remarks on severities ``<kind>-<level>`` of one kind that show nearly the same images.

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
            told = {view for pair in alike if not _are_equal(*(contents[view] for view in pair)) for view in pair}
            if told:
                names = listed(view for view in views if view in told)
                yield (
                    f"{names} show nearly the same images, as if one was saved again: those compared differ by at most "
                    f"{MOST:g} of 255 grey levels on average"
                )


def _pixels(dataset: Dataset, sample: Sample) -> np.ndarray | None:
    """Every second pixel of an image, (H, W, 3) uint8; None if it cannot be decoded or is too small."""
    try:
        with dataset.image(sample) as image:
            return np.asarray(as_rgb(image))[::2, ::2] if min(image.size) >= SMALLEST else None
    except plugin_faults():  # plugins and decoders raise anything; this image is decoded, and named, later
        return None


def _are_alike(first: Sequence[np.ndarray | None], second: Sequence[np.ndarray | None]) -> bool:
    pairs = [(one, two) for one, two in zip(first, second, strict=True) if one is not None and two is not None]
    if len(pairs) < LEAST or any(one.shape != two.shape for one, two in pairs):
        return False
    differences = [float(np.abs(one.astype(np.int16) - two).mean()) for one, two in pairs]
    return max(differences) <= MOST and sum(differences) <= MEAN * len(differences)


def _are_equal(first: Mapping[str, str], second: Mapping[str, str]) -> bool:
    """Whether at least two files are equal byte for byte, which `harness.data.inspection.equal_files` tells."""
    return sum(digest == second[id] for id, digest in first.items()) > 1
