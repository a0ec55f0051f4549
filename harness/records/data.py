"""Samples of a dataset, its label space, and its release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

if TYPE_CHECKING:
    import torch


Interpolation = Literal["bilinear", "bicubic"]
INTERPOLATIONS: Final[tuple[str, ...]] = get_args(Interpolation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """PIL-exact path from a file to pixels: RGB, resize, centre crop.

    Attributes:
        resize: length of the shorter side after an antialiased resize that keeps the proportions, or (height, width)
            after one that does not; None: no resize and no crop, the file must already be `size` x `size`.
        size: side S of the square crop, in pixels.
        interpolation: of the resize.
        native: each network sees images as its model source states them (`ModelSource.native`); `resize`, `size` and
            `interpolation` only say what is planned for where no network is known.
    """

    resize: int | tuple[int, int] | None = 256
    size: int = 224
    interpolation: Interpolation = "bilinear"
    native: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for a crop that does not fit, an unknown interpolation, or one without a resize."""
        sides = self.resize if isinstance(self.resize, tuple) else (self.resize or self.size,)
        if min(sides) < self.size:
            raise ValueError(
                f"size {self.size} is larger than resize {min(sides)}: the crop would not fit into the image"
            )
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation {self.interpolation!r} is none of {', '.join(INTERPOLATIONS)}")
        if self.resize is None and self.interpolation != "bilinear":
            raise ValueError(f"interpolation {self.interpolation} is that of a resize: give resize too")

    def document(self) -> dict[str, Any]:
        """The part of a cell's identity, JSON-ready; what was added later is in it only where it is not the default."""
        if self.native:
            return {"size": "native"}
        fields = {"resize": self.resize, "size": self.size}
        return fields if self.interpolation == "bilinear" else {**fields, "interpolation": self.interpolation}

    def __str__(self) -> str:
        """``resized to 256, cropped to 224``."""
        if self.native:
            return "resized and cropped as each network's source states"
        if self.resize is None:
            return f"{self.size} px as stored"
        side = self.resize if isinstance(self.resize, int) else f"{self.resize[0]} x {self.resize[1]}"
        how = "" if self.interpolation == "bilinear" else f" ({self.interpolation})"
        return f"resized to {side}{how}, cropped to {self.size}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSpace:
    """The classes of a dataset, and how logits become a decision among them.

    Attributes:
        name: ``imagenet-1k``, ``entry-level-16``, …
        classes: the K class names; targets and stored top-5 are indices into it.
        model_label_space, outputs: label space and number of logits of the models that can be tested.
        columns: K logit columns to keep before the softmax (200-class subsets); None: all.
        members: for each class the logit columns whose *mean probability* (softmax over all outputs) is its score
            (Geirhos' 16 categories); None: one logit per class. At most one of `columns`, `members` is given.
    """

    name: str
    classes: tuple[str, ...]
    model_label_space: str = "imagenet-1k"
    outputs: int = 1000
    columns: tuple[int, ...] | None = None
    members: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One file to download.

    Attributes:
        uri: ``https://…``, ``hf:OWNER/REPO:FILE`` or ``gdrive:ID``.
        bytes: its size, None where unknown.
        digest: ``sha256:HEX`` (or at least its first 8 digits) or ``md5:HEX``; None: none is published.
        into: for archives: folder below the data root into which it is unpacked; empty: the data root itself.
        rename: for archives: (unpacked folder, new name), both below the data root.
        file: for a single file of a dataset, which is not unpacked: its path below the data root; empty: an archive.
    """

    uri: str
    bytes: int | None = None
    digest: str | None = None
    into: str = ""
    rename: tuple[str, str] | None = None
    file: str = ""

    @property
    def sha256(self) -> str | None:
        """Its SHA-256, or the first digits of it; None: not published."""
        algorithm, _, digits = (self.digest or "").partition(":")
        return digits if algorithm == "sha256" else None

    @property
    def digits(self) -> int:
        """How many hex digits of the digest are published; 0 where none is."""
        return len((self.digest or "").partition(":")[2])

    @property
    def has_whole_digest(self) -> bool:
        """Whether every digit of the digest is published: 64 of SHA-256, 32 of MD5."""
        return self.digits == {"sha256": 64, "md5": 32}.get((self.digest or "").partition(":")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A complete copy of a dataset and its source. Known without any file.

    Attributes:
        images: number of samples of the complete set (each in all of its views).
        bytes: size on disk when unpacked, where it is known.
        license: license of the images. page: web page with more information, or to ask for access.
        downloads: archives and single files for `harness fetch`; empty: they must be downloaded by hand, from `page`.
            If all are single files, they come beside the images, which must be downloaded by hand.
    """

    images: int
    bytes: int | None = None
    license: str = ""
    page: str = ""
    downloads: tuple[Download, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One image of a dataset.

    Attributes:
        id: stable name, unique in the dataset, independent of the location of the data (relative POSIX path).
        targets: indices of all classes that count as correct (one, except for multi-label sets); () for every sample
            of a dataset without labels, of which only changes of decisions are measured.
        path: the file, or None for generated images.
        attributes: values of the dataset's `attributes`, in their order.
        view: the dataset's view in which the image is shown; set by the engine, empty for datasets without views.
    """

    id: str
    targets: tuple[int, ...]
    path: Path | None = None
    attributes: tuple[str, ...] = ()
    view: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """The images from which a probe makes stimuli.

    Attributes:
        images: (B, 3, S, S) float32 in [0, 1] on the run's device; values are k/255. Do not modify in place. S is
            `Probe.side` of `size`.
        sample_ids: B ids; `targets`: B tuples of accepted classes.
        seed: the run's seed. Use `noise`, not your own generator.
        size: side of the stimuli to make, in pixels; 0 stands for that of the images.
    """

    images: torch.Tensor
    sample_ids: tuple[str, ...]
    targets: tuple[tuple[int, ...], ...]
    seed: int
    size: int = 0

    def __post_init__(self) -> None:
        if not self.size:
            object.__setattr__(self, "size", self.images.shape[-1])

    def noise(self, purpose: str) -> torch.Tensor:
        """Standard normal noise, one field per sample, (B, S, S) float32 on the images' device.

        Each field depends only on (seed, sample id, purpose), never on batch size, order, worker count or device,
        so that a stimulus is the same everywhere.
        """
        from harness.randomness import normal_fields

        return normal_fields(self.seed, self.sample_ids, purpose, self.images.shape[-2:], self.images.device)

    def uniform(self, purpose: str) -> torch.Tensor:
        """Uniform numbers in [0, 1), one for every value of `images`, (B, 3, S, S) float32; otherwise as `noise`."""
        from harness.randomness import uniform_fields

        return uniform_fields(self.seed, self.sample_ids, purpose, self.images.shape[1:], self.images.device)
