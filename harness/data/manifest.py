"""The manifest of a dataset on this disk: its samples in a fixed order, and one digest of exactly these bytes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.inspection import Header, Headers, equal_files, headers_of, remarks_on
from harness.data.promises import checked_samples
from harness.errors import DatasetError, ImageError
from harness.local.cache import cache_dir
from harness.local.digests import SETTLED_NS, fingerprint
from harness.local.writing import write_whole
from harness.records import Remark

if TYPE_CHECKING:
    from harness.interfaces import Dataset
    from harness.records import Sample


log = logging.getLogger(__name__)
Hashed = tuple[int, int, int, str]
"""Size in bytes, times of modification and of change in ns, SHA-256: a file whose first three are
unchanged is not read again. The time of change cannot be set back; ``cp -p`` sets back the time of modification."""
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
        if not self.folders:
            yield samples
        for view, folder in self.folders.items():
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
    """The first of each class, then the second of each, …; a sample with several classes counts for its first."""
    met: Counter[int] = Counter()
    turns: list[tuple[int, int]] = []
    for place, sample in enumerate(samples):
        turns.append((met[sample.targets[0]], place))
        met[sample.targets[0]] += 1
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
    scanned = checked_samples(dataset, dataset.samples(root))
    if not scanned:
        raise DatasetError(f"dataset {dataset.name!r} has no images in {root}")
    ids = {sample.id for sample in scanned}
    if len(ids) < len(scanned):
        doubled, _ = Counter(sample.id for sample in scanned).most_common(1)[0]
        raise DatasetError(f"dataset {dataset.name!r} has two samples with the id {doubled!r} in {root}")
    selected = lowest_hashes(scanned, limit)
    folders = {view: dataset.folder(root, view) for view in dataset.views()}
    hashes = {} if folders else _file_digests(root, [sample.path for sample in selected if sample.path], progress)
    total = hashlib.sha256()
    for sample in selected:
        content = hashes.get(sample.path, "") if sample.path else ""
        total.update(json.dumps([sample.id, sample.targets, sample.attributes, content]).encode() + b"\n")
    looked_at = lowest_hashes(selected, LOOKED_AT if folders else LOOKED_AT_ALONE)
    contents: dict[str, dict[str, str]] = {}
    for number, (view, folder) in enumerate(folders.items(), 1):
        if folder is not None:
            sizes = _sizes(folder, selected)
            contents[view] = _contents(folder, looked_at)
            read = [contents[view][sample.id] for sample in lowest_hashes(looked_at, WITNESSES)]
            total.update(json.dumps([view, sizes, read]).encode() + b"\n")
        if progress:
            progress(number * len(selected), len(folders) * len(selected))
    made: list[Header] = []
    for sample in made_witnesses(selected, folders):
        content, header = _made_content(dataset, sample)
        total.update(json.dumps([sample.view, sample.id, content]).encode() + b"\n")
        made.append(header)
    remarks = list(dataset.remarks(scanned))
    if limit is not None and limit < len(scanned):
        remarks.append(f"--limit: {len(selected):,} of {len(scanned):,} images")
    remarks += equal_files({view: list(digests.values()) for view, digests in contents.items()})
    remarks += remarks_on(_headers(dataset, looked_at, folders), dataset.preprocessing, made)
    return Manifest(
        samples=tuple(selected),
        total=len(scanned),
        digest=total.hexdigest(),
        remarks=tuple(Remark("data", dataset.name, remark) for remark in remarks),
        folders=folders,
        contents={view: _joint(digests) for view, digests in contents.items()},
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


def _sizes(folder: Path, samples: Sequence[Sample]) -> list[int]:
    """Bytes of each sample's file in one view. Raises DatasetError if a file is missing."""
    prefix = os.fspath(folder)
    try:
        found = [os.stat(f"{prefix}/{sample.id}") for sample in samples]  # noqa: PTH116 - millions: no Path each
    except OSError as error:
        raise DatasetError(
            f"cannot read {error.filename}: {error.strerror}. Fix the files, or fetch them again"
        ) from error
    for sample, status in zip(samples, found, strict=True):
        if not stat.S_ISREG(status.st_mode):
            raise _irregular(folder / sample.id)
    return [status.st_size for status in found]


def _contents(folder: Path, samples: Sequence[Sample]) -> dict[str, str]:
    """Id -> SHA-256 of its file in one view. Raises DatasetError if one cannot be read."""
    with ThreadPoolExecutor() as pool:
        digests = pool.map(lambda sample: _content(folder / sample.id), samples)
        return dict(zip([sample.id for sample in samples], digests, strict=True))


def _joint(digests: Mapping[str, str]) -> str:
    """One SHA-256 over ids and digests."""
    return hashlib.sha256(json.dumps(sorted(digests.items())).encode()).hexdigest()


def _content(path: Path) -> str:
    """SHA-256 of a file. Raises DatasetError if it cannot be read, or is a FIFO, a device or a folder."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _irregular(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _made_content(dataset: Dataset, sample: Sample) -> tuple[str, Header]:
    """SHA-256 and header of a generated image. Raises DatasetError if it cannot be generated."""
    from harness.data.decoding import content_and_header

    try:
        return content_and_header(dataset, sample)
    except ImageError as error:
        code = f"{type(dataset).__module__}.{type(dataset).__qualname__}.image"
        raise DatasetError(f"{error}. Fix {code}, or leave {dataset.name} out") from error


def _unreadable(path: Path, error: OSError) -> DatasetError:
    return DatasetError(f"cannot read {path}: {error.strerror}. Fix or remove the file")


def _irregular(path: Path) -> DatasetError:
    return DatasetError(f"{path} is no regular file, but a folder, FIFO or device. Remove it")


def dataset_identity(dataset: Dataset, manifest: Manifest) -> dict[str, object]:
    """Everything about a dataset that can change a number; JSON-ready."""
    fields = asdict(dataset)
    fields.pop("path")
    fields["preprocessing"] = dataset.preprocessing.document()
    return {**fields, "version": dataset.version, "n": len(manifest.samples), "manifest": manifest.digest}


def _file_digests(root: Path, paths: Sequence[Path], progress: Callable[[int, int], None] | None) -> dict[Path, str]:
    """SHA-256 of each file; files whose size and times match the cache are not read again."""
    memory = cache_dir() / "manifests" / f"{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:24]}.json"
    remembered = _remembered(memory)
    digests: dict[Path, str] = {}
    fresh: dict[str, Hashed] = {}

    def digest(path: Path) -> tuple[Path, str, Hashed]:
        key = os.path.relpath(path, root)
        try:
            size, modified, changed = fingerprint(path)
            before = remembered.get(key)
            if before and before[:3] == (size, modified, changed):
                return path, key, before
        except OSError as error:
            raise _unreadable(path, error) from error
        return path, key, (size, modified, changed, _content(path))

    with ThreadPoolExecutor() as pool:
        for count, (path, key, hashed) in enumerate(pool.map(digest, paths), 1):
            digests[path], fresh[key] = hashed[3], hashed
            if progress and (count % 256 == 0 or count == len(paths)):
                progress(count, len(paths))
    young = time.time_ns() - SETTLED_NS
    settled = {key: hashed for key, hashed in fresh.items() if max(hashed[1:3]) < young}
    if any(remembered.get(key) != hashed for key, hashed in settled.items()):
        _remember(memory, {**remembered, **settled})
    return digests


def _remembered(memory: Path) -> dict[str, Hashed]:
    try:
        return {key: (*value[:3], value[3]) for key, value in json.loads(memory.read_text()).items()}
    except (OSError, ValueError, LookupError, TypeError):  # missing or damaged: only a cache, rebuilt below
        return {}


def _remember(memory: Path, entries: dict[str, Hashed]) -> None:
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_whole(memory, json.dumps(entries))
    except OSError as error:  # only a cache: the next run reads the files again
        log.warning("cannot remember digests in %s: %s", memory, error.strerror)
