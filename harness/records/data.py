"""Samples of a dataset, what a decision on them is, and where a complete copy comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """PIL-exact path from a file to pixels: RGB, resize of the shorter side, centre crop.

    Attributes:
        resize: length of the shorter side after a bilinear, antialiased resize; None: no resize and no
            crop, the file must already be `size` x `size`.
        size: side S of the square that is cut out, in pixels.
    """

    resize: int | None = 256
    size: int = 224


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSpace:
    """What a decision on a dataset is, and how logits become one.

    Attributes:
        name: ``imagenet-1k``, ``entry-level-16``, …
        classes: the K class names; targets and stored top-5 are indices into it.
        model_label_space, outputs: which models can be judged here, and how many logits they have.
        columns: K logit columns to keep before the softmax (200-class subsets); None: all.
        members: for each class the logit columns whose *mean probability* (softmax over all outputs) is its score
            (Geirhos' 16 categories); None: one logit a class. At most one of `columns`, `members` is given.
    """

    name: str
    classes: tuple[str, ...]
    model_label_space: str = "imagenet-1k"
    outputs: int = 1000
    columns: tuple[int, ...] | None = None
    members: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One file on the net.

    Attributes:
        uri: ``https://…``, ``hf:OWNER/REPO:FILE`` or ``gdrive:ID``.
        bytes: its size, None where it is not known.
        digest: ``sha256:HEX`` (or the first 8 digits or more of it) or ``md5:HEX``; None: none is published.
        into: for archives: folder below the data root into which it is unpacked; empty: the data root itself.
        rename: for archives: (folder, folder) below the data root: what it unpacks to, what it is to be called.
    """

    uri: str
    bytes: int | None = None
    digest: str | None = None
    into: str = ""
    rename: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a complete copy of a dataset is, and where it comes from. Known without any file.

    Attributes:
        images: samples of the complete set (each in all of its views).
        bytes: size on disk when unpacked, where it is known.
        license: of the images; ``page``: where a person reads more or asks for access.
        downloads: archives that `harness fetch` gets; empty: only a person can get them, from `page`.
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
        id: stable name, unique in the dataset, independent of where the data lies (relative POSIX path).
        targets: indices of all classes that count as correct (one, except for multi-label sets).
        path: the file, or None for images that are made.
        attributes: values of the dataset's `attributes`, in their order.
        view: in which of the dataset's views the image is to be shown; set by the engine, empty where there is one.
    """

    id: str
    targets: tuple[int, ...]
    path: Path | None = None
    attributes: tuple[str, ...] = ()
    view: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a probe gets to make stimuli from.

    Attributes:
        images: (B, 3, S, S) float32 in [0, 1] on the run's device; values are k/255. Do not modify in place.
        sample_ids: B ids; `targets`: B tuples of accepted classes.
        seed: the run's seed. Use `noise`, not a generator of your own.
    """

    images: torch.Tensor
    sample_ids: tuple[str, ...]
    targets: tuple[tuple[int, ...], ...]
    seed: int

    def noise(self, purpose: str) -> torch.Tensor:
        """Standard normal noise, one field per sample, (B, S, S) float32 on the images' device.

        Each field depends on (seed, sample id, purpose) alone: the same for any batch size, order, worker
        count and device, so that a stimulus is the same wherever it is made.
        """
        from harness.randomness import normal_fields

        return normal_fields(self.seed, self.sample_ids, purpose, self.images.shape[-2:], self.images.device)

    def uniform(self, purpose: str) -> torch.Tensor:
        """Uniform numbers in [0, 1), one for every value of `images`, (B, 3, S, S) float32; else as `noise`."""
        from harness.randomness import uniform_fields

        return uniform_fields(self.seed, self.sample_ids, purpose, self.images.shape[1:], self.images.device)
