"""The manifest of a dataset on this disk: its samples in a fixed order, and one digest of exactly these bytes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.files import contents_of, digests_of, joint_digest, sizes_of
from harness.data.inspection import Header, Headers, any_deep_grey, copied_files, equal_files, headers_of, remarks_on
from harness.data.likeness import COMPARED, unlike_names
from harness.data.promises import checked_samples
from harness.errors import DatasetError, ImageError
from harness.interfaces import Dataset
from harness.records import NO_LABELS, Remark

if TYPE_CHECKING:
    from harness.records import Sample

WITNESSES = 8
"""Files of each view that are read for its digest, so that files of equal size by design are distinguished too."""
LOOKED_AT = 32
"""Images of each view whose headers are looked at, and whose bytes are compared with those of the other views."""
LOOKED_AT_ALONE = 256
"""Likewise, of a dataset with one view, whose files are all read for the digest in any case."""
MADE_WITNESSES = 32
"""Images that are generated for the digest of a dataset without files or views; with views, one image a view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The samples of a dataset that a run uses.

    Attributes:
        samples: sorted by id.
        total: samples in the folder, before ``--limit``.
        digest: SHA-256 over ids, targets, attributes and file contents of `samples`; where each image exists in several
            views, over the sizes of all their files and the contents of `WITNESSES` files of each view instead:
            reading 100 GB before the first forward pass would take too long. Generated images have no bytes to read:
            the digest covers the pixels of `made_witnesses`, so that a changed renderer, or a machine on which it gives
            other pixels, changes the identity of every cell.
        remarks: warnings that travel with the results.
        contents: view -> SHA-256 over the bytes of `LOOKED_AT` files of that view; empty if there is only one view.
            It covers more files than `digest`: stored beside results, and compared when a run is continued.
        folders: view -> folder below which the samples' ids are paths; None if the images of that view are generated;
            empty if there is only one view.
    """

    samples: tuple[Sample, ...]
    total: int
    digest: str
    remarks: tuple[Remark, ...] = ()
    folders: Mapping[str, Path | None] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)

    def shown(self, samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
        """`samples` with the files of each view in turn; unchanged if there is only one view."""
        return _shown(samples, self.folders)


def _shown(samples: Sequence[Sample], folders: Mapping[str, Path | None]) -> Iterator[Sequence[Sample]]:
    if not folders:
        yield samples
    for view, folder in folders.items():
        yield [in_view(sample, view, folder) for sample in samples]


def in_view(sample: Sample, view: str, folder: Path | None) -> Sample:
    """`sample` in `view`, whose files are in `folder`; None: generated."""
    return replace(sample, view=view, path=None if folder is None else folder / sample.id)


def lowest_hashes(samples: Sequence[Sample], limit: int | None) -> list[Sample]:
    """The `limit` samples with the lowest SHA-256 of their id, sorted by id; all of them for None.

    The choice depends on the ids alone, so every model and probe gets the same samples.
    """
    selected = list(samples) if limit is None else _by_hash(samples)[:limit]
    return sorted(selected, key=lambda sample: sample.id)


def made_witnesses(samples: Sequence[Sample], folders: Mapping[str, Path | None]) -> list[Sample]:
    """The generated images that represent the code: few, because they are generated whenever a run is planned.

    `MADE_WITNESSES` of `samples`, taken from the classes in turn, lowest hash of the id first, so that a change of one
    class alone is noticed. With views, one sample in each generated view, a different one for each, so that both views
    and samples are covered.

    Args:
        samples: of one dataset.
        folders: as `Manifest.folders`.
    """
    ranked = _by_hash(samples)
    if not folders:
        return _classes_in_turn([sample for sample in ranked if sample.path is None])[:MADE_WITNESSES]
    generated = [view for view, folder in folders.items() if folder is None]
    return [in_view(ranked[number % len(ranked)], view, None) for number, view in enumerate(generated)]


def _classes_in_turn(samples: Sequence[Sample]) -> list[Sample]:
    """The first of each class, then the second of each, …; a sample with several classes counts for its first.

    Samples without targets stay in their order.
    """
    met: Counter[int] = Counter()
    turns: list[tuple[int, int]] = []
    for place, sample in enumerate(samples):
        first = sample.targets[0] if sample.targets else place
        turns.append((met[first], place))
        met[first] += 1
    return [samples[place] for _, place in sorted(turns)]


def _by_hash(samples: Sequence[Sample]) -> list[Sample]:
    return sorted(samples, key=lambda sample: hashlib.sha256(sample.id.encode()).digest())


def build(
    dataset: Dataset, root: Path, limit: int | None = None, progress: Callable[[int, int], None] | None = None
) -> Manifest:
    """Scan, choose and digest the samples of `dataset` below `root`.

    Args:
        progress: called from time to time with (files digested, total files).

    Raises:
        DatasetError: no samples, or two with the same id; an unreadable file, or an image that cannot be generated.
    """
    scanned = _scanned(dataset, root)
    selected = lowest_hashes(scanned, limit)
    folders = {view: dataset.folder(root, view) for view in dataset.views()}
    looked_at = lowest_hashes(selected, LOOKED_AT if folders else LOOKED_AT_ALONE)
    files = {sample.path: sample.id for sample in selected if sample.path}  # a video, for instance, has many samples
    hashes = {} if folders else digests_of(root, list(files), progress)
    total = hashlib.sha256()
    for sample in selected:
        content = hashes.get(sample.path, "") if sample.path else ""
        _add(total, sample.id, sample.targets, sample.attributes, content)
    contents = _add_views(total, folders, selected, looked_at, progress)
    witnesses = made_witnesses(selected, folders)
    made = _add_made(total, dataset, witnesses)
    _refuse_changing(dataset, witnesses or next(iter(_shown(selected[:2], folders))))
    headers = _headers(dataset, looked_at, folders)
    if any_deep_grey(headers):
        _add(total, "grey values of 16 bits are scaled")  # before, they were clipped: other numbers
    remarks = list(dataset.remarks(scanned))
    if not scanned[0].targets:
        remarks.append(f"{NO_LABELS}: accuracy, and what rests on it, is not defined")
    if limit is not None and limit < len(scanned):
        remarks.append(f"--limit: {len(selected):,} of {len(scanned):,} images")
    by_id = {id: hashes[path] for path, id in files.items() if path in hashes}
    remarks += copied_files(selected, contents or {"": by_id})
    remarks += equal_files({view: list(digests.values()) for view, digests in contents.items()})
    few = lowest_hashes(looked_at, COMPARED)
    shown = {view: [in_view(sample, view, folders[view]) for sample in few] for view in contents}
    remarks += unlike_names(dataset, shown, contents)
    remarks += remarks_on(headers, dataset.preprocessing, made)
    return Manifest(
        samples=tuple(selected),
        total=len(scanned),
        digest=total.hexdigest(),
        remarks=tuple(Remark("data", dataset.name, remark) for remark in remarks),
        folders=folders,
        contents={view: joint_digest(digests) for view, digests in contents.items()},
    )


def _scanned(dataset: Dataset, root: Path) -> list[Sample]:
    """The samples below `root`, in any order. Raises DatasetError if there are none, or two with the same id."""
    scanned = checked_samples(dataset, dataset.samples(root))
    if not scanned:
        raise DatasetError(f"dataset {dataset.name!r} has no images in {root}")
    ids = {sample.id for sample in scanned}
    if len(ids) < len(scanned):
        doubled, _ = Counter(sample.id for sample in scanned).most_common(1)[0]
        raise DatasetError(f"dataset {dataset.name!r} has two samples with the id {doubled!r} in {root}")
    return scanned


def _add(total: hashlib._Hash, *values: object) -> None:
    total.update(json.dumps(values).encode() + b"\n")


def _add_views(
    total: hashlib._Hash,
    folders: Mapping[str, Path | None],
    selected: Sequence[Sample],
    looked_at: Sequence[Sample],
    progress: Callable[[int, int], None] | None,
) -> dict[str, dict[str, str]]:
    """Digest the files of each view; returns view -> id -> SHA-256 of each file in `looked_at`."""
    contents: dict[str, dict[str, str]] = {}
    for number, (view, folder) in enumerate(folders.items(), 1):
        if folder is not None:
            sizes = sizes_of(folder, selected)
            contents[view] = contents_of(folder, looked_at)
            _add(total, view, sizes, [contents[view][sample.id] for sample in lowest_hashes(looked_at, WITNESSES)])
        if progress:
            progress(number * len(selected), len(folders) * len(selected))
    return contents


def _add_made(total: hashlib._Hash, dataset: Dataset, witnesses: Sequence[Sample]) -> list[Header]:
    """Digest generated images; returns their headers."""
    headers = []
    for sample in witnesses:
        content, header = _made_content(dataset, sample)
        _add(total, sample.view, sample.id, content)
        headers.append(header)
    return headers


def _refuse_changing(dataset: Dataset, samples: Sequence[Sample]) -> None:
    """Raises DatasetError if the code of `dataset` gives another image when it is asked again: two images, twice."""
    from harness.data.decoding import content_digest

    if type(dataset).image is Dataset.image:
        return
    try:
        first, again = ([content_digest(dataset, sample) for sample in samples[:2]] for _ in range(2))
    except ImageError:
        return  # of a file: it is decoded, and named, later
    for sample, before, now in zip(samples, first, again, strict=False):
        if before != now:
            where = f" in view {sample.view}" if sample.view else ""
            code = f"{type(dataset).__module__}.{type(dataset).__qualname__}.image"
            raise DatasetError(
                f"image {sample.id} of {dataset.name}{where} is another one each time it is asked for: it depends on "
                f"chance, time or earlier calls. Fix {code}, or leave {dataset.name} out"
            )


def _headers(dataset: Dataset, samples: Sequence[Sample], folders: Mapping[str, Path | None]) -> Headers:
    """View -> the headers of `samples`, of the views and images that are files."""
    if not folders:
        return {"": headers_of(dataset, [sample for sample in samples if sample.path is not None])}
    return {
        view: headers_of(dataset, [in_view(sample, view, folder) for sample in samples])
        for view, folder in folders.items()
        if folder is not None
    }


def _made_content(dataset: Dataset, sample: Sample) -> tuple[str, Header]:
    """SHA-256 and header of a generated image. Raises DatasetError if it cannot be generated."""
    from harness.data.decoding import content_and_header

    try:
        return content_and_header(dataset, sample)
    except ImageError as error:
        code = f"{type(dataset).__module__}.{type(dataset).__qualname__}.image"
        raise DatasetError(f"{error}. Fix {code}, or leave {dataset.name} out") from error


def dataset_identity(dataset: Dataset, manifest: Manifest) -> dict[str, object]:
    """Everything about a dataset that can change a number; JSON-ready."""
    fields = asdict(dataset)
    fields.pop("path")
    fields["preprocessing"] = dataset.preprocessing.document()
    return {**fields, "version": dataset.version, "n": len(manifest.samples), "manifest": manifest.digest}
