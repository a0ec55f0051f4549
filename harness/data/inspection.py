"""What a few images of a dataset show: formats, sizes, alpha, equal files. Headers are read, pixels are not.

The images are the witnesses of the manifest, chosen by their ids, so that a remark is the same on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

from harness.data.modes import DEEP_GREY, is_cut, refusal
from harness.errors import DatasetError, listed, plugin_faults

if TYPE_CHECKING:
    from PIL import Image

    from harness.interfaces import Dataset
    from harness.records import Preprocessing, Sample

_READERS: Final = 16
"""Files opened in parallel: on a network disk, latency dominates."""
_RARE: Final = 100
_RAREST: Final = 5_000
"""A copy among so many images is usual in published sets; one with another class is usual among more."""
_MANY: Final = 10
"""A second format in a dataset of one view is remarked on from one image in so many: a few strays are usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the header of one image file says.

    Attributes:
        mode, format: as Pillow names them (``RGB``, ``JPEG``).
        tables: quantization tables of a JPEG, which say its quality.
        size: width and height in pixels.
        has_alpha: an alpha channel or a transparent colour. is_cut: 16 bits a channel, of which 8 are decoded.
        is_animated: several frames, of which the first is used.
        refused: why the decoder will refuse it; empty if it will not.
    """

    mode: str
    format: str
    tables: tuple[tuple[int, ...], ...]
    size: tuple[int, int]
    has_alpha: bool
    is_cut: bool
    is_animated: bool
    refused: str = ""


Headers = Mapping[str, Sequence[Header | None]]
"""View (empty where there is only one) -> the headers of the same images in each view; None: not readable."""


def headers_of(dataset: Dataset, samples: Sequence[Sample]) -> list[Header | None]:
    """The header of each image; None where it is no image, which the decoder reports when it gets there.

    Raises:
        DatasetError: an image has a mode without a defined conversion to RGB.
    """
    with ThreadPoolExecutor(_READERS, thread_name_prefix="look") as pool:
        headers = list(pool.map(lambda sample: _header(dataset, sample), samples))
    for sample, header in zip(samples, headers, strict=True):
        if header and header.refused:
            raise DatasetError(f"image {sample.id} of {dataset.name} {header.refused} ({sample.path})")
    return headers


def header_of(image: Image.Image) -> Header:
    """What the header of an opened image says."""
    return Header(
        mode=image.mode,
        format=image.format or "",
        tables=tuple(tuple(table) for table in getattr(image, "quantization", {}).values()),
        size=image.size,
        has_alpha=image.has_transparency_data,
        is_cut=is_cut(image),
        is_animated=image.format != "MPO" and getattr(image, "is_animated", False),
        refused=refusal(image),
    )


def _header(dataset: Dataset, sample: Sample) -> Header | None:
    try:
        with dataset.image(sample) as image:
            return header_of(image)
    except plugin_faults():  # plugins and decoders raise anything; this image is decoded, and named, later
        return None


def any_deep_grey(headers: Headers) -> bool:
    """Whether an image has grey values of 16 bits."""
    return any(header is not None and header.mode in DEEP_GREY for seen in headers.values() for header in seen)


def remarks_on(headers: Headers, preprocessing: Preprocessing, made: Sequence[Header] = ()) -> Iterator[str]:
    """What must be known about these images beside results: what is dropped, and files unlike the others.

    Args:
        made: headers of generated images, whatever their views.
    """
    every = {**headers, "": [*headers.get("", ()), *made]}
    yield from _unused(every, lambda header: header.has_alpha, "an alpha channel, which is dropped")
    yield from _unused(
        every, lambda header: header.is_cut, "16 bits in each of several channels, of which the upper 8 are used"
    )
    yield from _unused(every, lambda header: header.is_animated, "several frames, of which the first is used")
    yield from _enlarged(every, preprocessing)
    yield from _strays(headers)
    yield from _unlike(headers, lambda header: header.format, "file format")
    yield from _unlike(headers, lambda header: header.tables, "JPEG quality")
    yield from _unlike(headers, lambda header: header.size, "size")


def equal_files(contents: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A remark on views with the same files.

    Args:
        contents: view -> digest of the file of each witness, the same images in every view.
    """
    compared = max((len(digests) for digests in contents.values()), default=0)
    least = min(2, compared)  # one image alone may be one that a corruption leaves as it is
    equal = {pair: count for pair, count in _equal_pairs(contents).items() if count >= least}
    for views in _connected(contents, equal):
        counts = [count for (first, _), count in equal.items() if first in views]
        number = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
        yield (f"{listed(views)} have the same files: {number} of {compared} images compared are equal byte for byte")


def copied_files(samples: Sequence[Sample], contents: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Remarks on images of one view that are the same file: one in a hundred and at least two, or of other classes.

    Args:
        contents: view (empty where there is only one) -> id -> digest of its file.
    """
    targets = {sample.id: sample.targets for sample in samples}
    for view, digests in contents.items():
        ids_of: dict[str, list[str]] = {}
        for id, digest in digests.items():
            ids_of.setdefault(digest, []).append(id)
        same = [ids for ids in ids_of.values() if len(ids) > 1]
        copies = sum(len(ids) - 1 for ids in same)
        unlike = sum(targets[id] != targets[ids[0]] for ids in same for id in ids[1:])
        if (copies > 1 and _RARE * copies >= len(digests)) or (unlike and _RAREST * unlike >= len(digests)):
            first, second = max(same, key=lambda ids: (targets[ids[0]] != targets[ids[1]], len(ids)))[:2]
            others = f", {unlike:,} of them of another class" if unlike else ""
            where = f"in {view} " if view else ""
            yield (
                f"{where}{copies:,} of {len(digests):,} files are copies of others, byte for byte{others}: "
                f"{second} is {first}"
            )


def _equal_pairs(contents: Mapping[str, Sequence[str]]) -> Counter[tuple[str, str]]:
    """Two views, in their order -> how many images are the same file in both."""
    pairs: Counter[tuple[str, str]] = Counter()
    for digests in zip(*contents.values(), strict=True):
        by_digest: dict[str, list[str]] = {}
        for view, digest in zip(contents, digests, strict=True):
            by_digest.setdefault(digest, []).append(view)
        pairs.update(pair for views in by_digest.values() for pair in combinations(views, 2))
    return pairs


def _connected(views: Iterable[str], pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The groups of views that `pairs` connect, in the order of `views`."""
    group_of = {view: {view} for view in views}
    for first, second in pairs:
        group_of[first] |= group_of[second]
        for view in group_of[first]:
            group_of[view] = group_of[first]
    groups = {id(group): group for group in group_of.values() if len(group) > 1}
    return [[view for view in group_of if view in group] for group in groups.values()]


def _unused(headers: Headers, holds: Callable[[Header], bool], text: str) -> Iterator[str]:
    counts = {view: sum(header is not None and holds(header) for header in seen) for view, seen in headers.items()}
    if total := sum(counts.values()):
        views = [view for view, count in counts.items() if view and count]
        places = f", in {listed(views)}" if views else ""
        yield f"{total} of {_looked_at(headers)} have {text}{places}"


def _looked_at(headers: Headers) -> str:
    return f"{sum(map(len, headers.values()))} images looked at"


def _enlarged(headers: Headers, preprocessing: Preprocessing) -> Iterator[str]:
    """A remark if at least half of the images are squares of one size, as if prepared, which the resize enlarges."""
    side, resize = preprocessing.size, preprocessing.resize
    if resize in (None, side, (side, side)):
        return
    sizes = [header.size for seen in headers.values() for header in seen if header is not None]
    least = min(resize) if isinstance(resize, tuple) else resize or 0
    squares = Counter(size for size in sizes if size[0] == size[1] < least)
    for (square, _), count in squares.most_common(1):
        if 2 * count >= len(sizes):
            crop = ", the size of the crop," if square == side else ", as if prepared,"
            yield (
                f"{count} of {len(sizes)} images looked at are {square} x {square} pixels{crop} and are "
                f"enlarged first ({preprocessing}); ready crops are used as stored with `resize: null` in a "
                "dataset entry"
            )


def _unlike(headers: Headers, property_of: Callable[[Header], object], noun: str) -> Iterator[str]:
    """A remark on views in which an image differs from the same image in most views."""
    unlike: Counter[str] = Counter()
    values: set[str] = set()
    for seen in zip(*headers.values(), strict=True):
        here = {view: property_of(header) for view, header in zip(headers, seen, strict=True) if header is not None}
        counts = Counter(value for value in here.values() if value)
        usual = max(counts, key=lambda value: (counts[value], str(value)), default=None)
        strays = {view: value for view, value in here.items() if value and value != usual}
        unlike.update(strays.keys())
        values |= {value for value in strays.values() if isinstance(value, str)}
    if unlike:
        names = f" ({listed(sorted(values))})" if values else ""
        views = listed(view for view in headers if unlike[view])
        yield (
            f"{unlike.total()} of {_looked_at(headers)} have another {noun}{names} than the same image in most views: "
            f"in {views}"
        )


def _strays(headers: Headers) -> Iterator[str]:
    """A remark on a dataset of one view with two file formats."""
    formats = Counter(header.format for seen in headers.values() for header in seen if header is not None)
    (usual, most), *others = formats.most_common() or [("", 0)]
    strays = sum(count for _, count in others)
    if len(headers) == 1 and strays * _MANY >= strays + most and strays:
        names = listed(sorted(name for name, _ in others))
        yield f"{strays} of {strays + most} images looked at are {names}, the others {usual}"
