"""Dataset `imagenet-votes`: the ImageNet validation set, and what people say is in its images.

Beyer, Hénaff, Kolesnikov, Zhai, van den Oord: "Are we done with ImageNet?" (2020, arXiv 2006.07159) asked five people
about each class that networks propose for an image, 184,962 times. Their answers are published as ``raters.npz``; the
ReaL labels made of them come with timm. The judgements of experts on the last mistakes of two networks (Vasudevan et
al., "When does dough become a bagel?", NeurIPS 2022) are ``vit3b_mistakes.json`` and ``greedy_soups_mistakes.json``.
A dataset of its own, so that stored numbers on `imagenet` keep their identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, NamedTuple

from harness import Dataset, DatasetError, Download, Release, Sample, hookimpl

from ._flat_validation import is_flat, validation_samples
from ._imagenet_classes import VALIDATION_IMAGES, indices, real_labels
from ._rater_votes import read_mistakes, read_votes, severities
from ._trees import class_folders
from ._validation_images import number_of
from .imagenet import ImageNet

VOTES = "raters.npz"
TABLES = ("vit3b_mistakes.json", "greedy_soups_mistakes.json")
"""Judgements of experts; either may be missing."""
CONTESTED = 24_889
"""Validation images of which a class was put to the vote."""
_PUBLISHED = "https://raw.githubusercontent.com/google-research"
_METADATA = f"{_PUBLISHED}/imagenet-mistakes/bed8d35791fbd3dea10e7a4434d94c41e12bee4d/metadata"
_TABLES = {
    TABLES[0]: (49_255, "sha256:7c48988d683c60714ee720b9ee8f762b32e5759e2b98a12a5ab23d41b20d4c2a"),
    TABLES[1]: (32_295, "sha256:de1f832b337c2e88fea35cf55a81f7f7db0a2bddc7f0742f2d69a921672d6217"),
}
"""Tables of experts -> bytes and digest."""
IMAGES = Path("imagenet/val")
"""Where the images may be instead, beside the folder of the votes."""


class Opinions(NamedTuple):
    """Number of an image -> what is said of it, in the form of the attribute."""

    votes: Mapping[int, str]
    judged: Mapping[int, str]


@dataclass(frozen=True, kw_only=True)
class ImageNetVotes(ImageNet):
    """`imagenet`, with the attributes `votes`, `real` and `judged`.

    ``raters.npz`` lies in the dataset's folder, and so do the tables of experts, if they are there. The images are in
    the same folder, in class folders or in one, or in ``imagenet/val`` beside it.

    `votes`: ``556:5/0/0 779:1/1/3``, each class that was put to the vote, and how many of five people say no, maybe and
    yes; empty: none was, since all networks agreed with the label. `real`: ``779 553``, the ReaL labels; empty: none.
    `judged`: ``281:major 285:minor``, classes that are mistakes by the tables of experts, where borderline counts as
    minor; empty: there is none in them.
    """

    name: str = "imagenet-votes"
    path: str = "imagenet-votes"
    attributes: ClassVar[tuple[str, ...]] = ("votes", "real", "judged")

    def release(self) -> Release:
        """The votes, whose digest is unknown, and the judgements; the images are those of `imagenet`, by hand."""
        tables = (
            Download(uri=f"{_METADATA}/{name}", bytes=size, digest=digest, file=f"{self.path}/{name}")
            for name, (size, digest) in _TABLES.items()
        )
        votes = Download(uri=f"{_PUBLISHED}/reassessed-imagenet/master/{VOTES}", file=f"{self.path}/{VOTES}")
        licence = "votes and judgements: Apache-2.0; images: ImageNet terms of access"
        return replace(super().release(), license=licence, downloads=(votes, *tables))

    def samples(self, root: Path) -> list[Sample]:
        """All images, with what is said of them.

        Raises:
            DatasetError: as `imagenet`; the votes are missing or damaged, there are no images, or one is not named as a
                validation image.
        """
        self._opinions(root)  # what is missing is said before fifty thousand images are listed
        folder = self._images(root)
        try:
            samples = validation_samples(folder, self.name)
        except DatasetError as error:
            if folder == root or not error.remedy:
                raise
            both = f"--data {self.name}=DIR, DIR with the images and {VOTES}"
            raise DatasetError(error.reason, remedy=both) from error
        return self.with_votes(samples, root)

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """Those of `imagenet`; votes on fewer images than are published; no judgements of experts."""
        yield from super().remarks(samples)
        yield from self.remarks_on_votes(samples)

    def remarks_on_votes(self, samples: Sequence[Sample]) -> Iterator[str]:
        """Votes on fewer images than are published, as in another file of raters; no judgements of experts."""
        voted = sum(bool(sample.attributes[0]) for sample in samples)
        other = voted != CONTESTED if len(samples) == VALIDATION_IMAGES else 10 * voted < len(samples)
        if other:
            whole = f"published are votes on {CONTESTED:,} of {VALIDATION_IMAGES:,}"
            yield f"votes on {voted:,} of {len(samples):,} images, {whole}: is {VOTES} the published file?"
        if not any(sample.attributes[2] for sample in samples):
            yield f"no judgements of experts on these images ({' and '.join(TABLES)}): major-mistakes is not defined"

    def with_votes(self, samples: Iterable[Sample], root: Path) -> list[Sample]:
        """Validation images, whose files are not needed, with what the files in `root` and timm say of them.

        Raises DatasetError: the votes are missing, a file is damaged, or an image is not named as a validation image.
        """
        opinions = self._opinions(root)
        return [self._judged(sample, opinions) for sample in samples]

    def _opinions(self, root: Path) -> Opinions:
        """What the files in `root` say. Raises DatasetError."""
        try:
            files = [(path, *_state(path)) for name in (VOTES, *TABLES) if (path := root / name).exists()]
            if not files or files[0][0].name != VOTES:
                raise DatasetError(
                    f"dataset {self.name!r}: no votes: there is no {root / VOTES}. It is published at "
                    "github.com/google-research/reassessed-imagenet",
                    remedy=f"harness fetch --datasets {self.name} --data ROOT",
                )
            return _read(tuple(files))
        except _DamagedError as error:
            raise DatasetError(
                f"dataset {self.name!r}: {error}",
                remedy=f"rm {error.path} && harness fetch --datasets {self.name} --data ROOT",
            ) from error
        except OSError as error:  # the files may be whole
            raise DatasetError(
                f"dataset {self.name!r}: cannot read {error.filename or root} ({error.strerror})"
            ) from error

    def _images(self, root: Path) -> Path:
        """The folder of the images: `root`, or the one beside it. Raises DatasetError."""
        if is_flat(root) or any(folder.name in indices() for folder in class_folders(root, self.name)):
            return root
        places = dict.fromkeys(folder.parent / IMAGES for folder in (root.absolute(), root.resolve()))
        if beside := next((place for place in places if place.is_dir()), None):
            return beside
        place = next(iter(places))
        raise DatasetError(
            f"dataset {self.name!r}: no images: the validation images of ImageNet are neither in {root} nor in {place}",
            remedy=f"ln -s DIR {place}, DIR with the class folders (or the images and their list of labels)",
        )

    def _judged(self, sample: Sample, opinions: Opinions) -> Sample:
        number = number_of(sample.id.rpartition("/")[2])
        if number is None:
            raise DatasetError(
                f"dataset {self.name!r}: {sample.path or sample.id} is not named as a validation image, "
                "ILSVRC2012_val_00000001.JPEG to …50000.JPEG, so what people say of it is unknown. Measure dataset "
                "'imagenet', or give the original names"
            )
        real = " ".join(map(str, real_labels()[number - 1]))
        return replace(sample, attributes=(opinions.votes.get(number, ""), real, opinions.judged.get(number, "")))


class _DamagedError(ValueError):
    """A file is not what is published; the message says why, `path` which."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(f"{path} is not as published: {reason}")
        self.path = path


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=2)
def _read(files: tuple[tuple[Path, int, int], ...]) -> Opinions:
    """What the files (path, size, time) say: the votes first, then tables. Raises OSError, _DamagedError."""
    path = files[0][0]
    try:
        votes, mistakes = read_votes(path).texts(), []
        for path, *_ in files[1:]:
            mistakes += read_mistakes(path)
        return Opinions(votes, severities(mistakes))
    except ValueError as error:
        raise _DamagedError(path, error) from error
    except OSError as error:
        error.filename = str(path)
        raise


@hookimpl
def harness_datasets() -> list[Dataset]:
    """The ImageNet validation set with votes."""
    return [ImageNetVotes()]
