"""From files to pixels, exactly as PIL and common evaluation scripts do it, in parallel and ahead of the network."""

from __future__ import annotations

import hashlib
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from harness.data.inspection import Header, header_of
from harness.data.modes import as_rgb
from harness.errors import ImageError, plugin_faults, text_of

if TYPE_CHECKING:
    from PIL import Image

    from harness.interfaces import Dataset
    from harness.records import Preprocessing, Sample

LOOK_AHEAD = 3
"""Batches decoded ahead: enough to hide decoding, few enough for constant memory."""


def preprocess(image: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    """Pixels of `image` as (S, S, 3) uint8.

    RGB, as `as_rgb` converts it; resized with PIL's antialias, to (height, width) or by the shorter side (the longer
    side truncated to an integer); centre crop with its offset rounded half to even. Bit for bit what ``Resize`` and
    ``CenterCrop`` of torchvision give on a PIL image, without importing it. Raises ImageError for a wrong size without
    resize, and for a mode without a defined conversion to RGB.
    """
    from PIL import Image

    image = as_rgb(image)
    if preprocessing.resize is None:
        if image.size != (preprocessing.size, preprocessing.size):
            raise ImageError(
                f"is {image.width}x{image.height} pixels, expected {preprocessing.size}x{preprocessing.size} "
                "(this dataset is not resized)"
            )
        return np.asarray(image)
    target = _resized(image.size, preprocessing.resize)
    if target != image.size:
        image = image.resize(target, Image.Resampling[preprocessing.interpolation.upper()])
    width, height = target
    left, top = round((width - preprocessing.size) / 2.0), round((height - preprocessing.size) / 2.0)
    return np.asarray(image.crop((left, top, left + preprocessing.size, top + preprocessing.size)))


def _resized(size: tuple[int, int], resize: int | tuple[int, int]) -> tuple[int, int]:
    """(width, height) of an image of `size` after the resize."""
    if isinstance(resize, tuple):
        height, width = resize
        return width, height
    width, height = size
    longer = int(resize * max(size) / min(size))
    return (resize, longer) if width <= height else (longer, resize)


def pixels(dataset: Dataset, sample: Sample) -> np.ndarray:
    """One sample as (S, S, 3) uint8. Any failure raises ImageError naming the sample and its file or view."""
    with _named(dataset, sample), _opened(dataset, sample) as image:
        return preprocess(image, dataset.preprocessing)


def content_digest(dataset: Dataset, sample: Sample) -> str:
    """SHA-256 over mode, size and RGB pixels of one image before resize and crop. Raises ImageError like `pixels`."""
    return content_and_header(dataset, sample)[0]


def content_and_header(dataset: Dataset, sample: Sample) -> tuple[str, Header]:
    """`content_digest`, and what the header of the same image says."""
    with _named(dataset, sample), _opened(dataset, sample) as image:
        mode = f"{image.mode} {image.width} {image.height}\n".encode()
        return hashlib.sha256(mode + as_rgb(image).tobytes()).hexdigest(), header_of(image)


def _opened(dataset: Dataset, sample: Sample) -> Image.Image:
    """The image, not yet decoded. Raises ImageError for a FIFO or device, which would be read for ever."""
    if sample.path is not None and not stat.S_ISREG(sample.path.stat().st_mode):
        raise ImageError("is no regular file")
    return dataset.image(sample)


@contextmanager
def _named(dataset: Dataset, sample: Sample) -> Iterator[None]:
    """Turns any exception into an ImageError with dataset, sample, and file or view; the id alone names no view."""
    label = f"image {sample.id} of {dataset.name}"
    if sample.path is None and sample.view:
        label += f" in view {sample.view}"
    try:
        yield
    except ImageError as error:
        raise ImageError(_located(f"{label} {error}", sample)) from error
    except plugin_faults() as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, …
        text = text_of(error)
        if sample.path is None:
            raise ImageError(f"{label} cannot be generated: {type(error).__name__}: {text}".rstrip(": ")) from error
        raise ImageError(_located(f"{label} cannot be decoded: {text or type(error).__name__}", sample)) from error


def _located(message: str, sample: Sample) -> str:
    return message if sample.path is None or str(sample.path) in message else f"{message} ({sample.path})"


def batches(
    dataset: Dataset, groups: Iterable[Sequence[Sample]], workers: int
) -> Iterator[tuple[Sequence[Sample], np.ndarray]]:
    """(samples, (B, S, S, 3) uint8) for each group, in order, decoded ahead by `workers` threads.

    PIL releases the GIL while it decodes and resizes, so threads suffice and nothing is pickled. Raises the
    ImageError of the first sample, in order, that cannot be decoded.
    """
    with ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="decode") as pool:
        ahead: deque[tuple[Sequence[Sample], list[Future[np.ndarray]]]] = deque()
        remaining = iter(groups)
        try:
            while True:
                while len(ahead) < LOOK_AHEAD and (group := next(remaining, None)) is not None:
                    ahead.append((group, [pool.submit(pixels, dataset, sample) for sample in group]))
                if not ahead:
                    return
                group, futures = ahead.popleft()
                yield group, np.stack([future.result() for future in futures])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
